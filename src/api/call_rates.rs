//! How often somebody may call.
//!
//! Invariant: a call is counted before its body is read and before any store is asked for it, for whoever makes it: a
//! person, with all their tokens and sessions; a program that acts for the operator; everybody else by address. Whoever
//! the service knows and whom it doesn't have places of their own, so that a flood of strangers takes no place of theirs.
//!
//! Absent on purpose: checks of health, which aren't calls, and bytes, which go to the store.

use poem::Request;
use poem::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use tokio::time::Instant;

use super::call_context::client_of;
use super::document::Routes;
use super::middleware::caller_of;
use super::problem::{Code, Problem};
use crate::access::{Caller, TokenId};
use crate::client_address::ClientNetwork;
use crate::domain::UserId;
use crate::metrics::Refused;
use crate::rate_limits::{Left, Rate, RateLimiter};

/// draft-ietf-httpapi-ratelimit-headers-09: fields whose values are lists of strings with parameters (RFC 9651).
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// Who has less than one of so many parts left is told.
const LITTLE: u64 = 10;

/// The names of both limits, in headers.
const READ: &str = "read";
const CREATE: &str = "create";

/// The operations that make something, by the IDs that they have in the contract.
const CREATES: [&str; 6] = [
    "create_file",
    "hand_in",
    "create_link",
    "create_box",
    "create_token",
    "begin_pairing",
];

/// Whom the service knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Known {
    Person(UserId),
    /// A program that acts for the operator.
    Program(TokenId),
    /// Whoever has the key, or everybody where nobody is asked: that may be many people.
    OperatorAt(ClientNetwork),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    Known(Known),
    Stranger(ClientNetwork),
}

#[derive(Debug)]
struct ClassLimit {
    /// Its name in headers.
    name: &'static str,
    known: RateLimiter<Known>,
    strangers: RateLimiter<ClientNetwork>,
}

/// What is counted of calls.
#[derive(Debug, Default)]
pub struct CallRates {
    read: Option<ClassLimit>,
    create: Option<ClassLimit>,
}

/// How somebody stands after a call was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    name: &'static str,
    rate: Rate,
    left: Left,
}

impl CallRates {
    /// Calls at these rates; `None`: as many as somebody likes.
    pub fn new(read: Option<Rate>, create: Option<Rate>) -> Self {
        Self {
            read: read.map(|rate| ClassLimit::new(READ, rate)),
            create: create.map(|rate| ClassLimit::new(CREATE, rate)),
        }
    }

    /// Counts a call. What makes something is counted by its own rate alone; how its caller stands is `None` where
    /// nothing is counted.
    ///
    /// # Errors
    /// It is one too many.
    pub(super) fn count(
        &self,
        request: &Request,
        routes: &Routes,
    ) -> Result<Option<Standing>, (Problem, Standing)> {
        // The former is answered without a look at anything; a browser sends them before others.
        if request.method() == Method::OPTIONS || self.read.is_none() && self.create.is_none() {
            return Ok(None);
        }
        let limit = match is_create(request, routes) {
            true => &self.create,
            false => &self.read,
        };
        match (limit, whose(request)) {
            (Some(limit), Some(whose)) => limit.take(whose, Instant::now()).map(Some),
            (None, _) | (_, None) => Ok(None),
        }
    }
}

impl ClassLimit {
    fn new(name: &'static str, rate: Rate) -> Self {
        Self {
            name,
            known: RateLimiter::new(rate),
            strangers: RateLimiter::new(rate),
        }
    }

    fn take(&self, whose: Whose, now: Instant) -> Result<Standing, (Problem, Standing)> {
        let rate = self.known.rate();
        let taken = match whose {
            Whose::Known(known) => self.known.take(known, now),
            Whose::Stranger(address) => self.strangers.take(address, now),
        };
        let standing = |left| Standing {
            name: self.name,
            rate,
            left,
        };
        taken.map(standing).map_err(|again_in| {
            let all_but_one = rate.window() - rate.interval();
            let none = Left {
                count: 0,
                whole_in: all_but_one + again_in,
            };
            (Code::RateLimited.plain().again_in(again_in), standing(none))
        })
    }
}

impl Standing {
    /// Which limit it is of, as it is counted.
    pub(super) fn counted_as(self) -> Refused {
        match self.name {
            CREATE => Refused::Create,
            _ => Refused::Read,
        }
    }

    /// Says it in an answer, where it matters: what a redirect leads to is not ours, and most clients follow it
    /// without a look.
    pub(super) fn say(self, status: StatusCode, headers: &mut HeaderMap) {
        let is_little = self.left.count * LITTLE < self.rate.burst();
        if !is_little || status == StatusCode::TEMPORARY_REDIRECT {
            return;
        }
        let seconds = |time: std::time::Duration| time.as_millis().div_ceil(1000);
        let (name, left) = (self.name, self.left.count);
        let window = seconds(self.rate.window()).max(1);
        let policy = format!("\"{name}\";q={};w={window}", self.rate.burst());
        let limit = format!("\"{name}\";r={left};t={}", seconds(self.left.whole_in));
        for (header, text) in [(RATE_LIMIT_POLICY, policy), (RATE_LIMIT, limit)] {
            if let Ok(value) = HeaderValue::try_from(text) {
                headers.insert(header, value);
            }
        }
    }
}

fn is_create(request: &Request, routes: &Routes) -> bool {
    request.method() == Method::POST && {
        let operation = routes.operation(request.uri().path(), &Method::POST);
        operation.is_some_and(|id| CREATES.contains(&id))
    }
}

/// `None`: nobody knows.
fn whose(request: &Request) -> Option<Whose> {
    let address = || client_of(request).map(|client| ClientNetwork::of(client.address));
    Some(match caller_of(request) {
        Caller::User(person) => Whose::Known(Known::Person(person.id)),
        Caller::Token(token) => Whose::Known(match token.owner {
            Some(owner) => Known::Person(owner),
            None => Known::Program(token.id),
        }),
        Caller::Operator => Whose::Known(Known::OperatorAt(address()?)),
        Caller::Submitter(_) | Caller::Nobody => Whose::Stranger(address()?),
    })
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::sync::Arc;
    use std::time::Duration;

    use serde_json::Value;

    use super::*;
    use crate::access::{Person, Role, Scopes, TokenCaller};
    use crate::api::middleware::Identified;
    use crate::client_address::ClientAddress;
    use crate::domain::{FileId, Timestamp};

    fn routes() -> Routes {
        let contract = include_str!("../../tests/openapi.json");
        Routes::of(&serde_json::from_str::<Value>(contract).unwrap())
    }

    fn rates() -> CallRates {
        let second = Duration::from_secs(1);
        CallRates::new(
            Some(Rate::new(10, second, 20)),
            Some(Rate::new(1, second, 2)),
        )
    }

    fn user(name: &str) -> UserId {
        UserId::of("https://id.example.org", name)
    }

    fn person(name: &str) -> Caller {
        Caller::User(Arc::new(Person {
            id: user(name),
            role: Role::Member,
            name: None,
        }))
    }

    fn token(of: Option<UserId>, n: u8) -> Caller {
        Caller::Token(Arc::new(TokenCaller {
            id: TokenId::of_digest(&[n; 32]),
            owner: of,
            scopes: Scopes::parse(&["read"]).unwrap(),
            expires_at: Timestamp::UNIX_EPOCH,
        }))
    }

    fn request(caller: &Caller, address: &str, method: Method, path: &str) -> Request {
        Request::builder()
            .method(method)
            .uri(path.parse().unwrap())
            .extension(ClientAddress {
                address: address.parse().unwrap(),
                is_told_by_proxy: false,
            })
            .extension(Identified {
                caller: caller.clone(),
                host: None,
            })
            .finish()
    }

    /// How many of 30 reads pass.
    fn reads(rates: &CallRates, caller: &Caller, address: &str) -> usize {
        let routes = routes();
        let let_in = (0..30).filter(|_| {
            let request = request(caller, address, Method::GET, "/v1/files");
            rates.count(&request, &routes).is_ok()
        });
        let_in.count()
    }

    #[tokio::test(start_paused = true)]
    async fn a_person_is_one_caller_by_session_and_tokens_and_from_everywhere() {
        let rates = rates();
        assert_eq!(reads(&rates, &person("alice"), "192.0.2.1"), 20);
        assert_eq!(reads(&rates, &person("alice"), "192.0.2.2"), 0);
        assert_eq!(
            reads(&rates, &token(Some(user("alice")), 1), "192.0.2.3"),
            0
        );
        assert_eq!(reads(&rates, &person("bob"), "192.0.2.1"), 20);
        assert_eq!(reads(&rates, &token(None, 1), "192.0.2.1"), 20);
        assert_eq!(reads(&rates, &token(None, 2), "192.0.2.1"), 20);
        assert_eq!(reads(&rates, &token(None, 1), "192.0.2.9"), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn everybody_else_is_an_address_and_one_who_hands_in_gains_nothing_by_a_token() {
        let rates = rates();
        let submitter = Caller::Submitter(FileId::new(Timestamp::UNIX_EPOCH));
        assert_eq!(reads(&rates, &Caller::Nobody, "2001:db8:0:1::1"), 20);
        assert_eq!(reads(&rates, &submitter, "2001:db8:0:1:ffff::2"), 0);
        assert_eq!(reads(&rates, &Caller::Nobody, "2001:db8:0:2::1"), 20);
        // Whoever has the key, at the same address.
        assert_eq!(reads(&rates, &Caller::Operator, "2001:db8:0:1::1"), 20);
        assert_eq!(reads(&rates, &Caller::Operator, "192.0.2.1"), 20);
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_from_many_addresses_keeps_the_budgets_of_those_who_are_known() {
        let rates = rates();
        let limit = rates.read.as_ref().unwrap();
        let start = Instant::now();
        for n in 0..200_000_u32 {
            let address = ClientNetwork::of(IpAddr::from(n.to_be_bytes()));
            let _ = limit.take(Whose::Stranger(address), start);
        }
        assert_eq!(reads(&rates, &person("alice"), "192.0.2.1"), 20);
        assert_eq!(reads(&rates, &Caller::Operator, "192.0.2.1"), 20);
    }

    #[tokio::test(start_paused = true)]
    async fn what_makes_something_has_a_rate_of_its_own_and_an_alias_of_a_path_none() {
        let (rates, routes) = (rates(), routes());
        let count = |method: Method, path: &str| {
            let request = request(&Caller::Operator, "192.0.2.1", method, path);
            rates.count(&request, &routes)
        };
        count(Method::POST, "/v1/files").unwrap();
        count(Method::POST, "/v1/drop/abc/files").unwrap();
        for path in ["/v1/links", "/v1/boxes", "/v1/tokens", "/v1/pairings"] {
            let (problem, _) = count(Method::POST, path).unwrap_err();
            assert_eq!(problem.code, Code::RateLimited, "{path}");
            assert_eq!(problem.retry_after_seconds, Some(1));
        }
        for (method, path) in [
            (Method::GET, "/v1/files"),
            (Method::POST, "/v1/files/abc/upload"),
            (Method::DELETE, "/v1/files/abc"),
            (Method::POST, "/v1/nothing"),
            (Method::GET, "/f/abc"),
        ] {
            assert!(count(method, path).is_ok(), "{path}");
        }
        assert!(matches!(count(Method::OPTIONS, "/v1/files"), Ok(None)));
        tokio::time::advance(Duration::from_secs(1)).await;
        count(Method::POST, "/v1/files").unwrap();
        assert!(count(Method::POST, "/v1/files").is_err());
    }

    #[test]
    fn every_operation_that_makes_something_is_one_of_the_contract() {
        let contract: Value =
            serde_json::from_str(include_str!("../../tests/openapi.json")).unwrap();
        let paths = contract["paths"].as_object().unwrap();
        let ids: Vec<&str> = paths
            .values()
            .filter_map(|methods| methods["post"]["operationId"].as_str())
            .collect();
        for id in CREATES {
            assert!(ids.contains(&id), "{id}");
        }
    }

    #[test]
    fn who_has_less_than_a_tenth_left_is_told_but_for_a_redirect() {
        let told = |count, status: u16| {
            let standing = Standing {
                name: "read",
                rate: Rate::new(100, Duration::from_secs(1), 200),
                left: Left {
                    count,
                    whole_in: Duration::from_millis(1_801),
                },
            };
            let mut headers = HeaderMap::new();
            standing.say(StatusCode::from_u16(status).unwrap(), &mut headers);
            headers
        };
        for status in [200, 201, 404, 429] {
            let headers = told(19, status);
            assert_eq!(headers["ratelimit"], "\"read\";r=19;t=2");
            assert_eq!(headers["ratelimit-policy"], "\"read\";q=200;w=2");
        }
        assert!(told(20, 200).is_empty());
        assert!(told(0, 307).is_empty());
    }
}
