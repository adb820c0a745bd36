//! How much everybody has, an item for each person.
//!
//! The item is under `owner#` and the person's ID, with the number of their files (`files`) and the length of all of
//! them (`bytes`). It changes in the transactions of `inserts` and `ends`; a record that was charged names whom
//! (`chargedTo`), so it is given back once, also where nobody has a quota any more.
//!
//! Invariant: the numbers are the sums over the items with `chargedTo`, at any moment and whatever dies. The item has no
//! TTL and is in no index, so nobody but a create and an end pays for it.
//!
//! A program that knows of no quotas ends records and leaves what they were charged; [`charge_all`] takes it back, once.
//!
//! [`charge_all`]: UsageStore::charge_all
//!
//! Absent on purpose: counting while somebody waits. [`recount`](UsageStore::recount) reads the whole table, and is
//! for a person who asks for it.

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::Update;

use super::DynamoDbMetadataStore;
use super::expression::Placeholders;
use super::item::{Attributes, FILE_ID, Item, OWNER, SIZE_BYTES, STATUS, STORE, number, string};
use super::transactions::{MAX_ATTEMPTS, Written, contended, pause, update_in};
use crate::aws::unavailable;
use crate::domain::{FileId, FileRecord, Quota, Status, Usage, UserId};
use crate::metadata_store::StoreError;
use crate::metadata_store::usage::{ChargedInsert, NewRecord, Recounted, UsageStore};

const PREFIX: &str = "owner#";
const FILES: &str = "files";
const BYTES: &str = "bytes";
/// Whom a record is charged to, while it is pending or available.
pub(super) const CHARGED_TO: &str = "chargedTo";

/// What a record adds to its owner's usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Charge {
    pub(super) owner: UserId,
    pub(super) bytes: u64,
}

impl Charge {
    /// What this record would add; `None` if it is nobody's, or over.
    pub(super) fn for_record(record: &FileRecord) -> Option<Self> {
        let owner = record.owner.filter(|_| record.status().may_have_bytes())?;
        let bytes = record.declared.length.bytes();
        Some(Self { owner, bytes })
    }

    /// What the item of a file has been charged.
    pub(super) fn of(item: &Item) -> Result<Option<Self>, StoreError> {
        let attributes = Attributes(item);
        let owner = |of: &Attributes<'_>, name| of.text_as(name, UserId::parse);
        let Some(owner) = attributes.optional(CHARGED_TO, owner)? else {
            return Ok(None);
        };
        let bytes = bytes_of(attributes.number(SIZE_BYTES)?);
        Ok(Some(Self { owner, bytes }))
    }
}

/// A number below nothing was put there by somebody else, and counts as nothing.
fn bytes_of(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn usage_key(owner: UserId) -> String {
    format!("{PREFIX}{owner}")
}

fn usage_of(item: &Item) -> Result<Usage, StoreError> {
    let number = |name| Attributes(item).optional(name, Attributes::number);
    Ok(Usage {
        files: bytes_of(number(FILES)?.unwrap_or(0)),
        bytes: bytes_of(number(BYTES)?.unwrap_or(0)),
    })
}

/// What a file's item says of itself to whoever counts.
struct Counted {
    id: FileId,
    owner: UserId,
    bytes: u64,
    is_charged: bool,
}

/// `None` for what counts for nobody.
fn counted(item: &Item) -> Result<Option<Counted>, StoreError> {
    let attributes = Attributes(item);
    let owner = |of: &Attributes<'_>, name| of.text_as(name, UserId::parse);
    let Some(owner) = attributes.optional(OWNER, owner)? else {
        return Ok(None);
    };
    let status = attributes.text_as(STATUS, Status::parse)?;
    if !status.may_have_bytes() {
        return Ok(None);
    }
    Ok(Some(Counted {
        id: attributes.text_as(FILE_ID, FileId::parse)?,
        owner,
        bytes: bytes_of(attributes.number(SIZE_BYTES)?),
        is_charged: Charge::of(item)?.is_some(),
    }))
}

impl DynamoDbMetadataStore {
    /// Charges somebody for a file, if it still fits into this quota, into which it would fit alone.
    pub(super) fn charging(&self, charge: Charge, quota: &Quota) -> Result<Update, StoreError> {
        let mut placeholders = Placeholders::default();
        let (files, bytes) = (placeholders.name(FILES), placeholders.name(BYTES));
        let mut conditions = Vec::new();
        if let Some(max_files) = quota.max_files {
            let limit = placeholders.value("maxFiles", number(max_files));
            conditions.push(format!(
                "(attribute_not_exists({files}) OR {files} < {limit})"
            ));
        }
        if let Some(max_bytes) = quota.max_bytes {
            // Nobody asks for a file that alone is too much.
            let room = max_bytes.saturating_sub(charge.bytes);
            let limit = placeholders.value("room", number(room));
            conditions.push(format!(
                "(attribute_not_exists({bytes}) OR {bytes} <= {limit})"
            ));
        }
        let condition = (!conditions.is_empty()).then(|| conditions.join(" AND "));
        self.changing_usage(
            charge.owner,
            (1, signed(charge.bytes)),
            condition,
            placeholders,
        )
    }

    pub(super) fn giving_charge_back(&self, charge: Charge) -> Result<Update, StoreError> {
        let change = (-1, signed(charge.bytes).saturating_neg());
        self.changing_usage(charge.owner, change, None, Placeholders::default())
    }

    fn changing_usage(
        &self,
        owner: UserId,
        (files, bytes): (i64, i64),
        condition: Option<String>,
        mut placeholders: Placeholders,
    ) -> Result<Update, StoreError> {
        let names = (placeholders.name(FILES), placeholders.name(BYTES));
        let more_files = placeholders.value("moreFiles", number(files));
        let more_bytes = placeholders.value("moreBytes", number(bytes));
        let update = format!("ADD {} {more_files}, {} {more_bytes}", names.0, names.1);
        self.update_of(string(usage_key(owner)), update, condition, placeholders)
    }

    /// Reads the whole table, a page at a time.
    async fn each_item(
        &self,
        mut look: impl FnMut(&Item) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut start = None;
        loop {
            let output = self
                .client
                .scan()
                .table_name(&self.table)
                .consistent_read(true)
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(|error| unavailable(STORE, "Scan", &error))?;
            output.items().iter().try_for_each(&mut look)?;
            match output.last_evaluated_key {
                Some(key) => start = Some(key),
                None => return Ok(()),
            }
        }
    }

    /// Charges a record that isn't. `false`: it is, or it is over.
    async fn charge_later(&self, counted: &Counted) -> Result<bool, StoreError> {
        let charge = Charge {
            owner: counted.owner,
            bytes: counted.bytes,
        };
        let usage = self.charging(charge, &Quota::default())?;
        let changed = self.change_charge(counted.id, charge, usage, |names| {
            let ChargeNames {
                charged,
                owner,
                is_living,
            } = names;
            (
                format!("SET {charged} = {owner}"),
                format!("{is_living} AND attribute_not_exists({charged})"),
            )
        });
        changed.await
    }

    /// Gives back what a record still is charged that is over, unless somebody did.
    async fn forget_charge(&self, id: FileId, charge: Charge) -> Result<(), StoreError> {
        let usage = self.giving_charge_back(charge)?;
        let changed = self.change_charge(id, charge, usage, |names| {
            let ChargeNames {
                charged,
                owner,
                is_living,
            } = names;
            (
                format!("REMOVE {charged}"),
                format!("NOT {is_living} AND {charged} = {owner}"),
            )
        });
        changed.await.map(drop)
    }

    /// Changes whom a record is charged to, together with their usage. `expressions`: the update, and on what condition.
    /// `false`: that doesn't hold.
    async fn change_charge(
        &self,
        id: FileId,
        charge: Charge,
        usage: Update,
        expressions: impl Fn(ChargeNames) -> (String, String) + Send,
    ) -> Result<bool, StoreError> {
        let mut placeholders = Placeholders::default();
        let [status, charged] = [STATUS, CHARGED_TO].map(|it| placeholders.name(it));
        let [pending, available] = [Status::Pending, Status::Available]
            .map(|it| placeholders.value(it.as_str(), string(it.as_str())));
        let (update, condition) = expressions(ChargeNames {
            charged,
            owner: placeholders.value("owner", string(charge.owner)),
            is_living: format!("{status} IN ({pending}, {available})"),
        });
        let record = self.update_of(string(id), update, Some(condition), placeholders)?;
        for attempt in 1..=MAX_ATTEMPTS {
            let items = [record.clone(), usage.clone()].map(update_in);
            match self.write_all(items.into()).await? {
                Written::Done => return Ok(true),
                Written::ConditionFailed(_) => return Ok(false),
                Written::Conflict => pause(attempt).await,
            }
        }
        Err(contended())
    }
}

/// What stands in expressions about a record's charge.
struct ChargeNames {
    charged: String,
    owner: String,
    /// That it is pending or available.
    is_living: String,
}

/// Whether an item is a file's.
fn is_file(item: &Item) -> bool {
    Attributes(item).text_as(FILE_ID, FileId::parse).is_ok()
}

#[async_trait]
impl UsageStore for DynamoDbMetadataStore {
    async fn insert_charged(
        &self,
        new: NewRecord<'_>,
        quota: &Quota,
    ) -> Result<ChargedInsert, StoreError> {
        self.insert_all(new, Some(quota)).await
    }

    async fn usage(&self, owner: UserId) -> Result<Usage, StoreError> {
        let item = self.get_item(string(usage_key(owner))).await?;
        item.as_ref().map_or(Ok(Usage::default()), usage_of)
    }

    async fn recount(&self) -> Result<Vec<Recounted>, StoreError> {
        let mut by_owner: BTreeMap<UserId, Recounted> = BTreeMap::new();
        let nothing = |owner| Recounted {
            owner,
            kept: Usage::default(),
            counted: Usage::default(),
            uncharged: 0,
        };
        self.each_item(|item| {
            let attributes = Attributes(item);
            let owner = attributes.text_as(FILE_ID, |text| {
                UserId::parse(text.strip_prefix(PREFIX).unwrap_or_default())
            });
            if let Ok(owner) = owner {
                by_owner.entry(owner).or_insert_with(|| nothing(owner)).kept = usage_of(item)?;
                return Ok(());
            }
            if !is_file(item) {
                return Ok(());
            }
            if let Some(counted) = counted(item)? {
                let of = by_owner
                    .entry(counted.owner)
                    .or_insert_with(|| nothing(counted.owner));
                if counted.is_charged {
                    of.counted.files += 1;
                    of.counted.bytes += counted.bytes;
                } else {
                    of.uncharged += 1;
                }
            }
            Ok(())
        })
        .await?;
        Ok(by_owner.into_values().collect())
    }

    async fn charge_all(&self) -> Result<u64, StoreError> {
        let (mut uncharged, mut over) = (Vec::new(), Vec::new());
        self.each_item(|item| {
            if !is_file(item) {
                return Ok(());
            }
            match (counted(item)?, Charge::of(item)?) {
                (Some(counted), None) => uncharged.push(counted),
                (None, Some(charge)) => {
                    over.push((Attributes(item).text_as(FILE_ID, FileId::parse)?, charge));
                }
                (Some(_), Some(_)) | (None, None) => {}
            }
            Ok(())
        })
        .await?;
        for (id, charge) in over {
            self.forget_charge(id, charge).await?;
        }
        let mut charged = 0;
        for counted in &uncharged {
            charged += u64::from(self.charge_later(counted).await?);
        }
        Ok(charged)
    }

    async fn mend_usage(&self, found: &Recounted) -> Result<(), StoreError> {
        let difference = |counted: u64, kept: u64| signed(counted).saturating_sub(signed(kept));
        let change = (
            difference(found.counted.files, found.kept.files),
            difference(found.counted.bytes, found.kept.bytes),
        );
        let update = self.changing_usage(found.owner, change, None, Placeholders::default())?;
        for attempt in 1..=MAX_ATTEMPTS {
            match self.write_all(vec![update_in(update.clone())]).await? {
                Written::Done => return Ok(()),
                Written::ConditionFailed(_) | Written::Conflict => pause(attempt).await,
            }
        }
        Err(contended())
    }
}
