//! That what the runbook has somebody type at night is there: the programs' commands and options, and the words that it
//! looks for in their logs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::program::built;

const RUNBOOK: &str = include_str!("../../docs/runbook.md");
const PROGRAMS: [&str; 3] = ["file-share", "file-share-worker", "fshare"];

/// The lines of the blocks of shell commands.
fn lines() -> impl Iterator<Item = &'static str> {
    let blocks = RUNBOOK.split("```sh\n").skip(1);
    blocks.flat_map(|block| block.split("```").next().unwrap().lines())
}

/// What stands in backticks, outside of blocks.
fn quoted() -> impl Iterator<Item = &'static str> {
    let parts = RUNBOOK.split("```").step_by(2);
    parts.flat_map(|part| part.split('`').skip(1).step_by(2))
}

/// The commands of our own programs, as words.
fn commands() -> Vec<Vec<&'static str>> {
    let commands = lines().chain(quoted()).flat_map(|line| {
        let (line, _) = line.split_once(" #").unwrap_or((line, ""));
        line.split('|')
    });
    let words = commands.map(|command| command.split_whitespace().collect::<Vec<_>>());
    words
        .filter(|words| words.len() > 1 && PROGRAMS.contains(&words[0]))
        .collect()
}

fn help(program: &str, subcommands: &[&str]) -> String {
    let mut command = Command::new(built(program));
    let output = command.args(subcommands).arg("--help").output().unwrap();
    assert!(output.status.success(), "{program} {subcommands:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The lines of a part of a `--help`, down to the next one.
fn part<'a>(help: &'a str, heading: &str) -> Vec<&'a str> {
    let below = help.lines().skip_while(|line| *line != heading).skip(1);
    below
        .take_while(|line| line.is_empty() || line.starts_with(' '))
        .collect()
}

/// Whether one of the lines begins with this word, or with a short one and this.
fn knows(lines: &[&str], word: &str) -> bool {
    lines.iter().any(|line| {
        let mut words = line.split_whitespace().map(|it| it.trim_end_matches(','));
        let first = words.next().unwrap_or_default();
        first == word || (first.len() == 2 && words.next() == Some(word))
    })
}

/// Why a program doesn't take these words, as its `--help` says.
fn objection(words: &[&str]) -> Option<String> {
    let (program, words) = words.split_first()?;
    let mut subcommands = Vec::new();
    let mut said = help(program, &[]);
    let mut rest = words.iter().copied().peekable();
    while let Some(word) = rest.next_if(|word| knows(&part(&said, "Commands:"), word)) {
        subcommands.push(word);
        said = help(program, &subcommands);
    }
    let options: Vec<_> = said.lines().filter(|it| it.starts_with(' ')).collect();
    let is_option = |line: &&str| line.trim_start().starts_with('-');
    let options: Vec<_> = options.into_iter().filter(is_option).collect();
    let mut positional = 0;
    while let Some(word) = rest.next() {
        if !word.starts_with('-') {
            positional += 1;
            continue;
        }
        if !knows(&options, word) {
            return Some(format!("it has no option {word}"));
        }
        let option = options.iter().find(|it| knows(&[**it], word))?;
        if option.contains('<') {
            rest.next();
        }
    }
    let usage = said.lines().find(|it| it.starts_with("Usage: "))?;
    let needed = usage.split_whitespace().filter(|it| it.starts_with('<'));
    let (needed, is_help) = (needed.count(), words.contains(&"--help"));
    let taken = part(&said, "Arguments:").iter().any(|it| !it.is_empty());
    match positional {
        0 if needed > 0 && !is_help => Some(format!("something is missing of {usage}")),
        1.. if !taken => Some(format!("it isn't {usage}")),
        _ => None,
    }
}

#[test]
fn every_command_of_ours_in_the_runbook_is_one_that_its_program_has() {
    let commands = commands();
    assert!(commands.len() >= 12, "{commands:?}");
    for words in commands {
        assert_eq!(objection(&words), None, "{words:?}");
    }
    for nonsense in [
        "file-share checks",
        "file-share check --set-up",
        "file-share-worker inspect --bodies",
        "fshare doctor --aws=1 --azure",
        "file-share audit verify",
    ] {
        let words: Vec<_> = nonsense.split(' ').collect();
        assert!(objection(&words).is_some(), "{nonsense}");
    }
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => sources(&path, found),
            false if path.extension().is_some_and(|it| it == "rs") => found.push(path),
            false => {}
        }
    }
}

#[test]
fn every_word_that_the_runbook_looks_for_in_a_log_is_one_that_a_program_writes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "worker/src"] {
        sources(&root.join(folder), &mut files);
    }
    let texts: Vec<_> = files
        .iter()
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let mut seen = 0;
    for line in lines().filter(|it| it.starts_with("grep ") && it.contains(".log")) {
        let quote = if line.contains('\'') && !line.contains('"') {
            '\''
        } else {
            '"'
        };
        let words = line.split(quote).nth(1).unwrap();
        // In a text, and not only in a name.
        let is_written = |text: &String| {
            let mut lines = text.lines();
            lines.any(|it| it.contains('"') && it.contains(words))
        };
        assert!(texts.iter().any(is_written), "nothing says {words}");
        seen += 1;
    }
    assert!(seen >= 6, "{seen}");
}
