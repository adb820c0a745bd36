//! Who calls, and what they may do.
//!
//! Invariant: [`authorize`] alone decides, from its arguments and nothing else. A caller about whom nothing is
//! known is [`Caller::Nobody`].
//!
//! Absent on purpose: how a request shows who sends it ([`Gate`]), and what becomes of a refusal. The program's
//! own tasks (finalizing, reconciling, sweeping) call the operations themselves, and nobody asks them.

#[cfg(feature = "server")]
mod gate;
#[cfg(feature = "server")]
mod local_key;
#[cfg(feature = "server")]
mod sessions;

#[cfg(feature = "server")]
pub use gate::{Admission, Gate, Proof, SignInError};
#[cfg(feature = "server")]
pub use local_key::LocalKey;
#[cfg(feature = "server")]
pub use sessions::{Session, SessionId, Sessions, WHOLE_LIFETIME};

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Caller {
    /// Whoever runs the service: comes over loopback, holds the local key, or uses a service that asks nobody.
    Operator,
    /// Anybody else.
    Nobody,
}

/// What a call asks for. One for each operation of the contract, and one for a wait, which takes long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Declares a file and hands out how to upload it.
    CreateFile,
    /// Hands out a fresh upload URL of a pending file.
    RenewUpload,
    /// Has what arrived measured now.
    CompleteUpload,
    /// Hands out a download URL.
    DownloadFile,
    /// Shows a record.
    DescribeFile,
    /// Shows a record once its file is settled.
    AwaitFile,
    /// Shows a page of records.
    ListFiles,
    /// Deletes a file.
    DeleteFile,
}

impl Action {
    /// All there are.
    pub const ALL: [Self; 8] = [
        Self::CreateFile,
        Self::RenewUpload,
        Self::CompleteUpload,
        Self::DownloadFile,
        Self::DescribeFile,
        Self::AwaitFile,
        Self::ListFiles,
        Self::DeleteFile,
    ];

    /// The operation's name in the contract; a wait is a description.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CreateFile => "create_file",
            Self::RenewUpload => "renew_upload",
            Self::CompleteUpload => "complete_upload",
            Self::DownloadFile => "download_file",
            Self::DescribeFile | Self::AwaitFile => "describe_file",
            Self::ListFiles => "list_files",
            Self::DeleteFile => "delete_file",
        }
    }
}

/// Why a call is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Nobody is known to call; whoever signs in may be allowed to.
    #[error("nobody is signed in")]
    SignInRequired,
}

/// Decides whether `caller` may do `action`.
///
/// # Errors
/// Why not.
pub fn authorize(caller: Caller, action: Action) -> Result<(), Denied> {
    match (caller, action) {
        (Caller::Operator, _) => Ok(()),
        (
            Caller::Nobody,
            Action::CreateFile
            | Action::RenewUpload
            | Action::CompleteUpload
            | Action::DownloadFile
            | Action::DescribeFile
            | Action::AwaitFile
            | Action::ListFiles
            | Action::DeleteFile,
        ) => Err(Denied::SignInRequired),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn whoever_runs_the_service_may_do_everything_and_nobody_anything() {
        for action in Action::ALL {
            assert_eq!(authorize(Caller::Operator, action), Ok(()), "{action:?}");
            let nobody = authorize(Caller::Nobody, action);
            assert_eq!(nobody, Err(Denied::SignInRequired), "{action:?}");
        }
    }

    #[test]
    fn every_call_on_files_in_the_contract_has_its_action() {
        let contract = include_str!("../tests/openapi.json");
        let contract: serde_json::Value = serde_json::from_str(contract).unwrap();
        let files = contract["paths"].as_object().unwrap().iter();
        let files = files.filter(|(path, _)| path.starts_with("/v1/files"));
        let in_contract: BTreeSet<&str> = files
            .flat_map(|(_, methods)| methods.as_object().unwrap().values())
            .map(|operation| operation["operationId"].as_str().unwrap())
            // The same action by a method that brings no body.
            .map(|id| {
                if id == "head_file" {
                    "download_file"
                } else {
                    id
                }
            })
            .collect();
        let actions = BTreeSet::from(Action::ALL.map(Action::as_str));
        assert_eq!(actions, in_contract);
    }
}
