//! An issuer that lies, and callers who do.

mod bearer;
mod fake_issuer;
mod gate;
mod issuer;
mod sign_in;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use clap::Parser;
use serde_json::{Value, json};

use self::fake_issuer::{FakeIssuer, Signer};
use super::*;
use crate::config::{OidcArgs, Problems};
use crate::domain::from_millis;

/// What the clock of the service says, in seconds since 1970.
const NOW: i64 = 1_800_000_000;

fn now() -> Timestamp {
    from_millis(NOW * 1000).unwrap()
}

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    args: OidcArgs,
}

/// Settings of an issuer of this URL, and these flags.
fn settings(url: &str, flags: &[&str]) -> OidcSettings {
    let issuer = format!("--oidc-issuer={url}");
    let usual = ["file-share", &issuer, "--oidc-client-id=files"];
    let args = Cli::parse_from(usual.iter().chain(flags)).args;
    let settings = Problems::collected(|problems| args.judge(problems));
    settings.unwrap().unwrap()
}

/// A service and its issuer.
struct Fixture {
    fake: FakeIssuer,
    issuer: Issuer,
    passed: Arc<Mutex<Duration>>,
}

impl Fixture {
    async fn new(keys: &[&Signer]) -> Self {
        Self::with(keys, &["--oidc-audience=api"]).await
    }

    async fn with(keys: &[&Signer], flags: &[&str]) -> Self {
        let fake = FakeIssuer::start(keys).await;
        let begin = Instant::now();
        let passed = Arc::new(Mutex::new(Duration::ZERO));
        let of_clock = Arc::clone(&passed);
        let clock = Arc::new(move || begin + *of_clock.lock().unwrap());
        let issuer = Issuer::with_clock(settings(&fake.url, flags), clock).unwrap();
        Self {
            fake,
            issuer,
            passed,
        }
    }

    fn pass(&self, seconds: u64) {
        *self.passed.lock().unwrap() += Duration::from_secs(seconds);
    }

    /// The claims of an access token that is taken.
    fn claims(&self) -> Value {
        json!({
            "iss": self.fake.url, "aud": "api", "sub": "alice",
            "iat": NOW - 10, "exp": NOW + 300,
        })
    }

    /// Those claims with some changed, or, where they are null, left out.
    fn claims_but(&self, changes: &Value) -> Value {
        let mut claims = self.claims();
        let object = claims.as_object_mut().unwrap();
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => drop(object.remove(name)),
                value => drop(object.insert(name.clone(), value.clone())),
            }
        }
        claims
    }

    async fn verify(&self, token: &str) -> Result<Arc<Identity>, TokenRefused> {
        self.issuer.verify_bearer(token, now()).await
    }
}
