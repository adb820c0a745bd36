//! `fshare webhook listen`: shows on a developer's machine what a service tells, and whether its signature is right.
//!
//! **Invariant:** it listens on this machine alone. What comes is bounded: [`MAX_BODY_BYTES`], [`READ_WITHIN`],
//! [`MAX_CONNECTIONS`]. Nothing is believed that isn't signed by a secret that was given: it is shown as what it is,
//! and refused.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};

use crate::arguments::WebhookListen;
use crate::error::CliError;
use crate::output::{Output, human};

/// How long a message may be, in bytes.
const MAX_BODY_BYTES: usize = 64 * 1024;
/// How long a message may take to come.
const READ_WITHIN: Duration = Duration::from_secs(10);
/// Connections at a time.
const MAX_CONNECTIONS: usize = 32;
/// Messages that wait to be shown.
const MAX_WAITING: usize = 64;
/// By how much the time in a message may be off, as the standard says.
const TOLERANCE: Duration = Duration::from_secs(5 * 60);
/// How many bytes a secret has that is made here.
const SECRET_BYTES: usize = 32;
/// How many it has at least, as the standard says.
const MIN_SECRET_BYTES: usize = 24;
const PREFIX: &str = "whsec_";

/// Something that was delivered.
struct Delivery {
    id: String,
    body: Bytes,
    judged: Result<(), &'static str>,
}

/// Shows deliveries until it is interrupted.
pub(crate) async fn listen(wanted: &WebhookListen, output: &Output) -> Result<(), CliError> {
    let (keys, made) = match &wanted.secret {
        Some(secrets) => (keys(&secrets.0)?, None),
        None => {
            let secret = new_secret()?;
            (keys(&secret)?, Some(secret))
        }
    };
    let failed = |error: std::io::Error| {
        CliError::Here(format!("can't listen on port {}: {error}", wanted.port))
    };
    let listener = TcpListener::bind(("127.0.0.1", wanted.port)).await;
    let listener = listener.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    output.note("Start the service on this machine with:");
    output.note(&format!("  WEBHOOK_URL=http://{address}/"));
    if let Some(secret) = made {
        output.note(&format!("  WEBHOOK_SECRET={secret}"));
    }
    let (shown, mut deliveries) = mpsc::channel(MAX_WAITING);
    let accepting = accept(listener, keys, shown);
    let showing = async {
        while let Some(delivery) = deliveries.recv().await {
            show(&delivery, output)?;
        }
        Ok(())
    };
    tokio::select! {
        () = accepting => Ok(()),
        shown = showing => shown,
    }
}

async fn accept(listener: TcpListener, keys: Vec<hmac::Key>, shown: mpsc::Sender<Delivery>) {
    let keys = Arc::new(keys);
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            // No descriptor is free, say. It passes.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let (keys, shown) = (Arc::clone(&keys), shown.clone());
        tokio::spawn(async move {
            let _permit = permit;
            let _ = tokio::time::timeout(READ_WITHIN * 2, serve(stream, keys, shown)).await;
        });
    }
}

async fn serve(stream: TcpStream, keys: Arc<Vec<hmac::Key>>, shown: mpsc::Sender<Delivery>) {
    let service = service_fn(move |request| {
        let (keys, shown) = (Arc::clone(&keys), shown.clone());
        async move { Ok::<_, Infallible>(answer(request, &keys, &shown).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .keep_alive(false)
        .timer(TokioTimer::new())
        .header_read_timeout(READ_WITHIN)
        .serve_connection(TokioIo::new(stream), service);
    let _ = connection.await;
}

async fn answer(
    request: Request<Incoming>,
    keys: &[hmac::Key],
    shown: &mpsc::Sender<Delivery>,
) -> Response<Empty<Bytes>> {
    let status = match taken(request, keys).await {
        Err(status) => status,
        Ok(delivery) => {
            let status = match delivery.judged {
                Ok(()) => StatusCode::NO_CONTENT,
                Err(_) => StatusCode::UNAUTHORIZED,
            };
            match shown.send(delivery).await {
                Ok(()) => status,
                Err(_) => StatusCode::SERVICE_UNAVAILABLE,
            }
        }
    };
    let mut response = Response::new(Empty::new());
    *response.status_mut() = status;
    response
}

async fn taken(request: Request<Incoming>, keys: &[hmac::Key]) -> Result<Delivery, StatusCode> {
    if request.method() != http::Method::POST {
        return Err(StatusCode::METHOD_NOT_ALLOWED);
    }
    let (head, body) = request.into_parts();
    let body = Limited::new(body, MAX_BODY_BYTES).collect();
    let body = tokio::time::timeout(READ_WITHIN, body).await;
    let body = body.map_err(|_| StatusCode::REQUEST_TIMEOUT)?;
    let body = body.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?.to_bytes();
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    Ok(Delivery {
        id: text(&head.headers, "webhook-id")
            .unwrap_or_default()
            .to_owned(),
        judged: judge(
            &head.headers,
            &body,
            keys,
            now.unwrap_or_default().as_secs(),
        ),
        body,
    })
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Whether one of the keys signed exactly this, a moment ago.
fn judge(
    headers: &HeaderMap,
    body: &[u8],
    keys: &[hmac::Key],
    now: u64,
) -> Result<(), &'static str> {
    let id = text(headers, "webhook-id").ok_or("it has no webhook-id")?;
    let sent_at = text(headers, "webhook-timestamp").ok_or("it has no webhook-timestamp")?;
    let signatures = text(headers, "webhook-signature").ok_or("it has no webhook-signature")?;
    let seconds: u64 = sent_at
        .parse()
        .map_err(|_| "its webhook-timestamp is no time")?;
    if now.abs_diff(seconds) > TOLERANCE.as_secs() {
        return Err("its webhook-timestamp is more than 5 minutes off");
    }
    let mut signed = format!("{id}.{sent_at}.").into_bytes();
    signed.extend_from_slice(body);
    let codes = signatures
        .split(' ')
        .filter_map(|it| it.strip_prefix("v1,"));
    let codes = codes.filter_map(|code| STANDARD.decode(code).ok());
    let is_signed = |code: Vec<u8>| {
        keys.iter()
            .any(|key| hmac::verify(key, &signed, &code).is_ok())
    };
    match codes.into_iter().any(is_signed) {
        true => Ok(()),
        false => Err("its signature isn't by this secret"),
    }
}

fn show(delivery: &Delivery, output: &Output) -> Result<(), CliError> {
    let said: Option<Value> = serde_json::from_slice(&delivery.body).ok();
    if output.json {
        return output.json_line(&json!({
            "id": delivery.id,
            "verified": delivery.judged.is_ok(),
            "why": delivery.judged.err(),
            "payload": said,
        }));
    }
    if let Err(why) = delivery.judged {
        let length = human(delivery.body.len() as u64);
        return output.result(&format!(
            "✗ {}: refused, because {why} ({length})",
            delivery.id
        ));
    }
    let said = said.unwrap_or_default();
    let field = |name: &str| said.get(name).and_then(Value::as_str).unwrap_or("?");
    output.result(&format!(
        "✓ {}  {}  {}",
        field("timestamp"),
        field("type"),
        delivery.id
    ))?;
    let data = said.get("data").and_then(Value::as_object);
    for (name, value) in data.into_iter().flatten() {
        let value = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        output.result(&format!("    {name:13} {value}"))?;
    }
    Ok(())
}

fn keys(secrets: &str) -> Result<Vec<hmac::Key>, CliError> {
    let secrets = secrets
        .split(',')
        .map(str::trim)
        .filter(|it| !it.is_empty());
    let keys: Option<Vec<hmac::Key>> = secrets
        .map(|secret| {
            let bytes = STANDARD
                .decode(secret.strip_prefix(PREFIX).unwrap_or(secret))
                .ok()?;
            let is_long_enough = bytes.len() >= MIN_SECRET_BYTES;
            is_long_enough.then(|| hmac::Key::new(hmac::HMAC_SHA256, &bytes))
        })
        .collect();
    keys.filter(|keys| !keys.is_empty()).ok_or_else(|| {
        CliError::Usage(
            "the secret must be whsec_ and base64, as WEBHOOK_SECRET of the service".to_owned(),
        )
    })
}

fn new_secret() -> Result<String, CliError> {
    let mut bytes = [0; SECRET_BYTES];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| CliError::Here("the system gives no random numbers".to_owned()))?;
    Ok(format!("{PREFIX}{}", STANDARD.encode(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the standard's own reference libraries.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const SENT_AT: u64 = 1_614_265_330;
    const BODY: &str = r#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn headers(id: &str, sent_at: &str, signature: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("webhook-id", id),
            ("webhook-timestamp", sent_at),
            ("webhook-signature", signature),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn the_example_of_the_standard_is_taken_and_nothing_that_differs_from_it() {
        let keys = keys(SECRET).unwrap();
        let at = SENT_AT.to_string();
        let judged =
            |headers: &HeaderMap, body: &str, now| judge(headers, body.as_bytes(), &keys, now);
        let right = headers(ID, &at, SIGNATURE);
        assert_eq!(judged(&right, BODY, SENT_AT), Ok(()));
        assert_eq!(judged(&right, BODY, SENT_AT + 300), Ok(()));
        // Without what Secrets Manager leaves out it is the same secret.
        let bare = super::keys(SECRET.strip_prefix(PREFIX).unwrap()).unwrap();
        assert_eq!(judge(&right, BODY.as_bytes(), &bare, SENT_AT), Ok(()));
        let among = format!("v1a,AAAA {SIGNATURE} v1,AAAA");
        assert_eq!(judged(&headers(ID, &at, &among), BODY, SENT_AT), Ok(()));
        for (headers, body, now) in [
            (
                headers(ID, &at, SIGNATURE),
                r#"{"test": 2432232315}"#,
                SENT_AT,
            ),
            (headers("msg_other", &at, SIGNATURE), BODY, SENT_AT),
            (headers(ID, "1614265331", SIGNATURE), BODY, SENT_AT),
            (headers(ID, "soon", SIGNATURE), BODY, SENT_AT),
            (headers(ID, &at, "v1,AAAA"), BODY, SENT_AT),
            (
                headers(ID, &at, &SIGNATURE.replace("v1,", "v2,")),
                BODY,
                SENT_AT,
            ),
            (headers(ID, &at, ""), BODY, SENT_AT),
            (headers(ID, &at, SIGNATURE), BODY, SENT_AT + 301),
            (headers(ID, &at, SIGNATURE), BODY, SENT_AT - 301),
            (HeaderMap::new(), BODY, SENT_AT),
        ] {
            assert!(judged(&headers, body, now).is_err(), "{headers:?}");
        }
    }

    #[test]
    fn a_secret_that_is_none_is_refused_and_one_that_is_made_is_one() {
        for wrong in ["", "whsec_", "hush", "whsec_!"] {
            assert!(keys(wrong).is_err(), "{wrong}");
        }
        let [one, two] = [new_secret().unwrap(), new_secret().unwrap()];
        assert_ne!(one, two);
        assert_eq!(keys(&format!("{one}, {two}")).unwrap().len(), 2);
    }
}
