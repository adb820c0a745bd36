//! What is found of many files, and that nothing upsets what finds it.

use proptest::prelude::*;

use super::samples::{Taken, all};
use super::*;
use crate::domain::{ContentType, Declaration, RejectionCode};

#[test]
fn each_file_is_found_to_be_what_it_is_and_taken_under_names_that_say_so() {
    for sample in all() {
        let name = sample.name;
        let detected = detect(&Ends::of(&sample.bytes));
        let declared = Declaration::sample().named(name);
        let judged = [declared.clone(), declared.of_its_type()].map(|it| judge(&it, &detected));
        let expected = match sample.taken {
            Taken::Always => [true, true],
            Taken::WhereAllAre => [true, false],
            Taken::Never => [false, false],
        };
        assert_eq!(
            judged.clone().map(|it| it.is_ok()),
            expected,
            "{name}: {detected:?}"
        );
        let found = match &judged[0] {
            Ok(()) => detected.media_type(),
            Err(reason) => reason.detected_type.clone().unwrap(),
        };
        assert_eq!(found.as_str(), sample.media_type, "{name}");
    }
}

#[test]
fn whoever_is_refused_is_told_what_is_there_and_what_the_name_says() {
    let detected = detect(&Ends::of(&samples::exe()));
    let reason = judge(&Declaration::sample().named("my report.PDF"), &detected).unwrap_err();
    assert_eq!(
        reason.text,
        "the name ends in .pdf and the content is application/vnd.microsoft.portable-executable"
    );
    assert_eq!(reason.code, Some(RejectionCode::ContentMismatch));
    // A picture with an archive behind it is refused for the archive.
    let both = [samples::pdf(), samples::late_docx()].concat();
    let declared = Declaration::sample().named("a.pdf").of_its_type();
    let reason = judge(&declared, &detect(&Ends::of(&both))).unwrap_err();
    assert_eq!(
        reason.detected_type,
        ContentType::parse("application/zip").ok()
    );
}

#[test]
fn every_type_that_the_crate_knows_is_a_media_type() {
    use file_format::{FileFormat, Kind};
    let kinds = [
        Kind::Archive,
        Kind::Audio,
        Kind::Compressed,
        Kind::Database,
        Kind::Diagram,
        Kind::Disk,
        Kind::Document,
        Kind::Ebook,
        Kind::Executable,
        Kind::Font,
        Kind::Formula,
        Kind::Geospatial,
        Kind::Image,
        Kind::Metadata,
        Kind::Model,
        Kind::Other,
        Kind::Package,
        Kind::Playlist,
        Kind::Presentation,
        Kind::Rom,
        Kind::Spreadsheet,
        Kind::Subtitle,
        Kind::Video,
    ];
    let formats: Vec<&FileFormat> = kinds
        .iter()
        .flat_map(|it| FileFormat::from_kind(*it))
        .collect();
    assert!(formats.len() > 400, "{}", formats.len());
    for format in formats {
        let media_type = format.media_type();
        assert_eq!(ContentType::parse(media_type).unwrap().as_str(), media_type);
    }
}

#[test]
fn an_archive_that_says_it_holds_4_gib_or_leads_nowhere_is_read_in_a_moment() {
    let began = std::time::Instant::now();
    // A `mimetype` that says so of itself.
    let mut huge = b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\x08\0\0\0mimetype".to_vec();
    huge.extend([b'a'; 100]);
    assert_eq!(
        detect(&Ends::of(&huge)).media_type().as_str(),
        "application/zip"
    );
    // Entries that all lead to one another and never to the end, before many ends.
    let entry = [&b"PK\x01\x02"[..], &[0; 42]].concat();
    let end = b"PK\x05\x06\0\0\0\0\xff\xff\xff\xff\0\0\x01\0\0\0\0\0\0\0";
    let mut maze = [&b"PK\x03\x04"[..], &entry.repeat(1_400), b"x"].concat();
    maze.extend(end.repeat(40));
    for _ in 0..20 {
        assert_eq!(
            detect(&Ends::of(&maze)).media_type().as_str(),
            "application/zip"
        );
    }
    assert!(began.elapsed() < std::time::Duration::from_secs(10));
}

/// Bytes that look like files: parts of samples, one behind the other, with bytes changed.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let samples: Vec<Vec<u8>> = all().into_iter().map(|it| it.bytes).collect();
    let piece = (
        prop::sample::select(samples),
        any::<prop::sample::Index>(),
        any::<prop::sample::Index>(),
    );
    let piece = piece.prop_map(|(bytes, from, to)| {
        let (from, to) = (from.index(bytes.len() + 1), to.index(bytes.len() + 1));
        bytes[from.min(to)..from.max(to)].to_vec()
    });
    let changes = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8);
    (proptest::collection::vec(piece, 0..4), changes).prop_map(|(pieces, changes)| {
        let mut bytes = pieces.concat();
        for (at, byte) in changes {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
        }
        bytes
    })
}

proptest! {
    #[test]
    fn no_bytes_upset_what_looks_at_them(bytes in prop_oneof![pieces(), proptest::collection::vec(any::<u8>(), 0..600)]) {
        let detected = detect(&Ends::of(&bytes));
        prop_assert_eq!(&detect(&Ends::of(&bytes)), &detected);
        let declared = Declaration::sample().named("a.pdf");
        let judged = judge(&declared, &detected);
        // Whoever asks for more refuses more.
        if judged.is_err() {
            prop_assert!(judge(&declared.clone().of_its_type(), &detected).is_err());
        }
        // A name that says nothing is never refused.
        let silent = Declaration::sample().named("a.xyz").of_its_type();
        prop_assert_eq!(judge(&silent, &detected), Ok(()));
    }
}
