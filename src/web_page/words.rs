//! What the pages say, for those parts that the service writes itself.
//!
//! Invariant: the texts are those of `web/strings.*`, which the page's own modules say: one sentence has one place,
//! and one translation.
//!
//! Absent on purpose: JavaScript. Of what a value there may be this reads texts, lists of texts, and functions that do
//! no more than put their parameters into a text. Anything else, such as a choice by number, is the page's alone.

use std::collections::HashMap;
use std::iter::Peekable;
use std::str::Chars;
use std::sync::LazyLock;

use super::assets;

/// Sets a name apart from what stands around it (UAX #9, section 2.4). What `isolated` does in the strings.
const ISOLATE: (char, char) = ('\u{2068}', '\u{2069}');

/// A language of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// German.
    German,
}

impl Language {
    /// All there are. The first is for whoever reads none of them.
    pub const ALL: [Self; 2] = [Self::English, Self::German];

    /// As `lang` in HTML has it (RFC 5646).
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }

    /// What the pages say in it.
    pub fn words(self) -> &'static Words {
        static WORDS: LazyLock<[Words; Language::ALL.len()]> =
            LazyLock::new(|| Language::ALL.map(Words::of));
        &WORDS[self as usize]
    }

    /// The one that a reader wants most of those there are, by the value of `Accept-Language` (RFC 9110, section
    /// 12.5.4).
    pub fn of_reader(accept_language: &str) -> Self {
        let mut best: Option<(f32, Self)> = None;
        for range in accept_language.split(',') {
            let (tag, quality) = weighted(range);
            let main = tag.split('-').next().unwrap_or_default();
            let language = Self::ALL
                .into_iter()
                .find(|it| it.tag().eq_ignore_ascii_case(main));
            if let Some(language) = language
                && quality > best.map_or(0.0, |(quality, _)| quality)
            {
                best = Some((quality, language));
            }
        }
        best.map_or(Self::ALL[0], |(_, language)| language)
    }
}

/// An element of a list such as `de;q=0.8, en`, and its weight from 0 to 1 (RFC 9110, section 12.4.2). A weight that
/// isn't right counts as none was given.
pub(crate) fn weighted(element: &str) -> (&str, f32) {
    let mut parts = element.split(';').map(str::trim);
    let value = parts.next().unwrap_or_default();
    let quality = parts
        .find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")))
        .and_then(|text| text.parse::<f32>().ok())
        .filter(|quality| (0.0..=1.0).contains(quality));
    (value, quality.unwrap_or(1.0))
}

/// Where the texts are, without the tag of their language: what most pages say, and of what one alone does that of which
/// the service writes some.
const STRINGS: [&str; 6] = [
    "strings",
    "strings.boxes",
    "strings.file",
    "strings.receipt",
    "strings.served",
    "strings.shared",
];

/// The texts of one language, by paths such as `file.goneTitle`.
#[derive(Debug, Default)]
pub struct Words(HashMap<String, Vec<Piece>>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// The parameter at this place, as it is,
    Parameter(usize),
    /// or set apart from what stands around it.
    Isolated(usize),
}

impl Words {
    fn of(language: Language) -> Self {
        let tag = language.tag();
        let all = STRINGS.map(|name| Self::read(assets::source(&format!("{name}.{tag}.js"))));
        Self(all.into_iter().flat_map(|words| words.0).collect())
    }

    /// The text at this path. A path that leads to none is a mistake of ours, which debugging builds end at.
    pub fn get(&self, path: &str) -> String {
        self.with(path, &[])
    }

    /// The text at this path, with these as its parameters.
    pub fn with(&self, path: &str, parameters: &[&str]) -> String {
        let pieces = self.0.get(path);
        debug_assert!(pieces.is_some(), "no text is at {path}");
        let parameter = |at: &usize| parameters.get(*at).copied().unwrap_or_default();
        pieces
            .into_iter()
            .flatten()
            .map(|piece| match piece {
                Piece::Text(text) => text.clone(),
                Piece::Parameter(at) => parameter(at).to_owned(),
                Piece::Isolated(at) => format!("{}{}{}", ISOLATE.0, parameter(at), ISOLATE.1),
            })
            .collect()
    }

    /// Reads what `export const strings = {…}` says.
    fn read(source: &str) -> Self {
        let mut words = Self::default();
        if let Some((_, object)) = source.split_once("export const strings = {") {
            let mut reader = Reader {
                rest: object.chars().peekable(),
            };
            reader.object("", &mut words.0);
        }
        words
    }
}

/// Reads JavaScript, as far as strings are written in it.
struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
}

impl Reader<'_> {
    /// What stands behind `{`, up to its end.
    fn object(&mut self, path: &str, found: &mut HashMap<String, Vec<Piece>>) {
        while let Some(key) = self.key() {
            let path = match path {
                "" => key,
                path => format!("{path}.{key}"),
            };
            self.blank();
            match self.rest.peek() {
                Some('{') => {
                    self.rest.next();
                    self.object(&path, found);
                }
                Some('[') => {
                    self.rest.next();
                    for at in 0.. {
                        let Some(text) = self.sum(&[]) else { break };
                        found.insert(format!("{path}.{at}"), text);
                        self.take(',');
                    }
                }
                Some('(') => {
                    let parameters = self.parameters();
                    if let Some(text) = parameters.and_then(|names| self.sum(&names)) {
                        found.insert(path, text);
                    }
                }
                _ => {
                    if let Some(text) = self.sum(&[]) {
                        found.insert(path, text);
                    }
                }
            }
            self.skip_rest_of_value();
        }
    }

    /// A key with its colon; `None` at the end of the object, which is taken.
    fn key(&mut self) -> Option<String> {
        self.blank();
        let mut key = String::new();
        while let Some(c) = self
            .rest
            .next_if(|c| c.is_alphanumeric() || matches!(c, '_' | '$'))
        {
            key.push(c);
        }
        self.blank();
        let next = self.rest.next();
        (next == Some(':') && !key.is_empty()).then_some(key)
    }

    /// `(a, b) =>`; `None` for parameters that are no names.
    fn parameters(&mut self) -> Option<Vec<String>> {
        self.take('(');
        let mut list = String::new();
        let mut depth = 1;
        for c in self.rest.by_ref() {
            match c {
                '(' | '{' | '[' => depth += 1,
                ')' | '}' | ']' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
            list.push(c);
        }
        self.blank();
        (self.take('=') && self.take('>')).then_some(())?;
        let names: Vec<String> = list.split(',').map(|name| name.trim().to_owned()).collect();
        let are_names = names
            .iter()
            .all(|name| name.chars().all(char::is_alphanumeric));
        are_names.then_some(names)
    }

    /// Texts, put together by `+`; `None` if there is anything else, which then isn't taken.
    fn sum(&mut self, parameters: &[String]) -> Option<Vec<Piece>> {
        let before = self.rest.clone();
        let sum = self.texts(parameters);
        if sum.is_none() {
            self.rest = before;
        }
        sum
    }

    fn texts(&mut self, parameters: &[String]) -> Option<Vec<Piece>> {
        let mut pieces = Vec::new();
        loop {
            self.blank();
            let quote = self.rest.next_if(|c| matches!(c, '\'' | '`'))?;
            self.quoted(quote, parameters, &mut pieces)?;
            self.blank();
            if !self.take('+') {
                break;
            }
        }
        let ends = matches!(self.rest.peek(), None | Some(',' | '}' | ']'));
        ends.then_some(pieces)
    }

    /// What stands behind a quotation mark, up to its end.
    fn quoted(
        &mut self,
        quote: char,
        parameters: &[String],
        pieces: &mut Vec<Piece>,
    ) -> Option<()> {
        let mut text = String::new();
        loop {
            match self.rest.next()? {
                c if c == quote => break,
                '\\' => text.push(self.escaped()?),
                '$' if quote == '`' && self.rest.peek() == Some(&'{') => {
                    pieces.push(Piece::Text(std::mem::take(&mut text)));
                    pieces.push(self.expression(parameters)?);
                }
                c => text.push(c),
            }
        }
        pieces.push(Piece::Text(text));
        Some(())
    }

    /// `{name}` or `{isolated(name)}`.
    fn expression(&mut self, parameters: &[String]) -> Option<Piece> {
        self.take('{');
        let mut text = String::new();
        while let Some(c) = self.rest.next_if(|c| *c != '}' && *c != '`') {
            text.push(c);
        }
        self.take('}').then_some(())?;
        let isolated = text
            .strip_prefix("isolated(")
            .and_then(|it| it.strip_suffix(')'));
        let name = isolated.unwrap_or(&text);
        let at = parameters.iter().position(|parameter| parameter == name)?;
        Some(match isolated {
            Some(_) => Piece::Isolated(at),
            None => Piece::Parameter(at),
        })
    }

    fn escaped(&mut self) -> Option<char> {
        Some(match self.rest.next()? {
            'n' => '\n',
            'u' => {
                let digits: String = self.rest.by_ref().take(4).collect();
                char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?
            }
            c => c,
        })
    }

    /// Whatever is left of a value that isn't read to its end, and the comma behind it.
    fn skip_rest_of_value(&mut self) {
        let mut depth = 0_u32;
        while let Some(c) = self.rest.peek().copied() {
            match c {
                ',' if depth == 0 => {
                    self.rest.next();
                    return;
                }
                '}' if depth == 0 => return,
                '(' | '{' | '[' => depth += 1,
                ')' | '}' | ']' => depth = depth.saturating_sub(1),
                '\'' | '`' | '"' => {
                    self.rest.next();
                    self.skip_quoted(c);
                    continue;
                }
                _ => {}
            }
            self.rest.next();
        }
    }

    fn skip_quoted(&mut self, quote: char) {
        while let Some(c) = self.rest.next() {
            if c == '\\' {
                self.rest.next();
            } else if c == quote {
                return;
            } else if c == '$' && quote == '`' && self.rest.peek() == Some(&'{') {
                self.rest.next();
                self.skip_to_brace();
            }
        }
    }

    /// The end of an expression in a template, which may hold texts itself.
    fn skip_to_brace(&mut self) {
        let mut depth = 1_u32;
        while depth > 0 {
            match self.rest.next() {
                Some('{') => depth += 1,
                Some('}') => depth -= 1,
                Some(c @ ('\'' | '`')) => self.skip_quoted(c),
                Some(_) => {}
                None => return,
            }
        }
    }

    /// Space and comments.
    fn blank(&mut self) {
        loop {
            while self.rest.next_if(|c| c.is_whitespace()).is_some() {}
            let mut ahead = self.rest.clone();
            if (ahead.next(), ahead.next()) != (Some('/'), Some('/')) {
                return;
            }
            while self.rest.next_if(|c| *c != '\n').is_some() {}
        }
    }

    fn take(&mut self, wanted: char) -> bool {
        self.rest.next_if_eq(&wanted).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_lists_and_what_takes_parameters_are_read_and_the_rest_is_left_alone() {
        let words = Words::read(
            "const isolated = (name) => name;\nexport const strings = {\n  plain: 'It’s \\'here\\'', // and why\n\
             units: ['bytes', 'KB'],\n  file: {\n    // what it is\n    sent: (when) => `sent ${when}`,\n    \
             title: (a, b) =>\n      `${isolated(b)} – ` +\n      'x' + `${a}`,\n  },\n  \
             n: (n) => (n === 1 ? 'one, file' : `${n} ${n > 2 ? `f{i}les` : '}'}`),\n  \
             receipt: ({ name, size }) => `${name}${size}`,\n  last: 'end',\n};\nconst other = { more: 'no' };\n",
        );
        assert_eq!(words.get("plain"), "It’s 'here'");
        assert_eq!(words.get("units.1"), "KB");
        assert_eq!(words.with("file.sent", &["now"]), "sent now");
        let title = words.with("file.title", &["A", "B"]);
        assert_eq!(title, "\u{2068}B\u{2069} – xA");
        assert_eq!(words.get("last"), "end");
        let mut read: Vec<&String> = words.0.keys().collect();
        read.sort();
        assert_eq!(
            read,
            [
                "file.sent",
                "file.title",
                "last",
                "plain",
                "units.0",
                "units.1"
            ]
        );
    }

    #[test]
    fn what_the_pages_say_is_read_in_every_language() {
        for language in Language::ALL {
            let words = language.words();
            assert_eq!(words.get("language"), language.tag());
            assert_eq!(words.get("units.3"), "GB");
            assert!(
                words
                    .with("file.rejectedText", &["<why>"])
                    .contains("<why>")
            );
            assert!(words.with("title", &["a"]).starts_with("\u{2068}a\u{2069}"));
        }
    }

    #[test]
    fn a_reader_gets_the_language_that_they_want_most_of_those_there_are() {
        for accepted in [
            "de",
            "de-AT,de;q=0.9,en;q=0.8",
            "fr, DE;q=0.2",
            "en;q=0.1, de;q=0.2",
            "en;q=0, de",
        ] {
            assert_eq!(
                Language::of_reader(accepted),
                Language::German,
                "{accepted}"
            );
        }
        for accepted in [
            "de;q=0",
            "de;q=0.5, en;q=0.5, en-GB;q=0.6",
            "",
            "*",
            "en",
            "fr, en;q=0.1",
            "fr",
            "en-GB,en;q=0.9",
            "\u{fffd};;q=,",
        ] {
            assert_eq!(
                Language::of_reader(accepted),
                Language::English,
                "{accepted}"
            );
        }
    }

    #[test]
    fn a_weight_stands_behind_its_value() {
        for (element, expected) in [
            (" gzip ; q=0.5", ("gzip", 0.5)),
            ("br;Q=0", ("br", 0.0)),
            ("de", ("de", 1.0)),
            ("a;x=1;q=0.25", ("a", 0.25)),
            ("a;q=2", ("a", 1.0)),
            ("a;q=NaN", ("a", 1.0)),
            ("", ("", 1.0)),
        ] {
            assert_eq!(weighted(element), expected, "{element}");
        }
    }
}
