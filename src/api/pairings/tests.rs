//! Who lets programs in: people with roles, who can't sign in to a running service everywhere.

use poem::http::{StatusCode, header};
use poem::{Endpoint, IntoEndpoint, Response};
use serde_json::json;

use super::*;
use crate::access::{LocalKey, Person, Policy, Role, TokenId};
use crate::api::document;
use crate::api::middleware::Identified;
use crate::clock::SystemClock;
use crate::domain::{Timestamp, UserId};
use crate::item_store::memory::MemoryItemStore;
use crate::network_addresses::NetworkAddresses;

struct Service<E> {
    endpoint: E,
    gate: Arc<Gate>,
}

fn service() -> Service<impl Endpoint<Output = Response>> {
    let dir = tempfile::tempdir().unwrap();
    let policy = Policy::Key(LocalKey::load_or_create(dir.path()).unwrap());
    let gate = Arc::new(Gate::new(policy, Arc::new(MemoryItemStore::default())));
    let api = PairingsApi {
        audited: AuditedRequests {
            log: None,
            clock: Arc::new(SystemClock),
        },
        gate: Arc::clone(&gate),
        cookie: SessionCookie::new(false, ""),
        clock: Arc::new(SystemClock),
        service_url: ServiceUrl {
            public_url: Some("https://files.example.org/course".parse().unwrap()),
            path_prefix: "/course".into(),
            addresses: NetworkAddresses::default(),
        },
    };
    Service {
        endpoint: document::service(api).into_endpoint(),
        gate,
    }
}

fn person(name: &str, role: Role) -> Caller {
    Caller::User(Arc::new(Person {
        id: UserId::of("https://id.example.org", name),
        role,
        name: None,
    }))
}

impl<E: Endpoint<Output = Response>> Service<E> {
    async fn call(&self, caller: &Caller, path: &str, body: &Value) -> (StatusCode, Value) {
        let request = Request::builder()
            .method(poem::http::Method::POST)
            .uri(format!("/v1{path}").parse().unwrap())
            .header(header::CONTENT_TYPE, "application/json")
            .extension(Identified {
                caller: caller.clone(),
                host: None,
            })
            .body(body.to_string());
        let mut response = match self.endpoint.call(request).await {
            Ok(response) => response,
            Err(error) => error.into_response(),
        };
        let problem = response.extensions().get::<Problem>().cloned();
        let body = response.take_body().into_bytes().await.unwrap();
        let body = match problem {
            Some(problem) => json!(problem.code.as_str()),
            None => serde_json::from_slice(&body).unwrap_or(Value::Null),
        };
        (response.status(), body)
    }

    async fn begin(&self) -> Value {
        let client = json!({"client": "fshare on laptop"});
        let (status, begun) = self.call(&Caller::Nobody, "/pairings", &client).await;
        assert_eq!(status, StatusCode::CREATED, "{begun}");
        begun
    }

    async fn approve(&self, caller: &Caller, begun: &Value, more: Value) -> (StatusCode, Value) {
        let mut body = json!({"userCode": begun["userCode"]});
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        self.call(caller, "/pairings/approve", &body).await
    }

    async fn redeem(&self, begun: &Value) -> (StatusCode, Value) {
        let body = json!({"deviceCode": begun["deviceCode"]});
        self.call(&Caller::Nobody, "/pairings/redeem", &body).await
    }
}

#[tokio::test]
async fn a_member_lets_a_program_in_for_themselves_and_nobody_can_take_it_over() {
    let service = service();
    let (alice, bob) = (person("alice", Role::Member), person("bob", Role::Admin));
    let begun = service.begin().await;
    assert_eq!(begun["verifyAt"], "https://files.example.org/course/pair");
    assert_eq!(service.redeem(&begun).await.0, StatusCode::ACCEPTED);
    let approved = service.approve(&alice, &begun, json!({})).await;
    assert_eq!(approved.0, StatusCode::NO_CONTENT);
    // The same once more changes nothing; somebody else's, and more than was allowed, isn't done.
    let again = service.approve(&alice, &begun, json!({})).await;
    assert_eq!(again.0, StatusCode::NO_CONTENT);
    for (caller, more) in [(&bob, json!({})), (&alice, json!({"scopes": ["read"]}))] {
        let refused = service.approve(caller, &begun, more).await;
        assert_eq!(refused, (StatusCode::NOT_FOUND, json!("pairing_not_found")));
    }
    let (status, redeemed) = service.redeem(&begun).await;
    assert_eq!(status, StatusCode::OK, "{redeemed}");
    assert_eq!(redeemed["scopes"], json!(["read", "write", "delete"]));
    let text = redeemed["token"].as_str().unwrap();
    let token = service.gate.tokens().verify(text, SystemClock.now()).await;
    assert_eq!(token.unwrap().unwrap().owner, alice.owner());
    let again = service.redeem(&begun).await;
    assert_eq!(again, (StatusCode::GONE, json!("pairing_gone")));
}

#[tokio::test]
async fn neither_a_guest_nor_a_token_nor_a_member_beyond_their_role_lets_a_program_in() {
    let service = service();
    let begun = service.begin().await;
    let token = Caller::Token(Arc::new(TokenCaller {
        id: TokenId::of_digest(&[7; 32]),
        owner: person("alice", Role::Admin).owner(),
        scopes: Scopes::from_iter(Scope::ALL),
        expires_at: Timestamp::UNIX_EPOCH,
    }));
    for (caller, more, status, code) in [
        (person("alice", Role::Guest), json!({}), 403, "not_allowed"),
        (token, json!({}), 403, "not_allowed"),
        (Caller::Nobody, json!({}), 401, "sign_in_required"),
        (
            person("alice", Role::Member),
            json!({"scopes": ["read", "admin"]}),
            403,
            "not_allowed",
        ),
    ] {
        let refused = service.approve(&caller, &begun, more).await;
        let expected = (StatusCode::from_u16(status).unwrap(), json!(code));
        assert_eq!(refused, expected, "{caller:?}");
    }
    assert_eq!(service.redeem(&begun).await.0, StatusCode::ACCEPTED);
    let admin = person("bob", Role::Admin);
    let approved = service.approve(&admin, &begun, json!({"scopes": ["admin"]}));
    assert_eq!(approved.await.0, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn what_is_not_right_about_an_approval_is_named_at_once_and_approves_nothing() {
    let service = service();
    let begun = service.begin().await;
    let alice = person("alice", Role::Member);
    let wrong = json!({"scopes": ["root"], "more": 1});
    let refused = service.approve(&alice, &begun, wrong).await;
    assert_eq!(refused, (StatusCode::BAD_REQUEST, json!("invalid_request")));
    for (path, body) in [
        ("/pairings", json!({"client": "\u{202E}evil"})),
        ("/pairings", json!({"client": ""})),
        ("/pairings", json!({})),
        ("/pairings/look", json!({"userCode": 1})),
        (
            "/pairings/look",
            json!({"userCode": "BCDF-GHJK", "code": 1}),
        ),
        ("/pairings/redeem", json!({"deviceCode": "fsd_", "code": 1})),
        ("/pairings/redeem", json!({"userCode": begun["userCode"]})),
        ("/pairings/approve", json!({"scopes": ["read"]})),
    ] {
        let (status, code) = service.call(&alice, path, &body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path} {body} {code}");
    }
    assert_eq!(service.redeem(&begun).await.0, StatusCode::ACCEPTED);
}
