//! What a zip holds, by the names in its directory.
//!
//! ```text
//! file = anything before it · (local header · bytes)* · directory · end record · comment
//! ```
//!
//! Invariant: a name counts only if it is reached from a place where an archive really begins: by the chain of local
//! headers from the file's first byte, or by the chain of directory entries that leads to the end record. So what lies
//! inside of a packed file is no name of the archive.
//!
//! The format is that of PKWARE's APPNOTE.TXT, sections 4.3.7, 4.3.12 and 4.3.16. Absent on purpose: the offsets that
//! records name. The directory is looked for right before its end record, wherever the archive begins: behind a
//! picture, too.

use super::ends::Ends;

const LOCAL_HEADER: &[u8] = b"PK\x03\x04";
const DIRECTORY_ENTRY: &[u8] = b"PK\x01\x02";
const END_RECORD: &[u8] = b"PK\x05\x06";
const END_RECORD_64: &[u8] = b"PK\x06\x06";
const END_LOCATOR_64: &[u8] = b"PK\x06\x07";

const LOCAL_HEADER_BYTES: usize = 30;
const DIRECTORY_ENTRY_BYTES: usize = 46;
const END_RECORD_BYTES: usize = 22;

/// How many places that look like an end record are tried, from the end of the file.
const MAX_END_RECORDS: usize = 16;
/// Sizes stand behind the bytes, so where the next header is can't be told.
const SIZES_FOLLOW: u16 = 1 << 3;

/// The longest media type that a `mimetype` of an archive may be.
const MAX_MIMETYPE_BYTES: usize = 100;

/// An archive in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Archive {
    /// Whether the file begins with it. Otherwise it lies behind something else.
    pub(super) is_whole_file: bool,
    /// What it is.
    pub(super) contents: Contents,
}

/// What an archive is, by what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Contents {
    /// Whatever anybody packed.
    Files,
    /// A program for Java.
    Java,
    /// An app for Android.
    Android,
    /// What says of itself which media type it is, or is known by its folders.
    Document(String),
}

/// The archive that the file is, or that lies at its end.
pub(super) fn find(ends: &Ends) -> Option<Archive> {
    let first = ends.first();
    let begins_with_one = first.starts_with(LOCAL_HEADER) || first.starts_with(END_RECORD);
    let directory = directory_before_the_end(ends.last(), begins_with_one);
    if !begins_with_one && directory.is_none() {
        return None;
    }
    let mut names = Names::default();
    if begins_with_one {
        names.is_whole_file = true;
        local_names(first, |name| names.add(name));
    }
    let (last, entries) = (ends.last(), directory.unwrap_or_default());
    for entry in entries {
        names.add(name_of_entry(last, entry));
    }
    let mimetype = begins_with_one.then(|| mimetype(first)).flatten();
    Some(Archive {
        is_whole_file: begins_with_one,
        contents: names.contents(mimetype),
    })
}

/// What names say together.
#[derive(Default)]
struct Names {
    is_whole_file: bool,
    has_manifest: bool,
    has_classes: bool,
    has_android_manifest: bool,
    has_macros: bool,
    office: Option<Office>,
}

#[derive(Clone, Copy)]
enum Office {
    Word,
    Excel,
    Powerpoint,
    Visio,
}

impl Names {
    fn add(&mut self, name: &[u8]) {
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        self.has_manifest |= is("META-INF/MANIFEST.MF");
        self.has_android_manifest |= name == b"AndroidManifest.xml";
        self.has_classes |= name.ends_with(b".class");
        self.has_macros |= name.ends_with(b"/vbaProject.bin");
        let folders: [(&[u8], Office); 4] = [
            (b"word/", Office::Word),
            (b"xl/", Office::Excel),
            (b"ppt/", Office::Powerpoint),
            (b"visio/", Office::Visio),
        ];
        let found = folders.iter().find(|(folder, _)| name.starts_with(folder));
        self.office = self.office.or(found.map(|(_, office)| *office));
    }

    fn contents(&self, mimetype: Option<String>) -> Contents {
        // Behind something else classes are enough: nobody packs those there for people to unpack.
        let is_java = self.has_manifest || (self.has_classes && !self.is_whole_file);
        if self.has_android_manifest {
            return Contents::Android;
        }
        if is_java {
            return Contents::Java;
        }
        let office = self.office.map(|office| office.media_type(self.has_macros));
        let document = office.map(str::to_owned).or(mimetype);
        document.map_or(Contents::Files, Contents::Document)
    }
}

impl Office {
    fn media_type(self, has_macros: bool) -> &'static str {
        match (self, has_macros) {
            (Self::Word, false) => {
                "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
            }
            (Self::Word, true) => "application/vnd.ms-word.document.macroenabled.12",
            (Self::Excel, false) => {
                "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
            }
            (Self::Excel, true) => "application/vnd.ms-excel.sheet.macroenabled.12",
            (Self::Powerpoint, false) => {
                "application/vnd.openxmlformats-officedocument.presentationml.presentation"
            }
            (Self::Powerpoint, true) => {
                "application/vnd.ms-powerpoint.presentation.macroenabled.12"
            }
            (Self::Visio, _) => "application/vnd.ms-visio.drawing",
        }
    }
}

/// Where the entries of a directory begin, in the last bytes of a file, if one ends there. Unless the file `is_one`, the
/// end record with its comment has to end where the file does: an archive of another kind, or a document, may well have
/// one of this kind as its last part.
fn directory_before_the_end(last: &[u8], is_one: bool) -> Option<Vec<usize>> {
    let places = (0..last.len().saturating_sub(END_RECORD_BYTES - 1)).rev();
    let places = places.filter(|&at| last[at..].starts_with(END_RECORD));
    let places = places.filter(|&at| {
        let comment = u16_at(last, at + 20).map_or(0, usize::from);
        is_one || at + END_RECORD_BYTES + comment == last.len()
    });
    places
        .take(MAX_END_RECORDS)
        .find_map(|end| directory_before(last, end))
}

/// The entries of the directory that ends at this end record.
fn directory_before(last: &[u8], end_record: usize) -> Option<Vec<usize>> {
    let size = u32_at(last, end_record + 12)? as usize;
    let count = u16_at(last, end_record + 10)?;
    if count == 0 {
        return None;
    }
    // A large archive has a second end record between the two (section 4.3.14).
    let end = match end_record.checked_sub(20) {
        Some(locator) if last[locator..].starts_with(END_LOCATOR_64) => {
            let before = locator.checked_sub(56)?;
            last[before..]
                .starts_with(END_RECORD_64)
                .then_some(before)?
        }
        _ => end_record,
    };
    if let Some(start) = end.checked_sub(size)
        && let Some(entries) = chain(last, start, end)
    {
        return Some(entries);
    }
    // The directory begins before what was kept: from the first entry that leads to its end.
    let mut leads_nowhere = vec![false; end];
    let mut from = 0;
    while let Some(at) = position(&last[from..end], DIRECTORY_ENTRY) {
        let start = from + at;
        match chain_past(last, start, end, &mut leads_nowhere) {
            Some(entries) => return Some(entries),
            None => from = start + 1,
        }
    }
    None
}

/// The entries that follow one another from `start` to exactly `end`; `None` if they don't.
fn chain(last: &[u8], start: usize, end: usize) -> Option<Vec<usize>> {
    chain_past(last, start, end, &mut vec![false; end])
}

/// The same, which goes over no place twice that was found to lead nowhere.
fn chain_past(
    last: &[u8],
    start: usize,
    end: usize,
    leads_nowhere: &mut [bool],
) -> Option<Vec<usize>> {
    let mut entries = Vec::new();
    let mut at = start;
    while at < end && !leads_nowhere[at] && last[at..].starts_with(DIRECTORY_ENTRY) {
        leads_nowhere[at] = true;
        let lengths = [28, 30, 32].map(|field| u16_at(last, at + field).map(usize::from));
        let [Some(name), Some(extra), Some(comment)] = lengths else {
            return None;
        };
        entries.push(at);
        at += DIRECTORY_ENTRY_BYTES + name + extra + comment;
    }
    (at == end && !entries.is_empty()).then_some(entries)
}

fn name_of_entry(last: &[u8], entry: usize) -> &[u8] {
    let length = u16_at(last, entry + 28).map_or(0, usize::from);
    let from = entry + DIRECTORY_ENTRY_BYTES;
    last.get(from..from + length).unwrap_or_default()
}

/// The names of local headers, from the file's first byte as far as they follow one another.
fn local_names(first: &[u8], mut found: impl FnMut(&[u8])) {
    let mut at = 0;
    while let Some(header) = local_header(first, at) {
        found(header.name);
        match header.next {
            Some(next) => at = next,
            None => break,
        }
    }
}

struct LocalHeader<'a> {
    name: &'a [u8],
    is_stored: bool,
    size: usize,
    /// Where its bytes begin,
    body: usize,
    /// and where the next header is, if that can be told.
    next: Option<usize>,
}

fn local_header(first: &[u8], at: usize) -> Option<LocalHeader<'_>> {
    if !first.get(at..)?.starts_with(LOCAL_HEADER) {
        return None;
    }
    let [name, extra] = [26, 28].map(|field| u16_at(first, at + field));
    let name_at = at + LOCAL_HEADER_BYTES;
    let body = name_at + usize::from(name?) + usize::from(extra?);
    let size = u32_at(first, at + 18)? as usize;
    let flags = u16_at(first, at + 6)?;
    Some(LocalHeader {
        name: first.get(name_at..name_at + usize::from(name?))?,
        is_stored: u16_at(first, at + 8)? == 0,
        size,
        body,
        next: body
            .checked_add(size)
            .filter(|_| flags & SIZES_FOLLOW == 0)
            .filter(|next| *next < first.len()),
    })
}

/// What an archive whose first file is `mimetype` says that it is (OpenDocument 1.3, part 2, section 3.3; EPUB OCF,
/// section 4.3).
fn mimetype(first: &[u8]) -> Option<String> {
    let header = local_header(first, 0)?;
    if header.name != b"mimetype" || !header.is_stored || header.size > MAX_MIMETYPE_BYTES {
        return None;
    }
    let text = first.get(header.body..header.body + header.size)?;
    let text = std::str::from_utf8(text).ok()?.trim();
    let is_known = [
        "application/vnd.oasis.opendocument.",
        "application/vnd.sun.xml.",
    ]
    .iter()
    .any(|family| text.starts_with(family));
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"/.+-".contains(&b);
    let is_type = (is_known || text == "application/epub+zip") && text.bytes().all(is_plain);
    is_type.then(|| text.to_owned())
}

fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let field = bytes.get(at..at.checked_add(2)?)?;
    field.try_into().ok().map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let field = bytes.get(at..at.checked_add(4)?)?;
    field.try_into().ok().map(u32::from_le_bytes)
}
