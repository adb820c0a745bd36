//! HTML that is put together of our own markup and of texts from outside.
//!
//! Invariant: a text from outside gets into HTML escaped, and only there. What a place was filled with is never
//! searched for places again, so that a file may be called `{{style}}`.
//!
//! Absent on purpose: a template language. A template has places, and whoever fills them decides what is there.

use std::fmt::Write;

/// A piece of HTML in which nothing but our own markup means anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Html(String);

/// A name is shown with at most this many characters,
const LONGEST_NAME: usize = 80;
/// and of a longer one with this many of its last, since what tells files apart is mostly at the end. As `dom.js` does.
const LAST_OF_NAME: usize = 24;

impl Html {
    /// Markup of our own. What `'static` says is that it was written, and not put together.
    pub fn markup(markup: &'static str) -> Self {
        Self(markup.to_owned())
    }

    /// A text, for an element or an attribute in double quotes.
    pub fn text(text: &str) -> Self {
        let mut html = String::with_capacity(text.len());
        for c in text.chars() {
            match c {
                '&' => html.push_str("&amp;"),
                '<' => html.push_str("&lt;"),
                '>' => html.push_str("&gt;"),
                '"' => html.push_str("&quot;"),
                '\'' => html.push_str("&#39;"),
                // Of no meaning in HTML, and an error of its parser.
                '\0' => html.push(char::REPLACEMENT_CHARACTER),
                c => html.push(c),
            }
        }
        Self(html)
    }

    /// Somebody's name for something, inside a sentence: it has a direction of its own, whatever stands around it.
    pub fn name(name: &str) -> Self {
        Self(format!("<bdi>{}</bdi>", Self::text(name).0))
    }

    /// A file's name as a heading, without its middle if it is too long. It may go on in the next line after `_`, `-`
    /// and `.` rather than anywhere. What it stands in has `dir="auto"`.
    pub fn breakable_name(name: &str) -> Self {
        let is_joint = |c: char| matches!(c, '_' | '-' | '.');
        let shown = shortened(name);
        let mut html = String::with_capacity(shown.len());
        let mut before = None;
        for c in shown.chars() {
            if before.is_some_and(is_joint) && !is_joint(c) {
                html.push_str("<wbr>");
            }
            let mut utf8 = [0; 4];
            html.push_str(&Self::text(c.encode_utf8(&mut utf8)).0);
            before = Some(c);
        }
        Self(html)
    }

    /// `template` with what belongs there in each of its places, which are written `{{name}}`. A place that nobody
    /// fills is left empty.
    pub fn fill(template: &'static str, places: &[(&str, &Self)]) -> Self {
        let mut html = String::with_capacity(template.len());
        let mut rest = template;
        while let Some((before, after)) = rest.split_once("{{") {
            html.push_str(before);
            let Some((name, after)) = after.split_once("}}") else {
                rest = after;
                break;
            };
            let filling = places.iter().find(|(place, _)| *place == name);
            debug_assert!(filling.is_some(), "nobody fills {name}");
            html.push_str(filling.map_or("", |(_, html)| &html.0));
            rest = after;
        }
        html.push_str(rest);
        Self(html)
    }

    /// One after the other.
    pub fn concat<'a>(parts: impl IntoIterator<Item = &'a Self>) -> Self {
        Self(parts.into_iter().map(|part| part.0.as_str()).collect())
    }

    /// The HTML.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The HTML.
    pub fn into_string(self) -> String {
        self.0
    }

    /// Markup that was put together, of parts that are ours.
    pub(super) fn composed(markup: String) -> Self {
        Self(markup)
    }
}

fn shortened(name: &str) -> String {
    let length = name.chars().count();
    if length <= LONGEST_NAME {
        return name.to_owned();
    }
    let first = name.chars().take(LONGEST_NAME - LAST_OF_NAME - 1);
    let last = name.chars().skip(length - LAST_OF_NAME);
    first.chain(['…']).chain(last).collect()
}

/// What a messenger shows of a link in place of its address (<https://ogp.me>).
#[derive(Debug, Clone, Copy)]
pub struct Preview<'a> {
    /// Such as a file's name.
    pub title: &'a str,
    /// A sentence.
    pub description: &'a str,
    /// Where the page is, if that can be told.
    pub url: Option<&'a str>,
    /// The product.
    pub site: &'a str,
}

impl Preview<'_> {
    /// The elements of a page's head.
    pub fn html(&self) -> Html {
        let mut html = String::new();
        let tags = [
            ("og:type", Some("website")),
            ("og:site_name", Some(self.site)),
            ("og:title", Some(self.title)),
            ("og:description", Some(self.description)),
            ("og:url", self.url),
        ];
        for (property, content) in tags {
            if let Some(content) = content {
                let content = Html::text(content).0;
                let _ = writeln!(html, "<meta property=\"{property}\" content=\"{content}\">");
            }
        }
        let description = Html::text(self.description).0;
        let _ = writeln!(
            html,
            "<meta name=\"description\" content=\"{description}\">"
        );
        Html(html)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_place_is_filled_with_is_not_searched_for_places() {
        let template = "<p title=\"{{a}}\">{{b}}</p>";
        let (a, b) = (Html::text("{{b}}"), Html::text("<{{a}}>"));
        let html = Html::fill(template, &[("a", &a), ("b", &b)]);
        assert_eq!(html.as_str(), "<p title=\"{{b}}\">&lt;{{a}}&gt;</p>");
    }

    #[test]
    fn a_name_breaks_at_its_joints_and_keeps_its_ending() {
        let shown = |name: &str| Html::breakable_name(name).into_string();
        assert_eq!(
            shown("week_1-<a>.tar.gz"),
            "week_<wbr>1-<wbr>&lt;a&gt;.<wbr>tar.<wbr>gz"
        );
        assert_eq!(shown("a..b"), "a..<wbr>b");
        let long = format!("{}.pdf", "x".repeat(200));
        assert_eq!(
            shown(&long).replace("<wbr>", "").chars().count(),
            LONGEST_NAME
        );
        assert!(shown(&long).ends_with(".<wbr>pdf") && shown(&long).contains('…'));
    }

    /// What an HTML parser makes of escaped text.
    fn read(html: &str) -> String {
        html.replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"")
            .replace("&#39;", "'")
            .replace("&amp;", "&")
    }

    proptest! {
        #[test]
        fn whatever_a_text_is_it_is_shown_and_means_nothing(text in "\\PC{0,60}|[<>\"'&;a-z=/{} ]{0,60}") {
            let html = Html::text(&text).into_string();
            prop_assert!(!html.contains(['<', '>', '"', '\'']));
            prop_assert_eq!(read(&html), text.clone());
            let broken = Html::breakable_name(&text).into_string().replace("<wbr>", "");
            prop_assert!(!broken.contains(['<', '>', '"', '\'']));
            let preview = Preview { title: &text, description: &text, url: Some(&text), site: &text };
            let tags = preview.html().into_string();
            prop_assert_eq!(tags.matches('<').count(), 6);
            prop_assert_eq!(tags.matches('"').count(), 6 * 4);
        }
    }
}
