//! The form of a link's page.

use poem::Request;
use poem::http::header;

use super::super::json_body::read_body;
use super::super::problem::{Code, Problem};
use crate::domain::{FileId, IdempotencyKey};
use crate::links::Password;

const FORM: &str = "application/x-www-form-urlencoded";

/// What somebody takes.
pub(super) struct TakeForm {
    pub(super) file: FileId,
    pub(super) password: Option<Password>,
    /// Marks the page that it was asked for on.
    pub(super) key: Option<IdempotencyKey>,
}

impl TakeForm {
    pub(super) async fn read(request: &mut Request) -> Result<Self, Problem> {
        let content_type = request.headers().get(header::CONTENT_TYPE);
        let content_type = content_type.and_then(|value| value.to_str().ok());
        let essence = content_type.map(|text| text.split(';').next().unwrap_or_default().trim());
        if !essence.is_some_and(|it| it.eq_ignore_ascii_case(FORM)) {
            return Err(Code::UnsupportedMediaType.with("send the form of the page"));
        }
        let body = request.take_body();
        let bytes = read_body(request, body).await?;
        Self::of(&bytes)
    }

    fn of(bytes: &[u8]) -> Result<Self, Problem> {
        let (mut file, mut password, mut key) = (None, None, None);
        for (name, value) in form_pairs(bytes) {
            match name.as_str() {
                "file" => file = FileId::parse(&value).ok(),
                "password" => password = Password::parse(&value).ok(),
                "key" => key = IdempotencyKey::parse(&value).ok(),
                _ => {}
            }
        }
        Ok(Self {
            file: file.ok_or_else(|| Code::FileNotFound.plain())?,
            password,
            key,
        })
    }
}

/// The pairs of a form (WHATWG URL, section 5.1).
fn form_pairs(bytes: &[u8]) -> impl Iterator<Item = (String, String)> {
    let decoded = |part: &[u8]| {
        let spaced: Vec<u8> = part
            .iter()
            .map(|byte| if *byte == b'+' { b' ' } else { *byte })
            .collect();
        percent_encoding::percent_decode(&spaced)
            .decode_utf8_lossy()
            .into_owned()
    };
    bytes
        .split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty())
        .map(move |pair| {
            let at = pair.iter().position(|byte| *byte == b'=');
            let at = at.unwrap_or(pair.len());
            let value = pair.get(at + 1..).unwrap_or_default();
            (decoded(&pair[..at]), decoded(value))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0199a2b4-7c1e-7f4d-9a7e-0d8a4c1b2e3f";

    #[test]
    fn a_form_names_the_file_that_is_taken() {
        let form = format!("key=abc&password=a%2Bb+c%C3%A9&file={ID}");
        let form = TakeForm::of(form.as_bytes()).unwrap();
        assert_eq!(form.file.to_string(), ID);
        assert!(form.password.is_some() && form.key.is_some());
        for wrong in ["", "file=", "file=abc", "&&=", "key=%zz", "file"] {
            let refused = TakeForm::of(wrong.as_bytes()).err().unwrap();
            assert_eq!(refused.code, Code::FileNotFound, "{wrong}");
        }
        let without = TakeForm::of(format!("file={ID}&password=").as_bytes()).unwrap();
        assert!(without.password.is_none() && without.key.is_none());
    }

    #[test]
    fn a_pair_is_decoded_as_browsers_encode_it() {
        let pairs: Vec<_> = form_pairs(b"a=1&b+c=%3D%26+x&d").collect();
        let expected = [("a", "1"), ("b c", "=& x"), ("d", "")];
        let expected = expected.map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(pairs, expected);
    }
}
