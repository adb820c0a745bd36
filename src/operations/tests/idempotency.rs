//! A create that is sent again with its key.

use super::*;

impl OperationsFixture {
    pub(super) async fn create_once(
        &self,
        filename: &str,
        key: &str,
    ) -> Result<CreatedFile, OperationError> {
        let new = NewFile::sample(Declaration::sample().named(filename));
        let key = crate::domain::IdempotencyKey::parse(key).unwrap();
        create_file(&self.stores, &self.presigner, &self.context, new, Some(key)).await
    }
}

#[tokio::test]
async fn a_key_that_comes_again_gives_the_same_file_and_a_fresh_url() {
    let fixture = OperationsFixture::new();
    let first = fixture.create_once("a.txt", "k").await.unwrap();
    fixture.clock.advance(Duration::from_secs(600));
    let second = fixture.create_once("a.txt", "k").await.unwrap();
    assert_eq!(second.record.id, first.record.id);
    assert_eq!(fixture.metadata.count(), 1);
    let expires_at = fixture.clock.now() + UPLOAD_TTL;
    assert_eq!(second.upload.unwrap().expires_at, expires_at);
    // The record covers the URL, as it does every one that was handed out.
    assert_eq!(second.record.upload_expires_at, expires_at);
    let other = fixture.create_once("a.txt", "another").await.unwrap();
    assert_ne!(other.record.id, first.record.id);
}

#[tokio::test]
async fn a_key_that_comes_with_another_request_is_refused() {
    let fixture = OperationsFixture::new();
    fixture.create_once("a.txt", "k").await.unwrap();
    let refused = fixture.create_once("b.txt", "k").await;
    assert!(matches!(refused, Err(OperationError::IdempotencyKeyReused)));
    assert_eq!(fixture.metadata.count(), 1);
}

#[test]
fn no_two_requests_that_differ_in_a_field_have_one_fingerprint() {
    let new = |name: &str, size, content_type: &str, sha256: Option<&str>| {
        let sha256 = sha256.map(|hex| Sha256Digest::parse_hex(hex).unwrap());
        let declared = Declaration::sample().named(name).of_length(size);
        let new = NewFile::sample(declared.of_type(content_type).of_digest(sha256));
        new.fingerprint().to_hex()
    };
    let with = |entries: &[(&str, &str)]| {
        let declared = Declaration::sample().named("a").of_type("text/plain");
        let new = NewFile::sample(declared.with_metadata(entries));
        new.fingerprint().to_hex()
    };
    let all = [
        with(&[("a", "b")]),
        with(&[("ab", "")]),
        with(&[("a", ""), ("b", "")]),
        with(&[("a", "b"), ("c", "d")]),
        new("a", 5, "text/plain", None),
        new("a5", 5, "text/plain", None),
        new("a", 55, "text/plain", None),
        new("a", 5, "text/html", None),
        new("a", 5, "text/plain", Some(HELLO_SHA256)),
    ];
    let distinct: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!(distinct.len(), all.len());
    assert_eq!(all[4], with(&[]));
    assert_eq!(all[3], with(&[("c", "d"), ("a", "b")]));
}

/// Clients send the name as it was given, and always did.
#[test]
fn a_create_from_before_names_were_kept_as_given_is_the_same_request_today() {
    let given = "résumé final.pdf";
    let new = NewFile::sample(
        Declaration::sample()
            .named(given)
            .of_type("application/pdf"),
    );
    assert_eq!(new.declared.shown_name(), given);
    assert_eq!(
        new.fingerprint().to_hex(),
        // SHA-256 of what that version wrote, with the length of each field before it.
        "0e781259a110b2de8ea3f9ef29aebe04e939ecf77cbee399d85d8fab0a3ddd03"
    );
}

#[tokio::test]
async fn a_key_whose_file_is_settled_gives_the_record_and_nothing_to_upload() {
    let mut fixture = OperationsFixture::new();
    let available = fixture.create_once("a.txt", "available").await.unwrap();
    fixture.put(available.record.id, HELLO);
    fixture.finalize(available.record.id).await;
    let expired = fixture.create_once("a.txt", "expired").await.unwrap();
    fixture.clock.advance(UPLOAD_TTL + GRACE);
    fixture.reconcile().await;
    for (key, id, status) in [
        ("available", available.record.id, Status::Available),
        ("expired", expired.record.id, Status::Expired),
    ] {
        let again = fixture.create_once("a.txt", key).await.unwrap();
        assert_eq!((again.record.id, again.record.status()), (id, status));
        assert!(again.upload.is_none());
    }
}

#[tokio::test]
async fn a_key_whose_file_was_deleted_brings_nothing_back() {
    let mut fixture = OperationsFixture::new();
    let created = fixture.create_once("a.txt", "k").await.unwrap();
    delete_file(&fixture.stores, &fixture.context, created.record.id)
        .await
        .unwrap();
    for _ in 0..2 {
        let again = fixture.create_once("a.txt", "k").await;
        assert!(matches!(again, Err(OperationError::FileOfKeyDeleted)));
        // Not even when the tombstone is gone.
        fixture.clock.advance(UPLOAD_TTL + GRACE);
        fixture.reconcile().await;
    }
    assert_eq!(fixture.metadata.count(), 0);
}

#[tokio::test]
async fn a_key_is_free_after_a_day() {
    let fixture = OperationsFixture::new();
    let first = fixture.create_once("a.txt", "k").await.unwrap();
    fixture.clock.advance(IDEMPOTENCY_KEY_LIFETIME);
    let second = fixture.create_once("b.txt", "k").await.unwrap();
    assert_ne!(second.record.id, first.record.id);
}
