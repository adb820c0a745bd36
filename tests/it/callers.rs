//! What belongs to one caller and helps no other: the place in a list, an idempotency key, a wait, a fresh upload URL.
//! At an issuer that isn't ours, in both modes.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::issuer_sign_in::{service, service_in_aws};
use crate::support::curl::curl;
use crate::support::issuer::Issuer;
use crate::support::ministack::MiniStack;
use crate::support::program::data_dir;

/// An ID that no file has.
const NEVER: &str = "0190a6e0-0000-7000-8000-000000000000";
/// The longest wait that a call may ask for.
const WAIT: Duration = Duration::from_secs(20);

/// Somebody at a service.
pub(crate) struct Person<'a> {
    pub(crate) base: &'a str,
    /// The header that shows who it is.
    pub(crate) proof: String,
}

impl<'a> Person<'a> {
    pub(crate) async fn of(base: &'a str, issuer: &Issuer, name: &str) -> Self {
        let token = issuer.tokens_of(name).await.access;
        Self::with_token(base, &token)
    }

    fn with_token(base: &'a str, token: &str) -> Self {
        let proof = format!("Authorization: Bearer {token}");
        Self { base, proof }
    }

    /// A program of this person's.
    pub(crate) fn program(&self, scopes: &[&str]) -> Self {
        let wanted = json!({"label": "a program", "scopes": scopes});
        let (status, made) = self.post("/v1/tokens", &[], &wanted);
        assert_eq!(status, 201, "{made}");
        Self::with_token(self.base, made["token"].as_str().unwrap())
    }

    pub(crate) fn ask(&self, path: &str, arguments: &[&str]) -> (u16, Value) {
        let url = format!("{}{path}", self.base);
        let same = ["--header", "X-Request-Id: same", "--header", &self.proof];
        let code = ["--write-out", "\n%{http_code}", &url];
        let said = curl(&[&same[..], arguments, &code].concat());
        let said = String::from_utf8(said).unwrap();
        let (body, status) = said.rsplit_once('\n').unwrap();
        let body = serde_json::from_str(body).unwrap_or(Value::Null);
        (status.parse().unwrap(), body)
    }

    pub(crate) fn get(&self, path: &str) -> (u16, Value) {
        self.ask(path, &[])
    }

    pub(crate) fn post(&self, path: &str, headers: &[&str], body: &Value) -> (u16, Value) {
        let body = body.to_string();
        let headers = headers.iter().flat_map(|header| ["--header", header]);
        let arguments: Vec<&str> = ["--json", &body].into_iter().chain(headers).collect();
        self.ask(path, &arguments)
    }

    /// The ID of the file that this makes, or had made.
    pub(crate) fn create(&self, name: &str, headers: &[&str]) -> String {
        let wanted = json!({"filename": name, "size": 5});
        let (status, file) = self.post("/v1/files", headers, &wanted);
        assert_eq!(status, 201, "{file}");
        file["id"].as_str().unwrap().to_owned()
    }

    fn renew(&self, id: &str) -> (u16, Value) {
        self.ask(&format!("/v1/files/{id}/upload"), &["--request", "POST"])
    }
}

/// A place in a list leads on in that list alone: in nobody else's, and not in everybody's.
fn a_cursor_leads_on_in_ones_own_list(bob: &Person, erin: &Person, alice: &Person) {
    for person in [bob, erin, alice] {
        for name in ["one.txt", "two.txt", "three.txt"] {
            person.create(name, &[]);
        }
    }
    let cursor_of = |person: &Person, query: &str| {
        let (status, page) = person.get(&format!("/v1/files?limit=1{query}"));
        assert_eq!(status, 200, "{page}");
        let cursor = page["nextCursor"].as_str().unwrap();
        format!("&cursor={cursor}")
    };
    let own = cursor_of(bob, "");
    let everybodys = cursor_of(alice, "&owner=all");
    let damaged = "&cursor=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let read = bob.program(&["read"]);
    for (person, query, goes_on) in [
        (bob, own.clone(), true),
        (&read, own.clone(), true),
        (erin, own.clone(), false),
        (alice, own.clone(), false),
        (alice, format!("{own}&owner=all"), false),
        (alice, format!("{everybodys}&owner=all"), true),
        (alice, everybodys.clone(), false),
        (bob, everybodys, false),
    ] {
        let (status, said) = person.get(&format!("/v1/files?limit=1{query}"));
        if goes_on {
            assert_eq!(status, 200, "{query}: {said}");
            assert_eq!(said["files"].as_array().unwrap().len(), 1);
            continue;
        }
        // As a text that was never anybody's.
        let owner = if query.contains("owner=all") {
            "&owner=all"
        } else {
            ""
        };
        let never = person.get(&format!("/v1/files?limit=1{damaged}{owner}"));
        assert_eq!((status, &said["code"]), (400, &json!("invalid_request")));
        assert_eq!((status, said), never, "{query}");
    }
}

/// The same key of somebody else's is another key, and one's own programs have the same.
fn an_idempotency_key_stands_for_ones_own_file(bob: &Person, erin: &Person) {
    let key = format!("Idempotency-Key: {:032x}", fastrand::u128(..));
    let of_bob = bob.create("plan.txt", &[&key]);
    let of_erin = erin.create("plan.txt", &[&key]);
    assert_ne!(of_bob, of_erin);
    // Nor does erin hear by another request that the key was used by somebody.
    let other = json!({"filename": "other.txt", "size": 6});
    let fresh = format!("Idempotency-Key: {:032x}", fastrand::u128(..));
    bob.create("plan.txt", &[&fresh]);
    let (status, made) = erin.post("/v1/files", &[&fresh], &other);
    assert_eq!(status, 201, "{made}");
    assert_eq!(bob.create("plan.txt", &[&key]), of_bob);
    assert_eq!(bob.program(&["write"]).create("plan.txt", &[&key]), of_bob);
    assert_eq!(erin.create("plan.txt", &[&key]), of_erin);
    let (status, refused) = bob.post("/v1/files", &[&key], &other);
    assert_eq!(
        (status, &refused["code"]),
        (422, &json!("idempotency_key_reused"))
    );
}

/// Nobody waits for a file that isn't theirs: it is answered at once, as for a file that never was.
fn a_wait_is_for_ones_own_files(bob: &Person, others: &[&Person]) {
    let id = bob.create("awaited.txt", &[]);
    let wait = |person: &Person, id: &str| {
        let query = format!("/v1/files/{id}/metadata?wait={}", WAIT.as_secs());
        let (status, said) = person.get(&query);
        (status, said.to_string().replace(id, NEVER))
    };
    for other in others {
        let began = Instant::now();
        let strangers = wait(other, &id);
        assert!(began.elapsed() < WAIT, "it waited");
        assert_eq!(strangers.0, 404);
        assert_eq!(strangers, wait(other, NEVER));
    }
    let (status, own) = bob.get(&format!("/v1/files/{id}/metadata?wait=1"));
    assert_eq!((status, &own["status"]), (200, &json!("pending")));
}

/// Somebody else gets no URL, ends none, and leaves the file as it is.
fn a_fresh_upload_url_is_for_ones_own_files(bob: &Person, alice: &Person, others: &[&Person]) {
    let id = bob.create("renewed.txt", &[]);
    let record = || bob.get(&format!("/v1/files/{id}/metadata"));
    let before = record();
    for other in others {
        let (status, refused) = other.renew(&id);
        let (_, never) = other.renew(NEVER);
        assert_eq!((status, &refused["code"]), (404, &json!("file_not_found")));
        let said = refused.to_string().replace(&id, NEVER);
        assert_eq!(said, never.to_string());
        let complete = format!("/v1/files/{id}/complete");
        assert_eq!(other.ask(&complete, &["--request", "POST"]).0, 404);
    }
    assert_eq!(bob.program(&["read"]).renew(&id).0, 403);
    assert_eq!(record(), before);
    for owner in [bob, &bob.program(&["write"]), alice] {
        let (status, renewed) = owner.renew(&id);
        assert_eq!(status, 200, "{renewed}");
        assert!(renewed.to_string().contains("\"url\":\"http"), "{renewed}");
    }
}

async fn each_caller_has_what_is_theirs(base: &str, issuer: &Issuer) {
    let bob = Person::of(base, issuer, "bob").await;
    let erin = Person::of(base, issuer, "erin").await;
    let alice = Person::of(base, issuer, "alice").await;
    let carol = Person::of(base, issuer, "carol").await;
    let program = erin.program(&["read", "write", "delete"]);
    a_cursor_leads_on_in_ones_own_list(&bob, &erin, &alice);
    an_idempotency_key_stands_for_ones_own_file(&bob, &erin);
    a_wait_is_for_ones_own_files(&bob, &[&erin, &carol, &program]);
    a_fresh_upload_url_is_for_ones_own_files(&bob, &alice, &[&erin, &carol, &program]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_a_key_a_wait_and_a_renewal_are_their_callers_alone_in_local_mode() {
    let (dir, issuer) = (data_dir(), Issuer::start());
    let program = service(dir.path(), &issuer, &[]);
    each_caller_has_what_is_theirs(&program.base, &issuer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_a_key_a_wait_and_a_renewal_are_their_callers_alone_in_aws_mode() {
    let deployment = MiniStack::shared().await.deploy("callers").await;
    let issuer = Issuer::start();
    let program = service_in_aws(&deployment, &issuer);
    each_caller_has_what_is_theirs(&program.listening_at(), &issuer).await;
}
