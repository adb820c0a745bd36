//! Whether records and objects belong together.
//!
//! A disk that isn't mounted, another bucket, a table that was restored: whoever goes on then expires files
//! whose bytes are elsewhere, and deletes objects that it takes for nobody's. So both sides hold a marker,
//! the same random ID, written when they are first used together. In local mode both also count the starts: the
//! side that knows of fewer is a copy from before.
//!
//! ```text
//! count          records   objects
//! at rest           4         4
//! a start begins    5         4        cut off here, or behind the next line, it is gone on with
//!                   5         6
//! it is counted     6         6
//! ```
//!
//! Invariant: nothing is written where the two don't match. The records have their marker before the objects,
//! and [`Marker::starts`] is 0 until the objects have it too, so a start that was cut off is gone on with.
//! Only while the records' count is odd may the two differ, by one.
//!
//! Absent on purpose: guesses. What doesn't match is for a person to decide (`file-share adopt`).

#[cfg(test)]
mod tests;

use std::fmt;

use async_trait::async_trait;
use uuid::Uuid;

use crate::store_error::StoreError;

/// What a store holds to be known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// The random ID that records and objects share.
    pub id: Uuid,
    /// Grows by two with each start. Odd in the records while a start is being counted; in aws mode, where
    /// nobody counts them, 1.
    pub starts: u64,
}

/// As text it has this length, in bytes, so that it can be written over.
pub const MARKER_LENGTH: usize = 58;

impl Marker {
    /// One that nobody has.
    pub fn fresh() -> Self {
        Self {
            // Only to be told from others.
            id: Uuid::from_u128(fastrand::u128(..)),
            starts: 0,
        }
    }

    fn with(&self, starts: u64) -> Self {
        Self {
            id: self.id,
            starts,
        }
    }

    /// Reads what [`fmt::Display`] writes.
    ///
    /// # Errors
    /// What it isn't.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let mut words = text.split_ascii_whitespace();
        let id = words.next().and_then(|word| Uuid::try_parse(word).ok());
        let starts = words.next().and_then(|word| word.parse().ok());
        match (id, starts, words.next()) {
            (Some(id), Some(starts), None) => Ok(Self { id, starts }),
            _ => Err("a marker of another kind"),
        }
    }
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {:020}", self.id, self.starts)
    }
}

/// A store that holds a marker.
#[async_trait]
pub trait MarkedStore: Send + Sync {
    /// The marker, if there is one.
    async fn marker(&self) -> Result<Option<Marker>, StoreError>;

    /// Adds it, unless there is one: that one stays, and this is no error.
    async fn add_marker(&self, marker: &Marker) -> Result<(), StoreError>;

    /// Writes it, whatever there is.
    async fn replace_marker(&self, marker: &Marker) -> Result<(), StoreError>;
}

/// The two stores.
#[derive(Clone, Copy)]
pub struct StorePair<'a> {
    /// The store of the records.
    pub records: &'a dyn MarkedStore,
    /// The store of the objects.
    pub objects: &'a dyn MarkedStore,
}

/// What the markers say where nothing speaks against going on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MarkerState {
    /// Neither has one: both are new, or from before there were any.
    Unmarked,
    /// Marking both was begun and not finished.
    Unfinished(Marker),
    /// Both have the same ID; the marker is that of the records.
    Matching(Marker),
    /// They belong together, and the records are a copy from before.
    RecordsFromBefore,
    /// They belong together, and the objects are a copy from before.
    ObjectsFromBefore,
}

/// Why the stores can't be used together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mismatch {
    /// The records have a marker, and the objects have none.
    OnlyRecords,
    /// The objects have a marker, and the records have none.
    OnlyObjects,
    /// Both have one, and the IDs differ.
    Different,
    /// There are available files, and not one object.
    NoObjects,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, likely) = match self {
            Self::OnlyRecords => (
                "the records are marked and the objects aren't",
                "the disk of the objects isn't mounted, BUCKET_NAME names another bucket, or the objects \
                 were emptied or replaced",
            ),
            Self::OnlyObjects => (
                "the objects are marked and the records aren't",
                "TABLE_NAME names another table, the database is gone, or it was restored from before \
                 there were markers",
            ),
            Self::Different => (
                "records and objects are marked as belonging to others",
                "BUCKET_NAME, TABLE_NAME or DATA_DIR names something else, or one of them was replaced",
            ),
            Self::NoObjects => (
                "there are records of available files, and not one object",
                "the disk of the objects isn't mounted, or BUCKET_NAME names another bucket",
            ),
        };
        write!(
            f,
            "records and objects don't belong together: {what}. Most likely {likely}. Correct that and start \
             again; nothing was changed. If it is meant to be so, `file-share adopt` says what it would do, \
             and with --yes marks both as belonging together"
        )
    }
}

impl std::error::Error for Mismatch {}

/// What the markers mean.
///
/// # Errors
/// Why the two can't be used together.
pub fn compare(records: Option<Marker>, objects: Option<Marker>) -> Result<MarkerState, Mismatch> {
    match (records, objects) {
        (None, None) => Ok(MarkerState::Unmarked),
        (Some(records), None) if records.starts == 0 => Ok(MarkerState::Unfinished(records)),
        (Some(_), None) => Err(Mismatch::OnlyRecords),
        (None, Some(_)) => Err(Mismatch::OnlyObjects),
        (Some(records), Some(objects)) if records.id != objects.id => Err(Mismatch::Different),
        (Some(records), Some(objects)) => {
            let between = u64::from(!records.starts.is_multiple_of(2));
            Ok(if objects.starts > records.starts.saturating_add(between) {
                MarkerState::RecordsFromBefore
            } else if objects.starts.saturating_add(between) < records.starts {
                MarkerState::ObjectsFromBefore
            } else {
                MarkerState::Matching(records)
            })
        }
    }
}

impl StorePair<'_> {
    /// The markers as they are now: that of the records, and that of the objects.
    ///
    /// # Errors
    /// If a store doesn't answer.
    pub async fn look(&self) -> Result<(Option<Marker>, Option<Marker>), StoreError> {
        Ok((self.records.marker().await?, self.objects.marker().await?))
    }

    /// For a program that only reads them. A store that doesn't answer is a warning.
    ///
    /// # Errors
    /// Why the two can't be used together.
    pub async fn refuse_mismatch(&self) -> Result<(), Mismatch> {
        match self.look().await {
            Ok((records, objects)) => compare(records, objects).map(drop),
            Err(error) => {
                tracing::warn!(
                    error = %error.chain(),
                    "whether records and objects belong together could not be seen"
                );
                Ok(())
            }
        }
    }

    /// Marks both, where that was begun or nobody has: of many that do so at a time, one decides.
    ///
    /// # Errors
    /// If a store doesn't answer.
    pub async fn mark(&self) -> Result<Marker, StoreError> {
        self.records.add_marker(&Marker::fresh()).await?;
        let marker = self.records.marker().await?;
        let marker = marker.unwrap_or_else(Marker::fresh);
        self.objects.add_marker(&marker).await?;
        Ok(marker)
    }

    /// Counts a start, as said above. `marker` is that of the records.
    ///
    /// # Errors
    /// If a store doesn't answer. The next start goes on from there.
    pub async fn count_start(&self, marker: &Marker) -> Result<(), StoreError> {
        let objects = self
            .objects
            .marker()
            .await?
            .map_or(0, |objects| objects.starts);
        let counted = marker.starts.max(objects).saturating_add(2) & !1;
        let begun = marker.with(counted.saturating_sub(1));
        let counted = marker.with(counted);
        self.records.replace_marker(&begun).await?;
        self.objects.replace_marker(&counted).await?;
        self.records.replace_marker(&counted).await
    }

    /// Says of the records that the objects are marked too. Where nobody counts starts.
    ///
    /// # Errors
    /// If the store of the records doesn't answer.
    pub async fn confirm(&self, marker: &Marker) -> Result<(), StoreError> {
        match marker.starts {
            0 => self.records.replace_marker(&marker.with(1)).await,
            _ => Ok(()),
        }
    }

    /// Marks both afresh, whatever they were.
    ///
    /// # Errors
    /// If a store doesn't answer. It can be called again.
    pub async fn adopt(&self) -> Result<(), StoreError> {
        let begun = Marker::fresh();
        let done = begun.with(1);
        self.records.replace_marker(&begun).await?;
        self.objects.replace_marker(&begun).await?;
        self.records.replace_marker(&done).await
    }
}
