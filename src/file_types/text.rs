//! What a file is that people or programs read as text: whether it is text, and whether it is one that does something
//! where it is opened.
//!
//! Invariant: the beginning is judged also where bytes follow that are no text. A browser or a shell reads it all the
//! same.
//!
//! Absent on purpose: languages that can't be told by how they begin.

use std::borrow::Cow;

use super::ends::Ends;

/// Whether a file is text, by all that is looked at of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plainness {
    /// It is, in an encoding of Unicode.
    Unicode,
    /// It has the bytes of one, in some encoding of 8 bits.
    EightBit,
    /// It has bytes that no text has, but no NUL.
    Controls,
    /// It has a NUL.
    Nul,
}

/// What does something where it is opened, and is written as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Running {
    /// A page that a browser runs the scripts of.
    Html,
    /// A picture that a browser runs the scripts of.
    Svg,
    /// What names the program that runs it.
    Script,
    /// What a command prompt of Windows runs.
    Batch,
    /// What PHP makes a page of.
    Php,
}

/// The mark of a byte order, and how the text behind it is written.
const UTF_8_MARK: &[u8] = b"\xEF\xBB\xBF";
const UTF_16_LE_MARK: &[u8] = b"\xFF\xFE";
const UTF_16_BE_MARK: &[u8] = b"\xFE\xFF";

/// How much of a first line says which program runs the rest, in characters: as much as Linux reads of it.
const MAX_INTERPRETER_LINE: usize = 256;

/// Elements that begin a page.
const PAGE_ELEMENTS: [&str; 6] = ["html", "head", "body", "script", "iframe", "frameset"];

/// The text that a file begins with, as far as it is looked at.
pub(super) fn beginning(ends: &Ends) -> Cow<'_, str> {
    let first = ends.first();
    let units = |rest: &[u8], unit: fn([u8; 2]) -> u16| {
        let pairs = rest.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
        let text = char::decode_utf16(pairs).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER));
        Cow::Owned(text.collect::<String>())
    };
    if let Some(rest) = first.strip_prefix(UTF_16_LE_MARK) {
        return units(rest, u16::from_le_bytes);
    }
    if let Some(rest) = first.strip_prefix(UTF_16_BE_MARK) {
        return units(rest, u16::from_be_bytes);
    }
    String::from_utf8_lossy(first.strip_prefix(UTF_8_MARK).unwrap_or(first))
}

/// Whether the file is text.
pub(super) fn plainness(ends: &Ends, beginning: &str) -> Plainness {
    let (first, last) = (ends.first(), ends.last());
    if first.starts_with(UTF_16_LE_MARK) || first.starts_with(UTF_16_BE_MARK) {
        return match beginning.chars().all(is_written) {
            true => Plainness::Unicode,
            false => Plainness::Nul,
        };
    }
    let parts = [first, last];
    if parts.iter().any(|part| part.contains(&0)) {
        return Plainness::Nul;
    }
    if !parts
        .iter()
        .all(|part| part.iter().all(|b| is_written(char::from(*b))))
    {
        return Plainness::Controls;
    }
    match parts.iter().all(|part| is_utf_8_within(part)) {
        true => Plainness::Unicode,
        false => Plainness::EightBit,
    }
}

/// Whether texts have it: no control characters but blanks, and what moves a printer's or a terminal's cursor, and the
/// end of file of old systems. Bytes above ASCII are letters in one encoding or another.
fn is_written(c: char) -> bool {
    match c {
        '\u{8}'..='\r' | '\u{1a}' | '\u{1b}' => true,
        c => !c.is_ascii_control(),
    }
}

/// Whether it is UTF-8, but for characters that are cut at either end.
fn is_utf_8_within(part: &[u8]) -> bool {
    let is_rest = |b: &u8| b & 0b1100_0000 == 0b1000_0000;
    let cut = part.iter().take(3).take_while(|b| is_rest(b)).count();
    match std::str::from_utf8(&part[cut..]) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    }
}

/// What the text does where it is opened, if it can be told by how it begins.
pub(super) fn running(beginning: &str) -> Option<Running> {
    if let Some(rest) = beginning.strip_prefix("#!") {
        let line: String = rest.chars().take(MAX_INTERPRETER_LINE).collect();
        let line = line.split('\n').next().unwrap_or_default();
        // A path, so that a heading isn't one, nor what only begins with the same two letters.
        let is_path = line.trim_start_matches([' ', '\t']).starts_with('/');
        let is_text = line
            .chars()
            .all(|c| is_written(c) && c != char::REPLACEMENT_CHARACTER);
        return (is_path && is_text).then_some(Running::Script);
    }
    let text = beginning.trim_start();
    let begins = |word: &str| has_prefix(text, word);
    if begins("@echo off") {
        return Some(Running::Batch);
    }
    if begins("<?php") {
        return Some(Running::Php);
    }
    match_root(text)
}

/// What a document of elements is, by its first one. What may stand before it is passed over: comments, declarations,
/// and types of other documents.
fn match_root(mut text: &str) -> Option<Running> {
    // Each round takes at least one character.
    while let Some(rest) = text.trim_start().strip_prefix('<') {
        text = if let Some(comment) = rest.strip_prefix("!--") {
            behind(comment, "-->")?
        } else if rest.starts_with('?') {
            behind(rest, "?>")?
        } else if has_prefix(rest, "!doctype") {
            let name = rest["!doctype".len()..].trim_start();
            if is_word(name, "html") {
                return Some(Running::Html);
            }
            if is_word(name, "svg") {
                return Some(Running::Svg);
            }
            behind_type(rest)?
        } else {
            return element(rest);
        };
    }
    None
}

/// What an element is whose name stands here; a prefix of a namespace says nothing.
fn element(rest: &str) -> Option<Running> {
    let end = rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, ':' | '-' | '_' | '.')));
    let name = &rest[..end?];
    let local = name.rsplit(':').next().unwrap_or(name);
    let is = |other: &str| local.eq_ignore_ascii_case(other);
    if is("svg") {
        return Some(Running::Svg);
    }
    PAGE_ELEMENTS
        .iter()
        .any(|it| is(it))
        .then_some(Running::Html)
}

fn behind<'a>(text: &'a str, end: &str) -> Option<&'a str> {
    text.split_once(end).map(|(_, rest)| rest)
}

/// Behind a document type, which may have declarations of its own in brackets.
fn behind_type(text: &str) -> Option<&str> {
    let end = text.find(['>', '['])?;
    match text[end..].strip_prefix('[') {
        Some(declarations) => behind(behind(declarations, "]")?, ">"),
        None => text.get(end + 1..),
    }
}

fn has_prefix(text: &str, word: &str) -> bool {
    let start = text.as_bytes().get(..word.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()))
}

fn is_word(text: &str, word: &str) -> bool {
    let behind = text.as_bytes().get(word.len());
    has_prefix(text, word) && behind.is_none_or(|b| !b.is_ascii_alphanumeric())
}
