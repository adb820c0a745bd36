//! What S3 answers and no server on a test machine does, played by a server of scripted answers.

use super::*;

/// A server of scripted answers, and a store that takes it for S3.
struct Scripted {
    store: S3ObjectStore,
    /// The first line of each request so far.
    requests: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    /// One connection for each request. All requests behind those that `answers` are for get the
    /// last one too.
    async fn new(answers: &[&'static str]) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let store = store_at(listener.local_addr().unwrap()).await;
        let requests = Arc::new(Mutex::new(Vec::new()));
        let asked = requests.clone();
        let mut answers = VecDeque::from(answers.to_vec());
        tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                let mut request = vec![0; 16 * 1024];
                let length = connection.read(&mut request).await.unwrap_or(0);
                let text = String::from_utf8_lossy(&request[..length]);
                let line = text.lines().next().unwrap_or_default().to_owned();
                asked.lock().unwrap().push(line);
                let answer = answers[0];
                if answers.len() > 1 {
                    answers.pop_front();
                }
                let _ = connection.write_all(answer.as_bytes()).await;
                let _ = connection.shutdown().await;
            }
        });
        Self { store, requests }
    }

    fn last_request(&self) -> String {
        self.requests.lock().unwrap().last().cloned().unwrap()
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_early_ends_with_an_error() {
    let scripted = Scripted::new(&[
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\nx-amz-version-id: 1\r\n\
         last-modified: Mon, 05 Jan 2026 10:00:00 GMT\r\n\r\nhello",
    ])
    .await;
    let reader = scripted
        .store
        .read(new_key(), None)
        .await
        .unwrap()
        .found()
        .unwrap();
    assert_eq!(reader.head.content_length, 10);
    assert_unavailable(reader.body.try_collect::<Vec<Bytes>>().await);
}

#[tokio::test]
async fn a_404_of_somebody_who_is_no_object_store_is_an_error() {
    let scripted = Scripted::new(&[
        "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
    ])
    .await;
    assert_unavailable(scripted.store.head(new_key()).await);
    assert_unavailable(scripted.store.read(new_key(), None).await);
    assert_unavailable(scripted.store.check().await);
}

const NO_SUCH_KEY: &str = "<Error><Code>NoSuchKey</Code></Error>";
/// Far from any clock that a test may run by.
const THERE: &str = "date: Mon, 05 Jan 2026 10:00:00 GMT";

#[tokio::test]
async fn as_of_when_an_answer_holds_is_the_store_s_own_time() {
    let there = "2026-01-05T10:00:00+00:00";
    let missing =
        format!("HTTP/1.1 404 Not Found\r\n{THERE}\r\nconnection: close\r\n\r\n{NO_SUCH_KEY}");
    let empty =
        format!("HTTP/1.1 200 OK\r\n{THERE}\r\nconnection: close\r\n\r\n<ListVersionsResult/>");
    let unknown = format!(
        "HTTP/1.1 501 Not Implemented\r\n{THERE}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
    );
    let [missing, empty, unknown] = [missing, empty, unknown].map(|it| &*it.leak());
    let deleted = "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";

    let scripted = Scripted::new(&[missing]).await;
    let head = scripted.store.head(new_key()).await.unwrap();
    let Lookup::Absent { as_of } = head else {
        panic!("{head:?}")
    };
    assert_eq!(as_of.to_rfc3339(), there);
    let Lookup::Absent { as_of } = scripted.store.read(new_key(), None).await.unwrap() else {
        panic!("there is nothing")
    };
    assert_eq!(as_of.to_rfc3339(), there);
    for answers in [&[empty][..], &[unknown, deleted]] {
        let scripted = Scripted::new(answers).await;
        let as_of = scripted.store.delete_all_versions(new_key()).await.unwrap();
        assert_eq!(as_of.to_rfc3339(), there);
    }
    let listing = Scripted::new(&[empty]).await.store.list(None, 10).await;
    assert_eq!(listing.unwrap().as_of.to_rfc3339(), there);
}

#[tokio::test]
async fn an_answer_that_does_not_say_as_of_when_it_holds_is_no_answer() {
    for date in ["", "date: yesterday\r\n"] {
        let missing =
            format!("HTTP/1.1 404 Not Found\r\n{date}connection: close\r\n\r\n{NO_SUCH_KEY}");
        let empty =
            format!("HTTP/1.1 200 OK\r\n{date}connection: close\r\n\r\n<ListVersionsResult/>");
        let scripted = Scripted::new(&[missing.leak()]).await;
        let told = assert_unavailable(scripted.store.head(new_key()).await);
        assert!(told.contains("Date"), "{told}");
        assert_unavailable(scripted.store.read(new_key(), None).await);
        let scripted = Scripted::new(&[empty.leak()]).await;
        assert_unavailable(scripted.store.delete_all_versions(new_key()).await);
        assert_unavailable(scripted.store.list(None, 10).await);
    }
}

#[tokio::test]
async fn tags_of_another_version_than_was_asked_for_are_no_answer() {
    let tags = "<Tagging><TagSet><Tag><Key>other</Key><Value>x</Value></Tag>\
        <Tag><Key>scanned</Key><Value>clean</Value></Tag></TagSet></Tagging>";
    let asked = VersionId("v1".into());
    for (version, is_answer) in [("v1", true), ("v2", false)] {
        let answer = format!(
            "HTTP/1.1 200 OK\r\nx-amz-version-id: {version}\r\nconnection: close\r\n\r\n{tags}"
        );
        let scripted = Scripted::new(&[answer.leak()]).await;
        let told = scripted.store.tag(new_key(), &asked, "scanned").await;
        assert!(scripted.last_request().contains("versionId=v1"));
        match is_answer {
            true => assert_eq!(told.unwrap().found(), Some(Some("clean".to_owned()))),
            false => assert!(assert_unavailable(told).contains("another version")),
        }
        let none = scripted.store.tag(new_key(), &asked, "no such tag").await;
        assert_eq!(none.ok().and_then(Lookup::found), is_answer.then_some(None));
    }
    let missing =
        format!("HTTP/1.1 404 Not Found\r\n{THERE}\r\nconnection: close\r\n\r\n{NO_SUCH_KEY}");
    let scripted = Scripted::new(&[missing.leak()]).await;
    let told = scripted.store.tag(new_key(), &asked, "scanned").await;
    assert!(matches!(told, Ok(Lookup::Absent { .. })), "{told:?}");
}

#[tokio::test]
async fn a_start_says_that_this_machine_s_clock_is_off_and_does_not_end_for_it() {
    let refused =
        format!("HTTP/1.1 404 Not Found\r\n{THERE}\r\nconnection: close\r\n\r\n{NO_SUCH_KEY}");
    let scripted = Scripted::new(&[refused.leak()]).await;
    let problems = scripted.store.check_start("us-east-1", "ApiPolicy").await;
    let clocks = problems.iter().find_map(|it| match it {
        StartupProblem::ClockOff(clocks) => Some(clocks.to_string()),
        _ => None,
    });
    let told = clocks.expect("a clock that is off");
    assert!(told.contains("AWS says 2026-01-05T10:00:00Z"), "{told}");

    let right = Bucket::versioned().await.store;
    assert_eq!(right.check_start("us-east-1", "WorkerPolicy").await, []);
}

#[tokio::test]
async fn versions_that_a_batch_could_not_delete_are_an_error_in_spite_of_status_200() {
    let scripted = Scripted::new(&[
        "HTTP/1.1 200 OK\r\ndate: Mon, 05 Jan 2026 10:00:00 GMT\r\nconnection: close\r\n\r\n\
         <ListVersionsResult><Version>\
         <Key>uploads/0199a2b4-7c1e-7f4d-9a7e-0d8a4c1b2e3f</Key><VersionId>v1</VersionId>\
         </Version></ListVersionsResult>",
        "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n<DeleteResult><Error>\
         <Key>uploads/0199a2b4-7c1e-7f4d-9a7e-0d8a4c1b2e3f</Key><VersionId>v1</VersionId>\
         <Code>InternalError</Code></Error></DeleteResult>",
    ])
    .await;
    let key = ObjectKey::parse("uploads/0199a2b4-7c1e-7f4d-9a7e-0d8a4c1b2e3f").unwrap();
    let told = assert_unavailable(scripted.store.delete_all_versions(key).await);
    assert!(told.contains("InternalError"), "{told}");
}

#[tokio::test]
async fn a_store_without_listings_of_versions_deletes_the_object_itself() {
    let scripted = Scripted::new(&[
        "HTTP/1.1 501 Not Implemented\r\ndate: Mon, 05 Jan 2026 10:00:00 GMT\r\n\
         connection: close\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n",
    ])
    .await;
    let key = new_key();
    scripted.store.delete_all_versions(key).await.unwrap();
    let expected = format!("DELETE /bucket/{key}");
    let asked = scripted.last_request();
    assert!(asked.starts_with(&expected), "{asked}");
}

#[tokio::test]
async fn a_store_without_listings_of_versions_lists_objects() {
    let scripted = Scripted::new(&[
        "HTTP/1.1 501 Not Implemented\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ndate: Mon, 05 Jan 2026 10:00:00 GMT\r\nconnection: close\r\n\r\n\
         <ListBucketResult>\
         <IsTruncated>true</IsTruncated><Contents>\
         <Key>uploads/0199a2b4-7c1e-7f4d-9a7e-0d8a4c1b2e3f</Key>\
         <LastModified>2026-01-05T10:00:00.000Z</LastModified></Contents><Contents>\
         <Key>uploads/report.pdf</Key><LastModified>2026-01-05T10:00:00.000Z</LastModified>\
         </Contents></ListBucketResult>",
    ])
    .await;
    let after = ListPosition("uploads/0".into());
    let listing = scripted.store.list(Some(&after), 2).await.unwrap();
    let keys: Vec<_> = listing
        .objects
        .iter()
        .map(|it| it.key.to_string())
        .collect();
    assert_eq!(keys, ["uploads/0199a2b4-7c1e-7f4d-9a7e-0d8a4c1b2e3f"]);
    assert_eq!(listing.foreign, 1);
    assert_eq!(
        listing.next,
        Some(ListPosition("uploads/report.pdf".into()))
    );
    let asked = scripted.last_request();
    assert!(asked.contains("start-after=uploads%2F0"), "{asked}");
}

#[tokio::test]
async fn a_missing_bucket_and_a_page_without_keys_are_no_empty_listings() {
    let bucket = Bucket::versioned().await;
    let store = S3ObjectStore::new(bucket.admin.clone(), "there-is-no-such-bucket");
    let told = assert_unavailable(store.list(None, 10).await);
    assert!(told.contains("NoSuchBucket"), "{told}");
    let scripted = Scripted::new(&["HTTP/1.1 200 OK\r\ndate: Mon, 05 Jan 2026 10:00:00 GMT\r\n\
         connection: close\r\n\r\n<ListVersionsResult><IsTruncated>true</IsTruncated></ListVersionsResult>"])
    .await;
    let listed = scripted.store.list(None, 10).await;
    assert!(matches!(listed, Err(StoreError::Corrupt { .. })));
}

#[tokio::test]
async fn bytes_that_contradict_the_store_s_own_checksum_are_corrupt_and_not_unavailable() {
    let scripted = Scripted::new(&[
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx-amz-version-id: 1\r\n\
         last-modified: Mon, 05 Jan 2026 10:00:00 GMT\r\nx-amz-checksum-sha256: \
         AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\nhello",
    ])
    .await;
    let reader = scripted
        .store
        .read(new_key(), None)
        .await
        .unwrap()
        .found()
        .unwrap();
    let read = reader.body.try_collect::<Vec<Bytes>>().await;
    assert!(matches!(read, Err(StoreError::Corrupt { .. })), "{read:?}");
}

#[tokio::test]
async fn who_may_not_ask_for_versions_hears_which_permission_is_missing() {
    let forbidden = Scripted::new(&["HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n"]).await;
    let refused = forbidden.store.keeps_what_it_has().await.unwrap_err();
    assert!(refused.chain().contains("s3:GetBucketVersioning"));
    let refused = forbidden.store.quarantine(new_key()).await.unwrap_err();
    assert!(refused.chain().contains("s3:GetBucketVersioning"));
}

#[tokio::test]
async fn whoever_may_not_delete_a_version_asks_until_when_it_is_locked_whatever_is_set() {
    let key = new_key();
    let answer = |status: &str, body: String| -> &'static str {
        let head = format!("HTTP/1.1 {status}\r\n{THERE}\r\nconnection: close\r\n\r\n");
        format!("{head}{body}").leak()
    };
    let listed = format!(
        "<ListVersionsResult><IsTruncated>false</IsTruncated><Version><Key>{key}</Key>\
         <VersionId>v1</VersionId></Version></ListVersionsResult>"
    );
    let denied = format!(
        "<DeleteResult><Error><Key>{key}</Key><VersionId>v1</VersionId><Code>AccessDenied</Code>\
         <Message>no</Message></Error></DeleteResult>"
    );
    let locked = |until: &str| {
        let until = format!("<RetainUntilDate>{until}</RetainUntilDate>");
        let body = format!("<Retention><Mode>GOVERNANCE</Mode>{until}</Retention>");
        answer("200 OK", body)
    };
    let error = |code: &str| format!("<Error><Code>{code}</Code></Error>");
    let ends = locked("2026-02-05T10:00:00Z");
    let just_ended = locked("2026-01-05T09:59:59Z");
    let ended = locked("2026-01-04T10:00:00Z");
    let endless = answer("404 Not Found", error("NoSuchObjectLockConfiguration"));
    let no_locks = answer("400 Bad Request", error("InvalidRequest"));
    let may_not_ask = answer("403 Forbidden", error("AccessDenied"));
    let lock_ends = Some("2026-02-05T10:00:00+00:00");
    // Somebody's legal hold, as far as a program knows that locks versions itself.
    let next_day = Some("2026-01-06T10:00:00+00:00");
    let soon = Some("2026-01-05T10:01:00+00:00");
    for (lock, retention, expected) in [
        (Some(LockMode::Governance), ends, lock_ends),
        (None, ends, lock_ends),
        (Some(LockMode::Governance), endless, next_day),
        (Some(LockMode::Governance), just_ended, soon),
        (Some(LockMode::Governance), ended, next_day),
        (None, just_ended, soon),
        (None, ended, None),
        (None, endless, None),
        (None, no_locks, None),
        (None, may_not_ask, None),
    ] {
        let answers = [
            answer("200 OK", listed.clone()),
            answer("200 OK", denied.clone()),
            retention,
        ];
        let scripted = Scripted::new(&answers).await;
        let deleted = scripted.store.locking(lock).delete_all_versions(key).await;
        match (deleted, expected) {
            (Err(StoreError::Locked { until, .. }), Some(expected)) => {
                assert_eq!(until.to_rfc3339(), expected);
            }
            (deleted, None) => {
                let told = assert_unavailable(deleted);
                assert!(told.contains("DeleteObjects left 1"), "{told}");
            }
            (deleted, _) => panic!("{lock:?} {expected:?}: {deleted:?}"),
        }
    }
}
