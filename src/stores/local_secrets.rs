//! The secrets that a data directory may hold, all of them.
//!
//! Invariant: whoever goes through secrets (a check, a backup) goes through this list, so that none is forgotten.

use crate::access::{ACCESS_KEY_FILE, SESSION_SECRET_FILE};
use crate::audit;
use crate::capability_token;
use crate::local_mode::SIGNING_SECRET_FILE;
use crate::receipt;
use crate::secret_file::SecretFile;

/// A secret of the service's in its data directory. One that others could read is wrong whatever the settings say:
/// they may have kept it.
#[derive(Clone, Copy)]
pub struct LocalSecret {
    /// Where it lies.
    pub file: SecretFile,
    /// What it is, behind "the".
    pub(super) what: &'static str,
    /// Which start makes it where there is none.
    pub(super) made_by: &'static str,
}

/// All there are.
pub const LOCAL_SECRETS: [LocalSecret; 6] = [
    LocalSecret {
        file: SIGNING_SECRET_FILE,
        what: "secret that signs URLs",
        made_by: "a start makes it",
    },
    LocalSecret {
        file: ACCESS_KEY_FILE,
        what: "key that callers show",
        made_by: "a start with ACCESS=key makes it",
    },
    LocalSecret {
        file: SESSION_SECRET_FILE,
        what: "secret of sign-ins under way",
        made_by: "a start with OIDC_ISSUER makes it",
    },
    LocalSecret {
        file: capability_token::LINK_SECRET_FILE,
        what: "secret of the URLs of links and boxes",
        made_by: "a start without LINK_SECRET makes it",
    },
    LocalSecret {
        file: receipt::KEY_FILE,
        what: "key that signs receipts",
        made_by: "a start without RECEIPT_KEY makes it",
    },
    LocalSecret {
        file: audit::KEY_FILE,
        what: "key that signs the audit log",
        made_by: "a start that keeps one (AUDIT) makes it",
    },
];
