//! Where it is told what happens, and what that is signed with.
//!
//! Invariant: neither the URL, which may be a secret by itself, nor a secret is ever printed, also not where it is
//! refused. What is sent can be read by nobody on its way: it goes by https, or stays on this machine.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use http::Uri;

use super::oidc::{given, is_private};
use super::{Problems, SecretText};

/// How long a URL may be, in bytes.
const MAX_URL_BYTES: usize = 2048;
/// How many secrets there may be: the one that is used, and those that receivers haven't changed yet.
const MAX_SECRETS: usize = 4;
/// What a secret begins with (<https://www.standardwebhooks.com>).
const PREFIX: &str = "whsec_";
/// How many bytes a secret has, at least and at most, as that says.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// The flags that say where it is told what happens, as text.
#[derive(Debug, Clone, Args)]
pub struct WebhookArgs {
    /// Where it is told what happens to files, by POST as Standard Webhooks says it: an https URL, or http on this
    /// machine. Left out, nothing is told. Others on this machine can see flags, so set the variable
    #[arg(long, env = "WEBHOOK_URL", hide_env_values = true, value_name = "URL")]
    pub webhook_url: Option<SecretText>,
    /// What that is signed with: 24 to 64 secret bytes in base64, with whsec_ before it or not. Several are separated by commas, and each
    /// signs. Local mode and the worker need it with WEBHOOK_URL; the API of aws mode doesn't. Others on this machine
    /// can see flags, so set the variable
    #[arg(
        long,
        env = "WEBHOOK_SECRET",
        hide_env_values = true,
        value_name = "SECRETS"
    )]
    pub webhook_secret: Option<SecretText>,
}

/// Where it is told what happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookSettings {
    /// The receiver.
    pub url: WebhookUrl,
    /// What messages are signed with, by each; none in a program that doesn't send them.
    pub secrets: Vec<WebhookSecret>,
}

/// The URL of the receiver. It doesn't print.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookUrl(String);

impl WebhookUrl {
    /// The URL itself, for what sends alone.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Reads a URL that may be told.
    pub fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let is_plain = !uri.authority()?.as_str().contains('@') && !text.contains('#');
        (is_private(&uri) && is_plain && text.len() <= MAX_URL_BYTES).then(|| Self(text.to_owned()))
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookUrl")
    }
}

/// What messages are signed with. It doesn't print.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookSecret(Vec<u8>);

impl WebhookSecret {
    /// The bytes themselves, for what signs alone.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Reads base64, with `whsec_` before it or without, as Secrets Manager makes it.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = STANDARD
            .decode(text.strip_prefix(PREFIX).unwrap_or(text))
            .ok()?;
        SECRET_BYTES.contains(&bytes.len()).then_some(Self(bytes))
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret")
    }
}

impl WebhookArgs {
    /// The outer `None`: something isn't right, and `problems` says what. Without [`Problems::judge`], which repeats
    /// what it refuses.
    pub(super) fn judge(&self, problems: &mut Problems) -> Option<Option<WebhookSettings>> {
        let text = |text: &'_ Option<SecretText>| {
            let text = text.as_ref().map(|it| it.expose().to_owned());
            given(text.as_deref()).map(|it| it.trim().to_owned())
        };
        let (url, secrets) = (text(&self.webhook_url), text(&self.webhook_secret));
        let Some(url) = url else {
            if secrets.is_some() {
                problems.refuse("WEBHOOK_URL", "is missing, and WEBHOOK_SECRET is set");
                return None;
            }
            return Some(None);
        };
        let url = WebhookUrl::parse(&url);
        if url.is_none() {
            problems.refuse(
                "WEBHOOK_URL",
                "must be a URL of https, or of http on this machine, without a user, a password or a #",
            );
        }
        let texts = secrets.as_deref().unwrap_or_default().split(',');
        let texts = texts.map(str::trim).filter(|text| !text.is_empty());
        let secrets: Option<Vec<WebhookSecret>> = texts.map(WebhookSecret::parse).collect();
        let secrets = secrets.filter(|secrets| secrets.len() <= MAX_SECRETS);
        if secrets.is_none() {
            problems.refuse(
                "WEBHOOK_SECRET",
                "must be 24 to 64 bytes in base64 behind whsec_, at most 4 with commas in between, such as that of: \
                 echo \"whsec_$(openssl rand -base64 32)\"",
            );
        }
        Some(Some(WebhookSettings {
            url: url?,
            secrets: secrets?,
        }))
    }
}

/// For a program that sends: a URL without a secret isn't right.
pub fn needs_webhook_secret(settings: Option<&WebhookSettings>, problems: &mut Problems) {
    if settings.is_some_and(|settings| settings.secrets.is_empty()) {
        problems.refuse(
            "WEBHOOK_SECRET",
            "is needed with WEBHOOK_URL: what receivers check, such as that of: \
             echo \"whsec_$(openssl rand -base64 32)\"",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(url: &str, secret: &str) -> Result<Option<WebhookSettings>, String> {
        let args = WebhookArgs {
            webhook_url: url.parse().ok(),
            webhook_secret: secret.parse().ok(),
        };
        let judged = Problems::collected(|problems| args.judge(problems));
        judged.map_err(|problems| problems.to_string())
    }

    fn secret_of(bytes: usize) -> String {
        format!("{PREFIX}{}", STANDARD.encode(vec![7; bytes]))
    }

    #[test]
    fn without_a_url_nothing_is_told_and_a_secret_alone_is_a_mistake() {
        assert_eq!(judge("", ""), Ok(None));
        assert_eq!(judge(" ", " "), Ok(None));
        let said = judge("", &secret_of(32)).unwrap_err();
        assert!(said.contains("WEBHOOK_URL"), "{said}");
    }

    #[test]
    fn a_url_goes_by_https_or_stays_on_this_machine() {
        for url in [
            "https://hooks.example.org/in?team=1",
            "https://10.0.0.7:8443/",
            "http://127.0.0.1:9000/hooks",
            "http://localhost/",
            "http://[::1]:9000",
        ] {
            let settings = judge(url, &secret_of(24)).unwrap().unwrap();
            assert_eq!(settings.url.expose(), url);
        }
        for url in [
            "http://hooks.example.org/hush",
            "http://127.0.0.1.example.org/hush",
            "http://localhost@example.org/hush",
            "https://user:hush@example.org/",
            "https://example.org/#hush",
            "ftp://example.org/hush",
            "hush",
            "/hush",
            "https:///hush",
            &format!("https://example.org/hush{}", "x".repeat(MAX_URL_BYTES)),
        ] {
            let said = judge(url, &secret_of(24)).unwrap_err();
            assert!(said.contains("WEBHOOK_URL"), "{url}: {said}");
            assert!(!said.contains("hush"), "{said}");
        }
    }

    #[test]
    fn secrets_are_those_of_the_standard_and_never_printed() {
        let url = "https://hooks.example.org/hush";
        let several = format!("{}, {},", secret_of(24), secret_of(64));
        let settings = judge(url, &several).unwrap().unwrap();
        assert_eq!(settings.secrets[0].expose(), [7; 24]);
        assert_eq!(settings.secrets[1].expose(), [7; 64]);
        // As the stack's, which has letters and digits alone.
        let bare = "Ab1".repeat(21) + "z";
        let bare = judge(url, &bare).unwrap().unwrap();
        assert_eq!(bare.secrets[0].expose().len(), 48);
        let printed = format!("{settings:?}");
        assert!(
            !printed.contains("hush") && !printed.contains('7'),
            "{printed}"
        );
        for wrong in [
            secret_of(23),
            secret_of(65),
            secret_of(23).replace(PREFIX, ""),
            format!("{PREFIX}{}", secret_of(32)),
            "whsec_hush!".to_owned(),
            vec![secret_of(32); MAX_SECRETS + 1].join(","),
        ] {
            let said = judge(url, &wrong).unwrap_err();
            assert!(said.contains("WEBHOOK_SECRET"), "{said}");
            assert!(!said.contains("hush") && !said.contains("BwcH"), "{said}");
        }
    }

    #[test]
    fn who_sends_needs_a_secret() {
        let without = judge("https://hooks.example.org", "").unwrap();
        let mut problems = Problems::default();
        needs_webhook_secret(without.as_ref(), &mut problems);
        assert!(problems.to_string().contains("WEBHOOK_SECRET"));
        let mut problems = Problems::default();
        needs_webhook_secret(None, &mut problems);
        assert!(problems.is_empty());
    }
}
