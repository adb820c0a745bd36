//! The page with recipes for programs, at `/guide`: those of `docs/clients.md`, for this service.
//!
//! Invariant: a program stands here as it stands in the document, whose programs the tests run; only the service's
//! address is another. That address is a host, a port and a path that mean nothing to a shell, to Python or to
//! JavaScript, whatever a request called the service: people paste what stands here.
//!
//! Absent on purpose: the rest of the document, and Markdown beyond what these recipes begin with. Another language than
//! the document's.

use std::fmt::Write;
use std::sync::LazyLock;

use poem::Response;
use poem::http::{HeaderMap, StatusCode, header};

use super::{Html, Language, Shown, Template, WebPage, assets};

const DOCUMENT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/clients.md"));
/// Where the document has the service.
const DOCUMENTED_BASE: &str = "http://127.0.0.1:8000";
/// The headings of the recipes, and the language of each, as the document calls it.
const RECIPES: [(&str, &str); 7] = [
    ("The command line", "sh"),
    ("curl", "sh"),
    ("Python, with the package", "python"),
    ("Python", "python"),
    ("JavaScript, with the package", "js"),
    ("An element for pages", "html"),
    ("JavaScript", "js"),
];
/// What an address may have besides ASCII letters and digits.
const PLAIN: &str = "-._~:/[]";
const GUIDE: Template = Template {
    html: "guide.html",
    entry: "guide_page.js",
};
/// What the page has of its own.
const STYLE: &str = "guide.css";

/// What the page says above the recipes.
const INTRO: &str = "Each of these sends a file to this service, waits until it is checked, and fetches it again. \
    This service is at";
const NOBODY_ASKED: &str = "It asks nobody who they are: no token is needed.";
const TOKEN: &str = "It asks who calls: put a token into the variable `FILE_SHARE_TOKEN`. `fshare login` gets one for you; \
    a program gets one by `POST /v1/tokens`.";

/// A program of the document.
#[derive(Debug, PartialEq, Eq)]
struct Recipe {
    heading: &'static str,
    /// What stands between the heading and the program, up to the first blank line.
    lead: &'static str,
    program: &'static str,
}

impl WebPage {
    /// The guide for whoever reaches the service at `base`, for a request with these headers; `None` if that is no
    /// address to put into a program.
    pub fn guide(&self, asked: &HeaderMap, base: &str) -> Option<Response> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || PLAIN.contains(c);
        if !base.chars().all(is_plain) {
            return None;
        }
        let shown = Shown {
            language: Language::English,
            root: "",
            is_in: false,
        };
        let who = match self.sign_in {
            None => NOBODY_ASKED,
            Some(_) => TOKEN,
        };
        let places = [
            ("guide_style", &assets::own_style(STYLE)),
            ("intro", &Html::markup(INTRO)),
            ("address", &Html::text(base)),
            ("who", &prose(who)),
            ("contents", &contents()),
            ("recipes", &programs(base)),
        ];
        let html = self.html(GUIDE, shown, &places);
        let mut response = self.for_one_reader(asked, StatusCode::OK, html);
        let policy = self.policy_with(&assets::own_style_sources(STYLE));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        Some(response)
    }
}

/// The recipes, in the order of the page.
fn recipes() -> &'static [Recipe] {
    static FOUND: LazyLock<Vec<Recipe>> = LazyLock::new(|| {
        let found = RECIPES.iter();
        found
            .filter_map(|(heading, language)| find(heading, language))
            .collect()
    });
    &FOUND
}

/// The first program in this language below a heading.
fn find(heading: &'static str, language: &str) -> Option<Recipe> {
    let (_, section) = DOCUMENT.split_once(&format!("\n## {heading}\n"))?;
    let section = section.split("\n## ").next()?;
    let (before, rest) = section.split_once(&format!("```{language}\n"))?;
    let (program, _) = rest.split_once("```\n")?;
    let lead = before.trim_start().split("\n\n").next()?;
    Some(Recipe {
        heading,
        lead: lead.trim_end(),
        program,
    })
}

fn contents() -> Html {
    let mut html = String::new();
    for Recipe { heading, .. } in recipes() {
        // Writing into a text can't fail.
        let (id, heading) = (id_of(heading), Html::text(heading));
        let _ = writeln!(html, "<li><a href=\"#{id}\">{}</a></li>", heading.as_str());
    }
    Html::composed(html)
}

fn programs(base: &str) -> Html {
    let mut html = String::new();
    for Recipe {
        heading,
        lead,
        program,
    } in recipes()
    {
        let id = id_of(heading);
        let (heading, lead) = (Html::text(heading), prose(lead));
        let (heading, lead) = (heading.as_str(), lead.as_str());
        let program = Html::text(&program.replace(DOCUMENTED_BASE, base));
        let _ = writeln!(
            html,
            "<section class=\"recipe\">\n<h2 id=\"{id}\">{heading}</h2>\n<p>{lead}</p>\n\
             <div class=\"program\"><pre tabindex=\"0\" role=\"region\" aria-labelledby=\"{id}\"><code>{}</code></pre>\n\
             <button type=\"button\" class=\"copy needs-script\" aria-describedby=\"{id}\">Copy</button></div>\n\
             </section>",
            program.as_str()
        );
    }
    Html::composed(html)
}

/// A heading as the address of its section.
fn id_of(heading: &str) -> String {
    let words = heading.split(|c: char| !c.is_ascii_alphanumeric());
    let words = words
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase);
    words.collect::<Vec<_>>().join("-")
}

/// A sentence with `code` and [links](https://…) in it; a link that leads elsewhere is its text.
fn prose(text: &str) -> Html {
    let mut html = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['`', '[']) {
        html.push_str(Html::text(&rest[..at]).as_str());
        let (markup, after) = rest[at..].split_at(1);
        let taken = match markup {
            "`" => after.split_once('`').map(|(code, after)| {
                let _ = write!(html, "<code>{}</code>", Html::text(code).as_str());
                after
            }),
            _ => link(after).map(|(text, target, after)| {
                let text = Html::text(text);
                let _ = match target.starts_with("https://") {
                    true => write!(
                        html,
                        "<a href=\"{}\">{}</a>",
                        Html::text(target).as_str(),
                        text.as_str()
                    ),
                    false => write!(html, "{}", text.as_str()),
                };
                after
            }),
        };
        rest = taken.unwrap_or_else(|| {
            html.push_str(markup);
            after
        });
    }
    html.push_str(Html::text(rest).as_str());
    Html::composed(html)
}

/// Text and target of a link of which the bracket was read, and what comes behind it.
fn link(rest: &str) -> Option<(&str, &str, &str)> {
    let (text, rest) = rest.split_once("](")?;
    let (target, after) = rest.split_once(')')?;
    Some((text, target, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::SignInWith;

    fn page(sign_in: Option<SignInWith>) -> WebPage {
        WebPage {
            download_origin: None,
            store_origin: None,
            max_upload_bytes: 1,
            sign_in,
        }
    }

    async fn html(page: &WebPage, base: &str) -> String {
        let response = page.guide(&HeaderMap::new(), base).unwrap();
        response.into_body().into_string().await.unwrap()
    }

    #[test]
    fn every_recipe_is_found_in_the_document_and_names_the_service() {
        assert_eq!(recipes().len(), RECIPES.len());
        for recipe in recipes() {
            assert!(recipe.program.contains(DOCUMENTED_BASE), "{recipe:?}");
            assert!(!recipe.lead.is_empty(), "{recipe:?}");
            assert!(!recipe.lead.contains("```"), "{recipe:?}");
        }
    }

    #[tokio::test]
    async fn the_recipes_name_this_service_and_no_other() {
        let html = html(&page(None), "https://share.example.org/files").await;
        assert!(
            !html.contains("127.0.0.1") && !html.contains("{{"),
            "{html}"
        );
        assert!(html.contains("https://share.example.org/files"));
        assert_eq!(html.matches("<pre ").count(), RECIPES.len());
        assert_eq!(html.matches("class=\"copy ").count(), RECIPES.len());
    }

    #[tokio::test]
    async fn who_has_to_show_a_token_is_told_so() {
        let who = |sign_in| async move {
            let html = html(&page(sign_in), "http://a").await;
            let (_, who) = html.split_once("id=\"who\">").unwrap();
            who.split("</p>")
                .next()
                .unwrap()
                .contains("FILE_SHARE_TOKEN")
        };
        assert!(!who(None).await);
        assert!(who(Some(SignInWith::Key)).await && who(Some(SignInWith::Issuer)).await);
    }

    #[test]
    fn an_address_that_means_something_in_a_program_is_put_into_none() {
        let guide = |base| page(None).guide(&HeaderMap::new(), base);
        for base in [
            "http://a$(id)",
            "http://a;id",
            "http://a'b",
            "http://a\"b",
            "http://a b",
            "http://ä",
            "http://a&b",
            "http://a`b",
        ] {
            assert!(guide(base).is_none(), "{base}");
        }
        for base in [
            "http://[::1]:8000",
            "https://share.example.org/a-b_c~d"
                .replace('_', "-")
                .as_str(),
            "http://localhost:1",
        ] {
            assert!(guide(base).is_some(), "{base}");
        }
    }

    #[test]
    fn prose_has_code_and_links_and_everything_else_is_text() {
        for (text, expected) in [
            (
                "`a<b` & [c](https://d.example/?e) f",
                "<code>a&lt;b</code> &amp; <a href=\"https://d.example/?e\">c</a> f",
            ),
            ("[here](#below) and [there](javascript:x)", "here and there"),
            ("a ` b [c] (d)", "a ` b [c] (d)"),
        ] {
            assert_eq!(prose(text).into_string(), expected);
        }
    }
}
