//! Whatever bytes are, they are found to be the same however they come, and no name that says nothing is refused.

use crate::domain::{ContentType, Declaration, DisplayName, FileName};
use crate::file_types::{END_BYTES, Ends, detect, judge};

/// The first byte says which name the rest has, and how much lies between its ends.
pub(super) fn property(data: &[u8]) {
    let mut input = super::Input(data);
    let choice = input.byte();
    let mut bytes = input.rest().to_vec();
    if choice & 0x80 != 0 {
        // As a file of which not all is looked at.
        let end = bytes.split_off(bytes.len() / 2);
        bytes.resize(bytes.len() + 2 * END_BYTES, choice);
        bytes.extend(end);
    }
    let detected = detect(&Ends::of(&bytes));
    let mut ends = Ends::of_length(bytes.len() as u64);
    for chunk in bytes.chunks(usize::from(choice) * 97 + 1) {
        ends.add(chunk);
    }
    assert_eq!(detect(&ends), detected, "cut otherwise");
    let mut ends = Ends::of_length(bytes.len() as u64);
    for part in Ends::ranges(bytes.len() as u64) {
        ends.skip_to(part.start);
        let range = part.start as usize..part.end as usize;
        ends.add(bytes.get(range).expect("a part of the file"));
    }
    assert_eq!(detect(&ends), detected, "read in parts");
    let media_type = detected.media_type();
    assert_eq!(ContentType::parse(media_type.as_str()), Ok(media_type));

    const ENDINGS: [&str; 12] = [
        "pdf", "txt", "docx", "zip", "svg", "html", "exe", "jar", "png", "mp4", "doc", "py",
    ];
    let ending = ENDINGS[usize::from(choice) % ENDINGS.len()];
    let [silent, said] = ["xyz", ending].map(declared);
    assert_eq!(judge(&silent, &detected), Ok(()));
    assert_eq!(judge(&fitting(silent), &detected), Ok(()));
    if let Err(reason) = judge(&said, &detected) {
        assert!(reason.detected_type.is_some());
        assert!(judge(&fitting(said), &detected).is_err());
    }
}

fn declared(ending: &str) -> Declaration {
    let name = format!("a.{ending}");
    let filename = FileName::sanitize(&name).expect("a name");
    Declaration {
        display_name: DisplayName::given(&name, &filename),
        content_type: ContentType::guess(&filename),
        length: crate::domain::ContentLength::new(0, 0).expect("a length"),
        filename,
        sha256: None,
        metadata: crate::domain::Metadata::default(),
        type_has_to_fit: false,
    }
}

fn fitting(declared: Declaration) -> Declaration {
    Declaration {
        type_has_to_fit: true,
        ..declared
    }
}
