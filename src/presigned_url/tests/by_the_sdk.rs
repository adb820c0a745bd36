//! That AWS's own presigner makes the same URLs.

use std::time::SystemTime;

use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};

use super::*;

fn sdk() -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .endpoint_url("http://files.example.org:8000")
        .force_path_style(true)
        .request_checksum_calculation(aws_sdk_s3::config::RequestChecksumCalculation::WhenRequired)
        .credentials_provider(Credentials::new(
            "AKIDEXAMPLE",
            "a secret",
            None,
            None,
            "test",
        ))
        .build();
    aws_sdk_s3::Client::from_conf(config)
}

fn presigning(lifetime: Duration) -> PresigningConfig {
    let start = SystemTime::from(from_millis(1_790_000_000_000).unwrap());
    PresigningConfig::builder()
        .start_time(start)
        .expires_in(lifetime)
        .build()
        .unwrap()
}

/// The query of a URL, sorted, without what differs on purpose: the SDK's `x-id`, which S3 ignores,
/// and the signature, which covers it.
fn comparable(url: &str) -> Vec<String> {
    let (path, query) = url.split_once('?').unwrap();
    let mut parts: Vec<String> = query
        .split('&')
        .filter(|p| !p.starts_with("x-id=") && !p.starts_with("X-Amz-Signature="))
        .map(str::to_owned)
        .collect();
    parts.push(path.to_owned());
    parts.sort();
    parts
}

/// Whether our verifier, and so our signer, computes the signature that the SDK did.
async fn our_verdict(method: &'static str, request: &PresignedRequest) -> Result<(), Refusal> {
    let mut own = Request {
        method,
        url: request.uri().to_owned(),
        headers: HeaderMap::new(),
    };
    for (name, value) in request.headers() {
        own.set(name, value);
    }
    own.verdict().await
}

#[tokio::test]
async fn the_sdk_presigns_the_same_upload() {
    let theirs = sdk()
        .put_object()
        .bucket("a-bucket")
        .key(key().to_string())
        .content_length(5)
        .content_type("text/plain; charset=utf-8")
        .if_none_match("*")
        .checksum_sha256(digest().to_base64())
        .presigned(presigning(UPLOAD))
        .await
        .unwrap();
    let ours = Request::upload(Some(digest())).await;
    assert_eq!(comparable(&ours.url), comparable(theirs.uri()));
    assert_eq!(our_verdict("PUT", &theirs).await, Ok(()));
}

#[tokio::test]
async fn the_sdk_presigns_the_same_download() {
    let filename = FileName::sanitize(DISPLAY_NAME).unwrap();
    let display_name = DisplayName::from_stored(DISPLAY_NAME).unwrap();
    let disposition = attachment(&filename, Some(&display_name));
    assert!(disposition.ends_with("''r%C3%A9sum%C3%A9%20final.pdf"));
    let theirs = sdk()
        .get_object()
        .bucket("a-bucket")
        .key(key().to_string())
        .version_id("3/L4kqtJl+oz")
        .response_content_type("application/pdf")
        .response_content_disposition(disposition)
        .response_content_encoding("identity")
        .response_cache_control("private, no-store")
        .presigned(presigning(DOWNLOAD))
        .await
        .unwrap();
    assert_eq!(
        comparable(&Request::download().await.url),
        comparable(theirs.uri())
    );
    assert_eq!(our_verdict("GET", &theirs).await, Ok(()));
}
