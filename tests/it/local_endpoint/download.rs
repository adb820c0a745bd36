//! What a presigned GET and HEAD answer, and what pages of other origins may read.

use std::fs;

use crate::support::local_store::{CONTENT_TYPE, LocalStore, new_key};

const DISPOSITION: &str =
    "attachment; filename=\"resume.txt\"; filename*=UTF-8''r%C3%A9sum%C3%A9.txt";

#[tokio::test]
async fn a_get_answers_with_the_name_and_type_that_were_signed_and_lets_nothing_run() {
    let mut store = LocalStore::start().await;
    let key = store.stored(b"0123456789").await;
    let answer = store.get(key).await.send().await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "0123456789"));
    for (name, value) in [
        ("content-length", "10"),
        ("content-type", CONTENT_TYPE),
        ("content-disposition", DISPOSITION),
        ("accept-ranges", "bytes"),
        ("cache-control", "private, no-store"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "sandbox; default-src 'none'"),
    ] {
        assert_eq!(answer.header(name), Some(value));
    }
    assert!(answer.header("etag").unwrap().starts_with('"'));
    assert!(answer.header("last-modified").unwrap().ends_with(" GMT"));
    assert_eq!(answer.header("x-amz-request-id").unwrap().len(), 16);
}

#[tokio::test]
async fn a_head_answers_like_a_get_without_the_bytes() {
    let mut store = LocalStore::start().await;
    let key = store.stored(b"0123456789").await;
    let (get, head) = (
        store.get(key).await.send().await,
        store.head(key).await.send().await,
    );
    assert_eq!((head.status, head.body.as_slice()), (200, &b""[..]));
    let comparable = |headers: &[(String, String)]| {
        let mut headers = headers.to_vec();
        headers.retain(|(name, _)| name != "date" && name != "x-amz-request-id");
        headers.sort();
        headers
    };
    assert_eq!(comparable(&head.headers), comparable(&get.headers));
}

#[tokio::test]
async fn what_is_not_there_is_no_such_key() {
    let mut store = LocalStore::start().await;
    let (get, head) = (store.get(new_key()).await, store.head(new_key()).await);
    store.assert_refused(get, 404, "NoSuchKey").await;
    store.assert_refused(head, 404, "NoSuchKey").await;
}

#[tokio::test]
async fn a_range_is_answered_with_that_part() {
    let mut store = LocalStore::start().await;
    let bytes: Vec<u8> = (0..600_000_u32)
        .map(|i| i.to_le_bytes()[i as usize % 3])
        .collect();
    let key = store.stored(&bytes).await;
    let get = store.get(key).await;
    for (range, start, end) in [
        ("bytes=0-0", 0, 1),
        ("bytes=599999-599999", 599_999, 600_000),
        ("bytes=262143-262144", 262_143, 262_145),
        ("bytes=-3", 599_997, 600_000),
        ("bytes=-700000", 0, 600_000),
        ("bytes=599990-", 599_990, 600_000),
        ("bytes=0-", 0, 600_000),
        ("bytes=100-99999999", 100, 600_000),
    ] {
        let answer = get.clone().with("range", range).send().await;
        assert_eq!(answer.status, 206, "{range}");
        let shown = format!("bytes {start}-{}/600000", end - 1);
        assert_eq!(answer.header("content-range"), Some(shown.as_str()));
        assert!(answer.body == bytes[start..end], "{range}");
    }
    for range in ["bytes=0-1,5-6", "lines=1-2", "bytes=x"] {
        let answer = get.clone().with("range", range).send().await;
        assert_eq!(
            (answer.status, answer.body.len()),
            (200, 600_000),
            "{range}"
        );
        assert_eq!(answer.header("content-range"), None);
    }
    let head = store
        .head(key)
        .await
        .with("range", "bytes=5-9")
        .send()
        .await;
    assert_eq!(
        (head.status, head.header("content-length")),
        (206, Some("5"))
    );
}

#[tokio::test]
async fn a_range_outside_the_object_is_refused_with_its_size() {
    let mut store = LocalStore::start().await;
    for content in [&b"0123456789"[..], b""] {
        let key = store.stored(content).await;
        let get = store.get(key).await.with("range", "bytes=10-");
        let answer = get.send().await;
        assert_eq!(answer.status, 416);
        let shown = format!("bytes */{}", content.len());
        assert_eq!(answer.header("content-range"), Some(shown.as_str()));
        assert!(answer.text().contains("<Code>InvalidRange</Code>"));
        assert!(
            answer
                .text()
                .contains("<RangeRequested>bytes=10-</RangeRequested>")
        );
    }
}

#[tokio::test]
async fn conditions_spare_the_bytes_or_guard_against_other_ones() {
    let mut store = LocalStore::start().await;
    let key = store.stored(b"0123456789").await;
    let get = store.get(key).await;
    let first = get.send().await;
    let (etag, date) = (
        first.header("etag").unwrap(),
        first.header("last-modified").unwrap(),
    );
    let long_ago = "Mon, 01 Jan 2001 00:00:00 GMT";
    for (name, value, status) in [
        ("if-none-match", etag, 304),
        ("if-none-match", "*", 304),
        ("if-none-match", "\"other\"", 200),
        ("if-modified-since", date, 304),
        ("if-modified-since", long_ago, 200),
        ("if-match", etag, 200),
        ("if-match", "\"other\"", 412),
        ("if-unmodified-since", date, 200),
        ("if-unmodified-since", long_ago, 412),
    ] {
        let answer = get.clone().with(name, value).send().await;
        assert_eq!(answer.status, status, "{name}: {value}");
        if status == 304 {
            assert_eq!(answer.header("etag"), Some(etag));
            assert_eq!(answer.header("content-type"), None);
        }
        if status == 412 {
            assert!(answer.text().contains("<Code>PreconditionFailed</Code>"));
        }
    }
    let part = get.with("range", "bytes=0-1");
    assert_eq!(part.clone().with("if-range", etag).send().await.status, 206);
    assert_eq!(part.with("if-range", "\"other\"").send().await.status, 200);
}

#[tokio::test]
async fn a_file_that_was_cut_off_behind_our_back_is_never_passed_off_as_whole() {
    let mut store = LocalStore::start().await;
    let key = store.stored(&[1; 1_000_000]).await;
    let id = key.file_id().to_string();
    let object = store
        .data_dir
        .path()
        .join(format!("objects/{}/{id}", &id[34..]));
    let mut versions = fs::read_dir(object).unwrap();
    let path = versions.next().unwrap().unwrap().path();
    let get = store.get(key).await;
    fs::write(&path, b"short").unwrap();
    // Its length is the file's, so this is a whole answer of what there is now.
    assert_eq!(get.send().await.header("content-length"), Some("5"));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_eq!(get.send().await.status, 500);
}

#[tokio::test]
async fn a_page_of_an_allowed_origin_may_upload_and_read_answers_and_errors() {
    let origin = "https://app.example.org";
    let mut store = LocalStore::with_origins(&[origin]).await;
    let key = new_key();
    let put = store.put(key, b"12345").await.with("origin", origin);
    let preflight = store
        .request(
            "OPTIONS",
            &format!("http://{}{}", store.address, put.target),
        )
        .with("origin", origin)
        .with("access-control-request-method", "PUT")
        .with(
            "access-control-request-headers",
            "content-type,if-none-match,x-amz-checksum-sha256",
        );
    let allowed = preflight.send().await;
    assert_eq!(allowed.status, 200);
    assert_eq!(allowed.header("access-control-allow-origin"), Some(origin));
    assert_eq!(
        allowed.header("access-control-allow-methods"),
        Some("GET, HEAD, POST, PUT")
    );
    for name in [
        "content-type",
        "if-none-match",
        "x-amz-checksum-sha256",
        "range",
    ] {
        let list = allowed.header("access-control-allow-headers").unwrap();
        assert!(list.split(", ").any(|allowed| allowed == name), "{name}");
    }
    // A redirect to the bytes brings what the API was shown; an upload is sent by a URL alone.
    let of_download = preflight.with("access-control-request-method", "GET");
    for (allowed, may) in [(allowed, false), (of_download.send().await, true)] {
        let list = allowed.header("access-control-allow-headers").unwrap();
        assert_eq!(list.starts_with("authorization, "), may, "{list}");
    }
    for (status, request) in [(200, &put), (412, &put)] {
        let answer = request.send().await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
        assert_eq!(answer.header("vary"), Some("Origin"));
        let exposed = answer.header("access-control-expose-headers").unwrap();
        assert!(exposed.contains("ETag") && exposed.contains("x-amz-request-id"));
    }
    assert_eq!(store.uploaded.recv().await, Some(key));
}

#[tokio::test]
async fn a_page_of_another_origin_is_told_nothing() {
    for origins in [&[][..], &["https://app.example.org"]] {
        let mut store = LocalStore::with_origins(origins).await;
        let put = store.put(new_key(), b"12345").await;
        let preflight = store
            .request(
                "OPTIONS",
                &format!("http://{}{}", store.address, put.target),
            )
            .with("origin", "https://evil.example")
            .with("access-control-request-method", "PUT");
        assert_eq!(
            preflight.send().await.header("access-control-allow-origin"),
            None
        );
        store
            .assert_refused(preflight, 403, "AccessForbidden")
            .await;
        let answer = put.with("origin", "https://evil.example").send().await;
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
}
