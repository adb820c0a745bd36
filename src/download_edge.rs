//! The CloudFront distribution that downloads lead to, by the settings, and whether it does what it is there for.
//!
//! Invariant: a start asks the distribution nothing, since whoever fetches a file does that and not the service: only
//! the key has to be one. `file-share check` asks it, once with a signature and once without, for an object that can't
//! be there.
//!
//! Absent on purpose: CloudFront's API, which the service has no rights on; and the key's comparison with the one that
//! CloudFront has, which an answer tells.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::SERVER;
use http::{Request, StatusCode};

use crate::config::DownloadSettings;
use crate::domain::{Invalid, Timestamp};
use crate::https_client::{Answer, Bounds, HttpsClient};
use crate::presigned_url::EdgeSigner;
use crate::start_check::{Finding, Flaw, StartCheck};

/// The setting whose value can't be used where [`signer`] fails.
pub const KEY_SETTING: &str = "DOWNLOAD_KEY";
/// What CloudFront calls itself in answers of its own; the bucket's have the bucket's name for itself.
const ITSELF: &str = "CloudFront";
/// How long one answer may take.
const BOUNDS: Bounds = Bounds {
    whole: Duration::from_secs(10),
    max_body_bytes: None,
};
/// How long the URL works that is asked.
const LIFETIME: Duration = Duration::from_secs(60);

/// What signs for the distribution.
///
/// # Errors
/// What is wrong with the key, in words that say nothing of it.
pub fn signer(settings: &DownloadSettings) -> Result<EdgeSigner, Invalid> {
    let key = &settings.key;
    let origin = settings.origin.to_string();
    EdgeSigner::new(
        &origin,
        &settings.key_id,
        key.expose_private(),
        key.public(),
    )
}

/// Asks the distribution.
pub struct EdgeCheck {
    /// Which one, and with which key.
    pub settings: DownloadSettings,
    /// From when on the URL works that is asked.
    pub now: Timestamp,
}

#[async_trait]
impl StartCheck for EdgeCheck {
    fn name(&self) -> &'static str {
        "downloads"
    }

    fn subject(&self) -> String {
        let origin = self.settings.origin.to_string();
        format!("the distribution {}", origin.trim_end_matches('/'))
    }

    async fn look(&self) -> Vec<Finding> {
        let found = self.asked().await;
        vec![found.unwrap_or_else(|finding| finding)]
    }
}

impl EdgeCheck {
    async fn asked(&self) -> Result<Finding, Finding> {
        let signer = signer(&self.settings).map_err(|why| {
            let said = format!("{KEY_SETTING}: {why}");
            Finding::Wrong(Flaw::new(said, "give it the key as it was made"))
        })?;
        let signed = signer.probe(self.now + LIFETIME);
        let signed = signed.map_err(|error| Finding::Away(error.to_string()))?;
        let unsigned = self
            .ask(signed.split('?').next().unwrap_or_default())
            .await?;
        let subject = self.subject();
        if !is_its_own(&unsigned) {
            return Err(Finding::Wrong(Flaw::new(
                format!("{subject} asks the bucket for whoever comes without a signature"),
                "restrict its viewers' access to the key group of DOWNLOAD_KEY_ID, as deploy/downloads.yaml does",
            )));
        }
        let answer = self.ask(&signed).await?;
        if is_its_own(&answer) {
            let key_id = signer.key_id();
            let public = signer.public_key_pem().replace('\n', " ");
            return Err(Finding::Wrong(Flaw::new(
                format!("{subject} takes no URL that is signed by the key {key_id}"),
                format!(
                    "see that its key group has {key_id}, and that it is this public key: {}",
                    public.trim_end()
                ),
            )));
        }
        Ok(Finding::Fine(format!(
            "{subject} takes what the key {} signs",
            signer.key_id()
        )))
    }

    async fn ask(&self, url: &str) -> Result<Answer, Finding> {
        let subject = self.subject();
        let away = |why: String| Finding::Away(format!("{subject}: {why}"));
        let client = HttpsClient::of(url).map_err(|error| away(error.to_string()))?;
        let request = Request::get(url);
        let answer = client
            .send(request, Bytes::new(), BOUNDS)
            .await
            .map_err(away)?;
        match answer.status.is_server_error() || answer.status == StatusCode::TOO_MANY_REQUESTS {
            true => Err(away(format!("it answers {}", answer.status))),
            false => Ok(answer),
        }
    }
}

/// Whether no bucket was asked for this answer.
fn is_its_own(answer: &Answer) -> bool {
    let server = answer.headers.get(SERVER);
    server.is_some_and(|server| server.as_bytes() == ITSELF.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::clock::{Clock, SystemClock};
    use crate::config::DownloadKey;

    fn key() -> DownloadKey {
        let made =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new());
        let text = base64::Engine::encode(
            &base64::engine::general_purpose::STANDARD,
            made.unwrap().as_ref(),
        );
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n");
        DownloadKey::parse(&pem).unwrap()
    }

    /// What is found where answers to requests without and with a signature have these statuses and servers.
    async fn found(unsigned: (u16, &'static str), signed: (u16, &'static str)) -> Finding {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let key = Arc::new(key());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = vec![0; 4096];
                let read = stream.read(&mut head).await.unwrap();
                let head = String::from_utf8_lossy(&head[..read]).into_owned();
                let (status, server) = match head.contains("&Signature=") {
                    true => signed,
                    false => unsigned,
                };
                let answer = format!(
                    "HTTP/1.1 {status} X\r\nServer: {server}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                );
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        let check = EdgeCheck {
            settings: DownloadSettings {
                origin: origin.parse().unwrap(),
                key_id: "K1".into(),
                key: (*key).clone(),
            },
            now: SystemClock.now(),
        };
        check.look().await.remove(0)
    }

    #[tokio::test]
    async fn a_distribution_is_well_that_asks_the_bucket_for_what_is_signed_and_for_nothing_else() {
        let refuses = (403, ITSELF);
        assert!(matches!(
            found(refuses, (403, "AmazonS3")).await,
            Finding::Fine(_)
        ));
        assert!(matches!(
            found(refuses, (404, "AmazonS3")).await,
            Finding::Fine(_)
        ));
        let Finding::Wrong(flaw) = found(refuses, refuses).await else {
            panic!("it takes no signature");
        };
        assert!(flaw.said.contains("takes no URL"), "{flaw}");
        assert!(flaw.remedy.contains("BEGIN PUBLIC KEY") && !flaw.remedy.contains("PRIVATE"));
        for open in [(403, "AmazonS3"), (200, "AmazonS3")] {
            let Finding::Wrong(flaw) = found(open, (403, "AmazonS3")).await else {
                panic!("it needs no signature");
            };
            assert!(flaw.said.contains("without a signature"), "{flaw}");
        }
        assert!(matches!(
            found((503, ITSELF), refuses).await,
            Finding::Away(_)
        ));
        assert!(matches!(
            found(refuses, (502, ITSELF)).await,
            Finding::Away(_)
        ));
    }
}
