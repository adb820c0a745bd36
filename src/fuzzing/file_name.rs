//! A name that is accepted can stand in a path, a page and a header, whatever was sent.

use std::path::{Component, Path};

use http::HeaderValue;
use unicode_normalization::is_nfc;

use crate::domain::{
    ContentType, DisplayName, FileName, MAX_CONTENT_TYPE_BYTES, MAX_DISPLAY_NAME_CHARS,
    MAX_FILE_NAME_BYTES,
};
use crate::presigned_url::{attachment, saved_as};

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
    if let Ok(name) = FileName::from_stored(&text) {
        assert_eq!(name.as_str(), text, "a stored name is changed");
        assert_is_safe_to_save(&name, None);
    }
    let Ok(name) = FileName::sanitize(&text) else {
        return;
    };
    assert_eq!(FileName::from_stored(name.as_str()), Ok(name.clone()));
    let shown = name.as_str();
    assert_eq!(FileName::sanitize(shown), Ok(name.clone()), "cleaned twice");
    assert!((1..=MAX_FILE_NAME_BYTES).contains(&shown.len()));
    assert!(is_nfc(shown));
    let harmful = |c: char| c.is_control() || c.is_whitespace() || "/\\:*?\"'<>|&;%".contains(c);
    assert!(!shown.contains(harmful), "{shown:?}");
    let components: Vec<Component> = Path::new(shown).components().collect();
    assert_eq!(components, [Component::Normal(shown.as_ref())]);

    let given = DisplayName::given(&text, &name);
    if let Some(given) = &given {
        assert_is_fit_for_people(given, &name);
    }
    assert_is_safe_to_save(&name, given.as_ref());
    let guessed = ContentType::guess(&name);
    assert_eq!(ContentType::parse(guessed.as_str()), Ok(guessed));
}

/// On a page and a terminal.
fn assert_is_fit_for_people(given: &DisplayName, name: &FileName) {
    let shown = given.as_str();
    assert_ne!(shown, name.as_str());
    assert_eq!(DisplayName::from_stored(shown), Ok(given.clone()));
    assert!(is_nfc(shown));
    assert!((1..=MAX_DISPLAY_NAME_CHARS).contains(&shown.chars().count()));
    let steers =
        |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    assert!(!shown.contains(steers), "{shown:?}");
    let components: Vec<Component> = Path::new(shown).components().collect();
    assert_eq!(components, [Component::Normal(shown.as_ref())]);
    assert!(!shown.contains('\\'));
}

/// In a header, and by whoever saves the file under one of its two names.
fn assert_is_safe_to_save(name: &FileName, given: Option<&DisplayName>) {
    let disposition = attachment(name, given);
    assert_is_plain_header(&disposition);
    let (plain, extended) = disposition
        .strip_prefix("attachment; filename=\"")
        .and_then(|rest| rest.split_once("\"; filename*=UTF-8''"))
        .expect("the name stands there twice");
    assert!(!plain.is_empty() && !plain.contains(['"', '\\', '/', ';']));
    let decoded = percent_encoding::percent_decode_str(extended).decode_utf8();
    let decoded = decoded.expect("it is UTF-8");
    let shown = given.map_or(name.as_str(), DisplayName::as_str);
    assert_eq!(decoded, saved_as(shown));
    for saved in [plain, &decoded] {
        assert!(
            !saved.ends_with(['.', ' ']) && !saved.starts_with('-'),
            "{saved}"
        );
        assert!(
            !saved.contains(['/', '\\', ':', '*', '?', '"', '<', '>', '|']),
            "{saved}"
        );
        assert!((1..=MAX_FILE_NAME_BYTES).contains(&saved.len()), "{saved}");
    }
}

fn assert_is_plain_header(text: &str) {
    assert!(text.bytes().all(|b| (b' '..=b'~').contains(&b)), "{text:?}");
    assert!(HeaderValue::from_str(text).is_ok(), "{text:?}");
}
