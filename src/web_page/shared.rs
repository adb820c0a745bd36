//! The page of a link, as the service renders it: whole without a script, and with what a preview shows.
//!
//! Invariant: whatever people named stands in it as text. A form goes to this service alone, and from there to the store.
//! Where there is one file, nothing in it runs; of several, a script of this service's makes one archive, and while files
//! are on their way it looks again.
//!
//! Absent on purpose: what may be taken, and by whom. It shows what it is told.

use std::fmt::Write;

use poem::Response;
use poem::http::{HeaderMap, HeaderValue, StatusCode, header};

use super::{Html, Language, Preview, Shown, Template, WebPage, Words, assets};

/// As the other pages call it too.
const PRODUCT: &str = "File Share";
/// What a link shows.
const SHARED: Template = Template {
    html: "shared.html",
    entry: "",
};
/// The same, where several files can be taken, or some are still to come.
const SHARED_SCRIPTED: Template = Template {
    html: "shared.html",
    entry: "shared_page.js",
};
/// What is said in place of it.
const SHARED_NOTICE: Template = Template {
    html: "shared_notice.html",
    entry: "",
};
/// What these two have of their own.
const STYLE: &str = "shared.css";
const LOOKS_AGAIN_WITHOUT_SCRIPT: &str =
    "<noscript><meta http-equiv=\"refresh\" content=\"10\"></noscript>";
const PASSWORD: &str = "<input type=\"password\" id=\"password\" name=\"password\" required maxlength=\"128\" \
    autocomplete=\"off\">";

/// The pages of links.
#[derive(Debug, Clone)]
pub struct SharedPage {
    page: WebPage,
    /// What a page may do that has no script,
    policy: HeaderValue,
    /// and one that has one.
    scripted_policy: HeaderValue,
}

/// What a link shows.
#[derive(Debug, Clone)]
pub struct SharedView {
    /// What it is written in.
    pub language: Language,
    /// What stands above everything, and what a preview calls it.
    pub title: String,
    /// How much there is, and until when.
    pub summary: String,
    /// What became of the last try.
    pub message: Option<String>,
    /// Whether a password is asked for.
    pub needs_password: bool,
    /// Whether files are still on their way, so that the page looks again by itself.
    pub is_waiting: bool,
    /// What marks this page's downloads, so that one that is asked for twice counts once.
    pub key: String,
    /// The files.
    pub rows: Vec<SharedRow>,
}

/// A file that a link shows.
#[derive(Debug, Clone)]
pub struct SharedRow {
    /// What is sent to take it; `None`: it can't be taken.
    pub id: Option<String>,
    /// Its name, for people.
    pub name: String,
    /// How large it is, and what there is to know besides.
    pub note: String,
}

/// What is said in place of a link's files.
#[derive(Debug, Clone)]
pub struct SharedNotice {
    /// What it is written in.
    pub language: Language,
    /// What went wrong.
    pub title: String,
    /// Why.
    pub detail: String,
    /// What to do, where the text before doesn't say it.
    pub advice: Option<String>,
    /// By what name programs know it.
    pub code: &'static str,
    /// By what name the log knows the request.
    pub request_id: String,
    /// A way on: where it leads, and its name.
    pub action: Option<(String, String)>,
    /// Where the browser goes at once, by itself.
    pub refresh: Option<String>,
}

impl SharedPage {
    pub(super) fn new(page: WebPage) -> Self {
        // A browser looks at the redirect of a form too.
        let store = page.store_sources().unwrap_or_default();
        let policy = format!(
            "default-src 'none'; style-src {styles}; img-src 'self'; base-uri 'none'; form-action 'self' {store}; \
             frame-ancestors 'none'",
            styles = assets::own_style_sources(STYLE),
        );
        let scripted = format!(
            "{policy}; script-src 'self'; connect-src 'self' {store}; require-trusted-types-for 'script'; \
             trusted-types 'none'"
        );
        let header = |policy: &str| {
            HeaderValue::from_str(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
        };
        Self {
            policy: header(&policy),
            scripted_policy: header(&scripted),
            page,
        }
    }

    /// The page of a link, for a request with these headers. `up` leads from it to the root.
    pub fn view(
        &self,
        asked: &HeaderMap,
        status: StatusCode,
        up: &str,
        view: &SharedView,
    ) -> Response {
        let message = view.message.as_deref().map(|text| {
            let text = Html::text(text);
            Html::composed(format!(
                "<p class=\"message\" role=\"alert\">{}</p>",
                text.as_str()
            ))
        });
        let words = view.language.words();
        // Not where somebody types.
        let looks_again = view.is_waiting && !view.needs_password;
        let is_several = view.rows.iter().filter(|row| row.id.is_some()).count() > 1;
        // By a script, a page isn't taken away from whoever reads it.
        let is_scripted = is_several || looks_again;
        let (template, script, policy) = match is_scripted {
            true => (SHARED_SCRIPTED, script(up), &self.scripted_policy),
            false => (SHARED, Html::default(), &self.policy),
        };
        let (refresh, waiting) = match looks_again {
            true => (LOOKS_AGAIN_WITHOUT_SCRIPT, "true"),
            false => ("", "false"),
        };
        let all = match is_several {
            true => all(words),
            false => Html::default(),
        };
        let preview = Preview {
            title: &view.title,
            description: &view.summary,
            url: None,
            site: PRODUCT,
        };
        let places = [
            ("product", &Html::text(PRODUCT)),
            (
                "page_title",
                &Html::text(&words.with("title", &[&view.title])),
            ),
            ("title", &Html::text(&view.title)),
            ("summary", &Html::text(&view.summary)),
            ("key", &Html::text(&view.key)),
            ("preview", &preview.html()),
            ("shared_style", &assets::own_style(STYLE)),
            ("refresh", &Html::markup(refresh)),
            ("script", &script),
            ("waiting", &Html::markup(waiting)),
            ("message", &message.unwrap_or_default()),
            ("password", &password(view, words)),
            ("all", &all),
            ("files", &rows(&view.rows, words, is_several)),
        ];
        let html = self.page.html(template, shown(view.language, up), &places);
        self.response(asked, status, html, policy)
    }

    /// A page that says what is wrong, for a request with these headers.
    pub fn notice(
        &self,
        asked: &HeaderMap,
        status: StatusCode,
        up: &str,
        notice: &SharedNotice,
    ) -> Response {
        let refresh = notice.refresh.as_deref().map(|target| {
            let target = Html::text(target);
            Html::composed(format!(
                "<meta http-equiv=\"refresh\" content=\"0; url={}\">",
                target.as_str()
            ))
        });
        let advice = notice.advice.as_deref().map(|text| {
            let text = Html::text(text);
            Html::composed(format!("<p class=\"soft\">{}</p>", text.as_str()))
        });
        let action = notice.action.as_ref().map(|(target, name)| {
            let (target, name) = (Html::text(target), Html::text(name));
            Html::composed(format!(
                "<p><a class=\"button primary large\" href=\"{}\">{}</a></p>",
                target.as_str(),
                name.as_str()
            ))
        });
        let places = [
            ("product", &Html::text(PRODUCT)),
            ("title", &Html::text(&notice.title)),
            ("detail", &Html::text(&notice.detail)),
            ("advice", &advice.unwrap_or_default()),
            ("code", &Html::text(notice.code)),
            ("request_id", &Html::text(&notice.request_id)),
            ("refresh", &refresh.unwrap_or_default()),
            ("action", &action.unwrap_or_default()),
        ];
        let html = self
            .page
            .html(SHARED_NOTICE, shown(notice.language, up), &places);
        self.response(asked, status, html, &self.policy)
    }

    fn response(
        &self,
        asked: &HeaderMap,
        status: StatusCode,
        html: Html,
        policy: &HeaderValue,
    ) -> Response {
        let mut response = self.page.for_one_reader(asked, status, html);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_SECURITY_POLICY, policy.clone());
        // Else a form would say that it comes from nowhere, and be refused as a foreign page's.
        headers.insert(
            header::REFERRER_POLICY,
            HeaderValue::from_static("same-origin"),
        );
        response
    }
}

fn shown(language: Language, up: &str) -> Shown<'_> {
    Shown {
        language,
        root: up,
        is_in: false,
    }
}

/// The field of the password, where one is asked for.
fn password(view: &SharedView, words: &Words) -> Html {
    if !view.needs_password {
        return Html::default();
    }
    let label = Html::text(&words.get("shared.password"));
    Html::composed(format!(
        "<p class=\"field\"><label for=\"password\">{}</label>{PASSWORD}</p>",
        label.as_str()
    ))
}

/// What runs in a page where several files can be taken.
fn script(up: &str) -> Html {
    Html::composed(format!(
        "<script type=\"module\" src=\"{}web/{}/{}\"></script>",
        Html::text(up).as_str(),
        assets::version(),
        SHARED_SCRIPTED.entry
    ))
}

/// What saves all files at once, and says how far that is.
fn all(words: &Words) -> Html {
    let button = Html::text(&words.get("shared.all.button"));
    Html::composed(format!(
        "<div class=\"all needs-script\"><button type=\"button\" class=\"primary large\" id=\"all\" disabled>{}</button>\
         <p class=\"soft\" id=\"all-status\" role=\"status\"></p></div>",
        button.as_str()
    ))
}

/// The files. Where they are taken all at once, that is what most people want, and looks like it.
fn rows(rows: &[SharedRow], words: &Words, is_several: bool) -> Html {
    let mut html = String::new();
    let download = Html::text(&words.get("shared.download"));
    let class = if is_several { "" } else { "class=\"primary\" " };
    for row in rows {
        let (name, note) = (Html::text(&row.name), Html::text(&row.note));
        let (name, note) = (name.as_str(), note.as_str());
        let button = row.id.as_ref().map_or_else(String::new, |id| {
            let label = Html::text(&words.with("shared.downloadOf", &[&row.name]));
            format!(
                "<button {class}name=\"file\" value=\"{}\" aria-label=\"{}\">{}</button>",
                Html::text(id).as_str(),
                label.as_str(),
                download.as_str(),
            )
        });
        // Writing into a text can't fail.
        let _ = writeln!(
            html,
            "<li><span class=\"what\"><bdi>{name}</bdi> <small class=\"soft\">{note}</small></span>{button}</li>"
        );
    }
    Html::composed(html)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(store_origin: Option<&str>) -> SharedPage {
        SharedPage::new(WebPage {
            download_origin: None,
            store_origin: store_origin.map(str::to_owned),
            max_upload_bytes: 1,
            sign_in: None,
        })
    }

    fn view() -> SharedView {
        SharedView {
            language: Language::English,
            title: "Lecture <1> {{key}} <!-- files -->".into(),
            summary: "2 files, 1.2 MB, until 1 May 2027".into(),
            message: None,
            needs_password: false,
            is_waiting: true,
            key: "the-key".into(),
            rows: vec![
                SharedRow {
                    id: Some("0199a2b4-7c1e-7f4d-9a7e-0d8a4c1b2e3f".into()),
                    name: "\"a\" & <b>.pdf".into(),
                    note: "1 MB".into(),
                },
                SharedRow {
                    id: None,
                    name: "later.txt".into(),
                    note: "on its way".into(),
                },
            ],
        }
    }

    async fn html(response: Response) -> String {
        response.into_body().into_string().await.unwrap()
    }

    #[tokio::test]
    async fn what_people_named_is_text_and_no_place_for_anything() {
        let shown = page(None).view(&HeaderMap::new(), StatusCode::OK, "../", &view());
        let html = html(shown).await;
        let title = "Lecture &lt;1&gt; {{key}} &lt;!-- files --&gt;";
        assert!(html.contains(&format!("<h1 id=\"title\" dir=\"auto\">{title}</h1>")));
        // In a sentence, a name is set apart from it.
        assert!(html.contains(&format!(
            "<title>\u{2068}{title}\u{2069} – File Share</title>"
        )));
        assert!(html.contains("<bdi>&quot;a&quot; &amp; &lt;b&gt;.pdf</bdi>"));
        assert_eq!(html.matches("the-key").count(), 1);
        assert_eq!(html.matches("<button").count(), 1, "{html}");
        assert!(html.contains("property=\"og:title\" content=\"Lecture &lt;1&gt;"));
        assert!(!html.contains("id=\"all\"") && !html.contains("type=\"password\""));
        assert!(html.contains("href=\"../web/"), "{html}");
        assert!(
            html.contains("data-waiting=\"true\""),
            "it looks again by itself"
        );
    }

    #[tokio::test]
    async fn a_password_is_asked_for_once_and_what_became_of_the_last_try_is_said() {
        let view = SharedView {
            needs_password: true,
            message: Some("Not <this>".into()),
            ..view()
        };
        let shown = page(None).view(&HeaderMap::new(), StatusCode::FORBIDDEN, "../../", &view);
        assert_eq!(shown.status(), StatusCode::FORBIDDEN);
        let html = html(shown).await;
        assert_eq!(html.matches("type=\"password\"").count(), 1);
        assert!(!html.contains("http-equiv"), "somebody types there");
        assert!(html.contains("role=\"alert\">Not &lt;this&gt;</p>"));
        assert!(html.contains("href=\"../../web/"), "{html}");
    }

    #[tokio::test]
    async fn a_reader_gets_it_in_their_language() {
        let view = SharedView {
            language: Language::German,
            needs_password: true,
            ..view()
        };
        let shown = page(None).view(&HeaderMap::new(), StatusCode::OK, "../", &view);
        let html = html(shown).await;
        assert!(html.contains("<html lang=\"de\""), "{html}");
        for text in [
            ">Herunterladen</button>",
            "aria-label=\"\u{2068}&quot;a&quot; &amp; &lt;b&gt;.pdf\u{2069} herunterladen\"",
            ">Passwort</label>",
        ] {
            assert!(html.contains(text), "{text}: {html}");
        }
    }

    fn several() -> SharedView {
        let rows = ["e", "f"].map(|end| SharedRow {
            id: Some(format!("0199a2b4-7c1e-7f4d-9a7e-0d8a4c1b2e3{end}")),
            name: "a.pdf".into(),
            note: "1 MB".into(),
        });
        SharedView {
            rows: rows.into(),
            ..view()
        }
    }

    #[tokio::test]
    async fn several_files_are_one_archive_by_a_script_of_ours_and_by_no_other() {
        let shown = page(Some("https://b.example")).view(
            &HeaderMap::new(),
            StatusCode::OK,
            "../../",
            &several(),
        );
        let policy = shown.headers()[header::CONTENT_SECURITY_POLICY].to_str();
        let policy = policy.unwrap().to_owned();
        for expected in [
            "script-src 'self';",
            "connect-src 'self' https://b.example;",
            "require-trusted-types-for 'script'; trusted-types 'none'",
        ] {
            assert!(policy.contains(expected), "{policy}");
        }
        let html = html(shown).await;
        assert_eq!(html.matches("<script").count(), 1, "{html}");
        let script = format!(
            "src=\"../../web/{}/shared_page.js\"></script>",
            assets::version()
        );
        assert!(html.contains(&script), "{html}");
        assert!(html.contains("id=\"all\" disabled>Download all as zip</button>"));
        // A browser doesn't leave the page by itself while an archive is made.
        assert!(
            html.contains(LOOKS_AGAIN_WITHOUT_SCRIPT) && html.contains("data-waiting=\"true\"")
        );
        assert_eq!(html.matches("http-equiv").count(), 1);
    }

    #[test]
    fn of_one_file_nothing_runs_and_a_form_goes_to_the_service_and_the_store_alone() {
        for (store, expected) in [
            (None, "form-action 'self' ;"),
            (
                Some("https://b.example"),
                "form-action 'self' https://b.example;",
            ),
        ] {
            let view = SharedView {
                is_waiting: false,
                ..view()
            };
            let shown = page(store).view(&HeaderMap::new(), StatusCode::OK, "../", &view);
            let policy = shown.headers()[header::CONTENT_SECURITY_POLICY].to_str();
            let policy = policy.unwrap();
            assert!(policy.contains(expected), "{policy}");
            assert!(policy.contains("default-src 'none'") && !policy.contains("script"));
        }
    }
}
