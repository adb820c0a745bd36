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
use crate::audit::{AuditKey, AuditLog};
use crate::clock::Clock;
use crate::config::{ApiSettings, AuditSetting};
use crate::file_events::{EventWriter, FileEvents, KeptOf};
use crate::item_store::ItemStore;
use crate::operations::{DeletionLog, Stores};
use crate::service::OwnChanges;

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

/// What stands in place of a request's ID of what the reconciler deletes.
const RECONCILER: &str = "reconciler";

/// What the program deletes by itself, in the audit log.
pub(super) fn deletions(log: Arc<AuditLog>, clock: Arc<dyn Clock>) -> Arc<dyn DeletionLog> {
    Arc::new(OwnChanges {
        log,
        clock,
        by: RECONCILER,
        action: Action::DeleteFile.as_str(),
    })
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
