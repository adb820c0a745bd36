//! What the page of a box shows before any of its scripts runs, and where none does.
//!
//! Invariant: the same elements in the same places as `web/hand_in_card.js` makes of them, so that nothing moves when that
//! takes over. Nothing of what others handed in, and no token, stands in it.
//!
//! Absent on purpose: clocks. Whoever has the page made says what time it is.

use poem::Response;
use poem::http::{HeaderMap, HeaderValue, StatusCode, header};

use super::figures::moment;
use super::html::{Html, Preview};
use super::words::Language;
use super::{Shown, Template, WebPage, assets};
use crate::domain::{Timestamp, format_timestamp};

/// Where people hand in.
pub(super) const BOX: Template = Template {
    html: "box.html",
    entry: "hand_in_page.js",
};
/// So long before the end of something it is said, in seconds. As `web/deadline.js` does.
const SOON_SECONDS: i64 = 60 * 60;
const HIDDEN: &str = " hidden";

/// What a box takes, and when.
#[derive(Debug, Clone)]
pub struct BoxSheet {
    /// What its owner calls it.
    pub title: String,
    /// What time it is for the service.
    pub now: Timestamp,
    /// From when on it takes files.
    pub opens_at: Option<Timestamp>,
    /// What comes later is late.
    pub due_at: Option<Timestamp>,
    /// Until when it takes files.
    pub closes_at: Option<Timestamp>,
    /// What names may end with; empty: with anything.
    pub types: Vec<String>,
    /// How large a file may be, in bytes.
    pub max_file_bytes: u64,
}

/// What there is to show under a box's URL.
#[derive(Debug, Clone, Copy)]
pub enum BoxView<'a> {
    /// A box.
    Seen(&'a BoxSheet),
    /// The URL brings nothing, or nothing any more.
    NoSuchBox,
    /// It is for people who signed in, and nobody is known to ask: the page asks again, and leads there.
    WhoAsks,
    /// It can't be told right now.
    Unavailable,
}

/// Where a box stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    NotYet,
    Open,
    Soon,
    Late,
    Closed,
}

impl Standing {
    fn as_str(self) -> &'static str {
        match self {
            Self::NotYet => "notYet",
            Self::Open => "open",
            Self::Soon => "soon",
            Self::Late => "late",
            Self::Closed => "closed",
        }
    }
}

impl BoxSheet {
    fn standing(&self) -> Standing {
        let now = self.now;
        if self.opens_at.is_some_and(|at| now < at) {
            return Standing::NotYet;
        }
        if self.closes_at.is_some_and(|at| now >= at) {
            return Standing::Closed;
        }
        if self.due_at.is_some_and(|at| now > at) {
            return Standing::Late;
        }
        let end = self.due_at.or(self.closes_at);
        match end.is_some_and(|at| (at - now).num_seconds() <= SOON_SECONDS) {
            true => Standing::Soon,
            false => Standing::Open,
        }
    }

    /// Until when, in a sentence, for a preview.
    fn until(&self, language: Language) -> String {
        let words = language.words();
        match (self.standing(), self.due_at, self.closes_at) {
            (Standing::Closed, _, _) => words.get("handIn.isClosed"),
            (_, Some(at), _) => words.with("handIn.dueOn", &[&moment(at)]),
            (_, None, Some(at)) => words.with("handIn.untilOn", &[&moment(at)]),
            (_, None, None) => words.get("handIn.noDeadline"),
        }
    }

    fn facts(&self, language: Language) -> Html {
        let words = language.words();
        let time = |at| {
            Html::fill(
                "<time datetime=\"{{iso}}\">{{text}}</time>",
                &[
                    ("iso", &Html::text(&format_timestamp(at))),
                    ("text", &Html::text(&moment(at))),
                ],
            )
        };
        let fact = |path: &str, value: &Html| {
            Html::fill(
                "<dt>{{term}}</dt><dd>{{value}}</dd>",
                &[("term", &Html::text(&words.get(path))), ("value", value)],
            )
        };
        let mut facts = Vec::new();
        if let (Standing::NotYet, Some(at)) = (self.standing(), self.opens_at) {
            facts.push(fact("handIn.opens", &time(at)));
        }
        match (self.due_at, self.closes_at) {
            (Some(due), closes) => {
                let after = match closes {
                    None => words.get("handIn.lateTaken"),
                    Some(at) if at == due => words.get("handIn.lateNone"),
                    Some(at) => words.with("handIn.lateUntil", &[&moment(at)]),
                };
                facts.push(fact("handIn.due", &time(due)));
                facts.push(fact("handIn.lateOnes", &Html::text(&after)));
            }
            (None, Some(at)) => facts.push(fact("handIn.closes", &time(at))),
            (None, None) => {}
        }
        let kinds = match self.types.is_empty() {
            true => words.get("handIn.anyType"),
            false => self.types.join(", "),
        };
        let limit = words.with("handIn.limit", &[&language.size(self.max_file_bytes)]);
        facts.push(fact(
            "handIn.files",
            &Html::text(&format!("{kinds}, {limit}")),
        ));
        Html::concat(&facts)
    }
}

/// The page's own parts, as plain text but for the last.
struct Parts {
    title: String,
    state: &'static str,
    standing: String,
    clock: String,
    description: String,
    facts: Option<Html>,
}

impl BoxView<'_> {
    fn status(self) -> StatusCode {
        match self {
            Self::Seen(_) => StatusCode::OK,
            Self::NoSuchBox => StatusCode::NOT_FOUND,
            Self::WhoAsks => StatusCode::UNAUTHORIZED,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn parts(self, language: Language) -> Parts {
        let words = language.words();
        let plain = |state, title: &str, text: &str| Parts {
            title: words.get(title),
            state,
            standing: words.get(text),
            clock: String::new(),
            description: words.get(text),
            facts: None,
        };
        match self {
            Self::Seen(sheet) => {
                let state = sheet.standing().as_str();
                Parts {
                    title: sheet.title.clone(),
                    state,
                    standing: words.get(&format!("handIn.standing.{state}")),
                    clock: words.with("handIn.clock", &[&moment(sheet.now)]),
                    description: words.with("handIn.preview", &[&sheet.until(language)]),
                    facts: Some(sheet.facts(language)),
                }
            }
            Self::NoSuchBox => plain("gone", "handIn.goneTitle", "handIn.goneText"),
            Self::WhoAsks => plain("wait", "handIn.waitTitle", "handIn.waitText"),
            Self::Unavailable => plain(
                "unreachable",
                "handIn.unreachableTitle",
                "handIn.unreachableText",
            ),
        }
    }
}

impl WebPage {
    /// The page of a box, for a request with these headers.
    pub fn box_page(&self, asked: &HeaderMap, view: BoxView<'_>, shown: Shown<'_>) -> Response {
        let html = self.box_html(view, shown);
        let mut response = self.for_one_reader(asked, view.status(), html);
        let policy = self.box_policy();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        response
    }

    /// What the pages of boxes may load, and whom they may ask.
    pub(super) fn box_policy(&self) -> HeaderValue {
        self.policy_with(&assets::box_style_sources())
    }

    fn box_html(&self, view: BoxView<'_>, shown: Shown<'_>) -> Html {
        let parts = view.parts(shown.language);
        let words = shown.language.words();
        let product = words.get("product");
        let preview = Preview {
            title: &parts.title,
            description: &parts.description,
            // Whoever has it may hand in: it stands nowhere else.
            url: None,
            site: &product,
        };
        let hidden = if parts.facts.is_none() { HIDDEN } else { "" };
        self.html(
            BOX,
            shown,
            &[
                (
                    "page_title",
                    &Html::text(&words.with("title", &[&parts.title])),
                ),
                ("title", &Html::text(&parts.title)),
                ("preview", &preview.html()),
                ("state", &Html::markup(parts.state)),
                ("standing", &Html::text(&parts.standing)),
                ("clock", &Html::text(&parts.clock)),
                ("facts_hidden", &Html::markup(hidden)),
                ("facts", &parts.facts.unwrap_or_default()),
            ],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::parse_timestamp;

    fn at(text: &str) -> Timestamp {
        parse_timestamp(text).unwrap()
    }

    fn sheet() -> BoxSheet {
        BoxSheet {
            title: "Sheet <3> {{facts}}".into(),
            now: at("2027-01-31T09:00:00Z"),
            opens_at: None,
            due_at: Some(at("2027-02-01T09:05:30Z")),
            closes_at: Some(at("2027-02-02T00:00:00Z")),
            types: vec!["docx".into(), "pdf".into()],
            max_file_bytes: 1280,
        }
    }

    fn page(store_origin: Option<&str>) -> WebPage {
        WebPage {
            download_origin: None,
            store_origin: store_origin.map(str::to_owned),
            max_upload_bytes: 1234,
            sign_in: None,
        }
    }

    fn html(view: BoxView<'_>, language: Language) -> String {
        let shown = Shown {
            language,
            root: "../",
            is_in: false,
        };
        page(None).box_html(view, shown).into_string()
    }

    #[test]
    fn a_page_says_what_is_taken_until_when_and_what_time_it_is_without_a_script() {
        for language in Language::ALL {
            let words = language.words();
            let html = html(BoxView::Seen(&sheet()), language);
            for expected in [
                "Sheet &lt;3&gt; {{facts}}",
                "<time datetime=\"2027-02-01T09:05:30.000Z\">2027-02-01 09:05:30 UTC</time>",
                "2027-02-02 00:00:00 UTC",
                "2027-01-31 09:00:00 UTC",
                "docx, pdf",
                &words.get("handIn.standing.open"),
                &words.get("handIn.noScript"),
                "property=\"og:title\" content=\"Sheet &lt;3&gt; {{facts}}\"",
            ] {
                assert!(html.contains(expected), "{expected}: {html}");
            }
            assert!(
                !html.contains("og:url") && html.contains("src=\"../web/"),
                "{html}"
            );
        }
    }

    #[test]
    fn a_box_stands_where_its_times_put_it() {
        let standing = |change: fn(&mut BoxSheet)| {
            let mut sheet = sheet();
            change(&mut sheet);
            sheet.standing()
        };
        assert_eq!(standing(|_| ()), Standing::Open);
        let due = "2027-02-01T09:05:30Z";
        for (now, expected) in [
            ("2027-02-01T08:05:29Z", Standing::Open),
            ("2027-02-01T08:05:30Z", Standing::Soon),
            (due, Standing::Soon),
            ("2027-02-01T09:05:30.001Z", Standing::Late),
            ("2027-02-01T23:59:59.999Z", Standing::Late),
            ("2027-02-02T00:00:00Z", Standing::Closed),
        ] {
            let sheet = BoxSheet {
                now: at(now),
                ..sheet()
            };
            assert_eq!(sheet.standing(), expected, "{now}");
        }
        assert_eq!(
            standing(|it| it.opens_at = Some(at("2027-01-31T09:00:01Z"))),
            Standing::NotYet
        );
        assert_eq!(
            standing(|it| (it.due_at, it.closes_at) = (None, None)),
            Standing::Open
        );
    }

    #[test]
    fn what_is_said_of_the_time_after_it_is_due_is_what_will_happen() {
        let words = Language::English.words();
        let after = |closes_at| {
            let sheet = BoxSheet {
                closes_at,
                ..sheet()
            };
            html(BoxView::Seen(&sheet), Language::English)
        };
        assert!(after(None).contains(&words.get("handIn.lateTaken")));
        assert!(after(sheet().due_at).contains(&words.get("handIn.lateNone")));
    }

    #[test]
    fn where_there_is_no_box_to_show_the_page_says_why_and_has_no_facts() {
        for (view, status, text) in [
            (
                BoxView::NoSuchBox,
                StatusCode::NOT_FOUND,
                "handIn.goneTitle",
            ),
            (
                BoxView::WhoAsks,
                StatusCode::UNAUTHORIZED,
                "handIn.waitTitle",
            ),
            (
                BoxView::Unavailable,
                StatusCode::SERVICE_UNAVAILABLE,
                "handIn.unreachableTitle",
            ),
        ] {
            for language in Language::ALL {
                let html = html(view, language);
                assert!(html.contains(&language.words().get(text)), "{html}");
                assert!(html.contains("<dl id=\"facts\" hidden></dl>"), "{html}");
            }
            assert_eq!(view.status(), status);
        }
    }

    #[test]
    fn the_page_runs_its_own_scripts_alone_and_has_the_styles_that_its_policy_names() {
        let shown = Shown {
            language: Language::English,
            root: "../",
            is_in: false,
        };
        let asked = HeaderMap::new();
        let answer = page(Some("https://b.example")).box_page(&asked, BoxView::NoSuchBox, shown);
        let policy = answer.headers()[header::CONTENT_SECURITY_POLICY].to_str();
        let policy = policy.unwrap();
        assert!(policy.contains("script-src 'self';"), "{policy}");
        assert!(
            policy.contains("connect-src 'self' https://b.example;"),
            "{policy}"
        );
        assert_eq!(policy.matches("'sha256-").count(), 3, "{policy}");
    }
}
