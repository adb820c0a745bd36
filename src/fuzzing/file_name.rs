//! A name that is accepted can stand in a path, a page and a header, whatever was sent.

use std::path::{Component, Path};

use http::HeaderValue;
use unicode_normalization::is_nfc;

use crate::domain::{ContentType, FileName, MAX_CONTENT_TYPE_BYTES, MAX_FILE_NAME_BYTES};
use crate::presigned_url::attachment;

/// The whole input as a name, and as a media type.
pub(super) fn property(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(content_type) = ContentType::parse(&text) {
        assert!(content_type.as_str().len() <= MAX_CONTENT_TYPE_BYTES);
        assert_eq!(
            ContentType::parse(content_type.as_str()),
            Ok(content_type.clone())
        );
        assert_is_plain_header(content_type.as_str());
    }
    let Ok(name) = FileName::parse(&text) else {
        return;
    };
    let shown = name.as_str();
    assert_eq!(FileName::parse(shown), Ok(name.clone()), "cleaned twice");
    assert!((1..=MAX_FILE_NAME_BYTES).contains(&shown.len()));
    assert!(is_nfc(shown));
    let harmful = |c: char| c.is_control() || c.is_whitespace() || "/\\:*?\"'<>|&;%".contains(c);
    assert!(!shown.contains(harmful), "{shown:?}");
    let components: Vec<Component> = Path::new(shown).components().collect();
    assert_eq!(components, [Component::Normal(shown.as_ref())]);

    let disposition = attachment(&name);
    assert_is_plain_header(&disposition);
    let (plain, extended) = disposition
        .strip_prefix("attachment; filename=\"")
        .and_then(|rest| rest.split_once("\"; filename*=UTF-8''"))
        .expect("the name stands there twice");
    assert!(!plain.is_empty() && !plain.contains(['"', '\\', '/', ';']));
    let decoded = percent_encoding::percent_decode_str(extended).decode_utf8();
    assert_eq!(decoded.expect("it is UTF-8"), shown);
    let guessed = ContentType::guess(&name);
    assert_eq!(ContentType::parse(guessed.as_str()), Ok(guessed));
}

fn assert_is_plain_header(text: &str) {
    assert!(text.bytes().all(|b| (b' '..=b'~').contains(&b)), "{text:?}");
    assert!(HeaderValue::from_str(text).is_ok(), "{text:?}");
}
