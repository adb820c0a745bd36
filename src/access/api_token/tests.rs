//! The life of a token, on a store in memory.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use tokio::sync::Notify;

use super::*;
use crate::access::Scopes;
use crate::access::revocation::SecurityStamp;
use crate::domain::from_millis;
use crate::item_store::ItemPage;
use crate::item_store::memory::MemoryItemStore;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How often other tasks get their turn until what is waited for has to be there.
const TURNS: usize = 1_000;

/// A moment that is no beginning of a half minute.
fn now() -> Timestamp {
    from_millis(1_790_000_007_123).unwrap()
}

fn alice() -> Option<UserId> {
    Some(UserId::of("https://id.example.org", "alice"))
}

fn bob() -> Option<UserId> {
    Some(UserId::of("https://id.example.org", "bob"))
}

fn wanted(owner: Option<UserId>) -> NewToken {
    NewToken {
        owner,
        label: TokenLabel::parse("build server").unwrap(),
        scopes: Scopes::parse(&["read", "write"]).unwrap(),
        expires_at: None,
        stamp: SecurityStamp::default(),
    }
}

fn new_tokens() -> (Arc<MemoryItemStore>, ApiTokens) {
    let store = Arc::new(MemoryItemStore::default());
    let tokens = ApiTokens::new(Arc::clone(&store) as _, Some("key"));
    (store, tokens)
}

async fn create(tokens: &ApiTokens, owner: Option<UserId>) -> (String, TokenInfo) {
    let (text, info) = tokens.create(wanted(owner), now()).await.unwrap();
    (text.expose().to_owned(), info)
}

async fn holds(tokens: &ApiTokens, text: &str, at: Timestamp) -> bool {
    tokens.verify(text, at).await.unwrap().is_some()
}

/// When the only token of the operator was used last, once it says something else than `before`.
async fn next_use(tokens: &ApiTokens, before: Option<Timestamp>) -> Option<Timestamp> {
    for _ in 0..TURNS {
        let listed = tokens.list(None, now()).await.unwrap();
        if listed[0].last_used_at != before {
            return listed[0].last_used_at;
        }
        tokio::task::yield_now().await;
    }
    before
}

#[tokio::test]
async fn a_token_says_for_whom_it_acts_and_what_it_may_do() {
    let (_, tokens) = new_tokens();
    for owner in [alice(), None] {
        let (text, info) = create(&tokens, owner).await;
        let caller = tokens.verify(&text, now()).await.unwrap().unwrap();
        let expected = TokenCaller {
            id: info.id,
            owner,
            scopes: Scopes::parse(&["read", "write"]).unwrap(),
            expires_at: now() + 90 * DAY,
        };
        assert_eq!(*caller, expected);
        // And again, by what is remembered.
        let again = tokens.verify(&text, now()).await.unwrap();
        assert_eq!(again.as_deref(), Some(&expected));
    }
}

#[tokio::test]
async fn the_operators_tokens_end_with_what_made_the_operator_and_a_persons_do_not() {
    let (store, tokens) = new_tokens();
    let (of_operator, info) = create(&tokens, None).await;
    let (of_alice, _) = create(&tokens, alice()).await;
    // Another key, and a service whose operator nobody can be.
    for fingerprint in [Some("another"), None] {
        let later = ApiTokens::new(Arc::clone(&store) as _, fingerprint);
        assert!(!holds(&later, &of_operator, now()).await, "{fingerprint:?}");
        assert!(holds(&later, &of_alice, now()).await, "{fingerprint:?}");
        assert_eq!(later.list(None, now()).await.unwrap(), []);
        assert!(!later.revoke(None, info.id, now()).await.unwrap());
        assert_eq!(later.revoke_all(None, now()).await.unwrap(), 0);
    }
    let open = ApiTokens::new(Arc::clone(&store) as _, None);
    let made = open.create(wanted(None), now()).await;
    assert!(matches!(made, Err(CreateTokenError::NoOperator)));
    assert!(holds(&tokens, &of_operator, now()).await);
}

#[tokio::test]
async fn a_token_is_stored_in_no_form_that_could_be_used() {
    let (store, tokens) = new_tokens();
    let (text, _) = create(&tokens, alice()).await;
    for item in store.everything() {
        let all = format!("{item:?}");
        assert!(!all.contains(&text) && !all.contains(&text[4..20]), "{all}");
    }
    assert_eq!(store.everything().len(), 1);
}

#[tokio::test]
async fn what_is_no_token_is_refused_without_a_look_into_the_store() {
    let (store, tokens) = new_tokens();
    let (text, _) = create(&tokens, None).await;
    store.set_fault(Some("away"));
    let mut mistyped = text.clone().into_bytes();
    mistyped[9] = if mistyped[9] == b'a' { b'b' } else { b'a' };
    let mistyped = String::from_utf8(mistyped).unwrap();
    for other in ["", "fst_", "fsk_abc", mistyped.as_str(), &text[1..]] {
        assert_eq!(tokens.verify(other, now()).await.unwrap(), None, "{other}");
    }
    // One that could be a token is asked for.
    tokens.verify(&text, now()).await.unwrap_err();
}

#[tokio::test]
async fn a_token_that_nobody_made_is_none() {
    let (_, tokens) = new_tokens();
    let (_, others) = new_tokens();
    let (text, _) = create(&others, None).await;
    assert!(!holds(&tokens, &text, now()).await);
}

#[tokio::test]
async fn a_token_that_shares_only_its_id_with_one_that_holds_is_none() {
    let (store, tokens) = new_tokens();
    let (text, _) = create(&tokens, None).await;
    let mut item = store.everything().remove(0);
    let mut body: serde_json::Value = item.body.read().unwrap();
    let digest = body["sha256"].as_str().unwrap();
    let last = if digest.ends_with('0') { "1" } else { "0" };
    body["sha256"] = format!("{}{last}", &digest[..63]).into();
    item.body = ItemBody::of(&body).unwrap();
    assert!(store.replace(&item, now()).await.unwrap());
    assert!(!holds(&tokens, &text, now()).await);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_over_at_its_moment_also_while_it_is_remembered() {
    let (_, tokens) = new_tokens();
    let mut wanted = wanted(None);
    wanted.expires_at = Some(now() + MINUTE);
    let (text, info) = tokens.create(wanted, now()).await.unwrap();
    assert_eq!(info.expires_at, now() + MINUTE);
    let just_before = info.expires_at - Duration::from_millis(1);
    assert!(holds(&tokens, text.expose(), just_before).await);
    assert!(!holds(&tokens, text.expose(), info.expires_at).await);
    tokio::time::advance(REMEMBERED).await;
    assert!(!holds(&tokens, text.expose(), info.expires_at).await);
}

#[tokio::test]
async fn a_token_lives_for_ninety_days_and_for_a_year_at_most() {
    let (_, tokens) = new_tokens();
    assert_eq!(create(&tokens, None).await.1.expires_at, now() + 90 * DAY);
    for (at, is_taken) in [
        (now() + 365 * DAY, true),
        (now() + 365 * DAY + Duration::from_millis(1), false),
        (now(), false),
        (now() - DAY, false),
    ] {
        let mut wanted = wanted(None);
        wanted.expires_at = Some(at);
        match tokens.create(wanted, now()).await {
            Ok(_) => assert!(is_taken, "{at}"),
            Err(CreateTokenError::Expiry(_)) => assert!(!is_taken, "{at}"),
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_is_remembered_for_half_a_minute_and_no_longer() {
    let (store, tokens) = new_tokens();
    let (text, _) = create(&tokens, None).await;
    assert!(holds(&tokens, &text, now()).await);
    store.set_fault(Some("away"));
    tokio::time::advance(REMEMBERED - Duration::from_millis(1)).await;
    assert!(holds(&tokens, &text, now()).await);
    tokio::time::advance(Duration::from_millis(1)).await;
    tokens.verify(&text, now()).await.unwrap_err();
    store.set_fault(None);
    assert!(holds(&tokens, &text, now()).await);
}

#[tokio::test(start_paused = true)]
async fn a_revoked_token_is_refused_at_once_here_and_within_half_a_minute_elsewhere() {
    let (store, tokens) = new_tokens();
    let elsewhere = ApiTokens::new(Arc::clone(&store) as _, Some("key"));
    let (text, info) = create(&tokens, alice()).await;
    assert!(holds(&tokens, &text, now()).await);
    assert!(holds(&elsewhere, &text, now()).await);
    assert!(tokens.revoke(alice(), info.id, now()).await.unwrap());
    assert!(!holds(&tokens, &text, now()).await);
    tokio::time::advance(REMEMBERED).await;
    assert!(!holds(&elsewhere, &text, now()).await);
    assert!(!tokens.revoke(alice(), info.id, now()).await.unwrap());
}

#[tokio::test]
async fn nobody_revokes_or_lists_the_tokens_of_others() {
    let (_, tokens) = new_tokens();
    let (text, info) = create(&tokens, alice()).await;
    for other in [bob(), None] {
        assert!(!tokens.revoke(other, info.id, now()).await.unwrap());
        assert_eq!(tokens.revoke_all(other, now()).await.unwrap(), 0);
        assert_eq!(tokens.list(other, now()).await.unwrap(), []);
    }
    assert!(holds(&tokens, &text, now()).await);
    assert_eq!(tokens.list(alice(), now()).await.unwrap(), [info]);
}

#[tokio::test]
async fn all_tokens_of_whoever_left_are_revoked_and_those_of_others_stay() {
    let (_, tokens) = new_tokens();
    let mut of_alice = Vec::new();
    for _ in 0..5 {
        of_alice.push(create(&tokens, alice()).await.0);
    }
    let (of_bob, _) = create(&tokens, bob()).await;
    for text in &of_alice {
        assert!(holds(&tokens, text, now()).await);
    }
    assert_eq!(tokens.revoke_all(alice(), now()).await.unwrap(), 5);
    for text in &of_alice {
        assert!(!holds(&tokens, text, now()).await);
    }
    assert!(holds(&tokens, &of_bob, now()).await);
}

#[tokio::test]
async fn a_list_has_the_newest_first_and_none_that_is_over() {
    let (_, tokens) = new_tokens();
    let mut made = Vec::new();
    for n in 0..3 {
        let at = now() + n * MINUTE;
        made.push(tokens.create(wanted(alice()), at).await.unwrap().1);
    }
    made.reverse();
    assert_eq!(tokens.list(alice(), now()).await.unwrap(), made);
    let over = made[2].expires_at;
    assert_eq!(tokens.list(alice(), over).await.unwrap(), made[..2]);
}

#[tokio::test]
async fn an_owner_has_a_hundred_tokens_at_most_however_many_are_made_at_once() {
    let (_, tokens) = new_tokens();
    let tokens = Arc::new(tokens);
    let makers = (0..MAX_TOKENS + 20).map(|_| {
        let tokens = Arc::clone(&tokens);
        tokio::spawn(async move { tokens.create(wanted(alice()), now()).await })
    });
    let mut made = 0;
    for outcome in futures_util::future::join_all(makers).await {
        match outcome.unwrap() {
            Ok(_) => made += 1,
            Err(CreateTokenError::TooMany) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(made, MAX_TOKENS);
    // Others aren't concerned, and one that is revoked makes room.
    create(&tokens, bob()).await;
    let listed = tokens.list(alice(), now()).await.unwrap();
    assert_eq!(listed.len(), MAX_TOKENS);
    assert!(tokens.revoke(alice(), listed[7].id, now()).await.unwrap());
    create(&tokens, alice()).await;
}

#[tokio::test(start_paused = true)]
async fn the_last_use_is_kept_to_the_half_minute_and_written_once_in_it() {
    let (store, tokens) = new_tokens();
    let (text, info) = create(&tokens, None).await;
    assert_eq!(info.last_used_at, None);
    assert!(holds(&tokens, &text, now()).await);
    let used = next_use(&tokens, None).await;
    assert_eq!(
        used,
        from_millis(1_790_000_000_000 - 1_790_000_000_000 % 30_000)
    );
    let version = || store.everything()[0].version;
    let written = version();
    // Asked for again in the same half minute, here and by a process that remembers nothing.
    let elsewhere = ApiTokens::new(Arc::clone(&store) as _, Some("key"));
    for tokens in [&tokens, &elsewhere] {
        assert!(holds(tokens, &text, now() + Duration::from_secs(1)).await);
    }
    assert_eq!(next_use(&tokens, used).await, used);
    assert_eq!(version(), written);
    // In the next one it is looked up again.
    tokio::time::advance(REMEMBERED).await;
    assert!(holds(&tokens, &text, now() + REMEMBERED).await);
    let later = next_use(&tokens, used).await;
    assert_eq!(later, used.map(|used| used + USE_STEP));
    // A clock that was set back writes nothing.
    tokio::time::advance(REMEMBERED).await;
    let written = version();
    assert!(holds(&tokens, &text, now() - DAY).await);
    assert_eq!(next_use(&tokens, later).await, later);
    assert_eq!(version(), written);
}

#[tokio::test]
async fn what_a_later_version_stored_stays_and_gives_no_scope_that_is_not_known() {
    let (store, tokens) = new_tokens();
    let (text, _) = create(&tokens, None).await;
    let mut item = store.everything().remove(0);
    let mut body: serde_json::Value = item.body.read().unwrap();
    body["scopes"] = serde_json::json!(["read", "audit"]);
    body["boxes"] = serde_json::json!(["a"]);
    item.body = ItemBody::of(&body).unwrap();
    assert!(store.replace(&item, now()).await.unwrap());
    let caller = tokens.verify(&text, now()).await.unwrap().unwrap();
    assert_eq!(caller.scopes.names(), ["read"]);
    assert!(next_use(&tokens, None).await.is_some());
    let stored: serde_json::Value = store.everything()[0].body.read().unwrap();
    assert_eq!(
        (&stored["scopes"], &stored["boxes"]),
        (&body["scopes"], &body["boxes"])
    );
}

#[tokio::test]
async fn a_label_is_something_that_people_can_see() {
    let longest = "ä".repeat(MAX_LABEL_CHARACTERS);
    assert_eq!(
        TokenLabel::parse(" CI – build ").unwrap().as_str(),
        "CI – build"
    );
    assert!(TokenLabel::parse(&longest).is_ok());
    for text in ["", "  ", "a\nb", "a\u{202E}b", &format!("{longest}x")] {
        assert!(TokenLabel::parse(text).is_err(), "{text:?}");
    }
}

/// A store whose first read, once it is told so, is answered only when that is allowed; and whose writes fail
/// where they are told to.
#[derive(Default)]
struct Held {
    store: MemoryItemStore,
    hold: AtomicBool,
    is_read: Notify,
    go_on: Notify,
    replaces_fail: AtomicBool,
}

#[async_trait]
impl ItemStore for Held {
    async fn put_new(&self, item: &Item, now: Timestamp) -> Result<bool, StoreError> {
        self.store.put_new(item, now).await
    }

    async fn get(&self, key: &ItemKey, now: Timestamp) -> Result<Option<Item>, StoreError> {
        let read = self.store.get(key, now).await;
        if self.hold.swap(false, Ordering::Relaxed) {
            self.is_read.notify_one();
            self.go_on.notified().await;
        }
        read
    }

    async fn replace(&self, item: &Item, now: Timestamp) -> Result<bool, StoreError> {
        match self.replaces_fail.load(Ordering::Relaxed) {
            true => Err(StoreError::unavailable("the item store", "away")),
            false => self.store.replace(item, now).await,
        }
    }

    async fn remove(&self, key: &ItemKey, now: Timestamp) -> Result<bool, StoreError> {
        self.store.remove(key, now).await
    }

    async fn list(
        &self,
        parent: &ItemParent,
        after: Option<&ItemKey>,
        limit: usize,
        now: Timestamp,
    ) -> Result<ItemPage, StoreError> {
        self.store.list(parent, after, limit, now).await
    }
}

#[tokio::test]
async fn a_token_that_was_revoked_while_it_was_looked_up_is_not_remembered() {
    let store = Arc::new(Held::default());
    let tokens = Arc::new(ApiTokens::new(Arc::clone(&store) as _, Some("key")));
    let (text, info) = create(&tokens, None).await;
    store.hold.store(true, Ordering::Relaxed);
    let looking = tokio::spawn({
        let (tokens, text) = (Arc::clone(&tokens), text.clone());
        async move { holds(&tokens, &text, now()).await }
    });
    store.is_read.notified().await;
    assert!(tokens.revoke(None, info.id, now()).await.unwrap());
    store.go_on.notify_one();
    // That call began before, and may be taken.
    looking.await.unwrap();
    assert!(!holds(&tokens, &text, now()).await);
    // Nor does noting its use bring it back.
    for _ in 0..TURNS {
        tokio::task::yield_now().await;
    }
    assert_eq!(store.store.everything(), []);
}

#[tokio::test]
async fn a_use_that_can_not_be_written_refuses_nobody() {
    let store = Arc::new(Held::default());
    store.replaces_fail.store(true, Ordering::Relaxed);
    let tokens = ApiTokens::new(Arc::clone(&store) as _, Some("key"));
    let (text, _) = create(&tokens, None).await;
    assert!(holds(&tokens, &text, now()).await);
    for _ in 0..TURNS {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        tokens.list(None, now()).await.unwrap()[0].last_used_at,
        None
    );
    assert_eq!(tokens.uses.available_permits(), MAX_USES_IN_HAND);
}
