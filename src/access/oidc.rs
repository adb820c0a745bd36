//! People whom an OpenID Connect issuer vouches for: by a token that a program shows, or by a sign-in in a browser.
//!
//! Invariant: nothing that a token says is believed before a key of the configured issuer has signed it, for this
//! service and for now. An issuer that is away, slow or lying costs bounded time and memory, and changes nothing for
//! those whom keys at hand vouch for.
//!
//! Absent on purpose: what becomes of somebody who was recognised (sessions, the gate); the issuer's userinfo, so
//! that groups have to be in its tokens; introspection, so that tokens have to be JWTs and live as long as they say.

mod cached;
mod claims;
mod discovery;
mod http;
mod jose;
mod remembered;
mod return_to;
mod sign_in;
mod state_cookie;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

pub use self::cached::IssuerUnavailable;
pub use self::claims::Identity;
pub use self::return_to::ReturnTo;
pub use self::sign_in::{
    ENDED_ONCE_FOR, SignInAs, SignInFailed, SignInStart, SignedIn, superfluous, tag_of_callback,
};
pub use self::state_cookie::{SIGN_IN_TIME, SignInTag};

use self::cached::{Cached, Clock};
use self::discovery::Metadata;
use self::http::Http;
use self::jose::{Claims, Found, Keys, Malformed, Unverified};
use self::remembered::Remembered;
use crate::config::OidcSettings;
use crate::domain::Timestamp;

/// How long a token that a program shows may be, in bytes.
pub const MAX_BEARER_BYTES: usize = 8 * 1024;
/// How far the issuer's clock and this one may lie apart.
pub const LEEWAY: Duration = Duration::from_secs(60);
/// How many codes are exchanged at a time. Whoever began a sign-in can send any code, as often as they like, and each
/// costs the issuer a request and this process a connection.
const MAX_EXCHANGES: usize = 32;
/// How long whoever asks how the issuer is waits for an answer of its own. What comes later is known the next time.
const PROBE_WAIT: Duration = Duration::from_millis(500);
/// How long keys serve before they are asked for again, so that one that the issuer took back ends here too.
const KEYS_LIFETIME: Duration = Duration::from_secs(10 * 60);
/// How long what the issuer says of itself serves before it is asked for again.
const METADATA_LIFETIME: Duration = Duration::from_secs(60 * 60);

/// Why a token isn't taken. Says nothing of what is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefused {
    /// Not a compact JWS of an object, or longer than one may be.
    #[error("it isn't a signed token")]
    NotAToken,
    /// Another algorithm than its key signs by.
    #[error("its algorithm isn't the one of its key, out of RS256, PS256, ES256 and EdDSA")]
    Algorithm,
    /// It asks for an extension.
    #[error("it has critical header parameters")]
    Critical,
    /// It doesn't name its key.
    #[error("it doesn't name its key")]
    NoKeyId,
    /// The issuer doesn't list its key.
    #[error("its key isn't one of the issuer's")]
    UnknownKey,
    /// Its key didn't sign it.
    #[error("its signature isn't right")]
    Signature,
    /// It is an ID token, a refresh token or something else that isn't for this.
    #[error("it isn't a token of this kind")]
    Kind,
    /// Somebody else's.
    #[error("its issuer isn't OIDC_ISSUER")]
    Issuer,
    /// For somebody else.
    #[error("it isn't for this service")]
    Audience,
    /// Not of this sign-in.
    #[error("it isn't of this sign-in")]
    Nonce,
    /// Too late.
    #[error("it has expired")]
    Expired,
    /// Too early.
    #[error("it isn't valid yet")]
    NotYet,
    /// A claim is missing, or isn't of its type.
    #[error("its claim {0} is missing or isn't of the right type")]
    Claim(&'static str),
    /// Whether it is right can't be known now.
    #[error(transparent)]
    IssuerUnavailable(#[from] IssuerUnavailable),
}

impl From<Malformed> for TokenRefused {
    fn from(malformed: Malformed) -> Self {
        match malformed {
            Malformed::NotAToken => Self::NotAToken,
            Malformed::Algorithm => Self::Algorithm,
            Malformed::Critical => Self::Critical,
            Malformed::NoKeyId => Self::NoKeyId,
        }
    }
}

/// How the issuer is, as far as is known without asking it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IssuerState {
    /// Nobody needed it yet.
    NotAsked,
    /// It answered when it was asked the last time.
    Ok,
    /// It gave no answer that can be used.
    Away {
        /// For how long so far.
        lasting: Duration,
        /// Why, without secrets.
        why: IssuerUnavailable,
    },
}

/// An issuer. Clones are the same one.
#[derive(Clone)]
pub struct Issuer(Arc<Inner>);

struct Inner {
    settings: OidcSettings,
    http: Http,
    metadata: Arc<Cached<Metadata>>,
    keys: Arc<Cached<Keys>>,
    remembered: Remembered,
    exchanges: Semaphore,
    /// Held while it is asked how it is.
    probe: Arc<Semaphore>,
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Issuer")
            .field(&self.0.settings.issuer)
            .finish()
    }
}

impl Issuer {
    /// The issuer of these settings. It isn't asked anything before somebody needs it.
    ///
    /// # Errors
    /// The system's certificates can't be read.
    pub fn new(settings: OidcSettings) -> io::Result<Self> {
        Self::with_clock(settings, Arc::new(Instant::now))
    }

    /// The same, with another clock for how long things are kept and how often the issuer is asked.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_clock(
        settings: OidcSettings,
        clock: Arc<dyn Fn() -> Instant + Send + Sync>,
    ) -> io::Result<Self> {
        let clock: Clock = clock;
        Ok(Self(Arc::new(Inner {
            http: Http::for_issuer(&settings.issuer)?,
            metadata: Cached::new(Arc::clone(&clock)),
            keys: Cached::new(Arc::clone(&clock)),
            remembered: Remembered::new(clock),
            exchanges: Semaphore::new(MAX_EXCHANGES),
            probe: Arc::new(Semaphore::new(1)),
            settings,
        })))
    }

    /// What it was made with.
    pub fn settings(&self) -> &OidcSettings {
        &self.0.settings
    }

    /// Whom an access token speaks for that was verified a moment ago.
    pub fn recall(&self, token: &str, now: Timestamp) -> Option<Arc<Identity>> {
        self.0.remembered.get(token, now)
    }

    /// Whom an access token speaks for.
    ///
    /// # Errors
    /// Why it isn't taken, or that the issuer would have to be asked and can't be.
    pub async fn verify_bearer(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<Arc<Identity>, TokenRefused> {
        if token.len() > MAX_BEARER_BYTES {
            return Err(TokenRefused::NotAToken);
        }
        if let Some(identity) = self.recall(token, now) {
            return Ok(identity);
        }
        let unverified = Unverified::parse(token)?;
        let claims = self.verified(&unverified).await?;
        let kind = unverified.kind.as_deref();
        let identity = claims::of_bearer(&claims, kind, &self.0.settings, now)?;
        let identity = Arc::new(identity);
        self.0.remembered.put(token, &identity);
        Ok(identity)
    }

    /// What a token claims, if a key of the issuer's signed it.
    async fn verified(&self, token: &Unverified<'_>) -> Result<Claims, TokenRefused> {
        let check = |keys: &Keys| match keys.find(token) {
            Found::Nothing => None,
            Found::OtherAlgorithm => Some(Err(TokenRefused::Algorithm)),
            Found::Key(key) => Some(token.verified_by(key).ok_or(TokenRefused::Signature)),
        };
        if let Some(checked) = self.0.keys.value().and_then(|keys| check(&keys)) {
            self.renew_keys();
            return checked;
        }
        let asked = self.0.ask_for_keys().await;
        if let Some(checked) = self.0.keys.value().and_then(|keys| check(&keys)) {
            return checked;
        }
        asked?;
        Err(TokenRefused::UnknownKey)
    }

    /// Asks for the keys again if they are old, while nobody waits for it.
    fn renew_keys(&self) {
        if self.0.keys.is_older_than(KEYS_LIFETIME) && self.0.keys.is_due() {
            let issuer = Arc::clone(&self.0);
            tokio::spawn(async move { issuer.ask_for_keys().await });
        }
    }

    /// How the issuer is, without asking it.
    pub fn state(&self) -> IssuerState {
        let away = self.0.keys.away().or_else(|| self.0.metadata.away());
        match away {
            Some((lasting, why)) => IssuerState::Away { lasting, why },
            None if self.0.metadata.value().is_none() => IssuerState::NotAsked,
            None => IssuerState::Ok,
        }
    }

    /// How the issuer is, within `PROBE_WAIT`. Asks it if nobody did lately or if it was away: in the background, one
    /// at a time however many want to know, and as seldom as everybody else does.
    pub async fn probe(&self) -> IssuerState {
        let is_known = self.state() == IssuerState::Ok && !self.0.keys.is_older_than(KEYS_LIFETIME);
        let is_due = self.0.keys.is_due() || self.0.metadata.is_due();
        if let (false, true, Ok(turn)) =
            (is_known, is_due, self.0.probe.clone().try_acquire_owned())
        {
            let issuer = Arc::clone(&self.0);
            let asking = tokio::spawn(async move {
                // What came of it is what `state` says.
                issuer.ask_for_keys().await.ok();
                issuer.metadata().await.ok();
                drop(turn);
            });
            tokio::time::timeout(PROBE_WAIT, asking).await.ok();
        }
        self.state()
    }
}

impl Inner {
    /// What the issuer says of itself: what it said last if it is away.
    async fn metadata(self: &Arc<Self>) -> Result<Arc<Metadata>, IssuerUnavailable> {
        let known = self.metadata.value();
        if let Some(known) = known.filter(|_| !self.metadata.is_older_than(METADATA_LIFETIME)) {
            return Ok(known);
        }
        let this = Arc::clone(self);
        let asked = self
            .metadata
            .ask(async move { this.discover().await })
            .await;
        match (self.metadata.value(), asked) {
            (Some(metadata), _) => Ok(metadata),
            (None, Err(why)) => Err(why),
            (None, Ok(())) => Err(IssuerUnavailable("it wasn't asked to its end".into())),
        }
    }

    async fn discover(&self) -> Result<Metadata, String> {
        let issuer = &self.settings.issuer;
        let named = |why| format!("its openid-configuration: {why}");
        let uri = discovery::address(issuer).parse();
        let uri = uri.map_err(|_| named("it has no address".to_owned()))?;
        let answer = self.http.get(&uri).await.map_err(named)?;
        let body = discovery::ok(answer).map_err(named)?;
        Metadata::parse(&body, issuer, &self.http).map_err(named)
    }

    async fn ask_for_keys(self: &Arc<Self>) -> Result<(), IssuerUnavailable> {
        let this = Arc::clone(self);
        let ask = async move {
            let metadata = this.metadata().await.map_err(|why| why.0)?;
            let named = |why| format!("its keys: {why}");
            let answer = this.http.get(&metadata.keys).await.map_err(named)?;
            let body = discovery::ok(answer).map_err(named)?;
            Keys::parse(&body).map_err(named)
        };
        self.keys.ask(ask).await
    }
}
