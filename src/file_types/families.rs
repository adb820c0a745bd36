//! What names say: which types a file may have whose name ends so.
//!
//! Invariant: an ending that isn't here claims nothing. A file of such a name is never refused for what is in it.
//!
//! Absent on purpose: endings whose files have no sign of their own and are no text (`dat`, `bin`, `iso`, `eml`).

/// What does something where it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Active {
    /// What a machine, or a virtual one, runs.
    Program,
    /// What a program runs that reads it.
    Script,
    /// A page with scripts in it.
    Html,
    /// A picture with scripts in it.
    Svg,
    /// What opens something else on Windows.
    Shortcut,
    /// What Java runs.
    JavaArchive,
    /// What Android installs.
    AndroidPackage,
    /// What Windows installs.
    Installer,
}

/// What a file has to be whose name ends so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// Of one of these media types.
    Types(&'static [&'static str]),
    /// A document of Office: of one of these media types, or encrypted.
    Office(&'static [&'static str]),
    /// Something that is an archive in the form of a zip.
    Zip,
    /// Text.
    Text,
    /// What does this.
    Active(Active),
    /// It can be several things, which have no sign in common.
    Anything,
}

use Expected::{Anything, Office, Text, Types, Zip};

const ISO_MEDIA: &[&str] = &[
    "application/mp4",
    "audio/mp4",
    "audio/x-m4a",
    "video/mp4",
    "video/x-m4v",
    "video/quicktime",
    "video/3gpp",
    "video/3gpp2",
];
const OGG: &[&str] = &["application/ogg", "audio/ogg", "audio/opus", "video/ogg"];
const HEIF: &[&str] = &[
    "image/heic",
    "image/heic-sequence",
    "image/heif",
    "image/heif-sequence",
    "image/avif",
    "image/avif-sequence",
];
const WORD: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
const WORD_MACROS: &str = "application/vnd.ms-word.document.macroenabled.12";
const EXCEL: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
const EXCEL_MACROS: &str = "application/vnd.ms-excel.sheet.macroenabled.12";
const POWERPOINT: &str =
    "application/vnd.openxmlformats-officedocument.presentationml.presentation";
const POWERPOINT_MACROS: &str = "application/vnd.ms-powerpoint.presentation.macroenabled.12";

const FAMILIES: &[(&[&str], Expected)] = &[
    // Documents
    (&["pdf"], Types(&["application/pdf"])),
    (
        &["ai"],
        Types(&["application/pdf", "application/postscript", "image/x-eps"]),
    ),
    (
        &["ps", "eps"],
        Types(&["application/postscript", "image/x-eps"]),
    ),
    (&["rtf"], Types(&["application/rtf"])),
    (&["docx", "dotx"], Office(&[WORD])),
    (&["docm", "dotm"], Office(&[WORD, WORD_MACROS])),
    (&["xlsx", "xltx"], Office(&[EXCEL])),
    (
        &["xlsm", "xltm", "xlsb", "xlam"],
        Office(&[EXCEL, EXCEL_MACROS]),
    ),
    (&["pptx", "potx", "ppsx"], Office(&[POWERPOINT])),
    (
        &["pptm", "potm", "ppsm"],
        Office(&[POWERPOINT, POWERPOINT_MACROS]),
    ),
    (
        &["doc", "dot"],
        Types(&["application/msword", "application/x-cfb", "application/rtf"]),
    ),
    (
        &["xls", "xlt"],
        Types(&["application/vnd.ms-excel", "application/x-cfb"]),
    ),
    (
        &["ppt", "pot", "pps"],
        Types(&["application/vnd.ms-powerpoint", "application/x-cfb"]),
    ),
    (
        &["odt", "ott"],
        Types(&[
            "application/vnd.oasis.opendocument.text",
            "application/vnd.oasis.opendocument.text-template",
        ]),
    ),
    (
        &["ods", "ots"],
        Types(&[
            "application/vnd.oasis.opendocument.spreadsheet",
            "application/vnd.oasis.opendocument.spreadsheet-template",
        ]),
    ),
    (
        &["odp", "otp"],
        Types(&[
            "application/vnd.oasis.opendocument.presentation",
            "application/vnd.oasis.opendocument.presentation-template",
        ]),
    ),
    (
        &["odg"],
        Types(&["application/vnd.oasis.opendocument.graphics"]),
    ),
    (&["epub"], Types(&["application/epub+zip"])),
    // Pictures
    (&["png", "apng"], Types(&["image/png", "image/apng"])),
    (
        &["jpg", "jpeg", "jpe", "jfif"],
        Types(&["image/jpeg", "image/jls"]),
    ),
    (&["gif"], Types(&["image/gif"])),
    (&["webp"], Types(&["image/webp"])),
    (&["bmp"], Types(&["image/bmp"])),
    (&["tif", "tiff"], Types(&["image/tiff"])),
    (&["heic", "heif", "hif", "avif"], Types(HEIF)),
    (&["ico"], Types(&["image/vnd.microsoft.icon"])),
    (&["psd"], Types(&["image/vnd.adobe.photoshop"])),
    // Sound and films
    (&["mp3"], Types(&["audio/mpeg", "application/x-id3v2"])),
    (&["wav"], Types(&["audio/vnd.wave"])),
    (&["flac"], Types(&["audio/flac", "application/x-id3v2"])),
    (&["ogg", "oga", "ogv", "ogx", "opus", "spx"], Types(OGG)),
    (&["mid", "midi"], Types(&["audio/midi"])),
    (&["aif", "aiff"], Types(&["audio/x-aiff"])),
    (
        &["mp4", "m4v", "m4a", "m4b", "mov", "3gp", "3g2"],
        Types(ISO_MEDIA),
    ),
    (
        &["mkv", "mka", "webm"],
        Types(&["video/matroska", "video/webm"]),
    ),
    (&["avi"], Types(&["video/x-msvideo"])),
    (&["mpg", "mpeg"], Types(&["video/mpeg", "video/mp2t"])),
    (&["wma", "wmv", "asf"], Types(&["application/vnd.ms-asf"])),
    // Archives
    (&["zip"], Zip),
    (&["gz", "tgz"], Types(&["application/gzip"])),
    (&["bz2", "tbz2"], Types(&["application/x-bzip2"])),
    (&["xz", "txz"], Types(&["application/x-xz"])),
    (&["zst"], Types(&["application/zstd"])),
    (&["7z"], Types(&["application/x-7z-compressed"])),
    (&["rar"], Types(&["application/vnd.rar"])),
    (&["tar"], Types(&["application/x-tar"])),
    // Text that does nothing
    (
        &[
            "txt",
            "text",
            "log",
            "md",
            "markdown",
            "rst",
            "adoc",
            "org",
            "csv",
            "tsv",
            "json",
            "jsonl",
            "ndjson",
            "geojson",
            "ipynb",
            "xml",
            "xsd",
            "xsl",
            "xslt",
            "ini",
            "cfg",
            "conf",
            "toml",
            "properties",
            "tex",
            "bib",
            "sty",
            "css",
            "srt",
            "vtt",
            "ics",
            "vcf",
            "diff",
            "patch",
        ],
        Text,
    ),
    // What does something
    (
        &[
            "exe", "dll", "com", "scr", "sys", "cpl", "ocx", "drv", "efi", "pyd", "xll", "so", "o",
            "elf", "ko", "dylib", "appimage", "class", "dex", "wasm", "chm",
        ],
        Expected::Active(Active::Program),
    ),
    (&["svg"], Expected::Active(Active::Svg)),
    (&["lnk"], Expected::Active(Active::Shortcut)),
    (
        &["jar", "war", "ear", "aar"],
        Expected::Active(Active::JavaArchive),
    ),
    (&["apk", "aab"], Expected::Active(Active::AndroidPackage)),
    (&["msi", "msp", "mst"], Expected::Active(Active::Installer)),
    (PAGES, Text),
    (TEMPLATES, Text),
    (CODE, Text),
    // Source code, and films.
    (&["ts", "mts"], Anything),
];

/// Pages, and what becomes one.
const PAGES: &[&str] = &["html", "htm", "xhtml", "xht", "shtml", "hta"];
const TEMPLATES: &[&str] = &[
    "php", "phtml", "jsp", "jspx", "asp", "aspx", "ascx", "cshtml", "vue", "svelte", "astro",
    "hbs", "ejs", "erb", "mustache", "twig", "tmpl", "tpl",
];
/// What programs read and run. What names the program that runs it may be called so.
const CODE: &[&str] = &[
    "sh", "bash", "zsh", "fish", "ksh", "csh", "command", "bat", "cmd", "ps1", "psm1", "py", "pyw",
    "pl", "pm", "rb", "js", "mjs", "cjs", "jsx", "tsx", "cts", "lua", "tcl", "r", "jl", "awk",
    "sed", "groovy", "gradle", "java", "kt", "kts", "scala", "sc", "clj", "cljs", "hs", "lhs",
    "ml", "fs", "fsx", "cs", "csx", "vb", "vbs", "swift", "go", "rs", "c", "h", "cc", "cpp", "cxx",
    "hh", "hpp", "d", "dart", "zig", "nim", "ex", "exs", "erl", "lisp", "scm", "rkt", "sql", "m",
    "do", "sas", "yml", "yaml", "mk", "cmake", "nix",
];

/// What a file has to be whose name ends so; `None` if that says nothing.
pub(super) fn expected(ending: &str) -> Option<Expected> {
    let found = FAMILIES.iter().find(|(names, _)| names.contains(&ending));
    found.map(|(_, expected)| *expected)
}

impl Active {
    /// Whether a name that ends so says that the file is this.
    pub(super) fn is_called(self, ending: &str) -> bool {
        let is_code = CODE.contains(&ending) || TEMPLATES.contains(&ending);
        match self {
            Self::Script => is_code || matches!(ending, "ts" | "mts"),
            Self::Html => PAGES.contains(&ending) || TEMPLATES.contains(&ending),
            _ => expected(ending) == Some(Expected::Active(self)),
        }
    }

    /// Whether a name that ends so says nothing else either: what may hold this, and isn't run where it is opened
    /// under that name.
    pub(super) fn may_be_called(self, ending: &str) -> bool {
        match self {
            // A page may be in a text with marks, and be a document of elements; a picture may be a page.
            Self::Html => matches!(ending, "md" | "markdown" | "xml" | "xsl" | "xslt"),
            Self::Svg => {
                PAGES.contains(&ending)
                    || matches!(ending, "md" | "markdown" | "xml" | "xsl" | "xslt")
            }
            Self::JavaArchive | Self::AndroidPackage => ending == "zip",
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::FileEnding;

    #[test]
    fn each_ending_is_one_and_stands_once() {
        let all: Vec<&str> = FAMILIES
            .iter()
            .flat_map(|(names, _)| names.iter().copied())
            .collect();
        for name in &all {
            assert_eq!(FileEnding::parse(name).unwrap().as_str(), *name);
            let count = all.iter().filter(|it| *it == name).count();
            assert_eq!(count, 1, "{name}");
        }
    }
}
