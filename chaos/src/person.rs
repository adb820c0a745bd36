//! Somebody who signs in at an issuer and has a quota, so that what they have is counted.
//!
//! Invariant: what they call with outlives a campaign: an API token, which the service keeps where its records are.

use std::time::Duration;

use reqwest::header::AUTHORIZATION;
use serde_json::{Value, json};

use crate::process::free_address;
use crate::recounts;
use crate::support::issuer::Issuer;

/// A member.
const NAME: &str = "bob";
/// More files than any campaign has: they are counted, and nobody is refused.
const NEVER_REACHED: usize = 1_000_000;
const CALL_LIMIT: Duration = Duration::from_secs(30);
/// 32 bytes for sessions, which local mode makes itself.
const SESSION_SECRET: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";

/// The settings of an API that asks who somebody is, and lets each person have so many files.
pub(crate) struct Settings(Vec<(&'static str, String)>);

impl Settings {
    /// A quota that is never reached, so that what people have is counted.
    pub(crate) fn that_count(issuer: &Issuer) -> Self {
        Self::with_quota(issuer, NEVER_REACHED)
    }

    pub(crate) fn with_quota(issuer: &Issuer, files: usize) -> Self {
        let address = free_address();
        Self(vec![
            ("PUBLIC_URL", format!("http://{address}")),
            ("LISTEN", address),
            ("ACCESS", "oidc".to_owned()),
            ("OIDC_ISSUER", issuer.url.clone()),
            ("OIDC_CLIENT_ID", "files".to_owned()),
            ("OIDC_CLIENT_SECRET", "files-secret".to_owned()),
            ("OIDC_AUDIENCE", "file-share".to_owned()),
            ("SESSION_SECRET", SESSION_SECRET.to_owned()),
            ("QUOTA_FILES", files.to_string()),
        ])
    }

    /// The same with others.
    pub(crate) fn and(mut self, others: &[(&'static str, &str)]) -> Self {
        let others = others
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()));
        self.0.extend(others);
        self
    }

    pub(crate) fn as_str(&self) -> Vec<(&str, &str)> {
        let settings = self.0.iter();
        settings
            .map(|(name, value)| (*name, value.as_str()))
            .collect()
    }
}

/// A token of theirs for all that a client of a campaign does.
pub(crate) async fn token(base: &str, issuer: &Issuer) -> String {
    let http = reqwest::Client::builder()
        .no_proxy()
        .timeout(CALL_LIMIT)
        .build();
    let http = http.expect("a plain client needs nothing that could fail");
    let access = issuer.tokens_of(NAME).await.access;
    let wanted = json!({"label": "campaign", "scopes": ["read", "write", "delete"]});
    let asked = http
        .post(format!("{base}/v1/tokens"))
        .header(AUTHORIZATION, format!("Bearer {access}"))
        .json(&wanted);
    let answer = asked.send().await.expect("the service runs");
    let made: Value = answer.json().await.expect("an answer in JSON");
    recounts::expect_people();
    let token = made["token"].as_str();
    token
        .unwrap_or_else(|| panic!("a person may have a token: {made}"))
        .to_owned()
}
