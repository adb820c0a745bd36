//! What the pages consist of, as it lies in `web/`.
//!
//! Invariant: everything in `web/` is here; a test compares.

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
    embedded!("format.js"),
    embedded!("collect_files.js"),
    embedded!("intermediary.js"),
    embedded!("issuer_panel.js"),
    embedded!("jws.js"),
    embedded!("key_link.js"),
    embedded!("language.js"),
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
    embedded!("sign_in.js"),
    embedded!("sign_in_panel.js"),
    embedded!("strings.en.js"),
    embedded!("theme.css"),
    embedded!("upload_machine.js"),
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
];

const PAGES: &[Asset] = &[
    embedded!("file.html"),
    embedded!("index.html"),
    embedded!("pair.html"),
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

/// The text of a page.
pub(super) fn page(name: &str) -> &'static str {
    let page = PAGES.iter().find(|page| page.name == name);
    page.map_or("", |page| text(page.content))
}

/// A module and all that it imports, in the order in which they are found.
pub(super) fn modules_of(entry: &str) -> Vec<&'static str> {
    let mut found: Vec<&'static str> = find(entry).map(|asset| asset.name).into_iter().collect();
    let mut next = 0;
    while next < found.len() {
        let source = find(found[next]).map_or("", |asset| text(asset.content));
        for (at, start) in source.match_indices(" from './") {
            let rest = &source[at + start.len()..];
            let name = rest.split('\'').next().unwrap_or_default();
            if let Some(asset) = find(name)
                && !found.contains(&asset.name)
            {
                found.push(asset.name);
            }
        }
        next += 1;
    }
    found
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
        let mut embedded: Vec<&str> = ASSETS.iter().chain(PAGES).map(|a| a.name).collect();
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
        let names = source.split("import('./").skip(1);
        names.filter_map(|rest| rest.split('\'').next()).collect()
    }

    #[test]
    fn what_few_people_ask_for_comes_when_they_do() {
        let later = loaded_later("file_page.js");
        assert_eq!(later, ["receipt.js", "check_file.js", "receipt.js"]);
        let at_once = modules_of("file_page.js");
        for name in later.iter().flat_map(|name| modules_of(name)) {
            let is_shared = [
                "copy.js",
                "dialog.js",
                "dom.js",
                "language.js",
                "saved_name.js",
                "strings.en.js",
            ];
            assert!(
                is_shared.contains(&name) || !at_once.contains(&name),
                "{name}"
            );
        }
    }

    #[test]
    fn every_module_is_part_of_a_page() {
        let mut used = modules_of("app.js");
        used.extend(modules_of("file_page.js"));
        used.extend(modules_of("pair_page.js"));
        for entry in used.clone() {
            used.extend(loaded_later(entry).into_iter().flat_map(modules_of));
        }
        for asset in ASSETS.iter().filter(|asset| asset.name.ends_with(".js")) {
            assert!(used.contains(&asset.name), "{} is dead", asset.name);
        }
        for page in ["file_page.js", "pair_page.js"] {
            assert!(!modules_of(page).contains(&"uploads.js"), "{page}");
        }
    }
}
