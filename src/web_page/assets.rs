//! What the pages consist of, as it lies in `web/`.
//!
//! Invariant: everything in `web/` is here; a test compares. The pages have their texts before any script runs, in each
//! language.

use std::sync::{LazyLock, OnceLock};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::bundle::bundle;
use super::html::Html;
use super::static_content::StaticContent;
use super::words::Language;

/// A file that a page loads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asset {
    pub name: &'static str,
    pub content: &'static [u8],
}

macro_rules! embedded {
    ($name:literal) => {
        Asset {
            name: $name,
            content: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/web/", $name)),
        }
    };
}

pub(super) const ASSETS: &[Asset] = &[
    embedded!("validation.js"),
    embedded!("live_region.js"),
    embedded!("api.js"),
    embedded!("app.js"),
    embedded!("arrangement.js"),
    embedded!("back_off.js"),
    embedded!("batch.js"),
    embedded!("batch_view.js"),
    embedded!("check_file.js"),
    embedded!("copy.js"),
    embedded!("dialog.js"),
    embedded!("delete_many.js"),
    embedded!("digest.js"),
    embedded!("dom.js"),
    embedded!("download.js"),
    embedded!("drop_target.js"),
    embedded!("drop_zone.js"),
    embedded!("explain.js"),
    embedded!("file_list.js"),
    embedded!("file_page.js"),
    embedded!("files_view.js"),
    embedded!("for_each.js"),
    embedded!("busy.css"),
    embedded!("guide.css"),
    embedded!("guide_page.js"),
    embedded!("format.js"),
    embedded!("collect_files.js"),
    embedded!("intermediary.js"),
    embedded!("issuer_panel.js"),
    embedded!("jws.js"),
    embedded!("key_link.js"),
    embedded!("language.js"),
    embedded!("late.js"),
    embedded!("language_switch.js"),
    embedded!("links.js"),
    embedded!("list_sync.js"),
    embedded!("list_tools.js"),
    embedded!("mark.svg"),
    embedded!("meter.js"),
    embedded!("page.css"),
    embedded!("pair_page.js"),
    embedded!("pairing_code.js"),
    embedded!("put.js"),
    embedded!("put_outcome.js"),
    embedded!("qr.js"),
    embedded!("qr_dialog.js"),
    embedded!("receipt.js"),
    embedded!("receipt_page.js"),
    embedded!("record.js"),
    embedded!("saved_name.js"),
    embedded!("row_window.js"),
    embedded!("selection.js"),
    embedded!("session.js"),
    embedded!("share.js"),
    embedded!("toast.js"),
    embedded!("tokens_dialog.js"),
    embedded!("session_notice.js"),
    embedded!("sha256.js"),
    embedded!("share_address.js"),
    embedded!("share_notice.js"),
    embedded!("shared.css"),
    embedded!("shared_page.js"),
    embedded!("shared_zip.js"),
    embedded!("strings.shared.de.js"),
    embedded!("strings.shared.en.js"),
    embedded!("sign_in.js"),
    embedded!("sign_in_panel.js"),
    embedded!("strings.de.js"),
    embedded!("strings.en.js"),
    embedded!("strings.check.de.js"),
    embedded!("strings.check.en.js"),
    embedded!("strings.file.de.js"),
    embedded!("strings.file.en.js"),
    embedded!("strings.pair.de.js"),
    embedded!("strings.pair.en.js"),
    embedded!("strings.receipt.de.js"),
    embedded!("strings.receipt.en.js"),
    embedded!("strings.served.de.js"),
    embedded!("strings.served.en.js"),
    embedded!("strings.tokens.de.js"),
    embedded!("strings.tokens.en.js"),
    embedded!("strings.use.de.js"),
    embedded!("strings.use.en.js"),
    embedded!("theme.css"),
    embedded!("tokens.css"),
    embedded!("upload_machine.js"),
    embedded!("upload_ports.js"),
    embedded!("uploads.js"),
    embedded!("uploads_view.js"),
    embedded!("older_ahead.js"),
    embedded!("pending_poller.js"),
    embedded!("headline.js"),
    embedded!("interrupted.js"),
    embedded!("interrupted_panel.js"),
    embedded!("interrupted_view.js"),
    embedded!("kept_uploads.js"),
    embedded!("upload_store.js"),
    embedded!("service_calls.js"),
    embedded!("save.js"),
    embedded!("sign_in_address.js"),
    embedded!("own_archives.js"),
    embedded!("use_line.js"),
    embedded!("csv.js"),
    embedded!("deadline.js"),
    embedded!("drop_api.js"),
    embedded!("hand_ins.js"),
    embedded!("hand_in_card.js"),
    embedded!("hand_in_name.js"),
    embedded!("hand_in_own.js"),
    embedded!("hand_in_page.js"),
    embedded!("submitter_name.js"),
    embedded!("box_files.js"),
    embedded!("box_form.js"),
    embedded!("box_parts.js"),
    embedded!("box_rows.js"),
    embedded!("box_table.js"),
    embedded!("box_view.js"),
    embedded!("box_wanted.js"),
    embedded!("box_words.js"),
    embedded!("box_zip.js"),
    embedded!("zip.js"),
    embedded!("zip_download.js"),
    embedded!("zip_files.js"),
    embedded!("zip_names.js"),
    embedded!("boxes.css"),
    embedded!("boxes_api.js"),
    embedded!("boxes_page.js"),
    embedded!("strings.boxes.de.js"),
    embedded!("strings.boxes.en.js"),
];

const PAGES: &[Asset] = &[
    embedded!("box.html"),
    embedded!("busy.html"),
    embedded!("boxes.html"),
    embedded!("file.html"),
    embedded!("guide.html"),
    embedded!("head.html"),
    embedded!("index.html"),
    embedded!("pair.html"),
    embedded!("receipt.html"),
    embedded!("shared.html"),
    embedded!("shared_notice.html"),
    embedded!("sign_in_failed.html"),
];

pub(super) fn find(name: &str) -> Option<Asset> {
    ASSETS.iter().find(|asset| asset.name == name).copied()
}

pub(super) fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

/// The text of a module or a style sheet.
pub(super) fn source(name: &str) -> &'static str {
    find(name).map_or("", |asset| text(asset.content))
}

/// A page, with its texts in this language.
pub(super) fn page(name: &str, language: Language) -> &'static str {
    static LOCALIZED: LazyLock<[Vec<(&str, String)>; Language::ALL.len()]> = LazyLock::new(|| {
        Language::ALL.map(|language| {
            let localized = |page: &Asset| localized(text(page.content), language);
            PAGES
                .iter()
                .map(|page| (page.name, localized(page)))
                .collect()
        })
    });
    let pages = &LOCALIZED[language as usize];
    let page = pages.iter().find(|(own, _)| *own == name);
    page.map_or("", |(_, html)| html)
}

/// The page with its texts where `dom.js` would put them: in the elements with `data-text`, which are empty, and in
/// the label of those with `data-label`.
fn localized(html: &str, language: Language) -> String {
    let mut localized = String::with_capacity(html.len());
    let mut rest = html;
    while let Some((before, after)) = rest.split_once(" data-") {
        localized.push_str(before);
        rest = after;
        localized.push_str(" data-");
        let Some((attribute, value)) = after.split_once("=\"") else {
            break;
        };
        let path = value.split('"').next().unwrap_or_default();
        let text = |path: &str| Html::text(&language.words().get(path)).into_string();
        match attribute {
            "label" => {
                let end = attribute.len() + 2 + path.len() + 1;
                localized.push_str(&after[..end]);
                localized.push_str(&format!(" aria-label=\"{}\"", text(path)));
                rest = &after[end..];
            }
            "text" => {
                let end = after.find('>').map_or(after.len(), |at| at + 1);
                localized.push_str(&after[..end]);
                localized.push_str(&text(path));
                rest = &after[end..];
            }
            _ => {}
        }
    }
    localized.push_str(rest);
    localized
}

/// What the head of every page begins with, in which nothing has to be filled in.
pub(super) fn head() -> &'static str {
    let found = PAGES.iter().find(|page| page.name == "head.html");
    found.map_or("", |page| text(page.content))
}

/// What everything looks like, as an element: with the page it is there at once, and a line that is slow to answer is
/// asked one time less before anything can be read.
pub(super) fn style() -> &'static Html {
    static STYLE: LazyLock<Html> = LazyLock::new(|| {
        Html::composed(format!(
            "<style>{}</style>\n<noscript><style>{NO_SCRIPT_STYLE}</style></noscript>",
            stylesheet()
        ))
    });
    &STYLE
}

/// Where styles may be from, for a Content-Security-Policy: those that are in [`style`], known by their digests.
pub(super) fn style_sources() -> &'static str {
    static SOURCES: LazyLock<String> =
        LazyLock::new(|| format!("{} {}", source_of(stylesheet()), source_of(NO_SCRIPT_STYLE)));
    &SOURCES
}

/// The style that one page has of its own, from this file, beside [`style`].
pub(super) fn own_style(name: &str) -> Html {
    let sheet = plain_css(source(name));
    Html::composed(format!("<style>{sheet}</style>"))
}

/// Where the styles of a page may be from that has one of its own.
pub(super) fn own_style_sources(name: &str) -> String {
    let sheet = plain_css(source(name));
    format!("{} {}", style_sources(), source_of(&sheet))
}

/// The style of the pages of boxes, beside [`style`].
pub(super) fn box_style() -> &'static Html {
    static STYLE: LazyLock<Html> = LazyLock::new(|| {
        let sheet = plain_css(source("boxes.css"));
        Html::composed(format!("<style>{sheet}</style>"))
    });
    &STYLE
}

/// Where the styles of the pages of boxes may be from.
pub(super) fn box_style_sources() -> String {
    let sheet = plain_css(source("boxes.css"));
    format!("{} {}", style_sources(), source_of(&sheet))
}

/// The style of a page that has the names of [`style`] and nothing else of it, from this file.
pub(super) fn small_sheet(name: &str) -> String {
    plain_css(&["tokens.css", name].map(source).concat())
}

/// A style sheet in a page, as a Content-Security-Policy knows it.
pub(super) fn source_of(style: &str) -> String {
    let digest = Sha256::digest(style.as_bytes());
    format!("'sha256-{}'", BASE64_STANDARD.encode(digest))
}

/// What can do nothing without a script isn't shown then.
const NO_SCRIPT_STYLE: &str = ".needs-script { display: none !important }";

/// The style sheets in one.
fn stylesheet() -> &'static str {
    static SHEET: LazyLock<String> = LazyLock::new(|| {
        let sheets = ["tokens.css", "theme.css", "page.css"].map(source);
        plain_css(&sheets.concat())
    });
    &SHEET
}

/// A style sheet without comments and indentation.
pub(super) fn plain_css(source: &str) -> String {
    let mut sheet = String::with_capacity(source.len());
    let mut rest = source;
    while let Some((before, comment)) = rest.split_once("/*") {
        sheet.push_str(before);
        rest = comment.split_once("*/").map_or("", |(_, after)| after);
    }
    sheet.push_str(rest);
    let lines = sheet.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("\n")
}

/// What is answered for each asset: a module with all that it imports, anything else as it is.
pub(super) fn content(name: &str) -> Option<&'static StaticContent> {
    static CONTENT: LazyLock<Vec<OnceLock<StaticContent>>> =
        LazyLock::new(|| ASSETS.iter().map(|_| OnceLock::new()).collect());
    let at = ASSETS.iter().position(|asset| asset.name == name)?;
    let asset = ASSETS[at];
    Some(CONTENT[at].get_or_init(|| {
        let content_type = content_type(asset.name);
        match asset.name.ends_with(".js") {
            true => StaticContent::new(content_type, bundle(asset.name)),
            false => StaticContent::new(content_type, Bytes::from_static(asset.content)),
        }
    }))
}

/// The digest of everything, so that all addresses change with any asset: modules name each other by
/// relative addresses, and those of two versions must not meet.
pub(super) fn version() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| {
        let mut hasher = Sha256::new();
        for Asset { name, content } in ASSETS {
            hasher.update(name);
            hasher.update((content.len() as u64).to_be_bytes());
            hasher.update(content);
        }
        hex::encode(&hasher.finalize()[..8])
    });
    &VERSION
}

fn text(content: &'static [u8]) -> &'static str {
    std::str::from_utf8(content).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_in_the_folder_is_embedded_and_has_a_type() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/web");
        let mut there: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        there.sort();
        let all = ASSETS.iter().chain(PAGES);
        let mut embedded: Vec<&str> = all.map(|asset| asset.name).collect();
        embedded.sort_unstable();
        assert_eq!(there, embedded);
        for asset in ASSETS {
            assert_ne!(content_type(asset.name), "application/octet-stream");
            assert!(std::str::from_utf8(asset.content).is_ok());
        }
    }

    /// What a module imports only when somebody asks for it.
    fn loaded_later(name: &str) -> Vec<&'static str> {
        let source = find(name).map_or("", |asset| text(asset.content));
        let names = source.split("fetchModule('").skip(1);
        names.filter_map(|rest| rest.split('\'').next()).collect()
    }

    #[test]
    fn what_few_people_ask_for_comes_when_they_do() {
        let later = loaded_later("file_page.js");
        assert_eq!(later, ["receipt.js", "check_file.js", "receipt.js"]);
        let at_once = super::super::bundle::in_order("file_page.js");
        for name in later
            .iter()
            .flat_map(|name| super::super::bundle::in_order(name))
        {
            let is_shared = ["copy.js", "dialog.js", "dom.js", "saved_name.js"];
            assert!(
                is_shared.contains(&name) || !at_once.contains(&name),
                "{name}"
            );
        }
    }

    #[test]
    fn what_few_people_need_of_the_first_page_comes_without_what_that_has() {
        let later = loaded_later("app.js");
        assert_eq!(later, ["use_line.js", "tokens_dialog.js"]);
        let at_once = super::super::bundle::in_order("app.js");
        for name in later
            .iter()
            .flat_map(|name| super::super::bundle::in_order(name))
        {
            let is_shared = ["dialog.js", "dom.js"];
            assert!(
                is_shared.contains(&name) || !at_once.contains(&name),
                "{name}"
            );
        }
        for name in ["strings.file.en.js", "strings.pair.en.js"] {
            assert!(find(name).is_some() && !at_once.contains(&name), "{name}");
        }
    }

    #[test]
    fn every_module_is_part_of_a_page() {
        let of = |entry| super::super::bundle::in_order(entry);
        // What a page may need later is the beginning of a bundle of its own.
        let later = ASSETS.iter().flat_map(|asset| loaded_later(asset.name));
        let entries = [
            "app.js",
            "file_page.js",
            "guide_page.js",
            "pair_page.js",
            "hand_in_page.js",
            "boxes_page.js",
            "shared_page.js",
            "receipt_page.js",
        ];
        let used: Vec<&str> = entries.into_iter().chain(later).flat_map(of).collect();
        for asset in ASSETS.iter().filter(|asset| asset.name.ends_with(".js")) {
            // What is there before a script, and in place of one, the service says itself.
            let is_served = asset.name.starts_with("strings.served.");
            assert!(
                is_served || used.contains(&asset.name),
                "{} is dead",
                asset.name
            );
        }
        for page in [
            "file_page.js",
            "guide_page.js",
            "pair_page.js",
            "shared_page.js",
        ] {
            assert!(!of(page).contains(&"uploads.js"), "{page}");
        }
    }

    #[test]
    fn the_style_sheet_has_every_rule_and_no_comment() {
        let sheet = stylesheet();
        assert!(!sheet.contains("/*") && !sheet.contains("\n\n") && !sheet.contains("\n "));
        for rule in ["--paper: #f6f5f0;", "@media (max-width: 34rem)"] {
            assert!(sheet.contains(rule), "{rule}");
        }
        assert_eq!(sheet.matches('{').count(), sheet.matches('}').count());
    }
}
