//! Which modules of a crate's root a source file names, in whatever form it does: by `crate::`, by
//! `super::` as often as it takes, alone, in groups, or written out where it is used.
//!
//! Not a parser of Rust: it reads paths, and knows comments and texts as what holds none.

/// The first segments below the root that `code` names, and `*` for all of them. `module` is where the
/// code is, from the root: `["api", "files"]`. `root` is what the root is called there: `crate`, or a
/// crate's name as others write it.
pub(super) fn imports(code: &str, module: &[&str], root: &str) -> Vec<String> {
    let tokens = tokens(code);
    let mut found = Vec::new();
    let mut at = 0;
    let begins = |word: &str| match root {
        "crate" => ["crate", "self", "super"].contains(&word),
        other => word == other,
    };
    while at < tokens.len() {
        let is_beginning = at == 0 || tokens[at - 1] != "::";
        if is_beginning && begins(&tokens[at]) {
            at = path(&tokens, at, None, module, root, &mut found);
        } else {
            at += 1;
        }
    }
    found
}

/// Reads the path that begins at `at`, below `base` in a group, and gives where it ends.
fn path(
    tokens: &[String],
    mut at: usize,
    base: Option<&[String]>,
    module: &[&str],
    root: &str,
    found: &mut Vec<String>,
) -> usize {
    let owned = |module: &[&str]| module.iter().map(|part| (*part).to_owned()).collect();
    let mut place: Vec<String> = base.map_or_else(|| owned(module), <[String]>::to_vec);
    let mut is_first = true;
    while let Some(token) = tokens.get(at) {
        match token.as_str() {
            "self" => {}
            "super" => {
                place.pop();
            }
            "{" => return group(tokens, at + 1, &place, module, root, found),
            "crate" => place.clear(),
            own if is_first && base.is_none() && own == root => place.clear(),
            // Of the root's own, something: a module, or everything.
            name if place.is_empty() => {
                found.push(name.to_owned());
                place.push(name.to_owned());
            }
            name => place.push(name.to_owned()),
        }
        is_first = false;
        at += 1;
        if tokens.get(at).is_none_or(|token| token != "::") {
            break;
        }
        at += 1;
    }
    // The root by another name would hide what is taken from it.
    if place.is_empty() && tokens.get(at).is_some_and(|token| token == "as") {
        found.push("*".to_owned());
    }
    at
}

/// Reads the paths of a group, and gives where it ends.
fn group(
    tokens: &[String],
    mut at: usize,
    base: &[String],
    module: &[&str],
    root: &str,
    found: &mut Vec<String>,
) -> usize {
    while let Some(token) = tokens.get(at) {
        match token.as_str() {
            "}" => return at + 1,
            "," => at += 1,
            "as" => at += 2,
            _ => at = path(tokens, at, Some(base), module, root, found).max(at + 1),
        }
    }
    at
}

/// Words, `::`, and single signs; without comments and texts.
fn tokens(code: &str) -> Vec<String> {
    let code: Vec<char> = code.chars().collect();
    let starts = |at: usize, text: &str| {
        text.chars()
            .enumerate()
            .all(|(i, c)| code.get(at + i) == Some(&c))
    };
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < code.len() {
        if starts(at, "//") {
            while at < code.len() && code[at] != '\n' {
                at += 1;
            }
        } else if starts(at, "/*") {
            while at < code.len() && !starts(at, "*/") {
                at += 1;
            }
            at += 2;
        } else if starts(at, "r\"") || starts(at, "r#") && raw_end(&code, at).is_some() {
            at = raw_end(&code, at).unwrap_or(code.len());
        } else if code[at] == '"' {
            at += 1;
            while at < code.len() && code[at] != '"' {
                at += if code[at] == '\\' { 2 } else { 1 };
            }
            at += 1;
        } else if code[at] == '\'' {
            // A character; or a lifetime, whose word comes next.
            at += match (code.get(at + 1), code.get(at + 2)) {
                (Some('\\'), _) => code[at + 3..].iter().take_while(|c| **c != '\'').count() + 4,
                (_, Some('\'')) => 3,
                _ => 1,
            };
        } else if is_word(code[at]) {
            let word: String = code[at..]
                .iter()
                .copied()
                .take_while(|c| is_word(*c))
                .collect();
            at += word.chars().count();
            tokens.push(word);
        } else if starts(at, "::") {
            tokens.push("::".to_owned());
            at += 2;
        } else {
            if !code[at].is_whitespace() {
                tokens.push(code[at].to_string());
            }
            at += 1;
        }
    }
    tokens
}

/// Where the raw text ends that begins at `at`, if one does.
fn raw_end(code: &[char], at: usize) -> Option<usize> {
    let hashes = code[at + 1..].iter().take_while(|c| **c == '#').count();
    let begins = at + 1 + hashes;
    (code.get(begins) == Some(&'"')).then_some(())?;
    let is_end =
        |i: &usize| code[*i] == '"' && (1..=hashes).all(|hash| code.get(i + hash) == Some(&'#'));
    (begins + 1..code.len())
        .find(is_end)
        .map(|i| i + 1 + hashes)
}

#[test]
fn every_form_of_an_import_is_seen() {
    let seen = |code: &str| imports(code, &["api", "files"], "crate");
    for (code, expected) in [
        ("use crate::domain::FileId;", &["domain"][..]),
        (
            "use crate::{domain::{FileId, FileName}, clock, api};",
            &["domain", "clock", "api"],
        ),
        (
            "use crate :: {\n    clock::Clock as Watch,\n    operations,\n};",
            &["clock", "operations"],
        ),
        ("use super::super::local_mode::Endpoint;", &["local_mode"]),
        ("use super::{super::local_mode, problem};", &["local_mode"]),
        (
            "use super::super::{local_mode, clock as watch};",
            &["local_mode", "clock"],
        ),
        ("use self::super::super::scrub;", &["scrub"]),
        ("use super::problem::Code;", &[]),
        (
            "fn f() -> crate::config::Mode { super::super::app::run() }",
            &["config", "app"],
        ),
        ("use crate::*;", &["*"]),
        ("use crate as all;", &["*"]),
        ("use crate::{self as all, clock};", &["*", "clock"]),
        (
            "pub(crate) use domain::x; pub(super) fn f(self) {}",
            &["use"][..0],
        ),
        (
            "/* crate::app */ // crate::app\n\"crate::app\" r#\"crate::app\"# '\"' 'a' b'\\'' crate::cors",
            &["cors"],
        ),
        ("impl<'a> crate::clock::Clock for X<'a> {}", &["clock"]),
        ("$crate::domain::FileId", &["domain"]),
    ] {
        assert_eq!(seen(code), expected, "{code}");
    }
    let of_another = imports(
        "use file_share::{api, domain::X}; file_share::aws::y",
        &["x"],
        "file_share",
    );
    assert_eq!(of_another, ["api", "domain", "aws"]);
}
