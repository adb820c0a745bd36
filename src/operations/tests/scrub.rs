//! The scrub: what counts as damage, what doesn't, and how it goes on after a fault or an end.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use tokio_util::sync::CancellationToken;

use super::*;
use crate::object_store::intercepted::{Call, Intercepted, Interceptor};

/// What came of a scrub.
struct Outcome {
    report: ScrubReport,
    end: ScrubEnd,
    damaged: Vec<(FileId, Damage)>,
    unseen: usize,
}

async fn scrub_with(stores: &Stores, options: ScrubOptions) -> Outcome {
    let (mut damaged, mut unseen) = (Vec::new(), 0);
    let stop = CancellationToken::new();
    let (report, end) = scrub(stores, options, &stop, |finding| match finding {
        Finding::Damaged(id, damage) => damaged.push((id, damage)),
        Finding::Unseen(..) => unseen += 1,
        Finding::Progress(_) => {}
    })
    .await;
    Outcome {
        report,
        end,
        damaged,
        unseen,
    }
}

async fn available(fixture: &OperationsFixture, count: usize) -> Vec<FileId> {
    let mut ids = Vec::new();
    for _ in 0..count {
        // A millisecond apart, so that their order is known.
        fixture.clock.advance(Duration::from_millis(1));
        let id = fixture.create().await;
        fixture.put(id, HELLO);
        assert_eq!(fixture.finalize(id).await, FinalizeOutcome::Available);
        ids.push(id);
    }
    ids
}

/// Something that happens at each read.
struct AtEachRead<F>(F);

impl<F> Interceptor for AtEachRead<F>
where
    F: Fn(ObjectKey) -> Result<(), StoreError> + Send + Sync,
{
    async fn around<T: Send>(
        &self,
        call: Call,
        made: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        if let Call::Read(key) = call {
            (self.0)(key)?;
        }
        made.await
    }
}

fn stores_where(
    fixture: &OperationsFixture,
    happens: impl Fn(ObjectKey) -> Result<(), StoreError> + Send + Sync + 'static,
) -> Stores {
    Stores {
        objects: Arc::new(Intercepted {
            store: fixture.objects.clone(),
            interceptor: AtEachRead(happens),
        }),
        ..fixture.stores.clone()
    }
}

#[tokio::test]
async fn exactly_the_files_whose_bytes_are_wrong_or_missing_are_named_with_what_is_wrong() {
    let fixture = OperationsFixture::with_versions(false);
    let ids = available(&fixture, 250).await;
    fixture.put(ids[3], "HELLO");
    fixture.put(ids[120], "hell");
    let missing = ObjectKey::new(ids[249]);
    fixture.objects.delete_all_versions(missing).await.unwrap();
    // Neither of these was ever promised to anybody.
    fixture.create().await;
    let rejected = fixture.create_declaring(4, None).await;
    fixture.put(rejected, HELLO);
    fixture.finalize(rejected).await;

    let outcome = scrub_with(&fixture.stores, ScrubOptions::default()).await;
    assert!(matches!(outcome.end, ScrubEnd::Complete));
    let mut named: Vec<_> = outcome.damaged.iter().map(|(id, _)| *id).collect();
    named.sort();
    assert_eq!(named, [ids[3], ids[120], ids[249]]);
    for (id, damage) in &outcome.damaged {
        match damage {
            Damage::WrongDigest { recorded, .. } if *id == ids[3] => {
                assert_eq!(recorded.to_hex(), HELLO_SHA256);
            }
            Damage::WrongLength {
                recorded: 5,
                observed: 4,
            } if *id == ids[120] => {}
            Damage::Missing if *id == ids[249] => {}
            other => panic!("{id} {other}"),
        }
    }
    assert_eq!((outcome.report.sound, outcome.report.damaged), (247, 3));
    assert_eq!(outcome.report.sound_bytes, 247 * 5);
    assert_eq!(outcome.report.position, Some(ids[0]));
}

#[tokio::test]
async fn the_version_that_was_promised_counts_and_not_a_newer_one() {
    let fixture = OperationsFixture::new();
    let ids = available(&fixture, 3).await;
    fixture.put(ids[1], "HELLO");
    let outcome = scrub_with(&fixture.stores, ScrubOptions::default()).await;
    assert_eq!((outcome.report.sound, outcome.damaged), (3, Vec::new()));
}

#[tokio::test]
async fn a_file_that_is_deleted_between_the_list_and_the_look_is_no_damage() {
    let fixture = OperationsFixture::new();
    let ids = available(&fixture, 3).await;
    let (deleted, inner) = (ids[1], fixture.stores.clone());
    let context = fixture.context.clone();
    let stores = stores_where(&fixture, move |key| {
        if key.file_id() == deleted {
            let deleting = delete_file(&inner, &context, deleted).now_or_never();
            deleting.unwrap().unwrap();
        }
        Ok(())
    });
    let outcome = scrub_with(&stores, ScrubOptions::default()).await;
    assert_eq!(fixture.objects.count(), 2);
    assert_eq!((outcome.report.gone, outcome.report.sound), (1, 2));
    assert_eq!(outcome.damaged, []);
}

#[tokio::test(start_paused = true)]
async fn a_passing_fault_is_tried_again_and_is_no_damage() {
    let fixture = OperationsFixture::new();
    let ids = available(&fixture, 3).await;
    let (faulty, left) = (ids[1], AtomicUsize::new(4));
    let stores = stores_where(&fixture, move |key| {
        let fails = || left.fetch_update(SeqCst, SeqCst, |n| n.checked_sub(1));
        if key.file_id() == faulty && fails().is_ok() {
            return Err(StoreError::unavailable("the object store", "a fault"));
        }
        Ok(())
    });
    let outcome = scrub_with(&stores, ScrubOptions::default()).await;
    assert_eq!((outcome.report.sound, outcome.report.unseen), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn a_fault_that_stays_is_told_as_such_and_never_as_damage() {
    let fixture = OperationsFixture::new();
    let ids = available(&fixture, 3).await;
    let faulty = ids[1];
    let stores = stores_where(&fixture, move |key| match key.file_id() == faulty {
        true => Err(StoreError::unavailable("the object store", "a fault")),
        false => Ok(()),
    });
    let outcome = scrub_with(&stores, ScrubOptions::default()).await;
    assert!(matches!(outcome.end, ScrubEnd::Complete));
    assert_eq!((outcome.report.sound, outcome.unseen), (2, 1));
    assert_eq!(outcome.damaged, []);
}

#[tokio::test(start_paused = true)]
async fn a_scrub_of_a_store_that_is_away_ends_soon_and_says_so() {
    let fixture = OperationsFixture::new();
    available(&fixture, 300).await;
    fixture.objects.set_fault(Some("a test's fault"));
    let began = tokio::time::Instant::now();
    let outcome = scrub_with(&fixture.stores, ScrubOptions::default()).await;
    assert!(matches!(outcome.end, ScrubEnd::StoreAway(_)));
    assert_eq!((outcome.report.sound, outcome.damaged), (0, Vec::new()));
    assert!(began.elapsed() < Duration::from_secs(60));

    fixture.metadata.set_fault(Some("a test's fault"));
    let outcome = scrub_with(&fixture.stores, ScrubOptions::default()).await;
    assert!(matches!(outcome.end, ScrubEnd::StoreAway(_)));
}

#[tokio::test(start_paused = true)]
async fn something_else_under_an_object_s_name_is_damage() {
    let fixture = OperationsFixture::new();
    available(&fixture, 1).await;
    let stores = stores_where(&fixture, |_| {
        Err(StoreError::corrupt("the object store", "a test's rubble"))
    });
    let outcome = scrub_with(&stores, ScrubOptions::default()).await;
    assert!(matches!(&outcome.damaged[..], [(_, Damage::Unreadable(_))]));
}

#[tokio::test]
async fn a_scrub_goes_on_behind_the_file_where_another_one_ended() {
    let fixture = OperationsFixture::with_versions(false);
    let ids = available(&fixture, 150).await;
    fixture.put(ids[20], "HELLO");
    fixture.put(ids[140], "HELLO");
    // Stopped after its first page of a hundred.
    let stop = CancellationToken::new();
    let (report, end) =
        scrub(
            &fixture.stores,
            ScrubOptions::default(),
            &stop,
            |finding| match finding {
                Finding::Progress(_) => stop.cancel(),
                Finding::Damaged(id, _) => assert_eq!(id, ids[140]),
                Finding::Unseen(..) => panic!("nothing is away"),
            },
        )
        .await;
    assert!(matches!(end, ScrubEnd::Stopped));
    assert_eq!(report.position, Some(ids[50]));
    let options = ScrubOptions {
        after: report.position,
        ..ScrubOptions::default()
    };
    let rest = scrub_with(&fixture.stores, options).await;
    assert_eq!(rest.report.sound + rest.report.damaged, 50);
    assert_eq!(rest.damaged[0].0, ids[20]);
    let options = ScrubOptions {
        after: Some(ids[0]),
        ..ScrubOptions::default()
    };
    assert_eq!(scrub_with(&fixture.stores, options).await.report.sound, 0);
}

#[tokio::test(start_paused = true)]
async fn the_rate_is_kept_on_average() {
    let fixture = OperationsFixture::new();
    available(&fixture, 21).await;
    let options = ScrubOptions {
        max_bytes_per_second: NonZeroU64::new(5),
        ..ScrubOptions::default()
    };
    let began = tokio::time::Instant::now();
    let outcome = scrub_with(&fixture.stores, options).await;
    assert_eq!(outcome.report.sound, 21);
    assert_eq!(began.elapsed().as_secs(), 20);
}
