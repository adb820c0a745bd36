//! What is true of every token, and what is refused.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::domain::from_millis;
use crate::secret_file::SecretError;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const OTHER: &str = "fedcba9876543210fedcba9876543210";

fn keys(secret: &str) -> CapabilityKeys {
    CapabilityKeys::of_secrets(secret, [])
}

fn labels() -> impl Strategy<Value = CapabilityLabel> {
    select(CapabilityLabel::ALL.to_vec())
}

/// Any ID, and so any item in any generation.
fn ids() -> impl Strategy<Value = CapabilityId> {
    any::<[u8; ID_BYTES]>().prop_map(CapabilityId::from_bytes)
}

fn decoded(token: &CapabilityToken) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(token.expose()).unwrap()
}

proptest! {
    #[test]
    fn a_token_names_what_it_was_signed_for_and_is_short_and_fit_for_a_path(
        id in ids(), label in labels()
    ) {
        let token = keys(SECRET).sign(label, id);
        prop_assert_eq!(keys(SECRET).verify(label, token.expose()), Some(id));
        prop_assert_eq!(token.expose().len(), TOKEN_CHARACTERS);
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        prop_assert!(token.expose().bytes().all(fits));
    }

    #[test]
    fn a_token_with_any_bit_changed_is_none(
        id in ids(), label in labels(), bit in 0..8 * (ID_BYTES + TAG_BYTES)
    ) {
        let mut bytes = decoded(&keys(SECRET).sign(label, id));
        bytes[bit / 8] ^= 1 << (bit % 8);
        prop_assert_eq!(keys(SECRET).verify(label, &URL_SAFE_NO_PAD.encode(bytes)), None);
    }

    /// Also in the two bits of the last character that mean nothing: a token has one text.
    #[test]
    fn a_token_with_any_character_changed_is_none(
        id in ids(), label in labels(), at in 0..TOKEN_CHARACTERS, other in any::<char>()
    ) {
        let token = keys(SECRET).sign(label, id);
        let mut text: Vec<char> = token.expose().chars().collect();
        prop_assume!(text[at] != other);
        text[at] = other;
        let text: String = text.into_iter().collect();
        prop_assert_eq!(keys(SECRET).verify(label, &text), None);
    }

    #[test]
    fn a_token_for_something_else_is_none(id in ids(), label in labels(), other in labels()) {
        prop_assume!(label != other);
        let token = keys(SECRET).sign(label, id);
        prop_assert_eq!(keys(SECRET).verify(other, token.expose()), None);
    }

    #[test]
    fn a_token_of_another_secret_is_none(id in ids(), label in labels()) {
        let token = keys(OTHER).sign(label, id);
        prop_assert_eq!(keys(SECRET).verify(label, token.expose()), None);
    }

    #[test]
    fn the_first_secret_signs_and_tokens_of_all_hold(id in ids(), label in labels()) {
        let before = keys(SECRET).sign(label, id);
        let both = CapabilityKeys::of_secrets(OTHER, [SECRET]);
        let after = both.sign(label, id);
        prop_assert_eq!(after.expose(), keys(OTHER).sign(label, id).expose().to_owned());
        for token in [before, after] {
            prop_assert_eq!(both.verify(label, token.expose()), Some(id));
        }
    }

    /// So a token of before a renewal is known as such without a store, and can't be made into one of after it.
    #[test]
    fn a_token_says_which_generation_it_is_of_and_no_other(
        item in any::<[u8; RENEWABLE_BYTES]>(), number in any::<u16>(), age in any::<u64>(), label in labels()
    ) {
        let item = RenewableId::from_bytes(item);
        let generation = Generation::from_number(number);
        let id = CapabilityId::of(item, generation);
        prop_assert_eq!(id.item(), (item, generation));
        let token = keys(SECRET).sign(label, id);
        let known = keys(SECRET).verify(label, token.expose()).unwrap();
        prop_assert_eq!(known.item(), (item, generation));
        let Some(next) = generation.next(Duration::from_secs(age)) else {
            return Ok(());
        };
        prop_assert!(next > generation);
        let mut renewed = decoded(&token);
        renewed[..ID_BYTES].copy_from_slice(CapabilityId::of(item, next).as_bytes());
        prop_assert_eq!(keys(SECRET).verify(label, &URL_SAFE_NO_PAD.encode(renewed)), None);
    }

    #[test]
    fn what_is_no_token_is_none_whatever_it_is(text in any::<String>(), label in labels()) {
        prop_assert_eq!(keys(SECRET).verify(label, &text), None);
    }

    #[test]
    fn an_id_of_an_item_reads_back_in_one_spelling(bytes in any::<[u8; RENEWABLE_BYTES]>()) {
        let id = RenewableId::from_bytes(bytes);
        let text = id.to_string();
        prop_assert_eq!(text.len(), RENEWABLE_ID_CHARACTERS);
        prop_assert_eq!(RenewableId::parse(&text), Ok(id));
        for other in [text[1..].to_owned(), text.clone() + "0", format!("{text}00"), text.to_uppercase()] {
            prop_assert_eq!(RenewableId::parse(&other).is_ok(), other == text);
        }
    }

    #[test]
    fn what_is_younger_comes_first(millis in 0_i64..(1 << 47), later in 1_i64..1_000_000_000) {
        let at = |millis| RenewableId::new(from_millis(millis).unwrap()).unwrap().to_string();
        prop_assert!(at(millis + later) < at(millis));
        prop_assert_ne!(at(millis), at(millis));
    }
}

/// What is written down, mailed or stored goes on holding: this very token must be known for ever.
#[test]
fn tokens_are_made_as_they_always_were() {
    let id = CapabilityId::from_bytes(std::array::from_fn(|at| u8::try_from(at).unwrap()));
    let token = keys(SECRET).sign(CapabilityLabel::Link, id);
    assert_eq!(
        token.expose(),
        "AAECAwQFBgcICQoLDA0OD1R1e1i4RFH8dn43leJErtA"
    );
}

#[test]
fn an_item_that_was_renewed_as_often_as_it_can_be_is_not_the_first_again() {
    assert_eq!(Generation::FIRST.number(), 0);
    for age in [Duration::ZERO, Duration::MAX] {
        assert_eq!(Generation::from_number(u16::MAX).next(age), None);
        assert!(Generation::from_number(u16::MAX - 1).next(age).is_some());
    }
}

/// A database that was restored doesn't know what was renewed since.
#[test]
fn a_renewal_after_an_older_database_came_back_brings_no_earlier_token_back() {
    const HOUR: Duration = Duration::from_secs(3600);
    let kept = Generation::FIRST;
    let mut given = Vec::new();
    let mut latest = kept;
    for renewed_at in [HOUR / 2, HOUR, 50 * HOUR, 50 * HOUR] {
        latest = latest.next(renewed_at).unwrap();
        given.push(latest);
    }
    assert!(given.is_sorted_by(|one, other| one < other), "{given:?}");
    // In the next hour, or when the item is as old as none is.
    for age in [52 * HOUR, 20_000 * HOUR, u32::MAX * HOUR] {
        let again = kept.next(age).unwrap();
        assert!(!given.contains(&again), "{again:?} of {given:?}");
        // And there is room to renew it on.
        assert!(u16::MAX - again.number() > 10_000);
    }
}

#[test]
fn what_comes_along_behind_a_link_is_left_out() {
    let token = keys(SECRET).sign(
        CapabilityLabel::Link,
        CapabilityId::from_bytes([0xff; ID_BYTES]),
    );
    for behind in ["", "/", ".", ")", ">", ",", "/).,>"] {
        let copied = format!("{}{behind}", token.expose());
        assert_eq!(without_trailing_punctuation(&copied), token.expose());
    }
    assert_eq!(without_trailing_punctuation("/./"), "");
}

#[test]
fn no_secret_and_no_token_prints() {
    let keys = keys(SECRET);
    let token = keys.sign(
        CapabilityLabel::Drop,
        CapabilityId::from_bytes([7; ID_BYTES]),
    );
    let printed = format!("{keys:?} {token:?}");
    assert_eq!(printed, "CapabilityKeys CapabilityToken");
}

#[test]
fn local_mode_makes_a_secret_once_that_only_its_owner_can_read() {
    let dir = tempfile::tempdir().unwrap();
    let id = CapabilityId::from_bytes([1; ID_BYTES]);
    let label = CapabilityLabel::Submission;
    let token = CapabilityKeys::load_or_create(dir.path())
        .unwrap()
        .sign(label, id);
    let again = CapabilityKeys::load_or_create(dir.path()).unwrap();
    assert_eq!(again.verify(label, token.expose()), Some(id));
    let path = dir.path().join("link-secret");
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let elsewhere = tempfile::tempdir().unwrap();
    let other = CapabilityKeys::load_or_create(elsewhere.path()).unwrap();
    assert_eq!(other.verify(label, token.expose()), None);
    fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
    let refused = CapabilityKeys::load_or_create(dir.path()).unwrap_err();
    assert!(matches!(refused, SecretError::Exposed { mode: 0o640, .. }));
}
