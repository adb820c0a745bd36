//! Reads what `strace -f -qq -xx` writes: one call a line, or two where another thread came in between.

use std::collections::HashMap;

/// A call that has returned without an error.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub name: String,
    pub args: Vec<Arg>,
    pub result: i64,
    /// How many calls had returned when this one began.
    pub begun_after: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Arg {
    Number(i64),
    Bytes(Vec<u8>),
    /// All strings in a structure, one behind the other, as in an array of buffers.
    Structure(Vec<u8>),
    Other(String),
}

impl Call {
    pub(crate) fn number(&self, index: usize) -> i64 {
        match self.args.get(index) {
            Some(Arg::Number(number)) => *number,
            other => panic!("{}: argument {index} is no number: {other:?}", self.name),
        }
    }

    pub(crate) fn bytes(&self, index: usize) -> &[u8] {
        match self.args.get(index) {
            Some(Arg::Bytes(bytes) | Arg::Structure(bytes)) => bytes,
            other => panic!("{}: argument {index} is no bytes: {other:?}", self.name),
        }
    }

    pub(crate) fn text(&self, index: usize) -> String {
        String::from_utf8_lossy(self.bytes(index)).into_owned()
    }

    pub(crate) fn has_flag(&self, index: usize, flag: &str) -> bool {
        matches!(self.args.get(index), Some(Arg::Other(flags)) if flags.split('|').any(|it| it == flag))
    }
}

/// The calls that returned well, in the order in which they did.
pub(crate) fn read(text: &str) -> Vec<Call> {
    let mut calls = Vec::new();
    let mut begun: HashMap<&str, (String, usize)> = HashMap::new();
    for line in text.lines() {
        let Some((thread, rest)) = line.split_once(' ') else {
            continue;
        };
        let rest = rest.trim_start();
        if rest.starts_with("---") || rest.starts_with("+++") {
            continue;
        }
        if let Some(head) = rest.strip_suffix(" <unfinished ...>") {
            begun.insert(thread, (head.to_owned(), calls.len()));
            continue;
        }
        let (whole, begun_after) = match rest.strip_prefix("<... ") {
            None => (rest.to_owned(), calls.len()),
            Some(resumed) => {
                let Some((head, begun_after)) = begun.remove(thread) else {
                    continue;
                };
                let tail = resumed.split_once(" resumed>").map_or("", |it| it.1);
                (head + tail, begun_after)
            }
        };
        calls.extend(call(&whole, begun_after));
    }
    calls
}

/// `name(args) = result …`
fn call(text: &str, begun_after: usize) -> Option<Call> {
    let (name, rest) = text.split_once('(')?;
    let (args, result) = rest.rsplit_once(" = ")?;
    let result = result.split_whitespace().next()?;
    let result: i64 = result.parse().ok()?;
    if result < 0 {
        return None;
    }
    let args = args.trim_end().strip_suffix(')')?;
    Some(Call {
        name: name.to_owned(),
        args: split(args).map(arg).collect(),
        result,
        begun_after,
    })
}

/// At the commas that stand in no string and no bracket.
fn split(args: &str) -> impl Iterator<Item = &str> {
    let (mut depth, mut quoted, mut from) = (0_i32, false, 0);
    let mut parts = Vec::new();
    for (at, byte) in args.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b'[' | b'{' if !quoted => depth += 1,
            b']' | b'}' if !quoted => depth -= 1,
            b',' if !quoted && depth == 0 => {
                parts.push(args[from..at].trim());
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(args[from..].trim());
    parts.into_iter()
}

fn arg(text: &str) -> Arg {
    if let Ok(number) = text.parse() {
        Arg::Number(number)
    } else if text.starts_with('"') {
        Arg::Bytes(strings(text))
    } else if text.starts_with(['[', '{']) {
        Arg::Structure(strings(text))
    } else {
        Arg::Other(text.to_owned())
    }
}

/// Everything between quotes, where each byte is `\xff`. What was cut off would be followed by dots.
fn strings(text: &str) -> Vec<u8> {
    assert!(!text.contains("\"..."), "strace cut a string off");
    let inside = text.split('"').skip(1).step_by(2);
    let digits = inside.flat_map(|it| it.split("\\x").skip(1));
    digits
        .map(|digits| u8::from_str_radix(digits, 16).expect("two hexadecimal digits"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_read_in_the_order_in_which_they_return() {
        let text = "\
7 openat(AT_FDCWD, \"\\x2f\\x61\", O_RDWR|O_CREAT|O_CLOEXEC, 0600) = 5
7 fsync(5 <unfinished ...>
8 writev(6, [{iov_base=\"\\x61\\x2c\", iov_len=2}, {iov_base=\"\\x62\", iov_len=1}], 2) = 3
8 mkdir(\"\\x2f\", 0700) = -1 EEXIST (File exists)
7 <... fsync resumed>)                   = 0 (DELAYED)
7 +++ killed by SIGKILL +++
";
        let calls = read(text);
        let names: Vec<_> = calls.iter().map(|call| call.name.as_str()).collect();
        assert_eq!(names, ["openat", "writev", "fsync"]);
        assert_eq!(calls[0].text(1), "/a");
        assert!(calls[0].has_flag(2, "O_CREAT") && !calls[0].has_flag(2, "O_TRUNC"));
        assert_eq!(calls[1].bytes(1), b"a,b");
        assert_eq!((calls[2].number(0), calls[2].begun_after), (5, 1));
    }
}
