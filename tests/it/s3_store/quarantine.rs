//! What is taken out of sight and can be brought back, and what another upload could replace.

use super::*;

async fn set_versioning(bucket: &Bucket, status: BucketVersioningStatus) {
    let versioning = VersioningConfiguration::builder().status(status).build();
    let put = bucket.admin.put_bucket_versioning().bucket(&bucket.name);
    let put = put.versioning_configuration(versioning);
    put.send().await.unwrap();
}

async fn listed(bucket: &Bucket, key: ObjectKey) -> Option<ListedObject> {
    let mut after = None;
    loop {
        let page = bucket.store.list(after.as_ref(), 1_000).await.unwrap();
        if let Some(found) = page.objects.into_iter().find(|it| it.key == key) {
            return Some(found);
        }
        after = Some(page.next?);
    }
}

#[tokio::test]
async fn a_quarantined_object_is_out_of_sight_is_listed_as_such_and_can_be_brought_back() {
    let bucket = Bucket::versioned().await;
    let key = new_key();
    let version = bucket.put_text(key, "perhaps somebody's").await.unwrap();
    assert!(!listed(&bucket, key).await.unwrap().is_quarantined);

    let quarantined = bucket.store.quarantine(key).await.unwrap();

    assert_eq!(quarantined, Quarantined::Aside);
    assert_eq!(bucket.store.head(key).await.unwrap().found(), None);
    let object = listed(&bucket, key).await.unwrap();
    assert!(object.is_quarantined && object.has_others, "{object:?}");
    // As an operator brings it back, or the sweep where a record names the version after all.
    let named = VersionId(version);
    let brought_back = bucket.store.delete_other_versions(key, &named).await;
    brought_back.unwrap();
    let text = bucket.read_text(key, None).await;
    assert_eq!(text.as_deref(), Some("perhaps somebody's"));
    assert!(!listed(&bucket, key).await.unwrap().is_quarantined);
}

#[tokio::test]
async fn newer_bytes_before_a_delete_marker_are_not_taken_for_quarantined() {
    let bucket = Bucket::versioned().await;
    let key = new_key();
    bucket.put_text(key, "first").await;
    bucket.store.quarantine(key).await.unwrap();
    bucket.put_text(key, "second").await;
    let object = listed(&bucket, key).await.unwrap();
    assert!(!object.is_quarantined && object.has_others, "{object:?}");
    bucket.store.delete_all_versions(key).await.unwrap();
    assert_eq!(listed(&bucket, key).await, None);
}

#[tokio::test]
async fn where_no_versions_are_kept_quarantine_leaves_the_object_where_it_is() {
    let bucket = Bucket::unversioned().await;
    for status in [None, Some(BucketVersioningStatus::Suspended)] {
        if let Some(status) = status {
            set_versioning(&bucket, BucketVersioningStatus::Enabled).await;
            set_versioning(&bucket, status).await;
        }
        let key = new_key();
        bucket.put_text(key, "here").await;
        let quarantined = bucket.store.quarantine(key).await.unwrap();
        assert_eq!(quarantined, Quarantined::NotSupported);
        assert_eq!(bucket.read_text(key, None).await.as_deref(), Some("here"));
    }
}

#[tokio::test]
async fn only_what_another_upload_could_still_take_the_place_of_is_replaceable() {
    let bucket = Bucket::unversioned().await;
    let mut seen = Vec::new();
    for status in [
        None,
        Some(BucketVersioningStatus::Enabled),
        Some(BucketVersioningStatus::Suspended),
    ] {
        if let Some(status) = status {
            set_versioning(&bucket, status).await;
        }
        let key = new_key();
        bucket.put_text(key, "here").await;
        let head = bucket.store.head(key).await.unwrap().found().unwrap();
        let reader = bucket.store.read(key, None).await.unwrap().found().unwrap();
        assert_eq!(head, reader.head);
        seen.push((head.version_id.is_some(), head.replaceable));
    }
    assert_eq!(seen, [(false, false), (true, false), (false, true)]);
}
