//! What a file is, by its ends.
//!
//! Invariant: what does something where it is opened is found before anything else, whatever else the file is too.

use file_format::FileFormat;

use super::archive::{self, Contents};
use super::compound;
use super::ends::Ends;
use super::families::Active;
use super::text::{self, Plainness, Running};
use crate::domain::ContentType;

/// How far into a file the mark of a PDF may stand (ISO 32000-1, annex H.3, note 13).
const PDF_WITHIN: usize = 1024;
const PDF_MARK: &[u8] = b"%PDF-";
/// How far into a file of Matroska its type is looked for: it is in the first element.
const EBML_HEADER_BYTES: usize = 128;

pub(super) const EMPTY: &str = "application/x-empty";
const PLAIN: &str = "text/plain";
const UNKNOWN: &str = "application/octet-stream";
pub(super) const ZIP: &str = "application/zip";
const JAVA: &str = "application/java-archive";
const ANDROID: &str = "application/vnd.android.package-archive";

/// What a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detected {
    pub(super) media_type: String,
    /// What it does where it is opened, if anything.
    pub(super) active: Option<Active>,
    /// What the archive does that lies behind all else.
    pub(super) active_behind: Option<Active>,
    pub(super) nature: Nature,
}

/// What can be told of a file besides its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nature {
    /// It has no bytes.
    Empty,
    /// It is text.
    Text,
    /// It is an archive in the form of a zip.
    Zip,
    /// It is a document of Office that a password encrypts.
    EncryptedOffice,
    /// It is something else.
    Binary {
        /// Whether an archive in the form of a zip lies behind it.
        has_zip_behind: bool,
        /// Whether there is a NUL in it.
        has_nul: bool,
    },
}

impl Detected {
    /// The media type of what the bytes are; `application/octet-stream` if that can't be told.
    pub fn media_type(&self) -> ContentType {
        // Those of the crate, and those of this module, are media types; a test goes through them.
        ContentType::parse(&self.media_type).unwrap_or_else(|_| ContentType::unknown())
    }
}

/// What a file with these ends is.
pub fn detect(ends: &Ends) -> Detected {
    if ends.length() == 0 {
        return Detected {
            media_type: EMPTY.to_owned(),
            active: None,
            active_behind: None,
            nature: Nature::Empty,
        };
    }
    let beginning = text::beginning(ends);
    let plainness = text::plainness(ends, &beginning);
    let archive = archive::find(ends);
    let format = FileFormat::from_bytes(ends.first());
    let is_text = match plainness {
        Plainness::Unicode => true,
        // Letters are no sign there, and others are.
        Plainness::EightBit => {
            let begins_with_letters = ends.first().first().is_some_and(u8::is_ascii);
            begins_with_letters || format == FileFormat::ArbitraryBinaryData
        }
        Plainness::Controls | Plainness::Nul => false,
    };
    let behind = archive.as_ref().filter(|it| !it.is_whole_file);
    let active_behind = behind.and_then(|it| active_archive(&it.contents));
    let nature = Nature::Binary {
        has_zip_behind: behind.is_some(),
        has_nul: plainness == Plainness::Nul,
    };
    let detected = |media_type: &str, active, nature| Detected {
        media_type: media_type.to_owned(),
        active,
        active_behind,
        nature,
    };
    if let Some(running) = text::running(&beginning) {
        let nature = if is_text { Nature::Text } else { nature };
        let (media_type, active) = of_running(running, format);
        return detected(media_type, Some(active), nature);
    }
    if let Some(it) = archive.as_ref().filter(|it| it.is_whole_file) {
        let media_type = match &it.contents {
            Contents::Files => ZIP,
            Contents::Java => JAVA,
            Contents::Android => ANDROID,
            Contents::Document(media_type) => media_type,
        };
        return detected(media_type, active_archive(&it.contents), Nature::Zip);
    }
    if is_text {
        return detected(text_type(format), None, Nature::Text);
    }
    let (media_type, active) = of_bytes(ends, format);
    let nature = match media_type {
        compound::GENERIC if compound::is_encrypted_document(ends) => Nature::EncryptedOffice,
        _ => nature,
    };
    detected(media_type, active, nature)
}

fn active_archive(contents: &Contents) -> Option<Active> {
    match contents {
        Contents::Java => Some(Active::JavaArchive),
        Contents::Android => Some(Active::AndroidPackage),
        Contents::Files | Contents::Document(_) => None,
    }
}

fn of_running(running: Running, format: FileFormat) -> (&'static str, Active) {
    match running {
        Running::Html => ("text/html", Active::Html),
        Running::Svg => ("image/svg+xml", Active::Svg),
        Running::Batch => ("text/x-msdos-batch", Active::Script),
        Running::Php => ("text/x-php", Active::Html),
        Running::Script => {
            let media_type = match format {
                FileFormat::PythonScript => "text/x-python",
                FileFormat::PerlScript => "text/x-perl",
                FileFormat::RubyScript => "text/x-ruby",
                FileFormat::LuaScript => "text/x-lua",
                FileFormat::ToolCommandLanguageScript => "text/x-tcl",
                FileFormat::ClojureScript => "text/x-clojure",
                FileFormat::ShellScript => "text/x-shellscript",
                _ => "text/x-script",
            };
            (media_type, Active::Script)
        }
    }
}

/// The type of a text. A signature of few letters is no sign in a text: "The free …" would be a film, and "true" a font.
fn text_type(format: FileFormat) -> &'static str {
    match format {
        FileFormat::PortableDocumentFormat => "application/pdf",
        FileFormat::RichTextFormat => "application/rtf",
        FileFormat::EncapsulatedPostscript => "image/x-eps",
        FileFormat::ExtensibleMarkupLanguage => "text/xml",
        FileFormat::Icalendar | FileFormat::Vcalendar => "text/calendar",
        FileFormat::Vcard => "text/vcard",
        FileFormat::WebVideoTextTracks => "text/vtt",
        FileFormat::SubripText => "application/x-subrip",
        FileFormat::Latex => "text/x-tex",
        FileFormat::Postscript => "application/postscript",
        _ => PLAIN,
    }
}

/// What is no text, by its signature and what it tells where to look.
fn of_bytes(ends: &Ends, format: FileFormat) -> (&'static str, Option<Active>) {
    use FileFormat as Format;
    let program = |media_type| (media_type, Some(Active::Program));
    match format {
        // Two letters alone begin one in 30,000 files whose bytes are as good as random.
        Format::MsDosExecutable if !is_windows_program(ends) => (UNKNOWN, None),
        Format::MsDosExecutable
        | Format::PortableExecutable
        | Format::DynamicLinkLibrary
        | Format::NewExecutable
        | Format::LinearExecutable => program("application/vnd.microsoft.portable-executable"),
        Format::ExecutableAndLinkableFormat => program("application/x-executable"),
        Format::Appimage => program("application/x-appimage"),
        Format::MachO => program("application/x-mach-binary"),
        Format::JavaClass => program("application/java-vm"),
        Format::DalvikExecutable | Format::OptimizedDalvikExecutable => {
            program("application/vnd.android.dex")
        }
        Format::WebassemblyBinary => program("application/wasm"),
        Format::MicrosoftCompiledHtmlHelp => program("application/vnd.ms-htmlhelp"),
        Format::WindowsShortcut => ("application/x-ms-shortcut", Some(Active::Shortcut)),
        Format::CompoundFileBinary => match compound::media_type(ends) {
            compound::INSTALLER => (compound::INSTALLER, Some(Active::Installer)),
            media_type => (media_type, None),
        },
        Format::ExtensibleBinaryMetaLanguage => (matroska(ends.first()), None),
        Format::ArbitraryBinaryData | Format::PlainText | Format::Empty => {
            (without_signature(ends), None)
        }
        _ => (media_type_of(format), None),
    }
}

/// The media type of a format, as long as the program runs.
fn media_type_of(format: FileFormat) -> &'static str {
    let all = FileFormat::from_kind(format.kind());
    let found = all.iter().find(|it| **it == format);
    found.map_or(UNKNOWN, FileFormat::media_type)
}

/// Whether what begins with `MZ` is a program of DOS or Windows: one of Windows says where its other header is, and one of
/// DOS has as many pages and as long a header as it says (Microsoft's PE format, section 2).
fn is_windows_program(ends: &Ends) -> bool {
    let u16_at = |at| {
        let field = ends.at(at, 2).and_then(|it| it.try_into().ok());
        field.map(u16::from_le_bytes).map(u64::from)
    };
    if let (Some(low), Some(high)) = (u16_at(60), u16_at(62)) {
        let header = low | high << 16;
        let is_seen = ends.at(header, 4).is_some();
        let marks: [&[u8]; 4] = [b"PE", b"NE", b"LE", b"LX"];
        let has_mark = ends.at(header, 2).is_some_and(|it| marks.contains(&it));
        // One that lies between what was kept is believed.
        if has_mark || (!is_seen && header + 4 <= ends.length()) {
            return true;
        }
    }
    let [in_last_page, pages, header] = [2, 4, 8].map(|at| u16_at(at).unwrap_or(u64::MAX));
    in_last_page < 512
        && (1..=ends.length().div_ceil(512)).contains(&pages)
        && header >= 2
        && header.saturating_mul(16) <= ends.length()
}

fn matroska(first: &[u8]) -> &'static str {
    let header = &first[..first.len().min(EBML_HEADER_BYTES)];
    let has = |word: &[u8]| header.windows(word.len()).any(|window| window == word);
    if has(b"webm") {
        return "video/webm";
    }
    match has(b"matroska") {
        true => "video/matroska",
        false => "application/x-ebml",
    }
}

/// What the crate has no signature of.
fn without_signature(ends: &Ends) -> &'static str {
    // Containers as ISO 14496-12 has them, section 4.3, of a brand that isn't listed there.
    if ends.at(4, 4) == Some(&b"ftyp"[..]) {
        return match ends.at(8, 3) {
            Some(b"hei" | b"hev" | b"mif" | b"msf") => "image/heif",
            _ => "video/mp4",
        };
    }
    let first = ends.first();
    let head = &first[..first.len().min(PDF_WITHIN + PDF_MARK.len())];
    match head.windows(PDF_MARK.len()).any(|it| it == PDF_MARK) {
        true => "application/pdf",
        false => UNKNOWN,
    }
}
