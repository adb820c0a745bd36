//! Where somebody goes after a sign-in.
//!
//! Invariant: it is a path of this service, whatever a browser makes of it.

/// How long a path may be, in bytes.
const MAX_BYTES: usize = 1024;

/// A path of this service, with its query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnTo(String);

impl ReturnTo {
    /// `None`: it isn't surely a path of this service.
    pub fn parse(text: &str) -> Option<Self> {
        // A browser reads `\` as `/`, and leaves out tabs and line ends.
        let is_plain = |it: u8| it.is_ascii_graphic() && it != b'\\';
        let is_path = text.starts_with('/') && !text.starts_with("//");
        let good = is_path && text.len() <= MAX_BYTES && text.bytes().all(is_plain);
        good.then(|| Self(text.to_owned()))
    }

    /// The first page, for those who came from nowhere, or from where nobody is sent back to.
    pub fn or_first_page(text: Option<&str>) -> Self {
        text.and_then(Self::parse)
            .unwrap_or_else(|| Self("/".to_owned()))
    }

    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_ours_is_where_somebody_returns_to() {
        for path in ["/", "/f/0190", "/pair?code=1&x=%2F#top", "/a//b"] {
            assert_eq!(ReturnTo::parse(path).unwrap().as_str(), path);
        }
    }

    #[test]
    fn nobody_is_sent_to_others() {
        let long = format!("/{}", "a".repeat(MAX_BYTES));
        for text in [
            "",
            "evil",
            "//evil",
            "///evil",
            "/\\evil",
            "\\\\evil",
            "/a\\b",
            "/\t/evil",
            "\t//evil",
            "/\n/evil",
            "/\r\nLocation: https://evil.example",
            "https://evil.example",
            "https:/evil.example",
            "javascript:alert(1)",
            " /",
            "/ü",
            "/\u{7f}",
            &long,
        ] {
            assert_eq!(ReturnTo::parse(text), None, "{text:?}");
            assert_eq!(ReturnTo::or_first_page(Some(text)).as_str(), "/");
        }
        assert_eq!(ReturnTo::or_first_page(None).as_str(), "/");
    }
}
