//! Each settlement is counted once, by who brought it about, with the time that it took.

use super::*;
use crate::metrics::{Metrics, Role, ScannedWith, Watches};

const LAG: Duration = Duration::from_secs(7);
const UPLOAD: Duration = Duration::from_secs(40);

fn counting() -> OperationsFixture {
    let mut fixture = OperationsFixture::new();
    fixture.stores.metrics = Metrics::on(Watches {
        role: Role::Worker,
        sweeps: false,
        scanner: ScannedWith::Nothing,
    });
    fixture.reconciler = Reconciler::new(fixture.stores.clone());
    fixture
}

/// A file whose bytes came [`UPLOAD`] after it was created, and [`LAG`] ago.
async fn arrived(fixture: &OperationsFixture, bytes: &'static str) -> FileId {
    let id = fixture.create().await;
    fixture.clock.advance(UPLOAD);
    fixture.put(id, bytes);
    fixture.clock.advance(LAG);
    id
}

fn counts(fixture: &OperationsFixture, series: &[(&str, u64)]) {
    let text = fixture.stores.metrics.exposition();
    for (series, count) in series {
        let line = format!("\nfile_share_{series} {count}\n");
        assert!(text.contains(&line), "{line} isn't in\n{text}");
    }
}

#[tokio::test]
async fn a_settlement_is_counted_by_who_brought_it_about_and_once() {
    let mut fixture = counting();
    let id = arrived(&fixture, HELLO).await;
    fixture.finalize(id).await;
    // Doubled, and a hint too late.
    fixture.finalize(id).await;
    complete_upload(&fixture.stores, &fixture.context, id)
        .await
        .unwrap();
    let id = arrived(&fixture, HELLO).await;
    complete_upload(&fixture.stores, &fixture.context, id)
        .await
        .unwrap();
    arrived(&fixture, "HELLO, and more").await;
    let nothing_came = fixture.create().await;
    fixture.clock.advance(Duration::from_secs(7 * 86_400));
    for _ in 0..3 {
        fixture.reconcile().await;
        fixture.clock.advance(Duration::from_secs(3600));
    }
    assert_eq!(fixture.status(nothing_came).await, Some(Status::Expired));
    counts(
        &fixture,
        &[
            (
                r#"settled_total{via="notification",outcome="available"}"#,
                1,
            ),
            (r#"settled_total{via="notification",outcome="rejected"}"#, 0),
            (r#"settled_total{via="hint",outcome="available"}"#, 1),
            (r#"settled_total{via="reconciler",outcome="available"}"#, 0),
            (r#"settled_total{via="reconciler",outcome="rejected"}"#, 1),
            (r#"settled_total{via="reconciler",outcome="expired"}"#, 1),
            (r#"finalization_lag_seconds_count{via="reconciler"}"#, 1),
        ],
    );
}

#[tokio::test]
async fn lag_begins_with_the_bytes_and_the_upload_with_the_record_by_the_store_s_time() {
    let fixture = counting();
    let id = arrived(&fixture, HELLO).await;
    fixture.finalize(id).await;
    counts(
        &fixture,
        &[
            (
                r#"finalization_lag_seconds_bucket{via="notification",le="5"}"#,
                0,
            ),
            (
                r#"finalization_lag_seconds_bucket{via="notification",le="10"}"#,
                1,
            ),
            (r#"upload_duration_seconds_bucket{le="30"}"#, 0),
            (r#"upload_duration_seconds_bucket{le="60"}"#, 1),
        ],
    );
}

#[tokio::test]
async fn a_clock_behind_the_store_s_makes_a_lag_of_nothing() {
    let mut fixture = counting();
    let id = arrived(&fixture, HELLO).await;
    fixture.stores.clock = Arc::new(crate::clock::SkewedClock::new(
        fixture.stores.clock.clone(),
        -60_000,
    ));
    fixture.finalize(id).await;
    let least = r#"finalization_lag_seconds_bucket{via="notification",le="0.05"}"#;
    counts(&fixture, &[(least, 1)]);
}
