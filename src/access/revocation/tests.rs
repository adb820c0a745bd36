//! What holds once everything of somebody's was revoked, on a store in memory.

use super::*;
use crate::access::api_token::LONGEST_LIFETIME;
use crate::access::api_token::{ApiTokens, CreateTokenError, NewToken, TokenLabel};
use crate::access::{Caller, Person, Role, Scopes, SessionId, Sessions};
use crate::item_store::memory::MemoryItemStore;

fn at(seconds: u64) -> Timestamp {
    Timestamp::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds)
}

fn user(name: &str) -> UserId {
    UserId::of("https://id.example.org", name)
}

fn caller(name: &str) -> Caller {
    Caller::User(Arc::new(Person {
        id: user(name),
        role: Role::Member,
        name: None,
    }))
}

/// A process of a service.
struct Process {
    revocations: Revocations,
    sessions: Sessions,
    tokens: ApiTokens,
}

impl Process {
    fn beside(items: &Arc<MemoryItemStore>) -> Self {
        Self {
            revocations: Revocations::new(items.clone()),
            sessions: Sessions::new(items.clone()),
            tokens: ApiTokens::new(items.clone(), None),
        }
    }

    async fn sign_in(&self, name: &str, now: Timestamp) -> SessionId {
        let begun = self.sessions.begin(&caller(name), None, None, now).await;
        begun.unwrap().0
    }

    async fn stamp(&self, session: &SessionId, now: Timestamp) -> Option<SecurityStamp> {
        let found = self.sessions.get(session.expose(), None, now).await;
        found.unwrap().map(|session| session.stamp.clone())
    }

    async fn token(
        &self,
        name: &str,
        stamp: SecurityStamp,
        now: Timestamp,
    ) -> Result<String, CreateTokenError> {
        let wanted = NewToken {
            owner: Some(user(name)),
            label: TokenLabel::parse("build server").unwrap(),
            scopes: Scopes::parse(&["read"]).unwrap(),
            expires_at: Some(now + LONGEST_LIFETIME),
            stamp,
        };
        let (text, _) = self.tokens.create(wanted, now).await?;
        Ok(text.expose().to_owned())
    }

    async fn is_taken(&self, token: &str, now: Timestamp) -> bool {
        self.tokens.verify(token, now).await.unwrap().is_some()
    }
}

#[tokio::test]
async fn what_was_made_before_is_over_for_ever_and_what_is_made_afterwards_holds() {
    let items = Arc::default();
    let process = Process::beside(&items);
    let (of_bob, of_carol) = (
        process.sign_in("bob", at(0)).await,
        process.sign_in("carol", at(0)).await,
    );
    let stamp = process.stamp(&of_bob, at(0)).await.unwrap();
    let token = process.token("bob", stamp.clone(), at(0)).await.unwrap();
    let hers = process
        .token("carol", SecurityStamp::default(), at(0))
        .await
        .unwrap();
    // Whose lists nobody sees: the stamp alone has to do.
    process
        .revocations
        .revoke(user("bob"), at(1))
        .await
        .unwrap();
    let fresh = Process::beside(&items);
    assert_eq!(fresh.stamp(&of_bob, at(1)).await, None);
    assert!(!fresh.is_taken(&token, at(1)).await);
    let refused = fresh.token("bob", stamp, at(1)).await;
    assert!(
        matches!(refused, Err(CreateTokenError::Revoked)),
        "{refused:?}"
    );
    assert!(fresh.stamp(&of_carol, at(1)).await.is_some() && fresh.is_taken(&hers, at(1)).await);

    // At the same moment, by a clock that was put back.
    let again = fresh.sign_in("bob", at(0)).await;
    let stamp = fresh.stamp(&again, at(1)).await.unwrap();
    let second = fresh.token("bob", stamp, at(1)).await.unwrap();
    assert!(fresh.is_taken(&second, at(2)).await);
    process
        .revocations
        .revoke(user("bob"), at(3))
        .await
        .unwrap();
    let fresh = Process::beside(&items);
    assert_eq!(fresh.stamp(&again, at(3)).await, None);
    let year = LONGEST_LIFETIME.as_secs() - 10;
    for token in [token, second] {
        assert!(!fresh.is_taken(&token, at(3)).await);
        assert!(!fresh.is_taken(&token, at(year)).await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_another_process_still_remembers_makes_nothing_new() {
    let items = Arc::default();
    let [here, elsewhere] = [(); 2].map(|()| Process::beside(&items));
    let bob = here.sign_in("bob", at(0)).await;
    let remembered = elsewhere.stamp(&bob, at(1)).await.unwrap();
    let token = here.token("bob", remembered.clone(), at(1)).await.unwrap();
    assert!(here.is_taken(&token, at(1)).await && elsewhere.is_taken(&token, at(1)).await);
    here.revocations.revoke(user("bob"), at(2)).await.unwrap();
    here.sessions.end_all_of(user("bob"), at(2)).await.unwrap();
    here.tokens
        .revoke_all(Some(user("bob")), at(2))
        .await
        .unwrap();
    // Here at once, there within half a minute.
    assert_eq!(here.stamp(&bob, at(3)).await, None);
    assert!(!here.is_taken(&token, at(3)).await);
    assert_eq!(elsewhere.stamp(&bob, at(3)).await, Some(remembered.clone()));
    let refused = elsewhere.token("bob", remembered, at(3)).await;
    assert!(
        matches!(refused, Err(CreateTokenError::Revoked)),
        "{refused:?}"
    );
    tokio::time::advance(Duration::from_secs(30)).await;
    assert_eq!(elsewhere.stamp(&bob, at(33)).await, None);
    assert!(!elsewhere.is_taken(&token, at(33)).await);
}

#[tokio::test]
async fn an_access_token_of_before_makes_nothing_and_a_younger_one_does() {
    let items = Arc::default();
    let revocations = Process::beside(&items).revocations;
    let bob = user("bob");
    let stamp = async |issued_at, now| {
        let found = revocations.stamp_for_token(bob, issued_at, now).await;
        found.unwrap()
    };
    assert!(stamp(None, at(0)).await.is_some());
    revocations.revoke(bob, at(100)).await.unwrap();
    for old in [None, Some(at(0)), Some(at(100)), Some(at(160))] {
        assert_eq!(stamp(old, at(200)).await, None, "{old:?}");
    }
    let young = stamp(Some(at(161)), at(200)).await.unwrap();
    assert_eq!(young, revocations.stamp_of(bob, at(200)).await.unwrap());
    // A clock that was put back revokes all the same, and makes no old token young.
    revocations.revoke(bob, at(50)).await.unwrap();
    assert_ne!(young, revocations.stamp_of(bob, at(200)).await.unwrap());
    assert_eq!(stamp(Some(at(160)), at(200)).await, None);
}

#[tokio::test]
async fn while_the_store_is_away_nobody_is_told_that_everything_was_revoked() {
    let items: Arc<MemoryItemStore> = Arc::default();
    let process = Process::beside(&items);
    items.set_fault(Some("away"));
    assert!(
        process
            .revocations
            .revoke(user("bob"), at(0))
            .await
            .is_err()
    );
    assert!(
        process
            .sessions
            .end_all_of(user("bob"), at(0))
            .await
            .is_err()
    );
}
