//! Receipts and their keys, against the vectors of RFC 8037 and in a data directory.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::thread;

use ring::signature::{ED25519, UnparsedPublicKey};
use serde_json::{Value, json};

use super::*;
use crate::domain::{AttestedBox, BoxId, FileId, Sha256Digest, SubmitterName, UserId, from_millis};

/// The private key of RFC 8037, appendix A.1.
const RFC_SEED: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";

fn seed(text: &str) -> [u8; 32] {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).unwrap();
    bytes.try_into().unwrap()
}

fn decoded(part: &str) -> Value {
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn attested() -> AttestedFile {
    let uploaded_at = from_millis(1_790_000_000_123).unwrap();
    AttestedFile {
        id: FileId::new(uploaded_at),
        display_name: "r\u{e9}sum\u{e9} \"final\".pdf".into(),
        size: 12,
        sha256: Sha256Digest::from_bytes([7; 32]),
        uploaded_at,
        submitter: None,
        in_box: None,
    }
}

#[test]
fn a_key_is_named_by_its_thumbprint_as_in_rfc_8037() {
    let keys = ReceiptKeys::from_seeds([&seed(RFC_SEED)]);
    let published: Vec<&PublicKey> = keys.published().collect();
    let published = serde_json::to_value(&published).unwrap();
    // Appendix A.2 and A.3.
    let expected = json!([{
        "kty": "OKP",
        "crv": "Ed25519",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        "kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
        "use": "sig",
        "alg": "Ed25519",
    }]);
    assert_eq!(published, expected);
}

#[test]
fn a_receipt_says_what_the_record_says_and_is_signed_by_the_first_key() {
    let keys = ReceiptKeys::from_seeds([&[1; 32], &[2; 32]]);
    let first = keys.published().next().unwrap();
    let file = attested();
    let now = from_millis(1_790_000_100_999).unwrap();
    let receipt = keys.sign(&file, "https://files.example.org", now).unwrap();
    assert_eq!(format!("{receipt:?}"), "SignedReceipt");
    let text = receipt.into_text();
    let [header, claims, signature] = text.split('.').collect::<Vec<_>>()[..] else {
        panic!("{text}");
    };
    assert_eq!(
        decoded(header),
        json!({"alg": "Ed25519", "typ": "file-share-receipt+jwt", "kid": first.kid})
    );
    assert_eq!(
        decoded(claims).to_string(),
        json!({
            "iss": "https://files.example.org",
            "jti": file.id.to_string(),
            "displayName": "r\u{e9}sum\u{e9} \"final\".pdf",
            "size": 12,
            "sha256": "07".repeat(32),
            "uploadedAt": "2026-09-21T14:13:20.123Z",
            "iat": 1_790_000_100,
        })
        .to_string()
    );
    let key = BASE64_URL_SAFE_NO_PAD.decode(&first.x).unwrap();
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
    UnparsedPublicKey::new(&ED25519, key)
        .verify(format!("{header}.{claims}").as_bytes(), &signature)
        .unwrap();
}

#[test]
fn a_receipt_of_what_was_handed_in_says_who_did_it_to_which_box_and_whether_it_is_late() {
    let keys = ReceiptKeys::from_seeds([&[1; 32]]);
    let uploaded_at = attested().uploaded_at;
    let claims = |submitter, due_at| {
        let file = AttestedFile {
            submitter: Some(submitter),
            in_box: Some(AttestedBox {
                id: BoxId::from_bytes([0xab; 14]),
                title: "Sheet 3".into(),
                due_at,
            }),
            ..attested()
        };
        let signed = keys.sign(&file, "https://files.example.org", uploaded_at);
        let text = signed.unwrap().into_text();
        decoded(text.split('.').nth(1).unwrap())
    };
    let ada = || Submitter::Named(SubmitterName::given("Ada").unwrap());
    let on_time = claims(ada(), Some(uploaded_at));
    assert_eq!(on_time["submitter"], "Ada");
    assert_eq!(on_time["box"], "ab".repeat(14));
    assert_eq!(on_time["title"], "Sheet 3");
    assert_eq!(on_time["dueAt"], "2026-09-21T14:13:20.123Z");
    assert_eq!(on_time["late"], false);
    assert!(on_time.get("submitterId").is_none(), "{on_time}");
    let a_moment_before = from_millis(uploaded_at.timestamp_millis() - 1);
    assert_eq!(claims(ada(), a_moment_before)["late"], true);
    let no_time = claims(ada(), None);
    assert!(no_time.get("late").is_none() && no_time.get("dueAt").is_none());
    let id = UserId::of("https://id.example.org", "ada");
    let signed_in = claims(Submitter::SignedIn { id, name: None }, None);
    assert_eq!(signed_in["submitterId"], id.to_string());
}

#[test]
fn without_a_key_nothing_is_signed() {
    let keys = ReceiptKeys::default();
    assert_eq!(keys.published().count(), 0);
    let now = from_millis(1_790_000_000_000).unwrap();
    assert!(
        keys.sign(&attested(), "https://files.example.org", now)
            .is_none()
    );
}

#[test]
fn keys_are_published_once_in_their_order_and_no_private_half_prints() {
    let keys = ReceiptKeys::from_seeds([&[2; 32], &[1; 32], &[2; 32]]);
    let ids: Vec<&str> = keys.published().map(|key| key.kid.as_str()).collect();
    assert_eq!(ids.len(), 2);
    let printed = format!("{keys:?}");
    assert!(printed.contains(ids[0]) && printed.len() < 200, "{printed}");
    assert!(
        !printed.contains("020202") && !printed.contains("2, 2"),
        "{printed}"
    );
}

#[test]
fn the_key_of_a_data_directory_is_made_once_also_by_two_first_starts() {
    let dir = tempfile::tempdir().unwrap();
    let names: BTreeSet<String> = thread::scope(|scope| {
        let starts: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| ReceiptKeys::default().and_in_data_dir(dir.path()).unwrap()))
            .collect();
        let started = starts.into_iter().map(|start| start.join().unwrap());
        started
            .map(|keys| keys.first().unwrap().id().to_owned())
            .collect()
    });
    assert_eq!(names.len(), 1);
    let made = std::fs::metadata(dir.path().join("receipt-key")).unwrap();
    assert_eq!(made.permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_key_that_is_given_signs_and_the_one_of_the_directory_is_still_published() {
    let dir = tempfile::tempdir().unwrap();
    let given = || ReceiptKeys::from_seeds([&[1; 32]]);
    // None is made where none is needed.
    let alone = given().and_in_data_dir(dir.path()).unwrap();
    assert_eq!(alone.published().count(), 1);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    let before = ReceiptKeys::default().and_in_data_dir(dir.path()).unwrap();
    let after = given().and_in_data_dir(dir.path()).unwrap();
    let published: Vec<&PublicKey> = after.published().collect();
    assert_eq!(published[0], alone.published().next().unwrap());
    assert_eq!(published[1..], before.published().collect::<Vec<_>>());
}

#[test]
fn a_key_that_others_could_read_or_that_is_damaged_is_refused() {
    for (content, mode) in [("ab".repeat(32), 0o644), ("ab".repeat(31), 0o600)] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("receipt-key");
        std::fs::write(&path, &content).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        let refused = ReceiptKeys::default().and_in_data_dir(dir.path());
        let said = refused.unwrap_err().to_string();
        assert!(said.contains("receipt-key"), "{said}");
        assert!(!said.contains("abab"), "{said}");
    }
}
