//! Versions of an object, what a deletion leaves of them, and objects that are set aside.

use super::*;

#[tokio::test]
async fn another_upload_under_a_key_is_another_version_and_never_stands_for_the_first() {
    let store = DiskFixture::new();
    let (key, store) = (key(), &store.store);
    let mut heads = Vec::new();
    for bytes in [b"first", b"other"] {
        let created = store.put(key, bytes).await.unwrap();
        assert_eq!(
            store.head(key).await.unwrap().found(),
            Some(created.clone())
        );
        heads.push(created);
        if heads.len() == 1 {
            store.delete_all_versions(key).await.unwrap();
        }
    }
    let [first, second] = heads.try_into().unwrap();
    assert_ne!(first.version_id, second.version_id);
    let read = async |version: Option<&VersionId>| store.read(key, version).await.unwrap().found();
    assert!(read(first.version_id.as_ref()).await.is_none());
    assert!(read(second.version_id.as_ref()).await.is_some());
    for never in ["null", "..", "", "../../lock", "0".repeat(32).as_str()] {
        let never = VersionId(never.into());
        assert!(read(Some(&never)).await.is_none(), "{never:?}");
    }
    assert_eq!(content(store, key).await, b"other");
    let unversioned = store.open_object(key, Wanted::Unversioned).await;
    assert!(unversioned.unwrap().is_none());
}

#[tokio::test]
async fn an_object_from_before_there_were_versions_is_one_without_and_stays_written_once() {
    let fixture = DiskFixture::new();
    let (key, store) = (key(), &fixture.store);
    fs::write(store.dir.object_path(key), b"old").unwrap();
    let head = store.head(key).await.unwrap().found().unwrap();
    assert_eq!((head.version_id, head.content_length), (None, 3));
    assert_eq!(content(store, key).await, b"old");
    let unversioned = store.open_object(key, Wanted::Unversioned).await.unwrap();
    assert_eq!(unversioned.unwrap().head().content_length, 3);
    let named = VersionId("0".repeat(32));
    assert!(
        store
            .read(key, Some(&named))
            .await
            .unwrap()
            .found()
            .is_none()
    );
    store.delete_other_versions(key, &named).await.unwrap();
    let refused = store.put(key, b"new").await;
    assert!(matches!(refused, Err(CreateError::AlreadyExists)));
    store.make_durable(key).await.unwrap();
    let listed = store.list(None, 10).await.unwrap().objects;
    assert_eq!((listed[0].key, listed[0].has_others), (key, false));
    assert_eq!(content(store, key).await, b"old");
    store.delete_all_versions(key).await.unwrap();
    assert_eq!(fixture.files(), 0);
    store.put(key, b"new").await.unwrap();
    let unversioned = store.open_object(key, Wanted::Unversioned).await;
    assert!(unversioned.unwrap().is_none());
}

#[tokio::test]
async fn what_a_deletion_leaves_that_was_cut_off_is_no_object_and_in_nobodys_way() {
    let fixture = DiskFixture::new();
    let (key, store) = (key(), &fixture.store);
    store.put(key, b"first").await.unwrap();
    fs::remove_file(store.file(key)).unwrap();
    assert!(store.head(key).await.unwrap().found().is_none());
    store.make_durable(key).await.unwrap();
    let listing = store.list(None, 10).await.unwrap();
    assert!(listing.objects.is_empty() && listing.foreign == 0);
    store.put(key, b"other").await.unwrap();
    assert_eq!(content(store, key).await, b"other");
}

#[tokio::test]
async fn copies_that_know_no_times_are_the_same_objects() {
    let fixture = DiskFixture::new();
    let key = key();
    let created = fixture.store.put(key, b"kept").await.unwrap();
    let copied = tempfile::tempdir().unwrap();
    let status = std::process::Command::new("cp")
        .arg("-r")
        .arg(fixture.data_dir.path().join("."))
        .arg(copied.path())
        .status();
    assert!(status.unwrap().success());
    let store = DiskObjectStore::open(copied.path()).unwrap();
    let head = store.head(key).await.unwrap().found().unwrap();
    assert_eq!(head.version_id, created.version_id);
    assert_eq!(content(&store, key).await, b"kept");
}

#[tokio::test]
async fn an_absence_is_told_as_of_when_the_upload_began_that_is_under_way() {
    let fixture = DiskFixture::new();
    let (key, other) = (key(), key());
    let before = fixture.store.absent_as_of(key).await;
    let receiving = fixture.store.receiving(key);
    let began = fixture.store.absent_as_of(key).await;
    let limit = Instant::now() + Duration::from_secs(10);
    while fixture.store.absent_as_of(other).await == began {
        assert!(Instant::now() < limit, "the clock stands still");
    }
    assert!(before <= began);
    assert_eq!(fixture.store.absent_as_of(key).await, began);
    let deleted = fixture.store.delete_all_versions(key).await.unwrap();
    assert_eq!(deleted, began);
    drop(receiving);
    assert!(fixture.store.absent_as_of(key).await > began);
}

#[tokio::test]
async fn what_is_quarantined_is_out_of_sight_and_can_be_brought_back() {
    let fixture = DiskFixture::new();
    let (versioned, old) = (key(), key());
    let store = &fixture.store;
    store.put(versioned, b"new").await.unwrap();
    fs::write(store.dir.object_path(old), b"old").unwrap();
    for key in [versioned, old] {
        let quarantined = store.quarantine(key).await.unwrap();
        assert_eq!(quarantined, Quarantined::Aside);
        assert!(store.head(key).await.unwrap().found().is_none());
        // Nothing to move is no error.
        store.quarantine(key).await.unwrap();
    }
    assert!(store.list(None, 10).await.unwrap().objects.is_empty());
    // Again under the same key, within the same second.
    store.put(old, b"newer").await.unwrap();
    store.quarantine(old).await.unwrap();
    let quarantine = fixture.data_dir.path().join("quarantine");
    let names: Vec<_> = fs::read_dir(&quarantine).unwrap().collect();
    assert_eq!(names.len(), 3);
    for entry in names {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_file() || name.ends_with(&versioned.file_id().to_string()) {
            let (_, id) = name.split_once('-').unwrap();
            let key = ObjectKey::new(FileId::parse(id).unwrap());
            fs::rename(entry.path(), store.dir.object_path(key)).unwrap();
        }
    }
    assert_eq!(content(store, versioned).await, b"new");
    assert_eq!(content(store, old).await, b"old");
}

#[tokio::test]
async fn a_quarantine_ends_by_the_time_of_the_move_and_a_bounded_number_at_once() {
    let fixture = DiskFixture::new();
    let store = &fixture.store;
    let quarantine = fixture.data_dir.path().join("quarantine");
    for _ in 0..=remove::ENDED_AT_ONCE {
        let old = quarantine.join(format!("20200101T000000Z-{}", key().file_id()));
        fs::create_dir(&old).unwrap();
        fs::write(old.join(versions::new_version().0), "x").unwrap();
    }
    fs::write(quarantine.join("notes.txt"), "x").unwrap();
    let young = key();
    store.put(young, b"young").await.unwrap();
    store.quarantine(young).await.unwrap();
    let before = chrono::Utc::now() - Duration::from_secs(3600);
    assert_eq!(
        store.end_quarantine(before).await.unwrap(),
        remove::ENDED_AT_ONCE
    );
    assert_eq!(store.end_quarantine(before).await.unwrap(), 1);
    assert_eq!(store.end_quarantine(before).await.unwrap(), 0);
    assert_eq!(fs::read_dir(&quarantine).unwrap().count(), 2);
    let soon = chrono::Utc::now() + Duration::from_secs(3600);
    assert_eq!(store.end_quarantine(soon).await.unwrap(), 1);
}
