//! Calls of the port, measured and traced.
//!
//! Invariant: a call is the store's own in everything; where metrics and traces are off there is nothing around it.

use std::sync::Arc;

use super::intercepted::{Call, Intercepted, Interceptor};
use super::{MetadataStore, StoreError};
use crate::metrics::{Metrics, StoreCalls, StoreKind};
use crate::traces;

/// Measures each call, where anything is counted.
struct Measured(Option<StoreCalls>);

impl Interceptor for Measured {
    async fn around<T: Send>(
        &self,
        call: Call<'_>,
        made: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let name = ["metadata", call.name()];
        let measured = async {
            match &self.0 {
                Some(calls) => calls.measure(call.name(), made, StoreError::fault).await,
                None => made.await,
            }
        };
        traces::step(name, measured, |error| StoreError::fault(error).is_some()).await
    }
}

/// The store, whose calls are measured and traced if anything is.
pub fn measured(store: Arc<dyn MetadataStore>, metrics: &Metrics) -> Arc<dyn MetadataStore> {
    match StoreCalls::of(metrics, StoreKind::Metadata, Call::NAMES) {
        None if !traces::are_on() => store,
        calls => Arc::new(Intercepted {
            store,
            interceptor: Measured(calls),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{FileId, Timestamp};
    use crate::metadata_store::memory::MemoryMetadataStore;
    use crate::metrics::{Role, ScannedWith, Watches};

    fn metrics() -> Metrics {
        Metrics::on(Watches {
            role: Role::Worker,
            sweeps: false,
            scanner: ScannedWith::Nothing,
        })
    }

    #[tokio::test]
    async fn a_call_is_counted_with_its_time_and_with_its_error_if_it_failed() {
        let (metrics, behind) = (metrics(), Arc::new(MemoryMetadataStore::default()));
        let store = measured(behind.clone(), &metrics);
        let id = FileId::new(Timestamp::UNIX_EPOCH);
        assert!(store.get(id).await.unwrap().is_none());
        behind.set_fault(Some("away"));
        assert!(store.get(id).await.is_err());
        let text = metrics.exposition();
        let get = "store=\"metadata\",operation=\"get\"";
        for line in [
            format!("file_share_store_call_duration_seconds_count{{{get}}} 2"),
            format!("file_share_store_call_errors_total{{{get},error=\"unavailable\"}} 1"),
            format!("file_share_store_call_errors_total{{{get},error=\"corrupt\"}} 0"),
        ] {
            assert!(
                text.contains(&format!("\n{line}\n")),
                "{line} isn't in\n{text}"
            );
        }
    }

    #[tokio::test]
    async fn there_is_a_series_for_each_call_also_before_the_first() {
        let metrics = metrics();
        let store = measured(Arc::new(MemoryMetadataStore::default()), &metrics);
        let count = |operation: &str, count: u8| {
            let labels = format!("{{store=\"metadata\",operation=\"{operation}\"}}");
            let line = format!("\nfile_share_store_call_duration_seconds_count{labels} {count}\n");
            metrics.exposition().contains(&line)
        };
        assert!(Call::NAMES.iter().all(|name| count(name, 0)));
        let (at, nobodys) = (Timestamp::UNIX_EPOCH, FileId::new(Timestamp::UNIX_EPOCH));
        let kept = store.keep_longer(nobodys, at).await;
        assert_eq!(kept.unwrap(), None);
        assert!(count("keep_longer", 1));
    }

    #[test]
    fn where_metrics_are_off_nothing_stands_before_the_store() {
        let behind: Arc<dyn MetadataStore> = Arc::new(MemoryMetadataStore::default());
        let store = measured(Arc::clone(&behind), &Metrics::off());
        assert!(Arc::ptr_eq(&behind, &store));
    }
}
