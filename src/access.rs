//! Who calls, and what they may do.
//!
//! Invariant: [`authorize`] alone decides. A caller about whom nothing is known is [`Caller::Nobody`].
//!
//! Absent on purpose: how a request shows who sends it ([`Gate`]), and what becomes of a refusal. The program's
//! own tasks (finalizing, reconciling, sweeping) call the operations themselves, and nobody asks them.

mod action;
#[cfg(feature = "server")]
pub mod api_token;
mod authorize;
mod caller;
#[cfg(feature = "server")]
mod gate;
#[cfg(feature = "server")]
mod local_key;
#[cfg(feature = "server")]
pub mod oidc;
#[cfg(feature = "server")]
pub mod pairing;
#[cfg(feature = "server")]
mod random_text;
#[cfg(feature = "server")]
pub mod revocation;
mod scope;
#[cfg(feature = "server")]
mod sessions;
mod token_caller;

pub use action::Action;
pub use authorize::{Denied, Resource, authorize};
pub use caller::{Caller, Person, Principal, Role};
#[cfg(feature = "server")]
pub use gate::{
    Admission, BegunAtIssuer, Gate, NotSignedIn, Policy, Proof, SESSION_SECRET_FILE, SentToIssuer,
    SignInAt, SignInError, SignInWith,
};
#[cfg(feature = "server")]
pub use local_key::{ACCESS_KEY_FILE, LocalKey};
pub use scope::{Scope, Scopes};
#[cfg(feature = "server")]
pub use sessions::{Session, SessionId, SessionRef, Sessions, WHOLE_LIFETIME};
pub use token_caller::{TokenCaller, TokenId};
