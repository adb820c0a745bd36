//! What our forms allow, and that a policy which isn't exactly such as ours is worth nothing, even signed.

use aws_credential_types::provider::SharedCredentialsProvider;

use super::*;
use crate::domain::{
    ContentLength, ContentType, FileId, MAX_CONTENT_LENGTH, ObjectKey, Sha256Digest, from_millis,
};
use crate::presigned_url::{BucketUrl, PresignedUpload, Presigner, UploadMethod};

const REGION: &str = "eu-central-1";
const LIFETIME: Duration = Duration::from_secs(900);

fn now() -> Timestamp {
    from_millis(1_790_000_000_123).unwrap()
}

fn credentials() -> SigningCredentials {
    SigningCredentials::fixed("AKIDEXAMPLE", "a secret")
}

async fn upload_by(
    credentials: SigningCredentials,
    sha256: Option<Sha256Digest>,
) -> PresignedUpload {
    let presigner = Presigner::new(credentials, REGION.into(), LIFETIME, LIFETIME);
    let terms = UploadTerms {
        key: ObjectKey::new(FileId::parse("0199a2b4-7c1e-7f4d-9a7e-0d8a4c1b2e3f").unwrap()),
        length: ContentLength::new(5, MAX_CONTENT_LENGTH).unwrap(),
        content_type: &ContentType::parse("text/plain").unwrap(),
        sha256,
    };
    let bucket = BucketUrl::path_style("http://files.example.org", "a-bucket").unwrap();
    presigner.upload_form(&bucket, &terms, now()).await.unwrap()
}

type Fields = BTreeMap<String, String>;

async fn form() -> Fields {
    let digest = Some(Sha256Digest::from_bytes([7; 32]));
    let upload = upload_by(credentials(), digest).await;
    assert_eq!(upload.kind.method(), UploadMethod::Post);
    assert_eq!(upload.url.expose(), "http://files.example.org/a-bucket/");
    assert!(upload.kind.headers().is_empty());
    fields_of(&upload)
}

fn fields_of(upload: &PresignedUpload) -> Fields {
    let fields = upload.kind.fields().unwrap().iter();
    fields
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect()
}

async fn verdict_at(fields: &Fields, now: Timestamp) -> Result<VerifiedForm, FormRefusal> {
    let mut form = ReceivedForm::default();
    for (name, value) in fields {
        assert!(form.add(name, value.clone()));
    }
    verify_form(&form, "a-bucket", &credentials(), REGION, LIFETIME, now).await
}

async fn verdict(fields: &Fields) -> Result<VerifiedForm, FormRefusal> {
    verdict_at(fields, now()).await
}

/// The form with another policy, signed with the secret.
fn with_policy(mut fields: Fields, policy: &str) -> Fields {
    let policy = BASE64_STANDARD.encode(policy);
    let at = SystemTime::from(now());
    let key = generate_signing_key("a secret", at, REGION, SERVICE);
    let signature = calculate_signature(key, policy.as_bytes());
    fields.insert("x-amz-signature".into(), signature);
    fields.insert("policy".into(), policy);
    fields
}

fn policy_of(fields: &Fields) -> Value {
    let json = BASE64_STANDARD.decode(&fields["policy"]).unwrap();
    serde_json::from_slice(&json).unwrap()
}

#[tokio::test]
async fn a_form_is_good_for_what_it_was_signed_for() {
    let fields = form().await;
    let terms = verdict(&fields).await.unwrap();
    assert_eq!(terms.judged_at(), now());
    assert_eq!(terms.key().to_string(), fields["key"]);
    assert_eq!(terms.length().bytes(), 5);
    let digest = terms.sha256().map(Sha256Digest::to_base64);
    assert_eq!(digest.as_ref(), fields.get(CHECKSUM_HEADER));
    // As S3 has it: fields that begin so are nobody's.
    let mut more = fields.clone();
    more.insert("x-ignore-colour".into(), "red".into());
    more.insert("bucket".into(), "a-bucket".into());
    assert_eq!(verdict(&more).await, Ok(terms));
}

#[tokio::test]
async fn every_field_of_a_form_is_named_by_its_policy_with_its_only_value() {
    let fields = form().await;
    let policy = policy_of(&fields);
    let conditions = policy["conditions"].as_array().unwrap();
    for (name, value) in &fields {
        let is_exact = conditions.contains(&json!({name: value}));
        let is_of_the_signature = FREE_FIELDS.contains(&name.as_str());
        assert_ne!(is_exact, is_of_the_signature, "{name}");
    }
    assert!(conditions.contains(&json!({"bucket": "a-bucket"})));
    assert!(conditions.contains(&json!(["content-length-range", 5, 5])));
    assert_eq!(conditions.len(), fields.len());
}

#[tokio::test]
async fn a_form_ends_with_the_credentials_that_signed_it_and_names_their_session() {
    let ends = SystemTime::from(now()) + Duration::from_secs(300);
    let session = Credentials::new("AKID", "s", Some("a token".into()), Some(ends), "test");
    let provider = SharedCredentialsProvider::new(session);
    let upload = upload_by(SigningCredentials::new(provider), None).await;
    let fields = fields_of(&upload);
    assert_eq!(fields["x-amz-security-token"], "a token");
    assert!(!fields.contains_key(CHECKSUM_HEADER));
    let json = BASE64_STANDARD.decode(&fields["policy"]).unwrap();
    let policy: Value = serde_json::from_slice(&json).unwrap();
    let end = format_timestamp(upload.expires_at);
    assert_eq!(policy["expiration"], end);
    assert!(SystemTime::from(upload.expires_at) <= ends, "{end}");
}

#[tokio::test]
async fn a_form_works_until_its_last_second() {
    let fields = form().await;
    let last = now() + LIFETIME - Duration::from_millis(124);
    assert!(verdict_at(&fields, last).await.is_ok());
    let over = last + Duration::from_millis(1);
    let refused = verdict_at(&fields, over).await;
    assert!(
        matches!(refused, Err(FormRefusal::Expired(_))),
        "{refused:?}"
    );
    let early = now() - CLOCK_SKEW - Duration::from_secs(1);
    assert_eq!(
        verdict_at(&fields, early).await,
        Err(FormRefusal::NotYetValid)
    );
}

#[tokio::test]
async fn a_signed_policy_that_is_not_exactly_such_as_ours_is_worth_nothing() {
    let fields = form().await;
    let own = policy_of(&fields);
    let conditions = own["conditions"].as_array().unwrap().clone();
    let without = |text: &str| {
        let rest = conditions
            .iter()
            .filter(|it| !it.to_string().contains(text));
        Value::from(rest.cloned().collect::<Vec<_>>())
    };
    let plus = |more: Value| {
        let mut all = conditions.clone();
        all.push(more);
        Value::from(all)
    };
    let mut policies = vec![
        "no JSON".to_owned(),
        "[]".to_owned(),
        json!({"conditions": conditions}).to_string(),
        json!({"expiration": "soon", "conditions": conditions}).to_string(),
    ];
    for conditions in [
        Value::Null,
        without("\"bucket\""),
        without("\"key\""),
        without("\"Content-Type\""),
        without("content-length-range"),
        plus(json!(["content-length-range", 5, 5])),
        plus(json!(["starts-with", "$x-amz-meta-a", ""])),
        plus(json!(["eq", "$x-amz-meta-a", "b"])),
        plus(json!({"key": "uploads/another"})),
        plus(json!({"acl": 1})),
        plus(json!("acl")),
    ] {
        let mut policy = own.clone();
        policy["conditions"] = conditions;
        policies.push(policy.to_string());
    }
    for range in [
        json!([0, 5]),
        json!([5, 6]),
        json!(["5", "5"]),
        json!([-1, -1]),
    ] {
        let range = json!(["content-length-range", range[0], range[1]]);
        let mut policy = own.clone();
        let mut conditions = without("content-length-range");
        conditions.as_array_mut().unwrap().push(range);
        policy["conditions"] = conditions;
        policies.push(policy.to_string());
    }
    let mut for_long = own.clone();
    for_long["expiration"] = "2099-01-01T00:00:00.000Z".into();
    policies.push(for_long.to_string());
    for policy in policies {
        let refused = verdict(&with_policy(fields.clone(), &policy)).await;
        assert!(
            matches!(refused, Err(FormRefusal::InvalidPolicy(_))),
            "{policy}: {refused:?}"
        );
    }
    // The same way of signing, and nothing changed.
    let same = with_policy(fields.clone(), &own.to_string());
    assert_eq!(same, fields);
}

#[tokio::test]
async fn a_printed_form_shows_nothing() {
    let printed = format!("{:?}", upload_by(credentials(), None).await);
    assert!(
        !printed.contains("policy") && !printed.contains("AKID"),
        "{printed}"
    );
}
