//! The credentials that sign URLs.
//!
//! Invariant: a URL's life fits into that of the credentials that sign it. They are renewed early
//! enough for a whole URL's life, and if that isn't possible the URL is signed for less.
//!
//! The SDK's clients have a cache of their own, which renews only seconds ahead; that is right for
//! calls and too late for URLs, hence this one.

use std::fmt;
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::identity::Identity;

use crate::domain::Timestamp;
use crate::store_error::StoreError;

/// How long a provider (instance metadata, STS, a process) may take to answer.
const PROVIDER_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two attempts to renew: providers give the same credentials out until shortly before
/// their end, and needn't be asked for every URL in the meantime.
const RENEWAL_PAUSE: Duration = Duration::from_secs(10);
/// A URL of less than this is of no use to anybody.
const SHORTEST_LIFETIME: Duration = Duration::from_secs(30);

/// Where the credentials come from, and the newest that came.
pub struct SigningCredentials {
    provider: SharedCredentialsProvider,
    cached: RwLock<Option<Cached>>,
    renewal: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Cached {
    identity: Identity,
    expires_at: Option<SystemTime>,
    fetched_at: SystemTime,
}

impl Cached {
    /// How long a URL that is signed at `now` may live, at most `wanted`.
    fn lifetime(&self, now: SystemTime, wanted: Duration) -> Duration {
        match self.expires_at {
            Some(at) => at.duration_since(now).unwrap_or_default().min(wanted),
            None => wanted,
        }
    }

    fn is_recent(&self, now: SystemTime) -> bool {
        now.duration_since(self.fetched_at).unwrap_or_default() < RENEWAL_PAUSE
    }
}

impl SigningCredentials {
    /// Credentials that are fetched from `provider` when they are first needed, and again before they end.
    pub fn new(provider: SharedCredentialsProvider) -> Self {
        Self {
            provider,
            cached: RwLock::new(None),
            renewal: tokio::sync::Mutex::new(()),
        }
    }

    /// Credentials that never end, such as local mode's.
    pub fn fixed(access_key_id: &str, secret_access_key: &str) -> Self {
        let credentials = Credentials::new(access_key_id, secret_access_key, None, None, "fixed");
        Self::new(SharedCredentialsProvider::new(credentials))
    }

    /// An identity to sign with at `now`, and for how long: `wanted`, or less if it ends sooner.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if there are no credentials, or none that last long enough.
    pub(super) async fn identity(
        &self,
        now: Timestamp,
        wanted: Duration,
    ) -> Result<(Identity, Duration), StoreError> {
        let now = SystemTime::from(now);
        let good_enough =
            |cached: &Cached| cached.lifetime(now, wanted) == wanted || cached.is_recent(now);
        let mut current = self.cached();
        if !current.as_ref().is_some_and(good_enough) {
            let _one_at_a_time = self.renewal.lock().await;
            current = self.cached();
            if !current.as_ref().is_some_and(good_enough) {
                current = Some(self.renew(now, current).await?);
            }
        }
        current
            .map(|cached| (cached.lifetime(now, wanted), cached.identity))
            .filter(|(lifetime, _)| *lifetime >= SHORTEST_LIFETIME.min(wanted))
            .map(|(lifetime, identity)| (identity, lifetime))
            .ok_or_else(|| unavailable("the credentials are about to expire"))
    }

    fn cached(&self) -> Option<Cached> {
        self.cached
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Asks the provider. While it fails, credentials that still hold are used on.
    async fn renew(&self, now: SystemTime, old: Option<Cached>) -> Result<Cached, StoreError> {
        let asked = tokio::time::timeout(PROVIDER_TIMEOUT, self.provider.provide_credentials());
        let renewed = match (asked.await, old) {
            (Ok(Ok(credentials)), _) => Cached {
                expires_at: credentials.expiry(),
                identity: credentials.into(),
                fetched_at: now,
            },
            (_, Some(old)) if old.lifetime(now, SHORTEST_LIFETIME) == SHORTEST_LIFETIME => {
                tracing::warn!("the credentials that sign URLs can't be renewed yet");
                Cached {
                    fetched_at: now,
                    ..old
                }
            }
            (Ok(Err(error)), _) => {
                return Err(StoreError::unavailable("the credentials provider", error));
            }
            (Err(_), _) => return Err(unavailable("the credentials provider doesn't answer")),
        };
        *self.cached.write().unwrap_or_else(PoisonError::into_inner) = Some(renewed.clone());
        Ok(renewed)
    }
}

fn unavailable(what: &'static str) -> StoreError {
    StoreError::unavailable("the credentials provider", what)
}

impl fmt::Debug for SigningCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningCredentials")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use aws_credential_types::provider::{error::CredentialsError, future};

    use super::*;
    use crate::domain::from_millis;

    /// Gives out what the test queued, and counts how often it was asked.
    #[derive(Debug, Default)]
    struct Scripted(Mutex<Vec<Option<Duration>>>, std::sync::atomic::AtomicUsize);

    fn start() -> Timestamp {
        from_millis(1_790_000_000_000).unwrap()
    }

    impl ProvideCredentials for Scripted {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let asked = self.1.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let answer = self.0.lock().unwrap().get(asked).copied().flatten();
            future::ProvideCredentials::ready(
                answer
                    .map(|lives| {
                        let ends = SystemTime::from(start()) + lives;
                        Credentials::new("AKID", "secret", None, Some(ends), "scripted")
                    })
                    .ok_or_else(|| CredentialsError::not_loaded("scripted failure")),
            )
        }
    }

    fn credentials(lives: &[Option<u64>]) -> SigningCredentials {
        let script = lives.iter().map(|s| s.map(Duration::from_secs)).collect();
        let provider = Scripted(Mutex::new(script), Default::default());
        SigningCredentials::new(SharedCredentialsProvider::new(provider))
    }

    const WANTED: Duration = Duration::from_secs(900);

    async fn lifetime(credentials: &SigningCredentials, after: u64) -> Option<u64> {
        let now = start() + Duration::from_secs(after);
        credentials
            .identity(now, WANTED)
            .await
            .ok()
            .map(|(_, life)| life.as_secs())
    }

    #[tokio::test]
    async fn credentials_that_end_before_the_url_would_are_renewed() {
        let credentials = credentials(&[Some(1000), Some(4600)]);
        assert_eq!(lifetime(&credentials, 0).await, Some(900));
        assert_eq!(lifetime(&credentials, 99).await, Some(900));
        assert_eq!(lifetime(&credentials, 101).await, Some(900));
    }

    #[tokio::test]
    async fn a_url_is_signed_for_less_when_no_newer_credentials_are_to_be_had() {
        let credentials = credentials(&[Some(600), None, None]);
        assert_eq!(lifetime(&credentials, 0).await, Some(600));
        assert_eq!(lifetime(&credentials, 5).await, Some(595));
        assert_eq!(lifetime(&credentials, 300).await, Some(300));
        assert_eq!(lifetime(&credentials, 580).await, None);
    }

    #[tokio::test]
    async fn no_credentials_is_an_error_that_passes() {
        let credentials = credentials(&[None, Some(3600)]);
        assert_eq!(lifetime(&credentials, 0).await, None);
        assert_eq!(lifetime(&credentials, 1).await, Some(900));
    }
}
