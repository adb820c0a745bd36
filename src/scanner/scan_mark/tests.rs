//! Who reads the mark, who writes it, and who takes it away.

use super::*;
use crate::clock::ManualClock;
use crate::config::{ScannedBy, ScannerSettings};
use crate::domain::from_millis;
use crate::item_store::memory::MemoryItemStore;
use crate::scanner::Scans;

struct Table {
    items: Arc<MemoryItemStore>,
    clock: Arc<ManualClock>,
}

impl Table {
    fn new() -> Self {
        let now = from_millis(1_790_000_000_000).unwrap();
        Self {
            items: Arc::default(),
            clock: Arc::new(ManualClock::at(now)),
        }
    }

    /// As another program knows it.
    fn mark(&self) -> Arc<ScanMark> {
        let items = Arc::clone(&self.items) as _;
        Arc::new(ScanMark::new(items, Arc::clone(&self.clock) as _))
    }

    async fn is_marked(&self) -> bool {
        self.mark().is_there().await.unwrap()
    }

    /// A program that does this until it is stopped.
    fn runs<F: Future<Output = ()> + Send + 'static>(
        &self,
        program: impl FnOnce(Arc<ScanMark>, CancellationToken) -> F,
    ) -> CancellationToken {
        let stop = CancellationToken::new();
        tokio::spawn(program(self.mark(), stop.clone()));
        stop
    }

    fn scans(&self) -> CancellationToken {
        self.runs(|mark, stop| async move { mark.keep(stop).await })
    }

    fn is_off(&self) -> CancellationToken {
        self.runs(|mark, stop| async move { mark.let_lapse(stop).await })
    }
}

/// So that what waits meanwhile has its turns.
async fn pass(time: Duration) {
    sleep(time).await;
}

#[tokio::test(start_paused = true)]
async fn the_mark_is_there_from_the_first_start_of_a_scanner_and_outlives_it() {
    let table = Table::new();
    assert!(!table.is_marked().await);
    let beside = table.mark();
    assert!(!beside.is_there().await.unwrap());
    let scanner = table.scans();
    pass(Duration::from_millis(1)).await;
    // That it wasn't there is never believed for a while.
    assert!(beside.is_there().await.unwrap());
    scanner.cancel();
    pass(LAPSES_AFTER * 100).await;
    table.clock.advance(LAPSES_AFTER * 100_000);
    assert!(table.is_marked().await);
}

#[tokio::test(start_paused = true)]
async fn single_looks_a_minute_apart_write_the_mark_and_take_it_away_as_a_program_that_runs_does() {
    let table = Table::new();
    let scanning = Scans::by_tags(crate::config::Unscannable::Reject).with_mark(table.mark());
    let said_off = ScannerSettings {
        by: ScannedBy::Nothing,
        ..ScannerSettings::default()
    };
    let off = Scans::new(&said_off).with_mark(table.mark());
    let said_nothing = Scans::off().with_mark(table.mark());
    let (mut scanning, mut off) = (scanning.mark_keeper(), off.mark_keeper());
    said_nothing.mark_keeper().keep().await.unwrap();
    assert!(!table.is_marked().await);
    for _ in 0..10 {
        scanning.keep().await.unwrap();
        off.keep().await.unwrap();
        pass(MARK_INTERVAL).await;
        assert!(table.is_marked().await, "it is taken from one that scans");
    }
    for _ in 0..6 {
        off.keep().await.unwrap();
        pass(MARK_INTERVAL).await;
    }
    assert!(!table.is_marked().await);
}

#[tokio::test(start_paused = true)]
async fn whoever_is_to_end_scanning_does_so_once_no_scanner_runs_and_not_before() {
    let table = Table::new();
    let scanner = table.scans();
    pass(Duration::from_millis(1)).await;
    table.is_off();
    pass(LAPSES_AFTER * 20).await;
    assert!(table.is_marked().await, "it is taken from one that scans");
    scanner.cancel();
    pass(LAPSES_AFTER - MARK_INTERVAL).await;
    assert!(table.is_marked().await, "it is taken too early");
    pass(MARK_INTERVAL * 3).await;
    assert!(!table.is_marked().await, "it is never taken");
    // Whoever scans again says so again, and nothing of before ends that.
    let scanner = table.scans();
    pass(LAPSES_AFTER * 3).await;
    assert!(table.is_marked().await);
    scanner.cancel();
    pass(LAPSES_AFTER * 2).await;
    assert!(!table.is_marked().await);
}

#[tokio::test(start_paused = true)]
async fn a_mark_that_a_restored_table_does_not_have_is_back_within_a_minute() {
    let table = Table::new();
    table.scans();
    pass(Duration::from_millis(1)).await;
    let key = key().unwrap();
    assert!(table.items.remove(&key, table.clock.now()).await.unwrap());
    pass(MARK_INTERVAL).await;
    assert!(table.is_marked().await);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_ends_nothing_and_says_nothing() {
    let table = Table::new();
    table.items.set_fault(Some("it is away"));
    assert!(table.mark().is_there().await.is_err());
    let scanner = table.scans();
    pass(MARK_INTERVAL).await;
    table.items.set_fault(None);
    pass(RETRY_PAUSE).await;
    assert!(table.is_marked().await);
    // The time in which nobody could have written it says nothing.
    scanner.cancel();
    table.is_off();
    pass(MARK_INTERVAL).await;
    table.items.set_fault(Some("it is away"));
    pass(LAPSES_AFTER * 3).await;
    table.items.set_fault(None);
    pass(LAPSES_AFTER - MARK_INTERVAL).await;
    assert!(table.is_marked().await);
    pass(MARK_INTERVAL * 3).await;
    assert!(!table.is_marked().await);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_was_told_nothing_does_not_start_where_files_are_scanned() {
    let table = Table::new();
    let look = async || ScanMarkCheck::of(&table.mark()).look().await.remove(0);
    assert!(matches!(look().await, Finding::Fine(_)));
    table.items.set_fault(Some("it is away"));
    assert!(matches!(look().await, Finding::Away(_)));
    table.items.set_fault(None);
    table.scans();
    pass(Duration::from_millis(1)).await;
    let Finding::Wrong(flaw) = look().await else {
        panic!("it starts");
    };
    assert!(flaw.remedy.contains("SCANNER=off"), "{}", flaw.remedy);
}
