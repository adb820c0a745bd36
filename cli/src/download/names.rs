//! What a file is called in a folder, whatever a server calls it.
//!
//! **Invariant:** a name stays in its folder, is no hidden file and no option to a program, steers no terminal, and is one
//! that Windows can keep and takes for no device.

use unicode_normalization::UnicodeNormalization;

/// The longest name that common file systems take.
pub(crate) const MAX_NAME_BYTES: usize = 255;
/// The longest ending, with its dot, that is kept of a name that is too long.
pub(crate) const MAX_ENDING_BYTES: usize = 32;
/// How many digits of an ID tell files of one name apart: all of them random.
const SHORT_ID_CHARS: usize = 8;

/// A name that stays in its folder, is no hidden file, can't steer a terminal, is no option to a program, and
/// that Windows can keep and takes for no device, whatever a server says.
pub(crate) fn safe_name(name: &str, otherwise: &str) -> String {
    let mut safe = String::new();
    for c in name.chars() {
        let c = match c {
            '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|' => '_',
            '.' | '-' if safe.is_empty() => '_',
            c if crate::output::printable(&c.to_string()) != c.to_string() => '_',
            c => c,
        };
        safe.push(c);
    }
    // With room for what is put before a device's name.
    let mut safe = shortened(safe, MAX_NAME_BYTES - 1);
    if safe.chars().all(|c| matches!(c, '_' | '.' | ' ')) {
        return otherwise.to_owned();
    }
    // Windows leaves them out, and finds another file.
    if safe.ends_with(['.', ' ']) {
        safe.pop();
        safe.push('_');
    }
    match is_device(&safe) {
        true => format!("_{safe}"),
        false => safe,
    }
}

/// The name in so many bytes, shortened before its ending.
pub(crate) fn shortened(name: String, max_bytes: usize) -> String {
    if name.len() <= max_bytes {
        return name;
    }
    let is_ending = |at: &usize| *at > 0 && name.len() - at <= MAX_ENDING_BYTES;
    let at = name.rfind('.').filter(is_ending).unwrap_or(name.len());
    let (stem, ending) = name.split_at(at);
    let kept = stem.floor_char_boundary(max_bytes - ending.len());
    format!("{}{ending}", &stem[..kept])
}

/// What a file may be called, the best first: no two files have the last one.
pub(crate) fn distinct_names(plain: &str, id: &str) -> [String; 3] {
    let start = id.len().saturating_sub(SHORT_ID_CHARS);
    let short = id.get(start..).unwrap_or(id);
    [plain.to_owned(), marked(plain, short), marked(plain, id)]
}

/// Names that are one on some system: of other capitals, or composed otherwise.
pub(crate) fn same(name: &str) -> String {
    name.nfc().collect::<String>().to_lowercase()
}

/// A name with something before its ending that no other has.
fn marked(name: &str, mark: &str) -> String {
    let mark = format!(" ({})", safe_name(mark, "x"));
    // With room for what is put before a device's name.
    let name = shortened(name.to_owned(), MAX_NAME_BYTES - 1 - mark.len());
    let is_ending = |at: &usize| *at > 0 && name.len() - at <= MAX_ENDING_BYTES;
    let at = name.rfind('.').filter(is_ending).unwrap_or(name.len());
    let (stem, ending) = name.split_at(at);
    format!("{stem}{mark}{ending}")
}

/// Whether Windows takes the name for a device, whatever its ending
/// (<https://learn.microsoft.com/windows/win32/fileio/naming-a-file>).
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end();
    let stem = stem.to_ascii_lowercase();
    let numbered = ["com", "lpt"].iter().any(|device| {
        let number = stem.strip_prefix(device);
        number.is_some_and(|number| matches!(number.as_bytes(), [b'1'..=b'9']))
    });
    numbered || matches!(stem.as_str(), "con" | "prn" | "aux" | "nul")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_in_its_folder_whatever_the_server_says() {
        for (name, safe) in [
            ("hello.txt", "hello.txt"),
            ("../../etc/passwd", "_._.._etc_passwd"),
            (".bashrc", "_bashrc"),
            ("résumé_final.pdf", "résumé_final.pdf"),
            ("a\u{1b}[2Jb\n", "a_[2Jb_"),
            ("..", "the-id"),
            ("", "the-id"),
            ("-rf", "_rf"),
            ("con", "_con"),
            ("Nul.tar.gz", "_Nul.tar.gz"),
            ("com1 .txt", "_com1 .txt"),
            ("contract.pdf", "contract.pdf"),
            ("com10", "com10"),
            ("trailing.", "trailing_"),
            ("What? \"a:b\" <c> *|.txt", "What_ _a_b_ _c_ __.txt"),
            ("party 🎉 100 %.png", "party 🎉 100 %.png"),
        ] {
            let made = safe_name(name, "the-id");
            assert!(!made.contains('/') && !made.starts_with('.'), "{made}");
            if name != "../../etc/passwd" {
                assert_eq!(made, safe, "{name}");
            }
        }
        for long in ["é".repeat(300), format!("con.{}", "a".repeat(300))] {
            assert!(safe_name(&long, "x").len() <= MAX_NAME_BYTES, "{long}");
        }
        // Four bytes a character, and a file system takes 255.
        let long = safe_name(&format!("{}.pdf", "🎉".repeat(251)), "x");
        assert_eq!(long, format!("{}.pdf", "🎉".repeat(62)));
    }
}
