//! What kind of content a file declares itself to be.
//!
//! Invariant: the text is a media type in visible ASCII, so it can stand in a header as it is.

use std::fmt;

use super::{FileName, Invalid};

/// Far more than any registered media type with its parameters needs, in bytes.
pub const MAX_CONTENT_TYPE_BYTES: usize = 255;

/// What every text that matches it is accepted for, for those who check before they send: types and
/// subtypes as they can be registered (RFC 6838, section 4.2), with parameters. A regular expression
/// in the dialect that JSON Schema recommends.
pub const CONTENT_TYPE_PATTERN: &str = concat!(
    r"^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*",
    r#"(; *[A-Za-z0-9!#$&^_.+-]+=([A-Za-z0-9!#$&^_.,+-]+|"[ !#-\[\]-~]+"))*$"#
);
/// Endings that mean source code to nearly everybody who shares such a file, and an old container of
/// films to the table of endings.
const TYPESCRIPT_ENDINGS: [&str; 4] = ["ts", "mts", "cts", "tsx"];
const TYPESCRIPT: &str = "text/typescript";

/// A media type (RFC 9110, section 8.3), as the client wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentType(String);

impl ContentType {
    /// Takes a media type as it was written, without spaces and tabs around it.
    ///
    /// # Errors
    /// What isn't `type/subtype` with optional parameters, a wildcard, or more than
    /// [`MAX_CONTENT_TYPE_BYTES`].
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let text = text.trim_matches([' ', '\t']);
        if text.len() > MAX_CONTENT_TYPE_BYTES {
            return Err(Invalid::new(format!(
                "must have at most {MAX_CONTENT_TYPE_BYTES} bytes"
            )));
        }
        // A header value can hold visible ASCII and spaces; `mime` lets more through in quotes.
        let printable = text.bytes().all(|b| matches!(b, b' '..=b'~'));
        let judged = with_quiet_commas(text);
        match judged.parse::<mime::Mime>() {
            Ok(parsed)
                if printable
                    && parsed.type_() != mime::STAR
                    && !["*", ""].contains(&parsed.subtype().as_str()) =>
            {
                Ok(Self(text.to_owned()))
            }
            _ => Err(Invalid::new("must be a media type such as application/pdf")),
        }
    }

    /// The type that a file of this name most often has, else `application/octet-stream`.
    pub fn guess(name: &FileName) -> Self {
        let ending = name
            .as_str()
            .rsplit_once('.')
            .map(|(_, ending)| ending.to_ascii_lowercase());
        if ending.is_some_and(|ending| TYPESCRIPT_ENDINGS.contains(&ending.as_str())) {
            return Self(TYPESCRIPT.to_owned());
        }
        let guessed = mime_guess::from_path(name.as_str()).first_or_octet_stream();
        Self(guessed.essence_str().to_owned())
    }

    /// What it is where nothing is known of it.
    pub fn unknown() -> Self {
        Self(mime::APPLICATION_OCTET_STREAM.essence_str().to_owned())
    }

    /// The media type in visible ASCII and spaces, fit for a header as it is.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Browsers write lists of codecs without the quotes that a comma would need:
/// `video/webm;codecs=vp9,opus`. The crate that judges types knows none such, so in values it is shown
/// another sign.
fn with_quiet_commas(text: &str) -> String {
    let mut is_value = false;
    let quiet = text.chars().map(|c| {
        match c {
            ';' => is_value = false,
            '=' => is_value = true,
            _ => {}
        }
        if c == ',' && is_value { '.' } else { c }
    });
    quiet.collect()
}

impl fmt::Display for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::string::string_regex;

    use super::*;

    #[test]
    fn a_media_type_is_kept_as_it_was_written() {
        for text in [
            "application/pdf",
            "text/plain; charset=utf-8",
            "image/svg+xml",
            "application/vnd.oasis.opendocument.text",
            "video/webm;codecs=vp9,opus",
            "video/mp4; codecs=avc1.42E01E,mp4a.40.2",
            "video/webm; codecs=\"vp9, opus\"",
        ] {
            assert_eq!(ContentType::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn what_is_no_media_type_is_refused() {
        for text in [
            "",
            "pdf",
            "*/*",
            "text/*",
            "text/",
            "/plain",
            "text/plain\r\nx-amz-acl: public-read",
            "text/plain; charset=\"\r\n\"",
            "text/plain; name=\"é\"",
            "text/pl,ain",
            "text/plain, text/html",
            "text/plain;,a=b",
            "text/plain;a=b, c=d",
        ] {
            assert!(ContentType::parse(text).is_err(), "{text:?}");
        }
        assert!(ContentType::parse(&format!("text/{}", "x".repeat(300))).is_err());
    }

    proptest! {
        #[test]
        fn whatever_matches_the_pattern_of_the_contract_is_accepted(
            text in string_regex(CONTENT_TYPE_PATTERN.trim_matches(['^', '$'])).unwrap()
        ) {
            let parsed = ContentType::parse(&text).map(|parsed| parsed.0);
            prop_assert_eq!(parsed.is_ok(), text.len() <= MAX_CONTENT_TYPE_BYTES, "{}", text);
            prop_assert!(parsed.is_err() || parsed == Ok(text));
        }
    }

    #[test]
    fn a_type_that_was_left_out_is_guessed_from_the_name() {
        let guess = |name| ContentType::guess(&FileName::sanitize(name).unwrap()).0;
        assert_eq!(guess("slides.PDF"), "application/pdf");
        assert_eq!(guess("notes.txt"), "text/plain");
        assert_eq!(guess("no extension"), "application/octet-stream");
        assert_eq!(guess("ts"), "application/octet-stream");
        for name in ["main.ts", "App.TSX", "module.mts", "types.d.ts"] {
            assert_eq!(guess(name), "text/typescript", "{name}");
        }
    }
}
