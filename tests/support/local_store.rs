//! The local endpoint on a port of its own, and HTTP spoken to it byte by byte, so that no client
//! library tidies up what a test wants to send.

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps fails, as it should"
)]

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use file_share::api::server::{Limits, serve_within};
use file_share::clock::{Clock, ManualClock};
use file_share::cors::CorsPolicy;
use file_share::domain::{
    ContentLength, ContentType, FileId, FileName, MAX_CONTENT_LENGTH, ObjectKey, Sha256Digest,
    Timestamp, VersionId, whole_millis,
};
use file_share::local_mode::{EveryUpload, LocalEndpoint, LocalStoreParts, SigningSecret};
use file_share::object_store::disk::DiskObjectStore;
use file_share::presigned_url::{
    BucketAddress, BucketUrl, DownloadMethod, DownloadTerms, Presigner, SigningCredentials,
    UploadTerms,
};
use poem::Route;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

pub(crate) const BUCKET: &str = "a-bucket";
pub(crate) const REGION: &str = "local";
pub(crate) const UPLOAD_LIFETIME: Duration = Duration::from_secs(900);
pub(crate) const DOWNLOAD_LIFETIME: Duration = Duration::from_secs(300);
pub(crate) const CONTENT_TYPE: &str = "text/plain; charset=utf-8";
/// For everything that a test waits for.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct LocalStore {
    pub data_dir: Arc<TempDir>,
    pub address: SocketAddr,
    pub bucket: BucketUrl,
    pub presigner: Presigner,
    pub clock: ManualClock,
    pub uploaded: mpsc::Receiver<ObjectKey>,
    shutdown: CancellationToken,
    server: JoinHandle<()>,
}

impl LocalStore {
    pub(crate) async fn start() -> Self {
        let data_dir = Arc::new(tempfile::tempdir().unwrap());
        Self::start_in(data_dir, None, &[]).await
    }

    /// With so many connections, and no more.
    pub(crate) async fn within(limits: Limits) -> Self {
        let data_dir = Arc::new(tempfile::tempdir().unwrap());
        Self::start_with(limits, data_dir, None, &[]).await
    }

    pub(crate) async fn with_origins(origins: &[&str]) -> Self {
        let data_dir = Arc::new(tempfile::tempdir().unwrap());
        Self::start_in(data_dir, None, origins).await
    }

    pub(crate) async fn start_in(
        data_dir: Arc<TempDir>,
        public_bucket: Option<BucketUrl>,
        origins: &[&str],
    ) -> Self {
        let limits = Limits::of_this_process();
        Self::start_with(limits, data_dir, public_bucket, origins).await
    }

    async fn start_with(
        limits: Limits,
        data_dir: Arc<TempDir>,
        public_bucket: Option<BucketUrl>,
        origins: &[&str],
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let objects = DiskObjectStore::open(data_dir.path()).unwrap();
        let secret = SigningSecret::load_or_create(data_dir.path()).unwrap();
        let clock = ManualClock::at(chrono::Utc::now());
        let (sender, uploaded) = mpsc::channel(64);
        let endpoint = LocalEndpoint::new(LocalStoreParts {
            objects,
            credentials: secret.credentials(),
            region: REGION.into(),
            bucket_name: BUCKET.into(),
            bucket: match &public_bucket {
                Some(url) => BucketAddress::Fixed(url.clone()),
                None => BucketAddress::RequestHost {
                    bucket: BUCKET.into(),
                },
            },
            upload_lifetime: UPLOAD_LIFETIME,
            download_lifetime: DOWNLOAD_LIFETIME,
            cors: CorsPolicy::new(origins.iter().map(|&origin| origin.to_owned()).collect()),
            clock: Arc::new(clock.clone()),
            gate: Arc::new(EveryUpload),
            uploaded: sender,
        });
        let shutdown = CancellationToken::new();
        let route = Route::new().nest_no_strip(format!("/{BUCKET}"), endpoint);
        let server = tokio::spawn(serve_within(limits, listener, route, shutdown.clone()));
        let own = BucketUrl::on_host(&address.to_string(), BUCKET).unwrap();
        Self {
            data_dir,
            address,
            bucket: public_bucket.unwrap_or(own),
            presigner: presigner(secret.credentials(), UPLOAD_LIFETIME, DOWNLOAD_LIFETIME),
            clock,
            uploaded,
            shutdown,
            server,
        }
    }

    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.server.await.unwrap();
    }

    /// A presigned PUT of `body`, with the headers that came with the URL.
    pub(crate) async fn put(&self, key: ObjectKey, body: &[u8]) -> Request {
        self.put_by(&self.presigner, key, body, None).await
    }

    /// The same, with a digest declared.
    pub(crate) async fn put_with_digest(&self, key: ObjectKey, body: &[u8], of: &[u8]) -> Request {
        self.put_by(&self.presigner, key, body, Some(digest_of(of)))
            .await
    }

    pub(crate) async fn put_by(
        &self,
        presigner: &Presigner,
        key: ObjectKey,
        body: &[u8],
        sha256: Option<Sha256Digest>,
    ) -> Request {
        let now = self.clock.now();
        self.put_at(now, presigner, key, body, sha256).await
    }

    /// The same, signed at `now`.
    pub(crate) async fn put_at(
        &self,
        now: Timestamp,
        presigner: &Presigner,
        key: ObjectKey,
        body: &[u8],
        sha256: Option<Sha256Digest>,
    ) -> Request {
        let terms = UploadTerms {
            key,
            length: ContentLength::new(body.len() as u64, MAX_CONTENT_LENGTH).unwrap(),
            content_type: &ContentType::parse(CONTENT_TYPE).unwrap(),
            sha256,
        };
        let upload = presigner.upload(&self.bucket, &terms, now).await.unwrap();
        let mut request = self.request("PUT", upload.url.expose());
        for (name, value) in upload.kind.headers() {
            request = request.with(name, value);
        }
        request
            .with("content-length", &body.len().to_string())
            .body(body)
    }

    /// A form for `body`, with the fields that came with it.
    pub(crate) async fn form(
        &self,
        key: ObjectKey,
        body: &[u8],
        sha256: Option<Sha256Digest>,
    ) -> Form {
        self.form_by(&self.presigner, key, body, sha256).await
    }

    pub(crate) async fn form_by(
        &self,
        presigner: &Presigner,
        key: ObjectKey,
        body: &[u8],
        sha256: Option<Sha256Digest>,
    ) -> Form {
        let terms = UploadTerms {
            key,
            length: ContentLength::new(body.len() as u64, MAX_CONTENT_LENGTH).unwrap(),
            content_type: &ContentType::parse(CONTENT_TYPE).unwrap(),
            sha256,
        };
        let now = self.clock.now();
        let upload = presigner.upload_form(&self.bucket, &terms, now).await;
        let upload = upload.unwrap();
        let fields = upload.kind.fields().unwrap().iter();
        Form {
            request: self.request("POST", upload.url.expose()),
            fields: fields
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect(),
            file: body.into(),
        }
    }

    pub(crate) async fn get(&self, key: ObjectKey) -> Request {
        self.download(DownloadMethod::Get, key).await
    }

    pub(crate) async fn head(&self, key: ObjectKey) -> Request {
        self.download(DownloadMethod::Head, key).await
    }

    async fn download(&self, method: DownloadMethod, key: ObjectKey) -> Request {
        self.download_by(&self.presigner, method, key).await
    }

    /// A GET of one version, as a record that names it has it.
    pub(crate) async fn get_version(&self, key: ObjectKey, version: Option<&str>) -> Request {
        let secret = SigningSecret::load_or_create(self.data_dir.path()).unwrap();
        let presigner = presigner(secret.credentials(), UPLOAD_LIFETIME, DOWNLOAD_LIFETIME);
        let presigner = presigner.naming_every_version();
        let version = version.map(|text| VersionId(text.to_owned()));
        self.download_of(&presigner, DownloadMethod::Get, key, version.as_ref())
            .await
    }

    pub(crate) async fn download_by(
        &self,
        presigner: &Presigner,
        method: DownloadMethod,
        key: ObjectKey,
    ) -> Request {
        self.download_of(presigner, method, key, None).await
    }

    async fn download_of(
        &self,
        presigner: &Presigner,
        method: DownloadMethod,
        key: ObjectKey,
        version_id: Option<&VersionId>,
    ) -> Request {
        let terms = DownloadTerms {
            key,
            version_id,
            filename: &FileName::sanitize("résumé.txt").unwrap(),
            display_name: None,
            content_type: &ContentType::parse(CONTENT_TYPE).unwrap(),
        };
        let now = self.clock.now();
        let url = presigner
            .download(&self.bucket, method, &terms, now)
            .await
            .unwrap();
        let name = match method {
            DownloadMethod::Get => "GET",
            DownloadMethod::Head => "HEAD",
        };
        self.request(name, url.expose())
    }

    /// A request for a URL of ours, with nothing but `Host`.
    pub(crate) fn request(&self, method: &str, url: &str) -> Request {
        let (host, rest) = url
            .strip_prefix("http://")
            .unwrap()
            .split_once('/')
            .unwrap();
        Request {
            address: self.address,
            method: method.into(),
            target: format!("/{rest}"),
            headers: vec![("host".into(), host.into())],
            body: Vec::new(),
        }
    }

    /// A key under which `bytes` have been stored.
    pub(crate) async fn stored(&mut self, bytes: &[u8]) -> ObjectKey {
        let key = new_key();
        assert_eq!(self.put(key, bytes).await.send().await.status, 200);
        assert_eq!(self.uploaded.recv().await, Some(key));
        key
    }

    /// Everything under objects/ and incoming/.
    pub(crate) fn files(&self) -> Vec<Vec<u8>> {
        let mut files = Vec::new();
        for dir in ["objects", "incoming"] {
            collect(&self.data_dir.path().join(dir), &mut files);
        }
        files
    }

    /// Waits until nothing is left of what was refused or broken off.
    pub(crate) async fn assert_nothing_stored(&mut self) {
        let limit = Instant::now() + PATIENCE;
        while !self.files().is_empty() {
            assert!(Instant::now() < limit, "something was left on disk");
            sleep(Duration::from_millis(5)).await;
        }
        assert!(self.uploaded.try_recv().is_err(), "the finalizer was told");
    }

    /// Sends a request that has to be refused as S3 does, and looks at everything that it must not
    /// have done.
    pub(crate) async fn assert_refused(&mut self, request: Request, status: u16, code: &str) {
        let what = format!("{} {:?}", request.method, request.headers);
        let is_head = request.method == "HEAD";
        let answer = request.send().await;
        assert_eq!(answer.status, status, "{what}: {}", answer.text());
        assert_eq!(
            answer.header("content-type"),
            Some("application/xml"),
            "{what}"
        );
        let id = answer
            .header("x-amz-request-id")
            .unwrap_or_default()
            .to_owned();
        assert_eq!(id.len(), 16, "{what}");
        if is_head {
            assert_eq!(answer.body, b"", "{what}");
        } else {
            let text = answer.text();
            assert!(
                text.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>"),
                "{text}"
            );
            assert!(
                text.contains(&format!("<Error><Code>{code}</Code><Message>")),
                "{text}"
            );
            assert!(
                text.contains(&format!("<RequestId>{id}</RequestId></Error>")),
                "{text}"
            );
            assert!(!text.contains("Signature="), "{text}");
        }
        self.assert_nothing_stored().await;
    }
}

fn collect(path: &Path, files: &mut Vec<Vec<u8>>) {
    for entry in fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if let Ok(bytes) = fs::read(&path) {
            // Else it went away meanwhile.
            files.push(bytes);
        }
    }
}

pub(crate) fn presigner(
    credentials: SigningCredentials,
    upload_lifetime: Duration,
    download_lifetime: Duration,
) -> Presigner {
    Presigner::new(
        credentials,
        REGION.into(),
        upload_lifetime,
        download_lifetime,
    )
}

pub(crate) fn new_key() -> ObjectKey {
    ObjectKey::new(FileId::new(whole_millis(chrono::Utc::now())))
}

pub(crate) fn digest_of(bytes: &[u8]) -> Sha256Digest {
    Sha256Digest::from_bytes(Sha256::digest(bytes).into())
}

/// A form, until it is put together as a request.
#[derive(Clone)]
pub(crate) struct Form {
    pub request: Request,
    pub fields: Vec<(String, String)>,
    pub file: Vec<u8>,
}

impl Form {
    pub(crate) const BOUNDARY: &str = "------------------------d74496d66958873e";

    pub(crate) fn value(&self, name: &str) -> &str {
        let found = self.fields.iter().find(|(own, _)| own == name);
        &found.unwrap_or_else(|| panic!("no field {name}")).1
    }

    /// With one more field, or another value for it.
    pub(crate) fn with(self, name: &str, value: &str) -> Self {
        let mut form = self.without(name);
        form.fields.push((name.into(), value.into()));
        form
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(own, _)| own != name);
        self
    }

    pub(crate) fn file(mut self, bytes: &[u8]) -> Self {
        self.file = bytes.into();
        self
    }

    pub(crate) fn part(name: &str, value: &[u8]) -> Vec<u8> {
        let head = format!(
            "--{}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n",
            Self::BOUNDARY
        );
        [head.as_bytes(), value, b"\r\n"].concat()
    }

    pub(crate) fn file_part(&self) -> Vec<u8> {
        let head = format!(
            "--{}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n",
            Self::BOUNDARY
        );
        [head.as_bytes(), &self.file, b"\r\n"].concat()
    }

    pub(crate) fn field_parts(&self) -> Vec<u8> {
        let parts = self.fields.iter();
        parts
            .flat_map(|(name, value)| Self::part(name, value.as_bytes()))
            .collect()
    }

    pub(crate) fn end() -> Vec<u8> {
        format!("--{}--\r\n", Self::BOUNDARY).into()
    }

    /// As every client sends it: the fields, the file, the end.
    pub(crate) fn request(&self) -> Request {
        self.made_of(&[self.field_parts(), self.file_part(), Self::end()])
    }

    /// With this body.
    pub(crate) fn made_of(&self, parts: &[Vec<u8>]) -> Request {
        let body = parts.concat();
        let content_type = format!("multipart/form-data; boundary={}", Self::BOUNDARY);
        self.request
            .clone()
            .with("content-type", &content_type)
            .with("content-length", &body.len().to_string())
            .body(&body)
    }
}

/// A request that is sent exactly as it stands here.
#[derive(Clone)]
pub(crate) struct Request {
    pub address: SocketAddr,
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    /// With one more header, or another value for it.
    pub(crate) fn with(self, name: &str, value: &str) -> Self {
        let mut request = self.without(name);
        request.headers.push((name.into(), value.into()));
        request
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(own, _)| own != name);
        self
    }

    pub(crate) fn body(mut self, body: &[u8]) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn method(mut self, method: &str) -> Self {
        self.method = method.into();
        self
    }

    /// With another target; it has to change.
    pub(crate) fn target(mut self, change: impl FnOnce(&str) -> String) -> Self {
        let changed = change(&self.target);
        assert_ne!(changed, self.target);
        self.target = changed;
        self
    }

    pub(crate) fn head_bytes(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        head.into()
    }

    pub(crate) async fn send(&self) -> Answer {
        let mut connection = Connection::open(self.address).await;
        connection.send(self).await
    }
}

pub(crate) struct Connection(pub TcpStream);

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    pub(crate) async fn send(&mut self, request: &Request) -> Answer {
        self.write(&request.head_bytes()).await;
        self.write(&request.body).await;
        self.answer(&request.method).await
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        timeout(PATIENCE, self.0.write_all(bytes))
            .await
            .unwrap()
            .unwrap();
    }

    pub(crate) async fn answer(&mut self, method: &str) -> Answer {
        self.try_answer(method).await.expect("an answer")
    }

    /// `None` if the connection is closed instead.
    pub(crate) async fn try_answer(&mut self, method: &str) -> Option<Answer> {
        timeout(PATIENCE, self.read_answer(method)).await.unwrap()
    }

    async fn read_answer(&mut self, method: &str) -> Option<Answer> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await.ok()?);
        }
        let text = String::from_utf8(head).unwrap();
        let mut lines = text.trim_end().split("\r\n");
        let status = lines
            .next()
            .unwrap()
            .split(' ')
            .nth(1)
            .unwrap()
            .parse()
            .unwrap();
        let headers: Vec<(String, String)> = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let mut answer = Answer {
            status,
            headers,
            body: Vec::new(),
        };
        if method != "HEAD" && status != 304 && status >= 200 {
            let length = answer.header("content-length").unwrap().parse().unwrap();
            answer.body = vec![0; length];
            self.0.read_exact(&mut answer.body).await.unwrap();
        }
        Some(answer)
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}
