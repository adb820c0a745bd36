//! A receiver of webhooks: an HTTP server that answers what it is told to, and keeps what it got.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::SECRET;
use crate::config::{WebhookSecret, WebhookSettings, WebhookUrl};

/// Answers what it is told to, and keeps what it got.
pub(super) struct Receiver {
    url: String,
    got: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    /// The answers in turn; the last one goes on.
    pub(super) async fn answering(answers: &[&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hooks?team=1", listener.local_addr().unwrap());
        let got = Arc::new(Mutex::new(Vec::new()));
        let (kept, answers) = (Arc::clone(&got), answers.to_vec());
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut text = Vec::new();
                while !is_whole(&text) {
                    let mut part = [0; 4096];
                    let read = stream.read(&mut part).await.unwrap();
                    assert!(read > 0, "a request breaks off");
                    text.extend_from_slice(&part[..read]);
                }
                let at = {
                    let mut kept = kept.lock().unwrap();
                    kept.push(String::from_utf8(text).unwrap());
                    (kept.len() - 1).min(answers.len() - 1)
                };
                let _ = stream.write_all(answers[at].as_bytes()).await;
            }
        });
        Self { url, got }
    }

    pub(super) fn settings(&self) -> WebhookSettings {
        WebhookSettings {
            url: WebhookUrl::parse(&self.url).unwrap(),
            secrets: vec![WebhookSecret::parse(SECRET).unwrap()],
        }
    }

    pub(super) fn got(&self) -> Vec<String> {
        self.got.lock().unwrap().clone()
    }
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.split("content-length: ").nth(1);
    let length = length.and_then(|rest| rest.lines().next()?.trim().parse().ok());
    body.len() >= length.unwrap_or(0)
}

pub(super) fn header<'a>(request: &'a str, name: &str) -> &'a str {
    let lines = request.lines();
    let line = lines.take_while(|line| !line.is_empty());
    let mut of_name = line.filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    of_name
        .next()
        .unwrap_or_else(|| panic!("no {name} in {request}"))
}

pub(super) const TAKEN: &str = "HTTP/1.1 204 No Content\r\n\r\n";
pub(super) const BROKEN: &str = "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n";
