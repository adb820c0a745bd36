//! What can go wrong, by what a person can do about it, and the exit code that a program sees.
//!
//! **Invariant:** no text here holds a presigned URL: they are credentials.

use std::io;
use std::process::ExitCode;

use serde_json::{Value, json};
use thiserror::Error;

/// Everything was done.
pub(crate) const DONE: u8 = 0;
/// Something wasn't, or was found to be wrong.
pub(crate) const SOME_FAILED: u8 = 1;
const USAGE: u8 = 2;
const UNREACHABLE: u8 = 3;
/// What a shell gives for a program that ends by SIGPIPE.
const NOT_READ: u8 = 141;

/// What to do about a certificate that isn't accepted.
pub(crate) const TRUST_CERTIFICATE: &str = "Say the name that its certificate is for. If it is signed by an authority of \
     your own, add that one's certificate to this machine's, or name a file that has it in SSL_CERT_FILE";

#[derive(Debug, Clone, Error)]
pub(crate) enum CliError {
    /// The command line says something that can't be done.
    #[error("{0}")]
    Usage(String),
    #[error(
        "{server} can't be reached: {cause}. Does it run, and is the address right (--server or \
         FILE_SHARE_URL)?"
    )]
    Unreachable { server: String, cause: String },
    /// Somebody answered whose certificate this machine doesn't accept, so nothing was said to them.
    #[error("{server} can't be trusted: {cause}. {TRUST_CERTIFICATE}")]
    Untrusted { server: String, cause: String },
    /// The service or the store said no, and would again.
    #[error("{detail} ({code})")]
    Refused {
        status: u16,
        code: String,
        detail: String,
    },
    /// Neither an answer nor a refusal: a connection broke.
    #[error("{0}")]
    NoAnswer(String),
    /// What came is whole and can't be used; asking again would bring the same.
    #[error("{0}")]
    Unusable(String),
    /// Something that is neither the service nor its store answered: most likely a proxy on the way.
    #[error("{said}: {remedy}")]
    Intermediary { said: String, remedy: String },
    /// The file is there, with bytes that this program didn't send.
    #[error("{0}")]
    OtherBytes(String),
    /// Something on this side: a file that can't be read, written, or that changed.
    #[error("{0}")]
    Here(String),
    /// The file came to an end that isn't `available`.
    #[error("{0}")]
    Settled(String),
    /// The bytes that came aren't those of the record.
    #[error("{0}")]
    Damaged(String),
    /// What was given as a receipt is none.
    #[error("{0}")]
    NoReceipt(String),
    /// The service whose keys were looked at hasn't signed the receipt.
    #[error("{0}")]
    NotGenuine(String),
    /// It took longer than `--timeout`.
    #[error("{0}")]
    TooSlow(String),
    /// Whoever read the results has seen enough, as `head` has: no reason to say anything.
    #[error("standard output isn't read any more")]
    NotRead,
}

impl CliError {
    /// Why a result couldn't be written.
    pub(crate) fn of_standard_output(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::NotRead,
            _ => Self::Here(format!("standard output: {error}")),
        }
    }

    /// A stable word for programs.
    pub(crate) fn code(&self) -> &str {
        match self {
            Self::Usage(_) => "usage",
            Self::Unreachable { .. } => "unreachable",
            Self::Untrusted { .. } => "untrusted_certificate",
            Self::Refused { code, .. } => code,
            Self::NoAnswer(_) => "no_answer",
            Self::Unusable(_) => "unusable_answer",
            Self::Intermediary { .. } => "intermediary",
            Self::OtherBytes(_) => "other_bytes",
            Self::Here(_) => "local_error",
            Self::Settled(_) => "not_available",
            Self::Damaged(_) => "damaged",
            Self::NoReceipt(_) => "no_receipt",
            Self::NotGenuine(_) => "not_genuine",
            Self::TooSlow(_) => "timeout",
            Self::NotRead => "not_read",
        }
    }

    pub(crate) fn as_json(&self) -> Value {
        json!({ "code": self.code(), "message": self.to_string() })
    }

    /// Whether it is kept on purpose: asking again changes nothing.
    pub(crate) fn is_retained(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == "retained")
    }

    /// The exit code, if nothing else was to be done.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => USAGE,
            Self::Unreachable { .. } | Self::Untrusted { .. } => UNREACHABLE,
            Self::NotRead => NOT_READ,
            _ => SOME_FAILED,
        }
    }
}

/// The exit code of several: what all of them have in common, else that some failed.
pub(crate) fn common_exit_code(codes: impl IntoIterator<Item = u8>) -> ExitCode {
    let mut codes = codes.into_iter();
    let first = codes.next().unwrap_or(DONE);
    let common = codes.all(|code| code == first);
    ExitCode::from(if common { first } else { SOME_FAILED })
}
