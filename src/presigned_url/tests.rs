//! What our URLs allow and what they don't.

mod by_the_distribution;
mod by_the_sdk;

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;

use super::*;
use crate::domain::{
    ContentLength, ContentType, DisplayName, FileId, FileName, MAX_CONTENT_LENGTH, ObjectKey,
    Sha256Digest, Timestamp, VersionId, from_millis,
};

/// A name whose cleaned form says less.
const DISPLAY_NAME: &str = "résumé final.pdf";
const REGION: &str = "eu-central-1";
const UPLOAD: Duration = Duration::from_secs(900);
const DOWNLOAD: Duration = Duration::from_secs(300);

fn now() -> Timestamp {
    from_millis(1_790_000_000_123).unwrap()
}

fn credentials() -> SigningCredentials {
    SigningCredentials::fixed("AKIDEXAMPLE", "a secret")
}

fn presigner() -> Presigner {
    Presigner::new(credentials(), REGION.into(), UPLOAD, DOWNLOAD)
}

fn bucket() -> BucketUrl {
    BucketUrl::path_style("http://files.example.org:8000", "a-bucket").unwrap()
}

fn key() -> ObjectKey {
    ObjectKey::new(FileId::parse("0199a2b4-7c1e-7f4d-9a7e-0d8a4c1b2e3f").unwrap())
}

/// A request that a client makes with one of our URLs, and that a test can mutate.
#[derive(Clone)]
struct Request {
    method: &'static str,
    url: String,
    headers: HeaderMap,
}

impl Request {
    async fn upload(sha256: Option<Sha256Digest>) -> Self {
        let content_type = ContentType::parse("text/plain; charset=utf-8").unwrap();
        let terms = UploadTerms {
            key: key(),
            length: ContentLength::new(5, MAX_CONTENT_LENGTH).unwrap(),
            content_type: &content_type,
            sha256,
        };
        let upload = presigner().upload(&bucket(), &terms, now()).await.unwrap();
        let mut request = Self {
            method: "PUT",
            url: upload.url.expose().to_owned(),
            headers: HeaderMap::new(),
        };
        request.set("content-length", "5");
        for (name, value) in upload.kind.headers() {
            request.set(name, value);
        }
        request
    }

    async fn download() -> Self {
        let terms = DownloadTerms {
            key: key(),
            version_id: Some(&VersionId("3/L4kqtJl+oz".into())),
            filename: &FileName::sanitize(DISPLAY_NAME).unwrap(),
            display_name: Some(&DisplayName::from_stored(DISPLAY_NAME).unwrap()),
            content_type: &ContentType::parse("application/pdf").unwrap(),
        };
        let url = presigner()
            .download(&bucket(), DownloadMethod::Get, &terms, now())
            .await
            .unwrap();
        Self {
            method: "GET",
            url: url.expose().to_owned(),
            headers: HeaderMap::new(),
        }
    }

    fn set(&mut self, name: &str, value: &str) {
        self.headers.insert(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_str(value).unwrap(),
        );
    }

    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    async fn verdict_at(&self, at: Timestamp) -> Result<(), Refusal> {
        self.verdict_with(&credentials(), at).await
    }

    async fn verdict(&self) -> Result<(), Refusal> {
        self.verdict_at(now()).await
    }

    async fn verdict_with(
        &self,
        secret: &SigningCredentials,
        at: Timestamp,
    ) -> Result<(), Refusal> {
        self.verdict_within(UPLOAD, secret, at).await
    }

    async fn verdict_within(
        &self,
        longest_lifetime: Duration,
        secret: &SigningCredentials,
        at: Timestamp,
    ) -> Result<(), Refusal> {
        let path_and_query = self
            .url
            .strip_prefix("http://files.example.org:8000")
            .unwrap();
        let path = path_and_query.split('?').next().unwrap();
        let received = ReceivedRequest {
            method: self.method,
            path_and_query,
            headers: &self.headers,
        };
        let object_path = path.strip_prefix("/a-bucket").unwrap();
        verify(
            &received,
            &bucket(),
            object_path,
            secret,
            REGION,
            longest_lifetime,
            at,
        )
        .await
        .map(drop)
    }
}

fn digest() -> Sha256Digest {
    Sha256Digest::from_bytes([7; 32])
}

#[tokio::test]
async fn a_url_of_ours_is_accepted_with_the_headers_that_it_asks_for() {
    assert_eq!(Request::upload(None).await.verdict().await, Ok(()));
    assert_eq!(
        Request::upload(Some(digest())).await.verdict().await,
        Ok(())
    );
    assert_eq!(Request::download().await.verdict().await, Ok(()));
}

#[tokio::test]
async fn an_upload_signs_length_type_write_once_and_digest() {
    let url = Request::upload(Some(digest())).await.url;
    assert!(
        url.contains(
            "X-Amz-SignedHeaders=content-length%3Bcontent-type%3Bhost%3Bif-none-match%3Bx-amz-checksum-sha256"
        ),
        "{url}"
    );
}

#[tokio::test]
async fn a_header_that_was_signed_can_neither_change_nor_be_left_out() {
    for name in [
        "content-length",
        "content-type",
        "if-none-match",
        CHECKSUM_HEADER,
    ] {
        let upload = Request::upload(Some(digest())).await;
        let changed = upload.clone().with(|r| r.set(name, "6"));
        assert_eq!(
            changed.verdict().await,
            Err(Refusal::SignatureMismatch),
            "{name}"
        );
        let missing = upload.with(|r| {
            r.headers.remove(name);
        });
        assert_eq!(
            missing.verdict().await,
            Err(Refusal::SignatureMismatch),
            "{name}"
        );
    }
}

#[tokio::test]
async fn an_amz_header_that_was_not_signed_is_refused() {
    for name in [
        "x-amz-copy-source",
        "x-amz-acl",
        "x-amz-tagging",
        "x-amz-meta-a",
        CHECKSUM_HEADER,
    ] {
        let request = Request::upload(None).await.with(|r| r.set(name, "x"));
        assert_eq!(
            request.verdict().await,
            Err(Refusal::HeadersNotSigned(vec![name.to_owned()]))
        );
    }
}

#[tokio::test]
async fn a_put_whose_signature_leaves_out_what_holds_the_cap_is_refused() {
    // Signed with the right secret, as no code of ours does.
    let identity = credentials().identity(now(), UPLOAD).await.unwrap().0;
    let uri = bucket().object(key());
    let subject = sigv4::Subject {
        method: "PUT",
        uri: &uri,
        headers: &[],
    };
    let signed = sigv4::presign(&subject, &identity, REGION, now(), UPLOAD).unwrap();
    let query: Vec<String> = signed
        .params
        .iter()
        .map(|(n, v)| format!("{n}={}", v.replace('/', "%2F")))
        .collect();
    let request = Request {
        method: "PUT",
        url: format!("{uri}?{}", query.join("&")),
        headers: HeaderMap::new(),
    };
    assert_eq!(
        request.verdict().await,
        Err(Refusal::HeadersNotSigned(
            ["content-length", "content-type", "if-none-match"]
                .map(str::to_owned)
                .to_vec()
        ))
    );
}

#[tokio::test]
async fn a_second_spelling_of_what_was_signed_is_refused() {
    for (from, to) in [
        ("X-Amz-Date=2026", "X-Amz-Date=2026+"),
        ("X-Amz-Date=2026", "X-Amz-Date=%2B2026"),
        ("X-Amz-Expires=900", "X-Amz-Expires=0900"),
        ("X-Amz-Expires=900", "X-Amz-Expires=%2B900"),
        ("%3Bhost%3B", "%3BHost%3B"),
        ("%3Bhost%3B", "%3Bhost%3Bhost%3B"),
        (
            "content-length%3Bcontent-type",
            "content-type%3Bcontent-length",
        ),
        ("%3Bif-none-match", "%3Bif-none-match%3B"),
    ] {
        let mutated = Request::upload(None).await.with(|request| {
            let changed = request.url.replacen(from, to, 1);
            assert_ne!(changed, request.url, "{from}");
            request.url = changed;
        });
        let verdict = mutated.verdict().await;
        assert!(
            matches!(verdict, Err(Refusal::Malformed(_))),
            "{to}: {verdict:?}"
        );
    }
}

#[tokio::test]
async fn a_request_with_two_hosts_is_refused() {
    let twice = Request::download().await.with(|request| {
        let host = HeaderValue::from_static("files.example.org:8000");
        request.headers.append("host", host.clone());
        request.headers.append("host", host);
    });
    assert_eq!(twice.verdict().await, Err(Refusal::SignatureMismatch));
}

#[tokio::test]
async fn a_url_is_good_for_one_method() {
    for method in ["PUT", "DELETE", "HEAD", "POST"] {
        let request = Request::download().await.with(|r| r.method = method);
        assert!(request.verdict().await.is_err(), "{method}");
    }
}

#[tokio::test]
async fn a_url_holds_until_its_last_second_and_no_longer() {
    let request = Request::upload(None).await;
    let signed_at = from_millis(1_790_000_000_000).unwrap();
    let end = signed_at + UPLOAD;
    assert_eq!(
        request.verdict_at(end - Duration::from_millis(1)).await,
        Ok(())
    );
    assert_eq!(request.verdict_at(end).await, Err(Refusal::Expired(end)));
    let early = signed_at - Duration::from_secs(16 * 60);
    assert_eq!(request.verdict_at(early).await, Err(Refusal::NotYetValid));
}

#[tokio::test]
async fn another_secret_another_key_and_a_longer_life_are_refused() {
    let request = Request::upload(None).await;
    let other_secret = SigningCredentials::fixed("AKIDEXAMPLE", "another secret");
    let other_key = SigningCredentials::fixed("AKIDOTHER", "a secret");
    assert_eq!(
        request.verdict_with(&other_secret, now()).await,
        Err(Refusal::SignatureMismatch)
    );
    assert_eq!(
        request.verdict_with(&other_key, now()).await,
        Err(Refusal::UnknownAccessKey)
    );
    let shortest = UPLOAD - Duration::from_secs(1);
    assert_eq!(
        request
            .verdict_within(shortest, &credentials(), now())
            .await,
        Err(Refusal::LivesTooLong)
    );
    let longer = request
        .clone()
        .with(|r| r.url = r.url.replace("Expires=900", "Expires=901"));
    assert_eq!(longer.verdict().await, Err(Refusal::SignatureMismatch));
    let shorter = request.with(|r| r.url = r.url.replace("Expires=900", "Expires=899"));
    assert_eq!(shorter.verdict().await, Err(Refusal::SignatureMismatch));
}

#[tokio::test]
async fn a_request_without_a_whole_signature_is_refused() {
    let unsigned = Request::download()
        .await
        .with(|r| r.url = bucket().object(key()));
    assert_eq!(unsigned.verdict().await, Err(Refusal::NotSigned));
    for name in [
        "Algorithm",
        "Credential",
        "Date",
        "Expires",
        "SignedHeaders",
        "Signature",
    ] {
        let request = Request::download().await;
        let without = request
            .clone()
            .with(|r| r.url = r.url.replace(&format!("X-Amz-{name}="), "X-Gone="));
        assert!(
            matches!(without.verdict().await, Err(Refusal::Malformed(_))),
            "{name}"
        );
        let twice = request.with(|r| r.url = format!("{}&X-Amz-{name}=1", r.url));
        assert!(
            matches!(twice.verdict().await, Err(Refusal::Malformed(_))),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_printed_url_shows_nothing() {
    let content_type = ContentType::parse("text/plain").unwrap();
    let terms = UploadTerms {
        key: key(),
        length: ContentLength::new(5, MAX_CONTENT_LENGTH).unwrap(),
        content_type: &content_type,
        sha256: None,
    };
    let upload = presigner().upload(&bucket(), &terms, now()).await.unwrap();
    let printed = format!("{upload:?}");
    assert!(
        !printed.contains("X-Amz") && !printed.contains("http"),
        "{printed}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn one_changed_character_of_the_url_is_noticed(at in any::<prop::sample::Index>(), to in "[0-9a-zA-Z&=%/+._-]") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let request = Request::download().await;
            let fixed = "http://files.example.org:8000/a-bucket/".len();
            let index = fixed + at.index(request.url.len() - fixed);
            let mut url = request.url.clone();
            url.replace_range(index..=index, &to);
            if url != request.url {
                // `%2f` and `%2F` are one character; everything else is another URL.
                let same = url.eq_ignore_ascii_case(&request.url) && request.url[..index].ends_with(['%', '2', '3', 'A', 'C', 'B', '9']);
                let verdict = request.with(|r| r.url = url).verdict().await;
                prop_assert!(verdict.is_err() || same);
            }
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn a_download_is_never_decoded_or_cached_whatever_its_uploader_sent_along() {
    let url = Request::download().await.url;
    for signed in [
        "response-content-encoding=identity",
        "response-cache-control=private%2C%20no-store",
    ] {
        assert!(url.contains(signed), "{url}");
        let (name, _) = signed.split_once('=').unwrap();
        let changed = Request::download().await.with(|request| {
            request.url = request.url.replace(signed, &format!("{name}=gzip"));
        });
        assert_eq!(changed.verdict().await, Err(Refusal::SignatureMismatch));
    }
}
