//! From the endpoint to the finalizer, within one process: local mode's event notifications.
//!
//! Invariant: only a hint, like any notification. What is lost here (a full queue, a crash, a fault
//! of the disk) is found by the reconciler, so nothing is retried.

use futures_util::StreamExt;
use tokio::sync::mpsc;

use crate::domain::ObjectKey;
use crate::operations::{Stores, finalize_upload};

/// Uploads that may wait to be finalized. Beyond that they wait for the reconciler.
pub const FINALIZE_QUEUE_CAPACITY: usize = 1024;

/// Uploads that are hashed at a time: more would only take turns on the processors.
const CONCURRENT_FINALIZATIONS: usize = 4;

/// Finalizes what the endpoint stored, until the endpoint is gone and nothing is left.
pub async fn finalize_uploads(stores: Stores, uploaded: mpsc::Receiver<ObjectKey>) {
    futures_util::stream::unfold(uploaded, |mut uploaded| async {
        uploaded.recv().await.map(|key| (key, uploaded))
    })
    .for_each_concurrent(CONCURRENT_FINALIZATIONS, |key| {
        let stores = &stores;
        async move {
            if let Err(error) = finalize_upload(stores, key).await {
                tracing::warn!(file_id = %key.file_id(), error = %error.chain(), "an upload is left to the reconciler");
            }
        }
    })
    .await;
}
