//! Who may have how much.
//!
//! Invariant: whoever creates files with a quota set is charged for them, also where they themselves have no limit, so
//! that what is kept holds when their role or the setting changes. Where no quota is set, a create is the write that it
//! always was.
//!
//! What is counted are the files of an owner: those that they create, and those that are handed in to their boxes. A
//! role comes with a sign-in and is kept nowhere: programs with a token and whoever hands in are charged under the quota
//! of members, unless the person has one of their own.
//!
//! Absent on purpose: the operator, who has none.

use std::sync::Arc;

use crate::access::{Caller, Role};
use crate::config::QuotaSettings;
use crate::domain::{Quota, Usage, UserId};
use crate::metadata_store::usage::{ChargedInsert, NewRecord, UsageStore};
use crate::store_error::StoreError;

/// The quotas of a service. By default there are none.
#[derive(Clone, Default)]
pub struct Quotas(Option<Arc<Kept>>);

struct Kept {
    store: Arc<dyn UsageStore>,
    settings: QuotaSettings,
}

/// What one create is charged under.
pub struct Charged<'a> {
    store: &'a dyn UsageStore,
    quota: Quota,
}

impl Quotas {
    /// None.
    pub fn off() -> Self {
        Self::default()
    }

    /// Those of the settings, with what everybody has kept in this store; none if none is set.
    pub fn new(settings: QuotaSettings, store: &Arc<dyn UsageStore>) -> Self {
        Self(settings.is_on().then(|| {
            let store = Arc::clone(store);
            Arc::new(Kept { store, settings })
        }))
    }

    /// What a create of this caller is charged under; `None`: it is charged to nobody.
    pub fn of_caller(&self, caller: &Caller) -> Option<Charged<'_>> {
        self.charged(caller.owner()?, is_admin(caller))
    }

    /// What a file is charged under that is handed in to a box of this owner's; `None`: it is charged to nobody.
    pub fn of_box(&self, owner: Option<UserId>) -> Option<Charged<'_>> {
        self.charged(owner?, false)
    }

    fn charged(&self, owner: UserId, is_admin: bool) -> Option<Charged<'_>> {
        let kept = self.0.as_deref()?;
        Some(Charged {
            store: &*kept.store,
            quota: kept.settings.of(owner, is_admin),
        })
    }

    /// How much this caller has, and may have; `None` where nothing is bounded.
    ///
    /// # Errors
    /// A store's fault.
    pub async fn describe(&self, caller: &Caller) -> Result<Option<(Usage, Quota)>, StoreError> {
        let Some(owner) = caller.owner() else {
            return Ok(None);
        };
        match self.charged(owner, is_admin(caller)) {
            Some(Charged { store, quota }) if !quota.is_off() => {
                Ok(Some((store.usage(owner).await?, quota)))
            }
            _ => Ok(None),
        }
    }
}

fn is_admin(caller: &Caller) -> bool {
    matches!(caller, Caller::User(person) if person.role == Role::Admin)
}

impl Charged<'_> {
    /// What whoever is charged may have.
    pub fn quota(&self) -> Quota {
        self.quota
    }

    /// Adds the record, if it fits.
    ///
    /// # Errors
    /// A store's fault.
    pub async fn insert(&self, new: NewRecord<'_>) -> Result<ChargedInsert, StoreError> {
        self.store.insert_charged(new, &self.quota).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Person, Scopes, TokenCaller, TokenId};
    use crate::domain::Timestamp;
    use crate::metadata_store::memory::MemoryMetadataStore;

    fn bytes(max_bytes: u64) -> Quota {
        Quota {
            max_files: None,
            max_bytes: Some(max_bytes),
        }
    }

    fn settings(quota_bytes: &str) -> QuotaSettings {
        QuotaSettings::judged(quota_bytes, "off").unwrap()
    }

    fn person(role: Role) -> Caller {
        Caller::User(Arc::new(Person {
            id: UserId::of("https://id.example.org", "ada"),
            role,
            name: None,
        }))
    }

    #[test]
    fn a_person_has_the_quota_of_their_role_and_the_operator_none() {
        let store: Arc<dyn UsageStore> = Arc::new(MemoryMetadataStore::default());
        let settings = settings("10,admin=off");
        let quotas = Quotas::new(settings, &store);
        let quota = |caller| quotas.of_caller(&caller).map(|it| it.quota);
        assert_eq!(quota(person(Role::Member)), Some(bytes(10)));
        // Charged, and bounded by nothing.
        assert_eq!(quota(person(Role::Admin)), Some(Quota::default()));
        assert_eq!(quota(Caller::Operator), None);
        let owner = UserId::of("https://id.example.org", "ada");
        assert_eq!(
            quotas.of_box(Some(owner)).map(|it| it.quota),
            Some(bytes(10))
        );
        assert!(quotas.of_box(None).is_none());
        let none = Quotas::new(QuotaSettings::default(), &store);
        assert!(none.of_caller(&person(Role::Member)).is_none());
    }

    #[test]
    fn a_quota_of_ones_own_holds_in_every_role_for_programs_and_for_boxes() {
        let store: Arc<dyn UsageStore> = Arc::new(MemoryMetadataStore::default());
        let owner = UserId::of("https://id.example.org", "ada");
        let quotas = Quotas::new(settings(&format!("10,admin=off,{owner}=99")), &store);
        let program = Caller::Token(Arc::new(TokenCaller {
            id: TokenId::of_digest(&[0; 32]),
            owner: Some(owner),
            scopes: Scopes::default(),
            expires_at: Timestamp::MAX_UTC,
        }));
        for caller in [person(Role::Member), person(Role::Admin), program] {
            assert_eq!(
                quotas.of_caller(&caller).map(|it| it.quota),
                Some(bytes(99))
            );
        }
        let of_box = quotas.of_box(Some(owner));
        assert_eq!(of_box.map(|it| it.quota), Some(bytes(99)));
    }

    #[tokio::test]
    async fn who_has_no_limit_is_told_of_none() {
        let store: Arc<dyn UsageStore> = Arc::new(MemoryMetadataStore::default());
        let settings = settings("10,admin=off");
        let quotas = Quotas::new(settings, &store);
        let told = |caller| {
            let quotas = quotas.clone();
            async move { quotas.describe(&caller).await.unwrap() }
        };
        let nothing = Usage::default();
        assert_eq!(told(person(Role::Member)).await, Some((nothing, bytes(10))));
        assert_eq!(told(person(Role::Admin)).await, None);
        assert_eq!(told(Caller::Operator).await, None);
    }
}
