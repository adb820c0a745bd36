//! Which proof a service asks for, and how people sign in by it.
//!
//! Invariant: no secret of it prints.
//!
//! Absent on purpose: what becomes of a request under a policy, which is the [`Gate`](super::Gate)'s business.

use std::fmt;
use std::path::Path;

use crate::access::LocalKey;
use crate::access::oidc::Issuer;
use crate::secret_file::{SecretError, SecretFile};

/// Which proof is asked for.
#[derive(Debug)]
pub enum Policy {
    /// None: everybody who reaches the service is its operator.
    Open,
    /// None, since only this machine reaches the service; but a request that a proxy passed on may be
    /// anybody's.
    Loopback,
    /// The local key, which makes its holder the operator, or a session that was begun with it.
    Key(LocalKey),
    /// An access token of the issuer that people sign in at, or a session that was begun there; what their groups
    /// may do is a role.
    Oidc(SignInAt),
}

/// The issuer that people sign in at.
pub struct SignInAt {
    /// The issuer.
    pub issuer: Issuer,
    /// Signs what a browser keeps meanwhile; the same in all processes of a service.
    pub secret: Vec<u8>,
}

/// Where the secret lies, where no operator gave one.
pub const SESSION_SECRET_FILE: SecretFile = SecretFile {
    name: "session-secret",
    prefix: "",
    what: "a session secret",
    renewal: "ends the sign-ins that are under way",
};

impl SignInAt {
    /// The secret in `data_dir`, which has to exist; a new one if there is none yet. Blocks; meant for the start of
    /// a program.
    ///
    /// # Errors
    /// A file that can't be read or written, that others can read, or that holds something else.
    pub fn secret_in(data_dir: &Path) -> Result<String, SecretError> {
        SESSION_SECRET_FILE.load_or_create(data_dir)
    }
}

impl fmt::Debug for SignInAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SignInAt").field(&self.issuer).finish()
    }
}

/// How people sign in with a browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignInWith {
    /// With the local key.
    Key,
    /// At an issuer.
    Issuer,
}
