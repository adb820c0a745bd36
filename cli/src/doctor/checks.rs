//! The checks of a file's way, step by step: asked for, sent, noticed, fetched, deleted.
//!
//! **Invariant:** the notification is waited for without the hint that an upload of this program gives
//! (`complete`), so what is seen is what a client sees that gives none. The test file is as large as the
//! service takes any.

use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use futures_util::stream;
use http::header::USER_AGENT;
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;

use super::addresses::addresses;
use super::buffering::{LIMIT as BUFFERING, Waiting, buffering};
use super::limits::{Walked, limits};
use super::remedies::{CUT_OFF, OTHER_SERVER, PUBLIC_ENDPOINT, SEE_LOG, remedy_for};
use super::report::{CheckFailure, Passed, Report};
use super::server_check::{clocks, server};
use super::settlement::{is_found, notification};
use super::sign_in::{Standing, sign_in};
use super::store::{cors, reachable};
use super::test_file::{Content, TestFile};
use crate::address::origin_of;
use crate::answer::expect;
use crate::api_client::{AGENT, ApiClient, MAX_FILE_BYTES};
use crate::error::CliError;
use crate::http::{Body, Sent, empty, full};
use crate::put::{StoreAnswer, put};
use crate::retry::Deadline;
use crate::wire::{Created, Record, Upload};

/// What a wait takes beyond its time, until its answer is here.
const ANSWER_MARGIN: Duration = Duration::from_secs(5);

/// How long a transfer may take at least: 20 MiB by a line of some 600 kbit/s.
const TRANSFER: Duration = Duration::from_secs(300);
/// How often a body is sent that breaks the connection, before it is said that it does.
const UPLOAD_ATTEMPTS: u32 = 3;

const AFTER_SERVER: [&str; 13] = [
    "stores",
    "clocks",
    "sign-in",
    "create",
    "limits",
    "addresses",
    "store",
    "cors",
    "upload",
    "notification",
    "buffering",
    "download",
    "delete",
];
/// Made if it is asked for.
const SCANNER: &str = "scanner";
/// From `create` on.
const AFTER_SIGN_IN: &[&str] = AFTER_SERVER.split_at(3).1;
/// From `addresses` on.
const AFTER_CREATE: &[&str] = AFTER_SERVER.split_at(5).1;

/// Refusals for want of what is left.
const IS_A_LIMIT: [&str; 2] = ["rate_limited", "quota_exceeded"];

/// How much goes out at a time where an answer may come in between, in bytes, and the pause before it.
const SLOW_PIECE_BYTES: usize = 64 * 1024;
const SLOW_PIECE_PAUSE: Duration = Duration::from_millis(10);

/// A body that leaves time for an answer to come before its end.
fn in_slow_pieces(bytes: Bytes) -> Body {
    let pieces = stream::unfold(bytes, |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        tokio::time::sleep(SLOW_PIECE_PAUSE).await;
        let piece = rest.split_to(SLOW_PIECE_BYTES.min(rest.len()));
        Some((Ok(Frame::data(piece)), rest))
    });
    StreamBody::new(pieces).boxed_unsync()
}

/// The test file, once the service knows of it.
struct CreatedFile {
    content: Content,
    record: Record,
    upload: Upload,
}

pub(super) struct Checks<'a> {
    pub service: &'a ApiClient,
    /// Of the page that uploads.
    pub origin: String,
    pub limit: Duration,
    pub notification_limit: Duration,
    /// Whether the scanner is shown what it has to find.
    pub with_virus: bool,
    pub test_file: &'a TestFile,
}

impl Checks<'_> {
    /// Makes one check after the other; those that depend on one that failed are named as left out.
    ///
    /// # Errors
    /// Nobody reads what is said any more.
    pub(super) async fn run(&self, report: &mut Report<'_>) -> Result<(), CliError> {
        let limit = self.limit;
        let Some(server_answer) = report.check("server", limit, server(self.service)).await? else {
            return self.skip(report, &AFTER_SERVER, "there is no service to ask");
        };
        report.check("stores", limit, self.stores()).await?;
        let clocks = async { clocks(&server_answer, SystemTime::now()) };
        report.check("clocks", limit, clocks).await?;
        let mut standing = Standing::In;
        let signing_in = sign_in(self.service, &mut standing);
        report.check("sign-in", limit, signing_in).await?;
        if matches!(standing, Standing::Out) {
            return self.skip(report, AFTER_SIGN_IN, "nobody is let in");
        }
        let created = report.check("create", limit, self.create()).await?;
        // Also where none could be created: that may be why.
        let walked = Walked {
            test_file: created.as_ref().map(|file| file.content.size()),
        };
        let left = limits(self.service, &walked);
        report.check("limits", limit, left).await?;
        let Some(file) = created else {
            return self.skip(report, AFTER_CREATE, "no file could be created");
        };
        let addresses = addresses(self.service, &file.upload);
        let named = report.check("addresses", limit, addresses).await?;
        let until = Deadline::after(self.transfer_limit() + self.notification_limit);
        let waiting = Waiting::begin(self.service, file.record.id, until);
        let is_taken = self.store_takes_it(report, &file, named.is_some()).await?;
        if is_taken {
            self.fetch_it(report, &file, waiting).await?;
        }
        report
            .check("delete", limit, self.delete(&file.record))
            .await?;
        if !is_taken {
            return self.skip(report, &[], "the store doesn't have the bytes");
        }
        if self.with_virus {
            let limit = limit + self.notification_limit + ANSWER_MARGIN;
            report.check(SCANNER, limit, self.scanner()).await?;
        }
        Ok(())
    }

    /// Names what isn't looked at, with the scanner if that was asked for.
    fn skip(
        &self,
        report: &mut Report<'_>,
        names: &[&'static str],
        because: &str,
    ) -> Result<(), CliError> {
        report.skip(names, because)?;
        match self.with_virus {
            true => report.skip(&[SCANNER], because),
            false => Ok(()),
        }
    }

    /// From the store's address to its 200.
    async fn store_takes_it(
        &self,
        report: &mut Report<'_>,
        file: &CreatedFile,
        is_named_right: bool,
    ) -> Result<bool, CliError> {
        let limit = self.limit;
        let uri: Uri = file.upload.url.parse().unwrap_or_default();
        let store = origin_of(&uri).unwrap_or_default();
        if report
            .check("store", limit, reachable(self.service, &store))
            .await?
            .is_none()
        {
            let after = ["cors", "upload", "notification", "buffering", "download"];
            report.skip(&after, "the store can't be reached")?;
            return Ok(false);
        }
        if is_named_right {
            let cors = cors(self.service, &self.origin, &file.upload, &store);
            report.check("cors", limit, cors).await?;
        } else {
            report.skip(&["cors"], "the URLs for bytes name another address")?;
        }
        let sent = report
            .check("upload", self.transfer_limit(), self.upload(file))
            .await?;
        if sent.is_none() {
            let after = ["notification", "buffering", "download"];
            report.skip(&after, "the store doesn't have the bytes")?;
        }
        Ok(sent.is_some())
    }

    /// From the store's 200 to the same bytes here.
    async fn fetch_it(
        &self,
        report: &mut Report<'_>,
        file: &CreatedFile,
        waiting: Waiting,
    ) -> Result<(), CliError> {
        let CreatedFile {
            content,
            record,
            upload,
        } = file;
        let limit = self.notification_limit + ANSWER_MARGIN;
        let notified = notification(self.service, record.id, self.notification_limit);
        let settled = report.check("notification", limit, notified).await?;
        let waiting = settled.map(|()| waiting);
        let buffering = buffering(self.service, upload, content.size(), waiting);
        let limit = self.limit.max(BUFFERING);
        report.check("buffering", limit, buffering).await?;
        // Asked for directly, the service may have finalized it all the same.
        if settled.is_none() && !self.is_available(record).await {
            return report.skip(&["download"], "the file isn't available");
        }
        let download = self.download(content, record);
        let limit = self.transfer_limit();
        report.check("download", limit, download).await.map(|_| ())
    }

    fn transfer_limit(&self) -> Duration {
        self.limit.max(TRANSFER)
    }

    fn until(&self) -> Deadline {
        Deadline::after(self.limit)
    }

    async fn stores(&self) -> Result<Passed<()>, CheckFailure> {
        let asked = self.service.call_once(Method::GET, "/readyz", None, None);
        let answer = asked
            .await
            .and_then(|answer| expect(answer, StatusCode::OK));
        answer.map_err(|failure| {
            CheckFailure::of(
                &failure,
                "the service doesn't reach its stores",
                "its log says which and why; see its network and credentials, BUCKET_NAME and \
                 TABLE_NAME, or in local mode its data directory",
            )
        })?;
        Ok(Passed::that("the service reaches its stores"))
    }

    /// As large as the service takes any, since proxies have limits of their own.
    async fn create(&self) -> Result<Passed<CreatedFile>, CheckFailure> {
        let mut content = Content::new(MAX_FILE_BYTES);
        let mut created = self.create_once(&content).await;
        if let Err(failure) = &created
            && let Some(limit) = smaller_limit(failure)
        {
            content = Content::new(limit);
            created = self.create_once(&content).await;
        }
        let created = created.map_err(|failure| {
            let remedy = match failure {
                // Such as URLs that lead from https to http.
                CliError::Unusable(_) => {
                    "set PUBLIC_URL of the service to the address that people use"
                }
                CliError::Refused { ref code, .. } if IS_A_LIMIT.contains(&code.as_str()) => {
                    "see the line about limits"
                }
                _ => SEE_LOG,
            };
            CheckFailure::of(&failure, "a file can't be created", remedy)
        })?;
        let Some(upload) = created.upload else {
            return Err(CheckFailure::wrong(
                "the answer has no URL to send the bytes to",
                OTHER_SERVER,
            ));
        };
        let record = created.record;
        Ok(Passed {
            said: format!(
                "a test file of {} bytes is created: {}",
                content.size(),
                record.id
            ),
            value: CreatedFile {
                content,
                record,
                upload,
            },
        })
    }

    async fn create_once(&self, content: &Content) -> Result<Created, CliError> {
        self.test_file
            .create(self.service, content, self.until())
            .await
    }

    async fn upload(&self, file: &CreatedFile) -> Result<Passed<()>, CheckFailure> {
        let began = Instant::now();
        let size = file.content.size();
        let until = Deadline::after(self.transfer_limit());
        let mut attempts = 1;
        let answer = loop {
            match self.put_once(file, attempts > 1, until).await {
                // A proxy that refuses a body closes the connection while the body is still under way, and
                // that can overtake its refusal, which says why: a slower attempt hears it.
                Err(CliError::NoAnswer(_)) if attempts < UPLOAD_ATTEMPTS => attempts += 1,
                answer => break answer,
            }
        };
        let answer = answer
            .map_err(|failure| CheckFailure::of(&failure, "the bytes can't be sent", CUT_OFF))?;
        // Write-once: an attempt whose answer was lost got through. The record tells whose bytes they are.
        let got_through = attempts > 1 && answer.status == StatusCode::PRECONDITION_FAILED;
        if !answer.is_taken() && !got_through {
            let remedy = remedy_for(&answer);
            let failure = answer.into_error("the upload", size);
            return Err(CheckFailure::of(&failure, "the bytes aren't taken", remedy));
        }
        let took = began.elapsed().as_millis();
        Ok(Passed::that(format!(
            "{size} bytes with their SHA-256 were taken in {took} ms"
        )))
    }

    /// Sends the test virus, which only a scanner keeps from being available, and takes it away again.
    async fn scanner(&self) -> Result<Passed<()>, CheckFailure> {
        let content = Content::virus();
        let created = self.create_once(&content).await.map_err(|failure| {
            CheckFailure::of(&failure, "the test virus can't be created", SEE_LOG)
        })?;
        let (record, upload) = (created.record, created.upload);
        let Some(upload) = upload else {
            let said = "the answer has no URL to send the bytes to";
            return Err(CheckFailure::wrong(said, OTHER_SERVER));
        };
        let file = CreatedFile {
            content,
            record,
            upload,
        };
        let found = match self.upload(&file).await {
            Ok(_) => is_found(self.service, file.record.id, self.notification_limit).await,
            Err(failure) => Err(failure),
        };
        // What was seen of the scanner counts more than that it can't be deleted, unless all else is well.
        let deleted = self.delete(&file.record).await;
        let found = found?;
        deleted.map(|_| found)
    }

    async fn put_once(
        &self,
        file: &CreatedFile,
        slowly: bool,
        until: Deadline,
    ) -> Result<StoreAnswer, CliError> {
        let bytes = file.content.bytes.clone();
        let body = match slowly {
            true => in_slow_pieces(bytes),
            false => full(bytes),
        };
        let (http, size) = (&self.service.http, file.content.size());
        put(http, &file.upload, size, body, &Sent::default(), until).await
    }

    async fn is_available(&self, record: &Record) -> bool {
        let complete = self.service.complete(record.id, self.until());
        let completed = tokio::time::timeout(self.limit, complete).await;
        matches!(completed, Ok(Ok(record)) if record.is_available())
    }

    async fn download(
        &self,
        content: &Content,
        record: &Record,
    ) -> Result<Passed<()>, CheckFailure> {
        let until = Deadline::after(self.transfer_limit());
        let url = self.service.locate(record.id, until).await;
        let url =
            url.map_err(|failure| CheckFailure::of(&failure, "it can't be fetched", SEE_LOG))?;
        let store = origin_of(&url).unwrap_or_default();
        let request = Request::builder().uri(url).header(USER_AGENT, AGENT);
        let request = request
            .body(empty())
            .map_err(|_| CheckFailure::wrong("the URL for the bytes can't be read", SEE_LOG))?;
        let http = &self.service.http;
        let answer = http.send(request, &Sent::default()).await;
        let answer = answer.map_err(|cause| {
            CheckFailure::wrong(format!("{store} doesn't answer: {cause}"), PUBLIC_ENDPOINT)
        })?;
        if !answer.status().is_success() {
            let failure = StoreAnswer::read(http, answer).await;
            let failure = failure.into_error("the download", 0);
            return Err(CheckFailure::of(
                &failure,
                "the bytes can't be fetched",
                SEE_LOG,
            ));
        }
        let body = answer.into_body();
        // One more than there should be is as wrong as any other.
        let bytes = http.read(body, content.bytes.len()).await;
        match bytes {
            Ok(bytes) if bytes == content.bytes => {
                Ok(Passed::that("the bytes are those that were sent"))
            }
            _ => Err(CheckFailure::wrong(
                "the bytes that came aren't those that were sent",
                "`file-share scrub` names every file whose bytes are wrong in the store; if it finds \
                 none, something between here and the store changes answers",
            )),
        }
    }

    async fn delete(&self, record: &Record) -> Result<Passed<()>, CheckFailure> {
        let deleted = self.test_file.delete(self.until()).await;
        deleted.map_err(|failure| {
            let link = self.service.link(record.id);
            if let CliError::Refused { detail, .. } = &failure
                && failure.is_retained()
            {
                return CheckFailure::Warning {
                    said: format!(
                        "this service keeps what it has, and the test file with it: {detail}"
                    ),
                    remedy: format!(
                        "nothing is wrong (RETENTION); after that: fshare delete {link}"
                    ),
                };
            }
            CheckFailure::of(
                &failure,
                "the test file can't be deleted",
                &format!("the service's log says why; then: fshare delete {link}"),
            )
        })?;
        match self.service.describe(record.id, self.until()).await {
            Err(CliError::Refused { status: 404, .. }) => {
                Ok(Passed::that("the test file is gone again"))
            }
            Ok(_) => Err(CheckFailure::wrong(
                "it is still there after it was deleted",
                SEE_LOG,
            )),
            Err(failure) => Err(CheckFailure::of(
                &failure,
                "it was deleted, and can't be asked about",
                SEE_LOG,
            )),
        }
    }
}

/// What the service takes, if it takes less than the contract has, in its own words: the limit is in the
/// detail of its refusal.
fn smaller_limit(failure: &CliError) -> Option<u64> {
    let CliError::Refused { code, detail, .. } = failure else {
        return None;
    };
    let numbers = detail.split(|c: char| !c.is_ascii_digit());
    let smaller = numbers.filter_map(|number| number.parse().ok());
    let limit = smaller.filter(|number| *number < MAX_FILE_BYTES).max();
    limit.filter(|_| code == "content_too_large")
}
