//! `file-share audit verify`: files of the audit log → what isn't as it was written → an exit code.
//!
//! Invariant: it needs nothing but the files, so that they can be looked at on another machine, and changes
//! nothing.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::audit::{Verification, Verifier};

/// What `file-share audit verify --help` says behind the flags.
const AFTER_HELP: &str = "\
Name the files in the order of their days. Lines of other programs between those of the audit log are left alone.

Exit codes:
  0  all lines are as they were written
  1  something was changed, removed or moved: each is named
  2  a file can't be read, or a flag isn't right";

/// Longer lines are nobody's of the audit log, in bytes.
const MAX_LINE: u64 = 64 * 1024;

/// The flags of `file-share audit`.
#[derive(Debug, Clone, Args)]
pub struct AuditArgs {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Debug, Clone, Subcommand)]
enum AuditCommand {
    /// Look whether lines of the audit log are those that were written
    #[command(after_help = AFTER_HELP)]
    Verify {
        /// Files of the audit log, the oldest first
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// The public key that has to have signed the checkpoints, as an earlier run of this command named it;
        /// left out, any key does
        #[arg(long, value_name = "HEX")]
        key: Option<String>,
        /// The service's ordinary log, which has the checkpoints too: so a cut end shows
        #[arg(long, value_name = "FILE")]
        log: Option<PathBuf>,
    },
}

/// Looks through the files, and says what was found.
pub fn run(args: &AuditArgs) -> ExitCode {
    let AuditCommand::Verify { files, key, log } = &args.command;
    let is_key = |key: &str| key.len() == 64 && key.bytes().all(|byte| byte.is_ascii_hexdigit());
    if key.as_deref().is_some_and(|key| !is_key(key)) {
        eprintln!("file-share audit verify: --key must be 64 hex digits");
        return ExitCode::from(2);
    }
    let mut verifier = Verifier::new(key.as_deref().map(str::to_ascii_lowercase));
    let logs = log.iter().map(|path| (path, true));
    let files = files.iter().map(|path| (path, false));
    for (path, is_log) in logs.chain(files) {
        let read = each_line(path, |line| match is_log {
            true => verifier.expect(line),
            false => verifier.take(line),
        });
        if let Err(error) = read {
            eprintln!("can't read {}: {error}", path.display());
            return ExitCode::from(2);
        }
    }
    tell(&verifier.finish())
}

fn tell(found: &Verification) -> ExitCode {
    for problem in &found.problems {
        println!("✗ {problem}");
    }
    println!(
        "{} lines, {} checkpoints; {} lines behind the last checkpoint of their run, which no signature covers",
        found.lines, found.checkpoints, found.unsigned
    );
    for key in &found.keys {
        println!("signed by {key}");
    }
    if found.left_out > 0 {
        println!(
            "{} refusals came too fast for a line of their own",
            found.left_out
        );
    }
    if found.other_lines > 0 {
        println!(
            "{} other lines, or lines that were cut off",
            found.other_lines
        );
    }
    match found.problems.is_empty() && found.lines > 0 {
        true => ExitCode::SUCCESS,
        false => {
            if found.lines == 0 {
                println!("✗ no line of an audit log is there");
            }
            ExitCode::FAILURE
        }
    }
}

/// Reads a file line by line; what is longer than any line of ours comes in pieces.
fn each_line(path: &Path, mut take: impl FnMut(&str)) -> io::Result<()> {
    let mut file = BufReader::new(File::open(path)?);
    let mut line = Vec::new();
    loop {
        line.clear();
        if file.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        take(&String::from_utf8_lossy(text));
    }
}
