//! The way of a file, step by step: asked for, sent, noticed, fetched, deleted.
//!
//! **Invariant:** the notification is waited for without the hint that an upload of this program gives
//! (`complete`), so what is seen is what a client sees that gives none.

use std::time::{Duration, Instant, SystemTime};

use http::header::USER_AGENT;
use http::{Method, Request, StatusCode, Uri};

use super::cors::preflight;
use super::greeting::{clocks, server};
use super::mend::{OTHER_SERVER, PUBLIC_ENDPOINT, SEE_LOG, how_to_mend};
use super::report::{Flaw, Report, Seen};
use super::test_file::{Content, TestFile};
use crate::address::origin_of;
use crate::failure::Failure;
use crate::http::{Sent, empty, full};
use crate::output::printable;
use crate::put::put;
use crate::retry::Deadline;
use crate::service::{AGENT, Service, expect};
use crate::wire::{Created, Record, Upload};

/// What a wait takes beyond its time, until its answer is here.
const ANSWER_MARGIN: Duration = Duration::from_secs(5);

const AFTER_SERVER: [&str; 9] = [
    "stores",
    "clocks",
    "create",
    "store",
    "cors",
    "upload",
    "notification",
    "download",
    "delete",
];
/// From `store` on.
const AFTER_CREATE: &[&str] = AFTER_SERVER.split_at(3).1;

pub struct Way<'a> {
    pub service: &'a Service,
    /// Of the page that uploads.
    pub origin: String,
    pub limit: Duration,
    pub notification_limit: Duration,
    pub test_file: &'a TestFile,
}

impl Way<'_> {
    /// # Errors
    /// Nobody reads what is said any more.
    pub async fn walk(&self, report: &mut Report<'_>) -> Result<(), Failure> {
        let limit = self.limit;
        let Some(greeting) = report.check("server", limit, server(self.service)).await? else {
            return report.skip(&AFTER_SERVER, "there is no service to ask");
        };
        report.check("stores", limit, self.stores()).await?;
        let clocks = async { clocks(&greeting, SystemTime::now()) };
        report.check("clocks", limit, clocks).await?;
        let content = Content::new();
        let create = self.create(&content);
        let Some((record, upload)) = report.check("create", limit, create).await? else {
            return report.skip(AFTER_CREATE, "no file could be created");
        };
        if self.store_takes_it(report, &content, &upload).await? {
            self.fetch_it(report, &content, &record).await?;
        }
        report.check("delete", limit, self.delete(&record)).await?;
        Ok(())
    }

    /// From the store's address to its 200.
    async fn store_takes_it(
        &self,
        report: &mut Report<'_>,
        content: &Content,
        upload: &Upload,
    ) -> Result<bool, Failure> {
        let limit = self.limit;
        let uri: Uri = upload.url.parse().unwrap_or_default();
        let store = origin_of(&uri).unwrap_or_default();
        if report
            .check("store", limit, self.store(&store))
            .await?
            .is_none()
        {
            let after = ["cors", "upload", "notification", "download"];
            report.skip(&after, "the store can't be reached")?;
            return Ok(false);
        }
        report
            .check("cors", limit, self.cors(upload, &store))
            .await?;
        let sent = report
            .check("upload", limit, self.upload(content, upload))
            .await?;
        if sent.is_none() {
            let after = ["notification", "download"];
            report.skip(&after, "the store doesn't have the bytes")?;
        }
        Ok(sent.is_some())
    }

    /// From the store's 200 to the same bytes here.
    async fn fetch_it(
        &self,
        report: &mut Report<'_>,
        content: &Content,
        record: &Record,
    ) -> Result<(), Failure> {
        let limit = self.notification_limit + ANSWER_MARGIN;
        let settled = report
            .check("notification", limit, self.notification(record))
            .await?;
        let download = self.download(content, record);
        match settled {
            Some(()) => report
                .check("download", self.limit, download)
                .await
                .map(|_| ()),
            // Asked for directly, the service may have finalized it all the same.
            None => match self.is_available(record).await {
                true => report
                    .check("download", self.limit, download)
                    .await
                    .map(|_| ()),
                false => report.skip(&["download"], "the file isn't available"),
            },
        }
    }

    fn until(&self) -> Deadline {
        Deadline::after(self.limit)
    }

    async fn stores(&self) -> Result<Seen<()>, Flaw> {
        let asked = self.service.call_once(Method::GET, "/readyz", None, None);
        let answer = asked
            .await
            .and_then(|answer| expect(answer, StatusCode::OK));
        answer.map_err(|failure| {
            Flaw::wrong(
                format!("the service doesn't reach its stores: {failure}"),
                "its log says which and why; see its network and credentials, BUCKET_NAME and \
                 TABLE_NAME, or in local mode its data directory",
            )
        })?;
        Ok(Seen::that("the service reaches its stores"))
    }

    async fn create(&self, content: &Content) -> Result<Seen<(Record, Upload)>, Flaw> {
        let create = self.test_file.create(self.service, content, self.until());
        let created: Created = create.await.map_err(|failure| {
            Flaw::wrong(format!("a file can't be created: {failure}"), SEE_LOG)
        })?;
        let Some(upload) = created.upload else {
            return Err(Flaw::wrong(
                "the answer has no URL to send the bytes to",
                OTHER_SERVER,
            ));
        };
        Ok(Seen {
            said: format!("a test file is created: {}", created.record.id),
            value: (created.record, upload),
        })
    }

    async fn store(&self, origin: &str) -> Result<Seen<()>, Flaw> {
        let request = Request::builder()
            .method(Method::HEAD)
            .uri(format!("{origin}/"))
            .header(USER_AGENT, AGENT)
            .body(empty());
        let request = request
            .map_err(|_| Flaw::wrong("the URL for the bytes can't be read", PUBLIC_ENDPOINT))?;
        // Whatever it answers: without a signature it is right to refuse.
        let sent = self.service.http.send(request, &Sent::default()).await;
        sent.map_err(|cause| {
            Flaw::wrong(
                format!("{origin} can't be reached from here: {cause}"),
                PUBLIC_ENDPOINT,
            )
        })?;
        Ok(Seen::that(format!("{origin} is reachable from here")))
    }

    async fn cors(&self, upload: &Upload, store: &str) -> Result<Seen<()>, Flaw> {
        let origin = self.origin.as_str();
        let http = &self.service.http;
        let mut asked = Vec::new();
        if self.service.origin() != origin {
            let url = format!("{}/v1/files", self.service.base());
            let headers = ["content-type".to_owned()];
            let allowed = preflight(http, &url, origin, &Method::POST, &headers).await;
            allowed.map_err(|why| {
                Flaw::wrong(
                    format!("the service refuses pages of {origin}: {why}"),
                    format!("add {origin} to ALLOWED_ORIGINS of the service"),
                )
            })?;
            asked.push("the service");
        }
        if store != origin {
            let mut headers: Vec<_> = upload.headers.keys().map(|n| n.to_lowercase()).collect();
            headers.sort();
            let allowed = preflight(http, &upload.url, origin, &Method::PUT, &headers).await;
            allowed.map_err(|why| {
                Flaw::wrong(
                    format!("the store refuses pages of {origin}: {why}"),
                    "the bucket's CORS rules must allow the origin, GET, HEAD and PUT, and the \
                     headers content-type, if-none-match, range and x-amz-checksum-sha256 \
                     (AllowedOrigins of deploy/stack.yaml); in local mode set ALLOWED_ORIGINS",
                )
            })?;
            asked.push("the store");
        }
        Ok(Seen::that(if asked.is_empty() {
            format!("none is needed: service and store are at the page's own origin, {origin}")
        } else {
            format!("{} let pages of {origin} in", asked.join(" and "))
        }))
    }

    async fn upload(&self, content: &Content, upload: &Upload) -> Result<Seen<()>, Flaw> {
        let began = Instant::now();
        let size = content.bytes.len() as u64;
        let body = full(content.bytes.clone());
        let sent = Sent::default();
        let http = &self.service.http;
        let answer = put(http, upload, size, body, &sent, self.until()).await;
        let answer = answer
            .map_err(|failure| Flaw::wrong(printable(&failure.to_string()), PUBLIC_ENDPOINT))?;
        if !answer.is_taken() {
            let mend = how_to_mend(&answer);
            return Err(Flaw::wrong(answer.into_failure().to_string(), mend));
        }
        let took = began.elapsed().as_millis();
        Ok(Seen::that(format!(
            "{size} bytes with their SHA-256 were taken in {took} ms"
        )))
    }

    async fn notification(&self, record: &Record) -> Result<Seen<()>, Flaw> {
        let began = Instant::now();
        let until = Deadline::after(self.notification_limit);
        let settled = self.service.settled(record.id, until).await;
        let took = began.elapsed();
        let settled = settled.map_err(|failure| {
            Flaw::wrong(format!("the file can't be asked about: {failure}"), SEE_LOG)
        })?;
        if settled.is_available() {
            return Ok(Seen::that(format!(
                "it arrived after {} ms",
                took.as_millis()
            )));
        }
        if !settled.is_final() {
            let limit = self.notification_limit.as_secs();
            let state = settled.state();
            return Err(Flaw::wrong(
                format!(
                    "none arrived in {limit} s: the bytes are there, and the file is still {state}"
                ),
                "see that a file-share-worker runs with this bucket and queue, that the bucket \
                 notifies the queue, and that the queue admits it (`fshare doctor --aws` looks); in \
                 local mode, see the service's log. --notification-limit waits longer",
            ));
        }
        Err(Flaw::wrong(
            format!("the right bytes were sent, and {}", settled.obstacle()),
            "something on the way changes bytes or lengths: a proxy, or a store that doesn't keep \
             what it was sent",
        ))
    }

    async fn is_available(&self, record: &Record) -> bool {
        let complete = self.service.complete(record.id, self.until());
        let completed = tokio::time::timeout(self.limit, complete).await;
        matches!(completed, Ok(Ok(record)) if record.is_available())
    }

    async fn download(&self, content: &Content, record: &Record) -> Result<Seen<()>, Flaw> {
        let failed = |said: String| Flaw::wrong(said, SEE_LOG);
        let url = self.service.locate(record.id, self.until()).await;
        let url = url.map_err(|failure| failed(format!("it can't be fetched: {failure}")))?;
        let store = origin_of(&url).unwrap_or_default();
        let request = Request::builder().uri(url).header(USER_AGENT, AGENT);
        let request = request
            .body(empty())
            .map_err(|_| failed("the URL for the bytes can't be read".to_owned()))?;
        let http = &self.service.http;
        let answer = http.send(request, &Sent::default()).await;
        let lost = |cause| Flaw::wrong(format!("{store} doesn't answer: {cause}"), PUBLIC_ENDPOINT);
        let (head, body) = answer.map_err(lost)?.into_parts();
        if !head.status.is_success() {
            let status = head.status.as_u16();
            return Err(failed(format!(
                "{store} answers {status} to the URL for a download"
            )));
        }
        // One more than there should be is as wrong as any other.
        let bytes = http.read(body, content.bytes.len()).await;
        match bytes {
            Ok(bytes) if bytes == content.bytes => {
                Ok(Seen::that("the bytes are those that were sent"))
            }
            _ => Err(Flaw::wrong(
                "the bytes that came aren't those that were sent",
                "`file-share scrub` names every file whose bytes are wrong in the store; if it finds \
                 none, something between here and the store changes answers",
            )),
        }
    }

    async fn delete(&self, record: &Record) -> Result<Seen<()>, Flaw> {
        let deleted = self.test_file.delete(self.until()).await;
        deleted.map_err(|failure| {
            let link = self.service.link(record.id);
            Flaw::wrong(
                format!("the test file can't be deleted: {failure}"),
                format!("the service's log says why; then: fshare delete {link}"),
            )
        })?;
        match self.service.describe(record.id, self.until()).await {
            Err(Failure::Refused { status: 404, .. }) => {
                Ok(Seen::that("the test file is gone again"))
            }
            Ok(_) => Err(Flaw::wrong(
                "it is still there after it was deleted",
                SEE_LOG,
            )),
            Err(failure) => Err(Flaw::wrong(
                format!("it was deleted, and can't be asked about: {failure}"),
                SEE_LOG,
            )),
        }
    }
}
