//! What a page has in it before a script runs, and whom it may reach.

use super::*;

fn page(store_origin: Option<&str>) -> WebPage {
    WebPage {
        download_origin: None,
        store_origin: store_origin.map(str::to_owned),
        max_upload_bytes: 1234,
        sign_in: None,
    }
}

#[test]
fn a_page_may_reach_the_service_and_the_store_and_nobody_else() {
    let connect = |origin| {
        let policy = page(origin).policy();
        let policy = policy.to_str().unwrap().to_owned();
        let (_, rest) = policy.split_once("connect-src ").unwrap();
        rest.split(';').next().unwrap().trim().to_owned()
    };
    assert_eq!(connect(None), "'self'");
    assert_eq!(
        connect(Some("https://b.example")),
        "'self' https://b.example"
    );
    let led_elsewhere = WebPage {
        download_origin: Some("https://d.example".into()),
        ..page(Some("https://b.example"))
    };
    let policy = led_elsewhere.policy();
    let policy = policy.to_str().unwrap();
    assert!(policy.contains("connect-src 'self' https://b.example https://d.example;"));
}

const PAGES: [Template; 5] = [INDEX, FILE, PAIR, BOXES, RECEIPT];

/// The page with all that every page has.
fn html(page: &WebPage, template: Template, root: &str, is_in: bool) -> String {
    let shown = Shown {
        language: Language::English,
        root,
        is_in,
    };
    let parts = FileView::NoSuchFile.parts(shown.language, root, None);
    match template.html {
        "file.html" => page.file_html(&parts, shown),
        _ => page.html(template, shown, &[]),
    }
    .into_string()
}

#[test]
fn a_page_says_from_the_start_whether_anybody_has_to_sign_in() {
    for (sign_in, is_in, expected) in [
        (Some(SignInWith::Key), false, "asking\" data-sign-in=\"key"),
        (Some(SignInWith::Key), true, "in\" data-sign-in=\"key"),
        (
            Some(SignInWith::Issuer),
            false,
            "asking\" data-sign-in=\"oidc",
        ),
        (None, false, "open\" data-sign-in=\""),
        (None, true, "open\" data-sign-in=\""),
    ] {
        let page = WebPage {
            sign_in,
            ..page(None)
        };
        // On that of receipts nobody has to.
        let asking = PAGES.into_iter().filter(|page| page.html != RECEIPT.html);
        for template in asking {
            let html = html(&page, template, "", is_in);
            let said = format!("data-session=\"{expected}\"");
            assert!(html.contains(&said), "{html}");
        }
    }
}

#[test]
fn everything_in_a_page_is_filled_in_and_nothing_in_it_is_absolute() {
    for (template, root) in [
        (INDEX, ""),
        (FILE, "../"),
        (FILE, "../../"),
        (PAIR, ""),
        (BOXES, ""),
        (RECEIPT, ""),
    ] {
        let html = html(&page(None), template, root, false);
        assert!(!html.contains("{{"), "{html}");
        let entry = format!("src=\"{root}web/{}/{}\"", assets::version(), template.entry);
        assert!(html.contains(&entry), "{html}");
        // Only where files are sent does the page need to know the limit.
        assert_eq!(
            html.contains("content=\"1234\""),
            matches!(template.html, "index.html" | "boxes.html")
        );
        for attribute in ["href=\"", "src=\""] {
            for (at, _) in html.match_indices(attribute) {
                let target = &html[at + attribute.len()..];
                let own = target.starts_with(root) && !target.starts_with(['/', 'h']);
                assert!(
                    own || target.starts_with(root.trim_end_matches('/')),
                    "{target}"
                );
            }
        }
    }
}

#[test]
fn every_text_of_a_page_is_there_before_a_script_runs() {
    for template in PAGES {
        let html = html(&page(None), template, "", false);
        assert_eq!(
            html.matches(" data-label=").count(),
            html.matches(" aria-label=").count()
        );
        for (at, _) in html.match_indices(" data-text=") {
            let (_, text) = html[at..].split_once('>').unwrap();
            assert!(!text.starts_with('<'), "{}", &html[at..at + 60]);
        }
    }
}
