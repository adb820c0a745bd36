//! What the page of one file shows before any of its scripts runs, and where none does.
//!
//! Invariant: the same elements in the same places as `web/file_page.js` makes of them, so that nothing moves when that
//! takes over. Of a file that the caller may not see, and of one that never was, it is the same page to the byte.

use super::figures::moment;
use super::html::{Html, Preview};
use super::words::Language;
use crate::domain::{FileRecord, FileState, RejectionCode, Timestamp, format_timestamp};

/// What there is to show under a file's link.
#[derive(Debug, Clone, Copy)]
pub enum FileView<'a> {
    /// A file that the caller may see.
    Seen(&'a FileRecord),
    /// None that this caller may see: none is there, or it is somebody else's.
    NoSuchFile,
    /// Nobody is known to ask, and the service asks who people are: the page asks them.
    SignInRequired,
    /// It can't be told right now.
    Unavailable,
}

/// The page's own parts.
pub(super) struct Parts {
    /// Plain text.
    pub title: String,
    /// What a messenger shows.
    pub preview: Html,
    /// What is said beside the card where no script runs.
    pub notice: Html,
    /// What the card shows,
    pub card: Html,
    /// and how it is styled by that.
    pub state: &'static str,
    /// Whether it may soon show something else.
    pub is_busy: bool,
}

impl FileView<'_> {
    /// The parts for readers of `language`. `root` leads to the service's first page, and `url` is where this page
    /// is, if that can be told.
    pub(super) fn parts(self, language: Language, root: &str, url: Option<&str>) -> Parts {
        let words = language.words();
        let product = words.get("product");
        let plain = |card: Html, state, is_busy| Parts {
            notice: Html::default(),
            title: product.clone(),
            preview: Preview {
                title: &product,
                description: &words.get("promise"),
                url: None,
                site: &product,
            }
            .html(),
            card,
            state,
            is_busy,
        };
        match self {
            Self::Seen(record) => seen(record, language, root, url),
            Self::NoSuchFile => {
                let text = message(&words.get("file.goneTitle"), &words.get("file.goneText"));
                plain(text, "gone", false)
            }
            Self::SignInRequired => {
                let waiting = Html::text(&words.get("file.loading"));
                let card = Html::fill(
                    "<p class=\"soft center\">{{waiting}}</p>",
                    &[("waiting", &waiting)],
                );
                Parts {
                    notice: without_script(&words.get("noScript.signIn")),
                    ..plain(card, "loading", true)
                }
            }
            Self::Unavailable => {
                let title = words.get("file.unreachableTitle");
                let text = message(&title, &words.get("file.unreachableText"));
                plain(text, "unreachable", true)
            }
        }
    }
}

fn seen(record: &FileRecord, language: Language, root: &str, url: Option<&str>) -> Parts {
    let words = language.words();
    let name = record.declared.shown_name();
    let size = language.size(record.declared.length.bytes());
    let (state, is_busy, rest) = match &record.state {
        FileState::Available(object) => {
            let digest = object.sha256.to_hex();
            let href = format!("{root}v1/files/{}", record.id);
            ("available", false, available(language, &href, &digest))
        }
        FileState::Rejected { reason, .. } => {
            let text = match (reason.code, &reason.detected_type) {
                (Some(RejectionCode::ContentMismatch), Some(found)) => {
                    words.with("file.otherContentText", &[found.as_str()])
                }
                (Some(RejectionCode::Infected), _) => words.get("why.infected"),
                (Some(RejectionCode::Unscannable), _) => words.get("why.unscannable"),
                _ => words.with("file.rejectedText", &[&reason.text]),
            };
            (
                "rejected",
                false,
                message(&words.get("file.rejectedTitle"), &text),
            )
        }
        FileState::Withdrawn { reason, .. } => {
            let text = words.with("file.withdrawnText", &[&reason.text]);
            (
                "withdrawn",
                false,
                message(&words.get("file.withdrawnTitle"), &text),
            )
        }
        FileState::Expired { .. } => {
            let title = words.get("file.expiredTitle");
            (
                "expired",
                false,
                message(&title, &words.get("file.expiredText")),
            )
        }
        // A tombstone is shown to nobody.
        FileState::Pending(_) | FileState::Deleted { .. } => ("pending", true, pending(language)),
    };
    let sent = words.with("file.shared", &[&moment(record.created_at())]);
    let list = words.get("list");
    let description = match state {
        "available" => format!("{size}{list}{sent}"),
        _ => format!("{size}{list}{}", words.get(&format!("status.{state}"))),
    };
    let preview = Preview {
        title: name,
        description: &description,
        url,
        site: &words.get("product"),
    };
    Parts {
        notice: match state {
            "pending" => without_script(&words.get("noScript.pending")),
            _ => Html::default(),
        },
        title: words.with("title", &[name]),
        preview: preview.html(),
        card: Html::concat(&[head(record, language), rest]),
        state,
        is_busy,
    }
}

/// The file's sheet, name, size and time.
fn head(record: &FileRecord, language: Language) -> Html {
    let words = language.words();
    let name = record.declared.shown_name();
    let bytes = record.declared.length.bytes();
    let ending = ending(name);
    let created = record.created_at();
    let sent = words.with("file.shared", &[&moment(created)]);
    let ends = record.delete_after.filter(|_| !has_ended(&record.state));
    Html::fill(
        "<span class=\"tile\" aria-hidden=\"true\" data-kind=\"{{kind}}\">{{ending}}</span>\n\
         <h1 dir=\"auto\" title=\"{{name}}\">{{heading}}</h1>\n\
         <p class=\"meta\"><span title=\"{{exact}}\">{{size}}</span>\
         <time datetime=\"{{iso}}\">{{sent}}</time></p>\n{{ends}}",
        &[
            (
                "kind",
                &Html::markup(kind(record.declared.content_type.as_str(), ending)),
            ),
            ("ending", &Html::text(ending)),
            ("name", &Html::text(name)),
            ("heading", &Html::breakable_name(name)),
            ("exact", &Html::text(&language.exact_size(bytes))),
            ("size", &Html::text(&language.size(bytes))),
            ("iso", &Html::text(&format_timestamp(created))),
            ("sent", &Html::text(&sent)),
            (
                "ends",
                &ends.map(|at| end(at, language)).unwrap_or_default(),
            ),
        ],
    )
}

/// When the file goes, for whoever has to fetch it before.
fn end(at: Timestamp, language: Language) -> Html {
    let text = language.words().with("file.deletedOn", &[&moment(at)]);
    Html::fill(
        "<p class=\"soft\"><time datetime=\"{{iso}}\">{{text}}</time></p>\n",
        &[
            ("iso", &Html::text(&format_timestamp(at))),
            ("text", &Html::text(&text)),
        ],
    )
}

fn has_ended(state: &FileState) -> bool {
    match state {
        FileState::Pending(_) | FileState::Available(_) => false,
        FileState::Rejected { .. }
        | FileState::Withdrawn { .. }
        | FileState::Expired { .. }
        | FileState::Deleted { .. } => true,
    }
}

fn available(language: Language, href: &str, digest: &str) -> Html {
    let words = language.words();
    Html::fill(
        "<div class=\"card-buttons\"><a class=\"button primary large\" href=\"{{href}}\" download>\
         <svg viewBox=\"0 0 24 24\" class=\"icon\" aria-hidden=\"true\">\
         <path d=\"M12 4v11M7.500 11l4.500 4.500 4.500-4.500M5 19.500h14\"/></svg>\
         <span>{{download}}</span></a></div>\n\
         <details><summary>{{check}}</summary><div class=\"check\"><p>{{hint}}</p>\
         <code class=\"digest\">{{digest}}</code></div></details>",
        &[
            ("href", &Html::text(href)),
            ("download", &Html::text(&words.get("download"))),
            ("check", &Html::text(&words.get("file.check"))),
            ("hint", &Html::text(&words.get("noScript.checkText"))),
            ("digest", &Html::text(digest)),
        ],
    )
}

fn pending(language: Language) -> Html {
    let words = language.words();
    let title = words.get("file.pendingTitle");
    Html::fill(
        "<progress aria-label=\"{{title}}\"></progress>\n<h2>{{title}}</h2>\n\
         <p class=\"soft\">{{text}}</p>",
        &[
            ("title", &Html::text(&title)),
            ("text", &Html::text(&words.get("file.pendingText"))),
        ],
    )
}

fn without_script(text: &str) -> Html {
    Html::fill(
        "<noscript><p class=\"noscript\">{{text}}</p></noscript>",
        &[("text", &Html::text(text))],
    )
}

fn message(title: &str, text: &str) -> Html {
    Html::fill(
        "<h2>{{title}}</h2>\n<p class=\"soft\">{{text}}</p>",
        &[("title", &Html::text(title)), ("text", &Html::text(text))],
    )
}

/// At most this many letters of a name's ending stand on its sheet. As `dom.js` does.
const LONGEST_ENDING: usize = 5;

fn ending(name: &str) -> &str {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    let is_one = (1..=LONGEST_ENDING).contains(&ending.len())
        && ending.bytes().all(|b| b.is_ascii_alphanumeric());
    if is_one { ending } else { "" }
}

/// Which colour the sheet has. As `dom.js` decides it.
fn kind(content_type: &str, ending: &str) -> &'static str {
    const KINDS: [(&str, &[&str]); 4] = [
        (
            "archive",
            &["zip", "tar", "rar", "7z", "gzip", "compressed"],
        ),
        ("table", &["spreadsheet", "excel", "csv"]),
        ("slides", &["presentation", "powerpoint"]),
        (
            "document",
            &[
                "pdf",
                "msword",
                "officedocument.word",
                "opendocument.text",
                "rtf",
                "epub",
            ],
        ),
    ];
    match content_type.split('/').next() {
        Some("image") => return "image",
        Some("audio" | "video") => return "sound",
        _ => {}
    }
    let ending = ending.to_ascii_lowercase();
    KINDS
        .iter()
        .find(|(_, signs)| {
            let has = |text: &str| signs.iter().any(|sign| text.contains(sign));
            has(content_type) || has(&ending)
        })
        .map_or("other", |(kind, _)| kind)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{ContentType, Declaration, FileEnding, RejectionReason, parse_timestamp};
    use crate::web_page::{Shown, WebPage};

    fn record(name: &str) -> FileRecord {
        let created = parse_timestamp("2026-11-26T23:55:12Z").unwrap();
        FileRecord::sample_of(created, Declaration::sample().named(name).of_length(1280))
    }

    fn html(view: FileView<'_>, language: Language) -> String {
        let page = WebPage {
            download_origin: None,
            store_origin: None,
            max_upload_bytes: 1234,
            sign_in: None,
        };
        let shown = Shown {
            language,
            root: "../",
            is_in: false,
        };
        let parts = view.parts(language, shown.root, Some("https://h/f/x"));
        page.file_html(&parts, shown).into_string()
    }

    #[test]
    fn each_state_of_a_file_is_said_in_each_language() {
        let pending = record("notes.pdf");
        let with = |state: FileState| FileRecord {
            state,
            ..pending.clone()
        };
        let purge_at = pending.created_at();
        let rejected = with(FileState::Rejected {
            reason: RejectionReason::sample("<it> differs"),
            purge_at,
        });
        let found = ContentType::parse("text/html").unwrap();
        let pdf = FileEnding::parse("pdf").unwrap();
        let other_content = with(FileState::Rejected {
            reason: RejectionReason::content_mismatch(&pdf, found.clone()),
            purge_at,
        });
        let scanned = [
            RejectionReason::infected("Eicar", found.clone()),
            RejectionReason::unscannable("it is encrypted", found),
        ];
        let scanned = scanned.map(|reason| with(FileState::Rejected { reason, purge_at }));
        for language in Language::ALL {
            let words = language.words();
            let why = words.with("file.otherContentText", &["text/html"]);
            assert!(html(FileView::Seen(&other_content), language).contains(&why));
            for (record, why) in scanned.iter().zip(["why.infected", "why.unscannable"]) {
                let html = html(FileView::Seen(record), language);
                assert!(html.contains(&words.get(why)), "{html}");
            }
            for (record, title) in [
                (&pending, "file.pendingTitle"),
                (&rejected, "file.rejectedTitle"),
            ] {
                let html = html(FileView::Seen(record), language);
                assert!(html.contains(&words.get(title)), "{html}");
                assert!(
                    html.contains("<h1 dir=\"auto\" title=\"notes.pdf\">notes.<wbr>pdf</h1>"),
                    "{html}"
                );
                assert!(
                    html.contains("property=\"og:title\" content=\"notes.pdf\""),
                    "{html}"
                );
                assert!(
                    html.contains("property=\"og:url\" content=\"https://h/f/x\""),
                    "{html}"
                );
                assert!(html.contains("2026-11-26 23:55:12 UTC"), "{html}");
            }
            let html = html(FileView::NoSuchFile, language);
            assert!(html.contains(&words.get("file.goneTitle")), "{html}");
        }
    }

    #[test]
    fn a_sheet_has_the_ending_and_the_colour_that_the_page_gives_it() {
        for (name, content_type, expected) in [
            ("a.pdf", "application/pdf", ("pdf", "document")),
            ("a.tar.gz", "application/gzip", ("gz", "archive")),
            ("a", "text/csv", ("", "table")),
            ("a.toolong", "video/mp4", ("", "sound")),
            ("a.é", "image/png", ("", "image")),
            ("a.ZIP", "application/octet-stream", ("ZIP", "archive")),
            ("a.txt", "text/plain", ("txt", "other")),
        ] {
            let ending = ending(name);
            assert_eq!((ending, kind(content_type, ending)), expected, "{name}");
        }
    }

    /// The tags in a page, without what stands in them.
    fn tags(html: &str) -> Vec<&str> {
        html.split('<')
            .skip(1)
            .map(|tag| tag.split([' ', '>']).next().unwrap_or_default())
            .collect()
    }

    proptest! {
        #[test]
        fn a_name_adds_nothing_to_a_page_but_itself(name in "[a-z<>\"'&{}=/ \u{202e}\u{5d0}\u{2066}-]{1,40}x") {
            let page = |name: &str| html(FileView::Seen(&record(name)), Language::English).replace("<wbr>", "");
            let (plain, hostile) = (page("plain"), page(&name));
            prop_assert_eq!(tags(&plain), tags(&hostile));
            prop_assert_eq!(plain.matches('"').count(), hostile.matches('"').count());
        }
    }
}
