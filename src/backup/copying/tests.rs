//! What is copied, what isn't, and that a copy that was cut off is started by nobody.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use clap::Parser;
use futures_util::stream;
use rusqlite::Connection;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::super::check;
use super::*;
use crate::config::{BackupArgs, BackupSettings, RestoreSettings};
use crate::domain::{
    ContentType, Declaration, FileId, Hold, HoldReason, RejectionReason, Transition,
};
use crate::object_store::ObjectStore;
use crate::operations::{FinalizeOutcome, finalize_upload};

const BYTES: &[u8] = b"what a student handed in";
const MINUTE: Duration = Duration::from_secs(60);

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    args: BackupArgs,
}

/// A data directory, and room for copies of it.
struct Place {
    dir: TempDir,
    common: CommonSettings,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let judged = Cli::parse_from(["backup", "unused"]).args.judge();
        let BackupSettings { common, .. } = judged.unwrap();
        Self { dir, common }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn source(&self) -> PathBuf {
        self.at("source")
    }

    async fn open(&self, path: &Path) -> OpenStores {
        open(path, &self.common, Access::Write).await.unwrap()
    }

    /// As a start finds it, which makes what isn't there.
    async fn starts(&self, path: &Path) -> Result<(), StartError> {
        self.open(path).await.start_unmarked().await
    }

    async fn begin(&self, to: &Path, job: Job) -> Result<Copying, NotCopied> {
        Copying::begin(&self.source(), to, job, &self.common).await
    }

    async fn back_up(&self, to: &Path) -> Result<Copied, NotCopied> {
        let with_secrets = true;
        let begun = self.begin(to, Job::Backup { with_secrets }).await?;
        begun.finish().await
    }

    fn records(&self) -> Connection {
        Connection::open(self.source().join(LOCAL_METADATA_FILE)).unwrap()
    }
}

/// An available file.
async fn file(opened: &OpenStores) -> FileRecord {
    let stores = &opened.stores;
    let now = stores.clock.now();
    let declared = Declaration::sample().of_length(BYTES.len() as u64);
    let id = FileId::new(now);
    let record = FileRecord::pending(id, declared, now + MINUTE, &stores.lifecycle);
    stores.metadata.insert(&record).await.unwrap();
    let body = stream::once(async { Ok(Bytes::from_static(BYTES)) });
    let objects = disk(opened).unwrap();
    let created = objects.create_once(record.key(), BYTES.len() as u64, None, body);
    created.await.unwrap();
    let outcome = finalize_upload(stores, record.key()).await.unwrap();
    assert_eq!(outcome, FinalizeOutcome::Available);
    stores.metadata.get(id).await.unwrap().unwrap()
}

async fn withdraw(opened: &OpenStores, record: &FileRecord) {
    let FileState::Available(object) = &record.state else {
        panic!("it isn't available");
    };
    let reason = RejectionReason::infected("Eicar", ContentType::unknown());
    let later = opened.stores.clock.now() + 100 * MINUTE;
    let transition = Transition::withdrawn(object, reason, later, later);
    let metadata = &opened.stores.metadata;
    metadata.transition(record.id, &transition).await.unwrap();
}

async fn hold(opened: &OpenStores, record: &FileRecord) {
    let hold = Hold {
        reason: HoldReason::given("case 4711").unwrap(),
        since: opened.stores.clock.now(),
        by: None,
    };
    let held = opened.stores.metadata.hold(record.id, &hold).await.unwrap();
    assert!(held.is_some());
}

async fn has_bytes(opened: &OpenStores, record: &FileRecord) -> bool {
    let head = disk(opened).unwrap().head(record.key()).await.unwrap();
    head.found().is_some()
}

#[tokio::test]
async fn a_copy_that_is_cut_off_at_any_step_is_started_by_nobody_and_a_whole_one_is() {
    for is_marked in [true, false] {
        let place = Place::new();
        let source = place.open(&place.source()).await;
        let kept = file(&source).await;
        if is_marked {
            source.store_pair().mark().await.unwrap();
        }
        drop(source);

        // Killed before there are records.
        let [before, behind, within] = ["before", "behind", "within"].map(|it| place.at(it));
        drop(place.begin(&before, Job::Restore).await.unwrap());
        for name in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(before.join(format!("{LOCAL_METADATA_FILE}{name}")));
        }
        // Killed behind the records.
        drop(place.begin(&behind, Job::Restore).await.unwrap());
        // Ended by a secret that others could read, when everything else is there.
        let secret = place.source().join("signing-secret");
        fs::write(&secret, "0".repeat(64)).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        fs::set_permissions(&secret, mode).unwrap();
        assert!(place.back_up(&within).await.is_err());
        fs::remove_file(&secret).unwrap();
        for cut_off in [&before, &behind, &within] {
            let refused = place.starts(cut_off).await.unwrap_err().to_string();
            assert!(refused.contains("don't belong together"), "{refused}");
            let refused = refuse_what_is_not_whole(cut_off, &place.common).await;
            assert!(refused.is_err(), "{}", cut_off.display());
        }

        let whole = place.at("whole");
        assert_eq!(place.back_up(&whole).await.unwrap().files, 1);
        refuse_what_is_not_whole(&whole, &place.common)
            .await
            .unwrap();
        place.starts(&whole).await.unwrap();
        assert!(has_bytes(&place.open(&whole).await, &kept).await);
        // Nothing is copied over it, whoever was faster.
        let of = place.source().join(LOCAL_METADATA_FILE);
        let refused = open(&whole, &place.common, Access::Copy { of }).await;
        let refused = refused.map(drop).unwrap_err().to_string();
        assert!(refused.contains("records in it already"), "{refused}");
        place.starts(&whole).await.unwrap();
    }
}

#[tokio::test]
async fn bytes_of_a_withdrawn_file_go_along_while_something_keeps_them() {
    let place = Place::new();
    let source = place.open(&place.source()).await;
    let (held, kept, lost, released, left) = (
        file(&source).await,
        file(&source).await,
        file(&source).await,
        file(&source).await,
        file(&source).await,
    );
    let until = source.stores.clock.now() + MINUTE;
    let metadata = &source.stores.metadata;
    metadata.keep_longer(kept.id, until).await.unwrap();
    for record in [&held, &lost, &released] {
        hold(&source, record).await;
    }
    for record in [&held, &kept, &lost, &released, &left] {
        withdraw(&source, record).await;
    }
    let objects = disk(&source).unwrap();
    for record in [&lost, &released] {
        objects.delete_all_versions(record.key()).await.unwrap();
    }

    let to = place.at("to");
    let with_secrets = false;
    let begun = place.begin(&to, Job::Backup { with_secrets }).await;
    // Since the records were copied.
    let held_so = metadata.get(released.id).await.unwrap().unwrap();
    release(&source.stores, &held_so).await.unwrap();
    let copied = begun.unwrap().finish().await.unwrap();
    assert_eq!((copied.files, copied.damaged, copied.deleted), (2, 1, 0));
    let copy = place.open(&to).await;
    for (record, is_there) in [(&held, true), (&kept, true), (&left, false)] {
        assert_eq!(has_bytes(&copy, record).await, is_there);
    }
    for (record, is_held) in [(&held, true), (&released, false)] {
        let stored = copy.stores.metadata.get(record.id).await.unwrap().unwrap();
        assert_eq!(stored.status(), Status::Withdrawn);
        assert_eq!(stored.hold.is_some(), is_held);
    }
}

#[tokio::test]
async fn a_file_or_record_that_can_not_be_read_is_counted_and_all_others_are_copied() {
    let place = Place::new();
    let source = place.open(&place.source()).await;
    let (bad_object, bad_record) = (file(&source).await, file(&source).await);
    let sound = file(&source).await;
    drop(source);
    let [.., last] = *bad_object.id.as_bytes();
    let object = format!("objects/{last:02x}/{}", bad_object.id);
    let object = place.source().join(object);
    fs::remove_dir_all(&object).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", &object).unwrap();
    let changed = place.records().execute(
        "UPDATE files SET content_type = 'none at all' WHERE id = ?1",
        [bad_record.id.as_bytes().as_slice()],
    );
    assert_eq!(changed.unwrap(), 1);

    let to = place.at("to");
    let copied = place.back_up(&to).await.unwrap();
    assert_eq!((copied.files, copied.damaged), (1, 2));
    let copy = place.open(&to).await;
    assert!(has_bytes(&copy, &sound).await);
    assert!(!has_bytes(&copy, &bad_record).await);
    copy.start_unmarked().await.unwrap();
}

#[tokio::test]
async fn a_look_through_a_backup_finds_a_record_that_can_not_be_read() {
    let place = Place::new();
    let source = place.open(&place.source()).await;
    let record = file(&source).await;
    file(&source).await;
    drop(source);
    let look = async |to: PathBuf| {
        place.back_up(&to).await.unwrap();
        let settings = RestoreSettings {
            from: to,
            to: None,
            common: place.common.clone(),
        };
        let code = check(&settings, CancellationToken::new()).await;
        format!("{code:?}")
    };
    let of = |code: u8| format!("{:?}", ExitCode::from(code));
    assert_eq!(look(place.at("sound")).await, of(0));
    let changed = place.records().execute(
        "UPDATE files SET content_type = 'none at all' WHERE id = ?1",
        [record.id.as_bytes().as_slice()],
    );
    assert_eq!(changed.unwrap(), 1);
    assert_eq!(look(place.at("damaged")).await, of(1));
}

#[tokio::test]
async fn records_of_an_older_version_are_not_backed_up_and_can_be_restored() {
    let place = Place::new();
    drop(place.open(&place.source()).await);
    let records = place.source().join(LOCAL_METADATA_FILE);
    let older = include_bytes!("../../metadata_store/sqlite/tests/version-12.sqlite");
    fs::write(&records, older).unwrap();
    let unmarked = place.records().execute("DELETE FROM store_marker", []);
    unmarked.unwrap();
    let before = fs::read(&records).unwrap();

    let to = place.at("to");
    let refused = place.back_up(&to).await.unwrap_err().to_string();
    assert!(
        refused.contains("an older version of this program (schema 12"),
        "{refused}"
    );
    assert!(!to.exists());
    // Its files have no bytes here, and what it says of them can't be asked of it.
    let restoring = place.begin(&to, Job::Restore).await.unwrap();
    let copied = restoring.finish().await.unwrap();
    assert_eq!((copied.files, copied.damaged, copied.deleted), (0, 2, 0));
    assert_eq!(fs::read(&records).unwrap(), before);
}
