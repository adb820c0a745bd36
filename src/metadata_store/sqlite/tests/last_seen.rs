//! When a start after a crash looks through the database, and when it knows that nobody changed it.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::file::raw;
use super::*;
use crate::metadata_store::sqlite::last_seen::{SUFFIX, are_untouched, tells_moments_apart};
use crate::metadata_store::sqlite::schema::{LOG_SUFFIX, LOOKED_THROUGH, beside};

/// What a killed process leaves: the store isn't stopped, and the next one finds its files.
async fn killed() -> (TempDir, SqliteMetadataStore) {
    let (directory, store) = new_store();
    write(&store).await;
    (directory, store)
}

/// Two writes, so that the first one's note is written when this ends, and the second one changes nothing in it.
async fn write(store: &SqliteMetadataStore) {
    for _ in 0..2 {
        store.insert(&pending(-10)).await.unwrap();
    }
}

async fn move_log_into_file(store: &SqliteMetadataStore) {
    let checkpoint = |connection: &rusqlite::Connection| {
        // In the transaction of its group it can't be done.
        connection.execute_batch("COMMIT; PRAGMA wal_checkpoint(PASSIVE); BEGIN IMMEDIATE")
    };
    store.writer.write(Kind::Adds, checkpoint).await.unwrap();
    write(store).await;
}

/// How often the database is looked through when it is opened.
fn looks(database: &Path) -> usize {
    let before = LOOKED_THROUGH.get();
    let opened = SqliteMetadataStore::open(database);
    let looks = LOOKED_THROUGH.get() - before;
    drop(opened);
    looks
}

/// The file system's clock goes on in ticks of some milliseconds.
fn wait_for_the_next_tick(directory: &TempDir) {
    let time = |path: &Path| {
        let found = fs::metadata(path).unwrap();
        (found.ctime(), found.ctime_nsec())
    };
    let (database, probe) = (file_in(directory), directory.path().join("probe"));
    let deadline = Instant::now() + Duration::from_secs(10);
    while fs::write(&probe, "").is_err() || time(&probe) <= time(&database) {
        assert!(Instant::now() < deadline, "the clock stands still");
    }
}

/// As `cp` does it, and `fs::copy`: the inode stays.
fn write_over(path: &Path, bytes: &[u8]) {
    let mut file = OpenOptions::new().write(true).truncate(true).open(path);
    file.as_mut().unwrap().write_all(bytes).unwrap();
}

#[tokio::test]
async fn a_start_after_a_crash_does_not_look_through_a_database_that_nobody_changed() {
    let (directory, _store) = killed().await;
    assert_eq!(looks(&file_in(&directory)), 0);
}

#[tokio::test]
async fn nor_after_the_log_was_moved_into_the_file_and_begun_anew() {
    let (directory, store) = killed().await;
    let length = || fs::metadata(file_in(&directory)).unwrap().len();
    let before = length();
    move_log_into_file(&store).await;
    assert!(length() > before, "nothing was moved");
    assert_eq!(looks(&file_in(&directory)), 0);
}

#[tokio::test]
async fn a_copy_of_all_files_elsewhere_is_looked_through() {
    let (directory, _store) = killed().await;
    let elsewhere = tempfile::tempdir().unwrap();
    for suffix in ["", LOG_SUFFIX, SUFFIX] {
        let (from, to) = (file_in(&directory), file_in(&elsewhere));
        fs::copy(beside(&from, suffix), beside(&to, suffix)).unwrap();
    }
    assert_eq!(looks(&file_in(&elsewhere)), 1);
}

#[tokio::test]
async fn a_database_or_log_that_was_written_over_is_looked_through_though_its_inode_and_length_stay()
 {
    for suffix in ["", LOG_SUFFIX] {
        let (directory, _store) = killed().await;
        let changed = beside(&file_in(&directory), suffix);
        let mut bytes = fs::read(&changed).unwrap();
        assert!(are_untouched(&file_in(&directory)));
        // Another log has other numbers in its header.
        wait_for_the_next_tick(&directory);
        bytes[16] ^= u8::from(suffix == LOG_SUFFIX);
        write_over(&changed, &bytes);
        assert!(!are_untouched(&file_in(&directory)), "{suffix}");
    }
}

#[tokio::test]
async fn a_log_that_was_cut_off_or_replaced_is_noticed() {
    let (directory, store) = killed().await;
    let log = beside(&file_in(&directory), LOG_SUFFIX);
    // The note has the length that the log has now.
    move_log_into_file(&store).await;
    let bytes = fs::read(&log).unwrap();
    assert!(are_untouched(&file_in(&directory)));
    let copy = directory.path().join("copy");
    fs::write(&copy, &bytes).unwrap();
    fs::rename(&copy, &log).unwrap();
    assert!(!are_untouched(&file_in(&directory)), "replaced");

    let (directory, store) = killed().await;
    let log = beside(&file_in(&directory), LOG_SUFFIX);
    move_log_into_file(&store).await;
    let log = OpenOptions::new().write(true).open(&log).unwrap();
    log.set_len(64).unwrap();
    assert!(!are_untouched(&file_in(&directory)), "cut off");
}

#[tokio::test]
async fn what_another_program_wrote_while_the_service_ran_is_not_taken_for_its_own() {
    let (directory, store) = killed().await;
    let database = file_in(&directory);
    wait_for_the_next_tick(&directory);
    raw(&directory)
        .execute_batch("PRAGMA wal_checkpoint(PASSIVE)")
        .unwrap();
    assert!(!are_untouched(&database), "at once");
    move_log_into_file(&store).await;
    assert!(!are_untouched(&database), "after own writes");
}

#[tokio::test]
async fn a_note_that_is_missing_damaged_or_anothers_means_a_look() {
    let (directory, _store) = killed().await;
    let (other, _other) = killed().await;
    let note = beside(&file_in(&directory), SUFFIX);
    let right = fs::read(&note).unwrap();
    let mut others = vec![
        Vec::new(),
        b"\xff\xfe\x00".to_vec(),
        right[..right.len() - 1].to_vec(),
        [right.as_slice(), right.as_slice()].concat(),
        vec![b'0'; 1 << 20],
        fs::read(beside(&file_in(&other), SUFFIX)).unwrap(),
    ];
    for at in 0..right.len() {
        let mut flipped = right.clone();
        flipped[at] ^= 0x10;
        // The length that the log has at least may be another.
        if at < right.len() - 17 {
            others.push(flipped);
        }
    }
    for wrong in others {
        fs::write(&note, &wrong).unwrap();
        assert!(!are_untouched(&file_in(&directory)), "{wrong:?}");
    }
    fs::write(&note, &right).unwrap();
    assert!(are_untouched(&file_in(&directory)));
    fs::remove_file(&note).unwrap();
    assert_eq!(looks(&file_in(&directory)), 1);
}

#[tokio::test]
async fn a_stop_leaves_no_note() {
    let (directory, store) = killed().await;
    let note = beside(&file_in(&directory), SUFFIX);
    assert!(note.exists());
    drop(store);
    assert!(!note.exists());
}

#[test]
fn a_time_in_whole_seconds_is_no_proof() {
    assert!(!tells_moments_apart(0));
    assert!(tells_moments_apart(4_000_000));
}
