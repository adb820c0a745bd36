//! What lies in the store, compared with what was declared, with what its name says, and with what a virus scanner knows.
//!
//! ```text
//! object store ─ one read of one version ─▶ each chunk ─┬▶ length, SHA-256
//!                                                       ├▶ the ends, for what it is
//!                                                       └▶ virus scanner
//! ```
//!
//! Invariant: all that is said of the bytes comes from one read of one version, a chunk at a time. Where nothing is
//! scanned, an object whose digest the store knows isn't read, but for its ends; where something is, every byte of what
//! becomes available went to the scanner, and the scanner called it clean, or was allowed not to know. Where a scanner of
//! the store's own tags versions, its tag of that one version says that instead.

use std::time::Instant;

use futures_util::TryStreamExt;
use futures_util::future::try_join_all;
use sha2::{Digest, Sha256};

use super::Stores;
use crate::domain::{
    ContentType, FileRecord, ObjectKey, RejectionReason, Sha256Digest, StoredObject,
};
use crate::file_types::{self, Detected, Ends};
use crate::metrics::ScanEnd;
use crate::object_store::{Lookup, ObjectBody, ObjectHead, ObjectReader};
use crate::scanner::{Objection, Scan, ScanFailure, Verdict, guardduty};
use crate::store_error::StoreError;
use crate::traces;

/// What a look into the store found, with the bytes if it asked for them.
pub(super) struct Arrived {
    pub(super) head: ObjectHead,
    body: Option<ObjectBody>,
}

impl From<ObjectReader> for Arrived {
    fn from(reader: ObjectReader) -> Self {
        Self {
            head: reader.head,
            body: Some(reader.body),
        }
    }
}

/// What the bytes turned out to be.
pub(super) enum Measured {
    /// What was declared, and nothing speaks against it.
    AsDeclared(StoredObject),
    /// Something that the file may not be.
    Other(RejectionReason),
    /// Nobody knows: the virus scanner can't be asked.
    Unscanned(ScanFailure),
    /// They went away meanwhile.
    Gone,
}

/// One call, whatever it finds: a store that compared a declared digest itself tells it without the
/// bytes, and otherwise they have to be read. What is being locked is that version, whatever came after it.
pub(super) async fn look(
    stores: &Stores,
    record: &FileRecord,
) -> Result<Option<Arrived>, StoreError> {
    let key = record.key();
    let locking = record.locking_version();
    if record.declared.sha256.is_some() && locking.is_none() {
        let head = stores.objects.head(key).await?.found();
        return Ok(head.map(|head| Arrived { head, body: None }));
    }
    let reader = stores.objects.read(key, locking).await?.found();
    Ok(reader.map(Arrived::from))
}

/// Compares what lies in the store with what was declared, and with what its name says, and has it scanned.
pub(super) async fn measure(
    stores: &Stores,
    record: &FileRecord,
    arrived: Arrived,
) -> Result<Measured, StoreError> {
    let Arrived { head, body } = arrived;
    if let Err(reason) = record.declared.judge_length(head.content_length) {
        return Ok(Measured::Other(reason));
    }
    if let Some(verified_by_store) = head.sha256
        && let Err(reason) = record.declared.judge_digest(verified_by_store)
    {
        return Ok(Measured::Other(reason));
    }
    if let Some(tag) = stores.scans.tag() {
        // Before anything is read: what isn't tagged makes no work.
        if let Some(measured) = stopped_by_tag(stores, record.key(), &head, tag).await? {
            return Ok(measured);
        }
    }
    if let Some(verified_by_store) = head.sha256
        && !stores.scans.are_on()
    {
        let ends = read_ends(stores, record.key(), &head).await?;
        let judged = ends.map(|ends| {
            let detected = file_types::detect(&ends);
            judge(record, head, verified_by_store, &detected)
        });
        return Ok(judged.unwrap_or(Measured::Gone));
    }
    // Before anything is read: a scanner that is away makes no work.
    let began = Instant::now();
    let scan = match stores.scans.begin(head.content_length).await {
        Ok(scan) => scan,
        Err(failure) => {
            stores.metrics.scanned(ScanEnd::Failed, began.elapsed());
            return Ok(Measured::Unscanned(failure));
        }
    };
    let reader = match body {
        Some(body) => ObjectReader { head, body },
        None => {
            let version_id = head.version_id.as_ref();
            let reader = stores.objects.read(record.key(), version_id).await?;
            let Some(reader) = reader.found() else {
                return Ok(Measured::Gone);
            };
            reader
        }
    };
    let name = match &scan {
        Some(_) => ["file", "scan"],
        None => ["file", "hash"],
    };
    let judging = read_and_judge(stores, record, reader, scan);
    traces::step(name, judging, |error| error.fault().is_some()).await
}

/// What the tag of the very version that is measured makes of it; `None` if nothing speaks against it.
async fn stopped_by_tag(
    stores: &Stores,
    key: ObjectKey,
    head: &ObjectHead,
    tag: &str,
) -> Result<Option<Measured>, StoreError> {
    let Some(version_id) = &head.version_id else {
        // Other bytes may take the place of those that somebody looked at.
        let failure = ScanFailure::new("it has no version, so a tag says nothing of its bytes");
        return Ok(Some(Measured::Unscanned(failure)));
    };
    let Lookup::Found(value) = stores.objects.tag(key, version_id, tag).await? else {
        return Ok(Some(Measured::Gone));
    };
    let verdict = match guardduty::verdict(value.as_deref()) {
        Ok(verdict) => verdict,
        Err(failure) => {
            if value.is_some() {
                tracing::warn!(file_id = %key.file_id(), %failure, "a file couldn't be scanned, and waits");
            }
            return Ok(Some(Measured::Unscanned(failure)));
        }
    };
    let Some(objection) = stores.scans.objection(verdict) else {
        return Ok(None);
    };
    let ends = read_ends(stores, key, head).await?;
    Ok(Some(ends.map_or(Measured::Gone, |ends| {
        Measured::Other(reason_of(&objection, &file_types::detect(&ends)))
    })))
}

/// By all of the bytes.
async fn read_and_judge(
    stores: &Stores,
    record: &FileRecord,
    ObjectReader { head, body }: ObjectReader,
    mut scan: Option<Box<dyn Scan>>,
) -> Result<Measured, StoreError> {
    let began = Instant::now();
    let ended = |end| stores.metrics.scanned(end, began.elapsed());
    let mut ends = Ends::of_length(head.content_length);
    let shown = Shown {
        ends: &mut ends,
        scan: scan.as_deref_mut(),
    };
    let (length, sha256) = match read_through(body, shown).await? {
        Ok(measured) => measured,
        Err(failure) => {
            ended(ScanEnd::Failed);
            return Ok(Measured::Unscanned(failure));
        }
    };
    let detected = file_types::detect(&ends);
    if let Some(scan) = scan {
        match scan.verdict().await {
            Err(failure) => {
                ended(ScanEnd::Failed);
                return Ok(Measured::Unscanned(failure));
            }
            Ok(verdict) => {
                ended(match &verdict {
                    Verdict::Clean => ScanEnd::Clean,
                    Verdict::Infected(_) => ScanEnd::Infected,
                    Verdict::Unscannable(_) => ScanEnd::Unscannable,
                });
                if let Some(objection) = stores.scans.objection(verdict) {
                    return Ok(Measured::Other(reason_of(&objection, &detected)));
                }
            }
        }
    }
    if let Err(reason) = record.declared.judge_length(length) {
        return Ok(Measured::Other(reason));
    }
    if let Err(reason) = record.declared.judge_digest(sha256) {
        return Ok(Measured::Other(reason));
    }
    Ok(judge(record, head, sha256, &detected))
}

fn reason_of(objection: &Objection, detected: &Detected) -> RejectionReason {
    let found: ContentType = detected.media_type();
    match objection {
        Objection::Infected(name) => RejectionReason::infected(name.as_str(), found),
        Objection::Unscannable(why) => RejectionReason::unscannable(why.as_str(), found),
    }
}

/// What a scanner says of the bytes of an available file, whatever one said when they came.
pub(super) enum Rescanned {
    /// Nothing speaks against them.
    Clean,
    /// It found this in them.
    Infected(RejectionReason),
    /// It can't look into them, for this reason, and such files aren't taken.
    Unscannable(RejectionReason),
    /// They aren't those that were measured, so nothing that is said of them is said of the file.
    Changed,
    /// The store doesn't have them.
    Gone,
    /// Nobody knows.
    Unscanned(ScanFailure),
}

/// Has the version scanned that was measured.
pub(super) async fn scan_again(
    stores: &Stores,
    record: &FileRecord,
    object: &StoredObject,
) -> Result<Rescanned, StoreError> {
    let length = record.declared.length.bytes();
    // Before anything is read: a scanner that is away makes no work.
    let mut scan = match stores.scans.begin(length).await {
        Ok(Some(scan)) => scan,
        Ok(None) => return Ok(Rescanned::Unscanned(ScanFailure::new("nothing scans"))),
        Err(failure) => return Ok(Rescanned::Unscanned(failure)),
    };
    let version_id = object.version_id.as_ref();
    let reader = stores.objects.read(record.key(), version_id).await?;
    let Some(ObjectReader { head, body }) = reader.found() else {
        return Ok(Rescanned::Gone);
    };
    let mut ends = Ends::of_length(head.content_length);
    let shown = Shown {
        ends: &mut ends,
        scan: Some(&mut *scan),
    };
    let sha256 = match read_through(body, shown).await? {
        Ok((_, sha256)) => sha256,
        Err(failure) => return Ok(Rescanned::Unscanned(failure)),
    };
    if sha256 != object.sha256 {
        return Ok(Rescanned::Changed);
    }
    let objection = match scan.verdict().await {
        Ok(verdict) => stores.scans.objection(verdict),
        Err(failure) => return Ok(Rescanned::Unscanned(failure)),
    };
    let reason = |objection| reason_of(objection, &file_types::detect(&ends));
    Ok(match &objection {
        None => Rescanned::Clean,
        Some(infected @ Objection::Infected(_)) => Rescanned::Infected(reason(infected)),
        Some(other @ Objection::Unscannable(_)) => Rescanned::Unscannable(reason(other)),
    })
}

/// Bytes that are what was declared, by what they are.
fn judge(
    record: &FileRecord,
    head: ObjectHead,
    sha256: Sha256Digest,
    detected: &Detected,
) -> Measured {
    if let Err(reason) = file_types::judge(&record.declared, detected) {
        return Measured::Other(reason);
    }
    Measured::AsDeclared(StoredObject {
        sha256,
        version_id: head.version_id,
        // S3 cuts the time to whole seconds: without this a file could be older than its record.
        uploaded_at: head.last_modified.max(record.created_at()),
        detected_type: Some(detected.media_type()),
    })
}

/// The ends of an object that needn't be read for its digest, as a store knows that. `None` if it went away meanwhile.
async fn read_ends(
    stores: &Stores,
    key: ObjectKey,
    head: &ObjectHead,
) -> Result<Option<Ends>, StoreError> {
    let mut ends = Ends::of_length(head.content_length);
    let (objects, version_id) = (&stores.objects, head.version_id.as_ref());
    let parts = Ends::ranges(head.content_length).map(|part| async move {
        let start = part.start;
        let read = objects.read_range(key, version_id, part).await?;
        Ok::<_, StoreError>((start, read.found()))
    });
    for (start, bytes) in try_join_all(parts).await? {
        let Some(bytes) = bytes else {
            return Ok(None);
        };
        ends.skip_to(start);
        ends.add(&bytes);
    }
    Ok(Some(ends))
}

/// Whom each chunk is shown to, besides what hashes it.
struct Shown<'a> {
    ends: &'a mut Ends,
    scan: Option<&'a mut (dyn Scan + 'static)>,
}

/// Length and digest of a body that others see as well, or why the scanner saw no more of it.
async fn read_through(
    mut body: ObjectBody,
    shown: Shown<'_>,
) -> Result<Result<(u64, Sha256Digest), ScanFailure>, StoreError> {
    let Shown { ends, mut scan } = shown;
    let mut hasher = Hasher::default();
    while let Some(chunk) = body.try_next().await? {
        hasher.add(&chunk);
        ends.add(&chunk);
        if let Some(scan) = &mut scan
            && let Err(failure) = scan.add(&chunk).await
        {
            return Ok(Err(failure));
        }
    }
    Ok(Ok(hasher.end()))
}

/// Length and digest of a body, a chunk at a time.
pub(super) async fn hash(mut body: ObjectBody) -> Result<(u64, Sha256Digest), StoreError> {
    let mut hasher = Hasher::default();
    while let Some(chunk) = body.try_next().await? {
        hasher.add(&chunk);
    }
    Ok(hasher.end())
}

#[derive(Default)]
struct Hasher {
    length: u64,
    sha256: Sha256,
}

impl Hasher {
    fn add(&mut self, chunk: &[u8]) {
        self.length += chunk.len() as u64;
        self.sha256.update(chunk);
    }

    fn end(self) -> (u64, Sha256Digest) {
        let digest = self.sha256.finalize().into();
        (self.length, Sha256Digest::from_bytes(digest))
    }
}
