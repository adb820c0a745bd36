//! The bucket as clients see it: presigned PUTs, write-once, and notifications that come late, twice,
//! in another order, or not at all.
//!
//! Invariant: bytes are accepted only if the request began before its URL ran out, and within the
//! grace after that; what is accepted is in the histories before the client can hear of it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use file_share::clock::Clock;
use file_share::domain::{FileId, ObjectKey, Sha256Digest, Timestamp};
use file_share::object_store::ObjectStore;
use file_share::scanner::probes::eicar;
use file_share_worker::event_queue::in_memory::InMemoryQueue;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::time::sleep;

use super::simulation::{BUCKET, UPLOAD_GRACE, UPLOAD_LIFETIME};
use super::stores::Shared;

/// How far in the future a URL may have been signed, as S3 has it.
const SIGNED_AHEAD: Duration = Duration::from_secs(15 * 60);

/// What a client holds to send its bytes.
#[derive(Clone)]
pub(crate) struct Upload {
    pub id: FileId,
    pub expires_at: Timestamp,
    pub length: u64,
    pub sha256: Option<Sha256Digest>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PutAnswer {
    Ok,
    /// 400, 403: the URL ran out, or the bytes aren't what was signed.
    Refused,
    /// 412: there is an object already.
    AlreadyThere,
    AnswerLost,
}

pub(crate) struct Bucket {
    pub shared: Shared,
    pub queue: Arc<InMemoryQueue>,
    pub clock: Arc<dyn Clock>,
    /// Whether the store compares a signed digest, and tells it afterwards.
    pub knows_digests: bool,
    pub has_versions: bool,
}

pub(crate) fn digest(bytes: &[u8]) -> Sha256Digest {
    Sha256Digest::from_bytes(Sha256::digest(bytes).into())
}

impl Bucket {
    pub(crate) async fn put(&self, upload: &Upload, bytes: Bytes) -> PutAnswer {
        let Shared {
            chaos,
            histories,
            objects,
            ..
        } = &self.shared;
        let name = histories.name(upload.id);
        let sha256 = digest(&bytes);
        sleep(chaos.millis(0..500)).await;
        let now = self.clock.now();
        let refused = now >= upload.expires_at
            || now + SIGNED_AHEAD < upload.expires_at - UPLOAD_LIFETIME
            || bytes.len() as u64 != upload.length
            || (self.knows_digests && upload.sha256.is_some_and(|signed| signed != sha256));
        if refused {
            chaos.note(format_args!("PUT {name}: refused"));
            return PutAnswer::Refused;
        }
        // Some lines are slow.
        let slowest = if chaos.chance(10) {
            UPLOAD_GRACE.as_millis() as u64 - 1
        } else {
            2_000
        };
        sleep(chaos.millis(0..slowest)).await;
        let key = ObjectKey::new(upload.id);
        if objects
            .head(key)
            .await
            .is_ok_and(|head| head.found().is_some())
        {
            chaos.note(format_args!("PUT {name}: already there"));
            return PutAnswer::AlreadyThere;
        }
        // Where nothing scans, a rescan may find it.
        let infected = bytes == eicar();
        let verified = upload.sha256.filter(|_| self.knows_digests);
        if !chaos.is_healed() && chaos.chance(2) {
            objects.put_unsynced(key, bytes);
            sleep(chaos.millis(0..2_000)).await;
            chaos.note(format_args!("PUT {name}: the power is cut"));
            self.shared.cut_power();
            // Unless somebody made it durable meanwhile, it is gone.
            let head = objects.head(key).await;
            if head.is_ok_and(|head| head.found().is_some()) {
                histories.update(upload.id, |history| history.accept(sha256, infected));
            }
            return PutAnswer::AnswerLost;
        }
        objects.put(key, bytes, verified);
        histories.update(upload.id, |history| history.accept(sha256, infected));
        if histories.history(upload.id).available_since.is_some() && !self.has_versions {
            histories.breaks(upload.id, "an old download URL brings other bytes");
        }
        chaos.note(format_args!("PUT {name}: accepted"));
        self.notify(key);
        if chaos.chance(10) {
            PutAnswer::AnswerLost
        } else {
            PutAnswer::Ok
        }
    }

    fn notify(&self, key: ObjectKey) {
        let chaos = &self.shared.chaos;
        let name = self.shared.histories.name(key.file_id());
        let copies = match chaos.pick(0..100) {
            0..10 => 0,
            10..25 => 2,
            _ => 1,
        };
        chaos.note(format_args!("{copies} notifications of {name}"));
        for _ in 0..copies {
            let delay = if chaos.chance(10) {
                chaos.millis(0..300_000)
            } else {
                chaos.millis(0..1_000)
            };
            self.send_after(delay, arrival(key));
        }
    }

    /// A message that nobody can understand.
    pub(crate) fn poison(&self) {
        self.shared.chaos.note("a poison message");
        self.send_after(Duration::ZERO, "[[[".into());
    }

    fn send_after(&self, delay: Duration, body: String) {
        let queue = self.queue.clone();
        tokio::spawn(async move {
            sleep(delay).await;
            queue.send(body);
        });
    }
}

fn arrival(key: ObjectKey) -> String {
    json!({"Records": [{
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": BUCKET}, "object": {"key": key.to_string()}},
    }]})
    .to_string()
}
