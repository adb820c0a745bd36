//! Where it is written down who did what, by the settings.
//!
//! Invariant: a service that asks callers who they are keeps what they did, unless an operator said that it
//! shouldn't.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::StartError;
use crate::access::{Action, Policy, SignInAt};
use crate::audit::{Actor, AuditKey, AuditLog, DONE, Entry, UNKNOWN};
use crate::clock::Clock;
use crate::config::{ApiSettings, AuditSetting};
use crate::domain::FileId;
use crate::file_events::{EventWriter, FileEvents, KeptOf};
use crate::item_store::{ItemStore, StoreError};
use crate::operations::{DeletionLog, Stores};

/// How often lines are given to the disk for good, and how late a checkpoint may come.
const TICK: Duration = Duration::from_secs(2);

/// The audit log, if one is kept.
pub(super) fn open(
    settings: &ApiSettings,
    policy: &Policy,
    data_dir: &Path,
    clock: &dyn Clock,
) -> Result<Option<Arc<AuditLog>>, StartError> {
    if !is_kept(settings, policy) {
        return Ok(None);
    }
    let key = AuditKey::load_or_create(data_dir);
    let key = key.map_err(|error| StartError::new("the key of the audit log", error))?;
    let log = AuditLog::in_data_dir(data_dir, key, clock.now());
    let log = log.map_err(|error| StartError::new("the audit log", error))?;
    Ok(Some(Arc::new(log)))
}

/// The audit log beside S3, if one is kept: on standard output, which whoever runs the program collects. All
/// processes of a service sign with one key, since they share the secret that it follows from.
pub(super) fn open_on_standard_output(
    settings: &ApiSettings,
    policy: &Policy,
    clock: &dyn Clock,
) -> Result<Option<Arc<AuditLog>>, StartError> {
    let Policy::Oidc(SignInAt { secret, .. }) = policy else {
        return Ok(None);
    };
    if !is_kept(settings, policy) {
        return Ok(None);
    }
    let seed = Sha256::new()
        .chain_update("file-share audit key 1\n")
        .chain_update(secret)
        .finalize();
    let log = AuditKey::from_seed(&seed)
        .and_then(|key| AuditLog::on_standard_output(key, clock.now()))
        .map_err(|error| StartError::new("the audit log", error))?;
    Ok(Some(Arc::new(log)))
}

/// What happens to files is kept for those whom they belong to where it is kept who did what: on the stores that
/// operations work on, and by what has to be run.
pub(super) fn events(
    is_kept: bool,
    stores: Stores,
    items: &Arc<dyn ItemStore>,
) -> (Stores, Option<EventWriter>) {
    if !is_kept {
        return (stores, None);
    }
    let (items, clock) = (Arc::clone(items), Arc::clone(&stores.clock));
    let (events, writer) = FileEvents::kept_in(items, KeptOf::AllFiles, clock);
    (Stores { events, ..stores }, Some(writer))
}

/// What the program deletes by itself, in the audit log.
pub(super) struct OwnDeletions {
    pub(super) log: Arc<AuditLog>,
    pub(super) clock: Arc<dyn Clock>,
}

/// What stands in place of a request's ID.
const RECONCILER: &str = "reconciler";

impl DeletionLog for OwnDeletions {
    fn reserve(&self) -> Result<(), StoreError> {
        let reserved = self.log.reserve();
        reserved.map_err(|error| StoreError::from_io("the audit log", error))
    }

    fn record(&self, file: FileId, is_certain: bool) {
        let entry = Entry {
            time: self.clock.now(),
            request_id: RECONCILER,
            caller: Actor::System,
            action: Action::DeleteFile.as_str(),
            resource: Some(file.to_string()),
            outcome: match is_certain {
                true => DONE,
                false => UNKNOWN,
            },
            source: None,
        };
        let recorded = match is_certain {
            true => self.log.record(&entry).map(drop),
            // Bounded as refusals are: a store that is away fails every deletion.
            false => self.log.record_refusal(&entry),
        };
        if let Err(error) = recorded {
            tracing::error!(%error, file_id = %file, "a line of the audit log can't be written");
        }
    }
}

fn is_kept(settings: &ApiSettings, policy: &Policy) -> bool {
    let asks = matches!(policy, Policy::Key(_) | Policy::Oidc(_));
    match settings.audit {
        AuditSetting::On => true,
        AuditSetting::Auto => asks,
        AuditSetting::Off => false,
    }
}

/// Keeps the log until `stop`, and ends it with a checkpoint.
pub(super) async fn keep(log: Arc<AuditLog>, clock: Arc<dyn Clock>, stop: CancellationToken) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let is_over = tokio::select! {
            _ = ticks.tick() => false,
            () = stop.cancelled() => true,
        };
        let (log, now) = (Arc::clone(&log), clock.now());
        // Syncing waits for the disk.
        let kept = tokio::task::spawn_blocking(move || match is_over {
            true => log.close(now),
            false => log.tick(now),
        });
        if let Ok(Err(error)) = kept.await {
            tracing::error!(%error, "the audit log can't be kept");
        }
        if is_over {
            return;
        }
    }
}
