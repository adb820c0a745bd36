//! The life of a pairing, on a store in memory.

use super::*;
use crate::item_store::memory::MemoryItemStore;

fn now() -> Timestamp {
    from_millis(1_790_000_007_123).unwrap()
}

fn alice() -> Option<UserId> {
    Some(UserId::of("https://id.example.org", "alice"))
}

fn bob() -> Option<UserId> {
    Some(UserId::of("https://id.example.org", "bob"))
}

fn here() -> Source {
    Source {
        address: Some([192, 0, 2, 7].into()),
        is_forwarded: false,
    }
}

fn scopes() -> Scopes {
    Scopes::parse(&["read", "write"]).unwrap()
}

struct Service {
    store: Arc<MemoryItemStore>,
    tokens: ApiTokens,
    pairings: Pairings,
}

fn service() -> Service {
    let store = Arc::new(MemoryItemStore::default());
    Service {
        tokens: ApiTokens::new(Arc::clone(&store) as _, Some("key")),
        pairings: Pairings::new(Arc::clone(&store) as _, Some("key")),
        store,
    }
}

impl Service {
    async fn begin(&self) -> NewPairing {
        let client = TokenLabel::parse("fshare on laptop").unwrap();
        self.pairings.begin(&client, here(), now()).await.unwrap()
    }

    async fn redeem(&self, code: &str, at: Timestamp) -> Redemption {
        self.pairings.redeem(code, &self.tokens, at).await.unwrap()
    }

    async fn approve(&self, typed: &str, by: Option<UserId>) -> Result<PairingId, ApproveError> {
        let stamp = SecurityStamp::default();
        self.pairings
            .approve(typed, by, scopes(), stamp, now())
            .await
    }
}

fn is_pending(redemption: &Redemption) -> bool {
    matches!(redemption, Redemption::Pending)
}

fn is_gone(redemption: &Redemption) -> bool {
    matches!(redemption, Redemption::Gone)
}

fn is_unknown<T>(outcome: &Result<T, ApproveError>) -> bool {
    matches!(outcome, Err(ApproveError::Unknown))
}

#[tokio::test]
async fn a_program_gets_a_token_of_who_typed_its_code_and_gets_it_once() {
    let service = service();
    for by in [alice(), None] {
        let pairing = service.begin().await;
        let (device_code, id) = (pairing.device_code.expose(), pairing.id.clone());
        assert!(is_pending(&service.redeem(device_code, now()).await));
        let typed = pairing.user_code.to_string().to_lowercase();
        service.approve(&typed, by).await.unwrap();
        let redeemed = service.redeem(device_code, now()).await;
        let Redemption::Approved {
            pairing,
            text,
            token: info,
        } = redeemed
        else {
            panic!("it was approved");
        };
        assert_eq!(pairing, id);
        assert_eq!((info.owner, info.scopes), (by, scopes()));
        assert_eq!(info.label.as_str(), "fshare on laptop");
        let caller = service.tokens.verify(text.expose(), now()).await.unwrap();
        assert_eq!(caller.unwrap().id, info.id);
        assert!(is_gone(&service.redeem(device_code, now()).await));
        assert!(is_unknown(&service.approve(&typed, by).await));
    }
}

#[tokio::test]
async fn of_many_who_redeem_at_once_exactly_one_gets_a_token() {
    let service = Arc::new(service());
    let pairing = service.begin().await;
    let typed = pairing.user_code.to_string();
    service.approve(&typed, alice()).await.unwrap();
    let redeemers = (0..32).map(|_| {
        let (service, code) = (Arc::clone(&service), pairing.device_code.clone());
        tokio::spawn(async move { service.redeem(code.expose(), now()).await })
    });
    let outcomes = futures_util::future::join_all(redeemers).await;
    let outcomes = outcomes.into_iter().map(Result::unwrap);
    let (gone, given): (Vec<_>, Vec<_>) = outcomes.partition(is_gone);
    assert_eq!((gone.len(), given.len()), (31, 1));
    assert_eq!(service.tokens.list(alice(), now()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_person_sees_what_asks_and_from_where_before_they_let_it_in() {
    let service = service();
    let pairing = service.begin().await;
    let typed = pairing.user_code.to_string();
    let look = async || service.pairings.look(&typed, alice(), now()).await;
    let seen = look().await.unwrap();
    assert_eq!(seen.client.as_str(), "fshare on laptop");
    assert_eq!(seen.from, Some([192, 0, 2, 7].into()));
    assert_eq!(
        (seen.began_at, seen.expires_at),
        (now(), now() + PAIRING_LIFETIME)
    );
    service.approve(&typed, alice()).await.unwrap();
    assert!(is_unknown(&look().await));
}

#[tokio::test]
async fn the_address_of_a_proxy_is_not_where_a_program_is() {
    let service = service();
    let client = TokenLabel::parse("fshare on laptop").unwrap();
    let passed_on = Source {
        is_forwarded: true,
        ..here()
    };
    let begun = service.pairings.begin(&client, passed_on, now()).await;
    let typed = begun.unwrap().user_code.to_string();
    let seen = service.pairings.look(&typed, alice(), now()).await.unwrap();
    assert_eq!(seen.from, None);
}

#[tokio::test]
async fn a_pairing_is_gone_after_five_minutes_approved_or_not() {
    let service = service();
    let (waits, approved) = (service.begin().await, service.begin().await);
    let typed = approved.user_code.to_string();
    service.approve(&typed, alice()).await.unwrap();
    let end = now() + Duration::from_secs(5 * 60);
    let just_before = end - Duration::from_millis(1);
    assert!(is_pending(
        &service
            .redeem(waits.device_code.expose(), just_before)
            .await
    ));
    for pairing in [&waits, &approved] {
        assert_eq!(pairing.expires_at, end);
        assert!(is_gone(
            &service.redeem(pairing.device_code.expose(), end).await
        ));
        let typed = pairing.user_code.to_string();
        let late = service
            .pairings
            .approve(&typed, alice(), scopes(), SecurityStamp::default(), end)
            .await;
        assert!(is_unknown(&late));
    }
}

#[tokio::test]
async fn the_user_code_alone_redeems_nothing_and_nothing_stored_does() {
    let service = service();
    let pairing = service.begin().await;
    let stored = format!("{:?}", service.store.everything());
    let code = pairing.device_code.expose();
    assert!(!stored.contains(&code[12..28]), "{stored}");
    let typed = pairing.user_code.to_string();
    service.approve(&typed, alice()).await.unwrap();
    let mut guessed = code.to_owned();
    let other = if guessed.pop() == Some('0') { '1' } else { '0' };
    guessed.push(other);
    for wrong in [guessed.as_str(), &typed, "", &code[..code.len() - 1]] {
        assert!(is_gone(&service.redeem(wrong, now()).await), "{wrong}");
    }
    let redeemed = service.redeem(code, now()).await;
    assert!(matches!(redeemed, Redemption::Approved { .. }));
}

#[tokio::test]
async fn whoever_approves_again_changes_nothing_and_others_can_not_take_it_over() {
    let service = service();
    let pairing = service.begin().await;
    let typed = pairing.user_code.to_string();
    service.approve(&typed, alice()).await.unwrap();
    service.approve(&typed, alice()).await.unwrap();
    assert!(is_unknown(&service.approve(&typed, bob()).await));
    let redeemed = service.redeem(pairing.device_code.expose(), now()).await;
    assert!(matches!(redeemed, Redemption::Approved { token, .. } if token.owner == alice()));
}

#[tokio::test]
async fn of_many_people_who_approve_one_code_exactly_one_does() {
    let service = Arc::new(service());
    let pairing = service.begin().await;
    let typed = pairing.user_code.to_string();
    let people = (0..16).map(|n| {
        let (service, typed) = (Arc::clone(&service), typed.clone());
        let person = Some(UserId::of("https://id.example.org", &format!("{n}")));
        tokio::spawn(async move { service.approve(&typed, person).await.is_ok() })
    });
    let outcomes = futures_util::future::join_all(people).await;
    let approved = outcomes.into_iter().filter(|it| matches!(it, Ok(true)));
    assert_eq!(approved.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn whoever_types_codes_that_are_none_has_to_wait_and_finds_none_meanwhile() {
    let service = service();
    let pairing = service.begin().await;
    let typed = pairing.user_code.to_string();
    let wrong = UserCode::random().unwrap().to_string();
    // What can't be a code counts for nothing.
    for _ in 0..2 * MAX_TRIES {
        assert!(is_unknown(&service.approve("hello", bob()).await));
    }
    for _ in 0..MAX_TRIES {
        assert!(is_unknown(&service.approve(&wrong, bob()).await));
    }
    let refused = service.approve(&typed, bob()).await;
    assert!(matches!(refused, Err(ApproveError::TooManyTries { .. })));
    let refused = service.pairings.look(&typed, bob(), now()).await;
    assert!(matches!(refused, Err(ApproveError::TooManyTries { .. })));
    service.approve(&typed, alice()).await.unwrap();
    tokio::time::advance(TRIES_PERIOD / MAX_TRIES).await;
    assert!(is_unknown(&service.approve(&wrong, bob()).await));
}

#[tokio::test(start_paused = true)]
async fn no_more_pairings_of_an_address_begin_than_may_wait() {
    let service = service();
    for _ in 0..MAX_PAIRINGS_OF_ADDRESS {
        service.begin().await;
    }
    let client = TokenLabel::parse("one more").unwrap();
    // Whatever it says of proxies.
    for is_forwarded in [false, true] {
        let from = Source {
            is_forwarded,
            ..here()
        };
        let refused = service.pairings.begin(&client, from, now()).await;
        assert!(matches!(refused, Err(BeginError::TooManyOfAddress { .. })));
    }
    tokio::time::advance(PAIRING_LIFETIME).await;
    service.begin().await;
}

#[tokio::test]
async fn what_an_operator_approved_is_worth_nothing_once_their_key_was_replaced() {
    let service = service();
    let (of_operator, of_alice) = (service.begin().await, service.begin().await);
    for (pairing, by) in [(&of_operator, None), (&of_alice, alice())] {
        service
            .approve(&pairing.user_code.to_string(), by)
            .await
            .unwrap();
    }
    // The same store under another key, or where nobody is asked.
    for operator in [Some("another-key"), None] {
        let tokens = ApiTokens::new(Arc::clone(&service.store) as _, operator);
        let later = Pairings::new(Arc::clone(&service.store) as _, operator);
        let code = of_operator.device_code.expose();
        let redeemed = later.redeem(code, &tokens, now()).await.unwrap();
        assert!(is_gone(&redeemed));
    }
    for pairing in [&of_operator, &of_alice] {
        let redeemed = service.redeem(pairing.device_code.expose(), now()).await;
        assert!(matches!(redeemed, Redemption::Approved { .. }));
    }
}

#[tokio::test]
async fn a_store_that_is_away_is_no_pairing_that_is_gone() {
    let service = service();
    let pairing = service.begin().await;
    service.store.set_fault(Some("away"));
    let code = pairing.device_code.expose();
    let redeemed = service.pairings.redeem(code, &service.tokens, now()).await;
    assert!(matches!(redeemed, Err(CreateTokenError::Store(_))));
    let typed = pairing.user_code.to_string();
    let approved = service.approve(&typed, alice()).await;
    assert!(matches!(approved, Err(ApproveError::Store(_))));
}
