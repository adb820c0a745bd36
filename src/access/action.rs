//! What a call may ask for.
//!
//! Invariant: whether an action is audited, which scope a token needs for it and what it is called are said for each by
//! name, so a new one doesn't compile before somebody decided that.
//!
//! Absent on purpose: who may do it, which `authorize` decides.

use super::Scope;

/// What a call asks for. One for each operation of the contract that not everybody may ask for, and two more: a
/// wait, which takes long, and a list of everybody's files.
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
    /// Signs what is known of an available file, for its owner to show to others.
    IssueReceipt,
    /// Shows a page of the caller's records.
    ListFiles,
    /// Shows a page of everybody's records.
    ListAllFiles,
    /// Shows what happened to a file.
    ListEvents,
    /// Deletes a file.
    DeleteFile,
    /// Keeps a file from being deleted.
    HoldFile,
    /// Lets a file be deleted again.
    ReleaseFile,
    /// Has a file kept for longer.
    KeepFile,
    /// Makes a token that acts for the caller.
    CreateToken,
    /// Shows the caller's tokens.
    ListTokens,
    /// Ends a token of the caller's.
    RevokeToken,
    /// Ends all tokens of somebody.
    RevokeUserTokens,
    /// Shows which program waits with a code, to whoever may let it in.
    LookAtPairing,
    /// Lets a program in that shows a code: with a token that acts for the caller.
    ApprovePairing,
    /// Passes files on by a link.
    CreateLink,
    /// Shows the caller's links.
    ListLinks,
    /// Shows the links that pass on a file.
    ListFileLinks,
    /// Changes a link, or gives it another URL.
    ChangeLink,
    /// Ends a link.
    RevokeLink,
    /// Shows what a link passes on, to whoever has its URL.
    DescribeShared,
    /// Hands out a download URL of a file that a link passes on, to whoever has its URL.
    DownloadShared,
    /// Makes a box that others hand in files to.
    CreateBox,
    /// Shows the caller's boxes.
    ListBoxes,
    /// Shows a box.
    DescribeBox,
    /// Changes a box, or gives it another URL.
    ChangeBox,
    /// Ends a box.
    EndBox,
    /// Shows what lies in a box.
    ListBoxFiles,
    /// Writes down all that lies in a box.
    DescribeManifest,
    /// Shows a box to whoever has its URL.
    DescribeDrop,
    /// Hands in a file, by a box's URL.
    HandIn,
}

impl Action {
    /// All there are.
    pub const ALL: [Self; 36] = [
        Self::CreateFile,
        Self::RenewUpload,
        Self::CompleteUpload,
        Self::DownloadFile,
        Self::DescribeFile,
        Self::AwaitFile,
        Self::IssueReceipt,
        Self::ListFiles,
        Self::ListAllFiles,
        Self::ListEvents,
        Self::DeleteFile,
        Self::HoldFile,
        Self::ReleaseFile,
        Self::KeepFile,
        Self::CreateToken,
        Self::ListTokens,
        Self::RevokeToken,
        Self::RevokeUserTokens,
        Self::LookAtPairing,
        Self::ApprovePairing,
        Self::CreateLink,
        Self::ListLinks,
        Self::ListFileLinks,
        Self::ChangeLink,
        Self::RevokeLink,
        Self::DescribeShared,
        Self::DownloadShared,
        Self::CreateBox,
        Self::ListBoxes,
        Self::DescribeBox,
        Self::ChangeBox,
        Self::EndBox,
        Self::ListBoxFiles,
        Self::DescribeManifest,
        Self::DescribeDrop,
        Self::HandIn,
    ];

    /// Whether it changes or hands out something, so that it has to be known who did it.
    pub fn is_audited(self) -> bool {
        match self {
            Self::CreateFile
            | Self::RenewUpload
            | Self::CompleteUpload
            | Self::DownloadFile
            | Self::DeleteFile
            | Self::HoldFile
            | Self::ReleaseFile
            | Self::KeepFile
            | Self::CreateToken
            | Self::RevokeToken
            | Self::RevokeUserTokens
            | Self::ApprovePairing
            | Self::CreateLink
            | Self::ChangeLink
            | Self::RevokeLink
            | Self::DownloadShared
            | Self::CreateBox
            | Self::ChangeBox
            | Self::EndBox
            | Self::HandIn => true,
            Self::DescribeFile
            | Self::AwaitFile
            | Self::IssueReceipt
            | Self::ListFiles
            | Self::ListAllFiles
            | Self::ListEvents
            | Self::ListTokens
            | Self::LookAtPairing
            | Self::ListLinks
            | Self::ListFileLinks
            | Self::DescribeShared
            | Self::ListBoxes
            | Self::DescribeBox
            | Self::ListBoxFiles
            | Self::DescribeManifest
            | Self::DescribeDrop => false,
        }
    }

    /// Whether it is what the holder of a link's or a box's URL does, who may be anybody.
    pub(super) fn is_of_holder(self) -> bool {
        matches!(
            self,
            Self::DescribeShared | Self::DownloadShared | Self::DescribeDrop | Self::HandIn
        )
    }

    /// Whether it is what somebody does with what they handed in.
    pub(super) fn is_of_submitter(self) -> bool {
        matches!(
            self,
            Self::DescribeFile
                | Self::AwaitFile
                | Self::IssueReceipt
                | Self::RenewUpload
                | Self::CompleteUpload
        )
    }

    /// Whether it is for those alone who may do everything, whosever the file is.
    pub(super) fn is_of_admins(self) -> bool {
        matches!(
            self,
            Self::ListAllFiles
                | Self::RevokeUserTokens
                | Self::HoldFile
                | Self::ReleaseFile
                | Self::KeepFile
        )
    }

    /// The scope that a token needs for it; `None`: no token may do it for its owner.
    pub(super) fn scope(self) -> Option<Scope> {
        match self {
            Self::CreateFile
            | Self::RenewUpload
            | Self::CompleteUpload
            | Self::CreateLink
            | Self::ChangeLink
            | Self::RevokeLink
            | Self::CreateBox
            | Self::ChangeBox
            | Self::EndBox
            | Self::HandIn => Some(Scope::Write),
            Self::DownloadFile
            | Self::DescribeFile
            | Self::AwaitFile
            | Self::IssueReceipt
            | Self::ListFiles
            | Self::ListAllFiles
            | Self::ListEvents
            | Self::ListTokens
            | Self::ListLinks
            | Self::ListFileLinks
            | Self::DescribeShared
            | Self::DownloadShared
            | Self::ListBoxes
            | Self::DescribeBox
            | Self::ListBoxFiles
            | Self::DescribeManifest
            | Self::DescribeDrop => Some(Scope::Read),
            Self::DeleteFile => Some(Scope::Delete),
            Self::HoldFile | Self::ReleaseFile | Self::KeepFile => Some(Scope::Admin),
            Self::CreateToken
            | Self::RevokeToken
            | Self::RevokeUserTokens
            | Self::LookAtPairing
            | Self::ApprovePairing => None,
        }
    }

    /// The operation's name in the contract; a wait is a description.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CreateFile => "create_file",
            Self::RenewUpload => "renew_upload",
            Self::CompleteUpload => "complete_upload",
            Self::DownloadFile => "download_file",
            Self::DescribeFile | Self::AwaitFile => "describe_file",
            Self::IssueReceipt => "issue_receipt",
            Self::ListFiles | Self::ListAllFiles => "list_files",
            Self::ListEvents => "list_events",
            Self::DeleteFile => "delete_file",
            Self::HoldFile => "hold_file",
            Self::ReleaseFile => "release_file",
            Self::KeepFile => "keep_file",
            Self::CreateToken => "create_token",
            Self::ListTokens => "list_tokens",
            Self::RevokeToken => "revoke_token",
            Self::RevokeUserTokens => "revoke_user_tokens",
            Self::LookAtPairing => "look_at_pairing",
            Self::ApprovePairing => "approve_pairing",
            Self::CreateLink => "create_link",
            Self::ListLinks => "list_links",
            Self::ListFileLinks => "list_file_links",
            Self::ChangeLink => "change_link",
            Self::RevokeLink => "revoke_link",
            Self::DescribeShared => "describe_shared",
            Self::DownloadShared => "download_shared",
            Self::CreateBox => "create_box",
            Self::ListBoxes => "list_boxes",
            Self::DescribeBox => "describe_box",
            Self::ChangeBox => "change_box",
            Self::EndBox => "end_box",
            Self::ListBoxFiles => "list_box_files",
            Self::DescribeManifest => "describe_manifest",
            Self::DescribeDrop => "describe_drop",
            Self::HandIn => "hand_in",
        }
    }

    /// What the log and figures of it call a call: the operation's name in the contract, and a wait by a name of
    /// its own, since it takes as long as somebody waits.
    pub fn label(self) -> &'static str {
        match self {
            Self::AwaitFile => "await_file",
            other => other.as_str(),
        }
    }
}
