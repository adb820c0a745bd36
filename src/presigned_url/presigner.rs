//! Makes the URLs that clients use.
//!
//! Invariant: a PUT signs `host`, the exact `content-length`, `content-type`, `if-none-match: *` and
//! the digest where there is one; a GET or HEAD signs the name and type to answer with, that the bytes
//! come as they are and stay in no cache, and the version where there are versions. A URL that leads to a distribution
//! signs the same but for the cache, which is what a distribution is. `expires_at` is when
//! the store will refuse the URL or the form, never later: a store does by its own clock, and takes no URL from its future;
//! a distribution does as well, and takes one.

use std::fmt;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::identity::Identity;
use chrono::SubsecRound;
use percent_encoding::utf8_percent_encode;

#[cfg(feature = "server")]
use super::edge::EdgeSigner;
use super::sign::Signer;
use super::sigv4::{QUERY, Subject};
use super::{BucketUrl, CHECKSUM_HEADER, NULL_VERSION, SigningCredentials, attachment, form};
use crate::domain::{
    ContentLength, ContentType, Declaration, DisplayName, FileName, Invalid, ObjectKey,
    Sha256Digest, Timestamp, VersionId,
};
use crate::store_error::StoreError;

/// S3 keeps some headers of a PUT with the object although nobody signed them, and would answer with
/// them: an uploader could have a browser decode the bytes (`Content-Encoding: gzip`), so that a
/// person gets others than those that were hashed, or have a cache keep them for everybody. A
/// download says both itself.
const DOWNLOAD_CONTENT_ENCODING: &str = "identity";
/// `private, no-store`, as it stands in a query.
const DOWNLOAD_CACHE_CONTROL: &str = "private%2C%20no-store";

/// A URL that is a credential: whoever holds it can use it. It prints as `[presigned URL]`.
#[derive(Clone, PartialEq, Eq)]
pub struct PresignedUrl(String);

impl PresignedUrl {
    /// The URL itself, for the client that asked for it and nobody else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PresignedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[presigned URL]")
    }
}

/// What one upload is allowed to be.
#[derive(Debug, Clone)]
pub struct UploadTerms<'a> {
    /// The key that the bytes come under.
    pub key: ObjectKey,
    /// Exactly so many bytes are taken.
    pub length: ContentLength,
    /// The type that the upload has to be sent with.
    pub content_type: &'a ContentType,
    /// What the bytes have to hash to; `None`: the store takes any of that length.
    pub sha256: Option<Sha256Digest>,
}

impl<'a> UploadTerms<'a> {
    /// Exactly what was declared, under this key.
    pub fn of(key: ObjectKey, declared: &'a Declaration) -> Self {
        Self {
            key,
            length: declared.length,
            content_type: &declared.content_type,
            sha256: declared.sha256,
        }
    }
}

/// How a client sends the bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum UploadMethod {
    /// The bytes alone, with headers.
    #[default]
    Put,
    /// A form, for whoever can't send headers.
    Post,
}

impl UploadMethod {
    /// The method as requests and the API have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Put => "PUT",
            Self::Post => "POST",
        }
    }

    /// Reads what [`Self::as_str`] writes.
    ///
    /// # Errors
    /// A text that is neither.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        [Self::Put, Self::Post]
            .into_iter()
            .find(|method| method.as_str() == text)
            .ok_or_else(|| Invalid::new("must be PUT or POST"))
    }
}

/// Names and values that a client has to send exactly as they are.
pub(super) type Pairs = Vec<(&'static str, String)>;

/// What has to be sent to an upload's URL.
#[derive(Clone)]
pub enum Upload {
    /// The bytes alone.
    Put {
        /// The headers that the client must send besides those that every HTTP client sets by itself
        /// (`host`, `content-length`).
        headers: Pairs,
    },
    /// A form with the bytes in it.
    Form {
        /// The fields that it must have, all of them before the file. They are as good as the URL of a PUT.
        fields: Pairs,
    },
}

impl Upload {
    /// The method of the request.
    pub fn method(&self) -> UploadMethod {
        match self {
            Self::Put { .. } => UploadMethod::Put,
            Self::Form { .. } => UploadMethod::Post,
        }
    }

    /// The headers to send along; none with a form.
    pub fn headers(&self) -> &[(&'static str, String)] {
        match self {
            Self::Put { headers } => headers,
            Self::Form { .. } => &[],
        }
    }

    /// The fields of a form; `None` if it is none.
    pub fn fields(&self) -> Option<&[(&'static str, String)]> {
        match self {
            Self::Put { .. } => None,
            Self::Form { fields } => Some(fields),
        }
    }
}

/// A presigned PUT or a signed form, and what has to be sent with it.
#[derive(Clone)]
pub struct PresignedUpload {
    /// Where to send it.
    pub url: PresignedUrl,
    /// With which method, and what else has to be sent.
    pub kind: Upload,
    /// From this moment on the store takes no request that begins. Earlier than asked for if the credentials
    /// end.
    pub expires_at: Timestamp,
}

/// Without what a client could use.
impl fmt::Debug for PresignedUpload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresignedUpload")
            .field("method", &self.kind.method())
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// What one download answers with.
#[derive(Debug, Clone)]
pub struct DownloadTerms<'a> {
    /// The key that the bytes are under.
    pub key: ObjectKey,
    /// The version that was measured; `None` if it has none.
    pub version_id: Option<&'a VersionId>,
    /// The name that a simple client saves it under (`Content-Disposition`).
    pub filename: &'a FileName,
    /// The name that a browser saves it under; `None`: the same.
    pub display_name: Option<&'a DisplayName>,
    /// The `Content-Type` of the answer.
    pub content_type: &'a ContentType,
}

/// What is special about a download that was granted, such as by a link.
#[derive(Debug, Clone, Copy)]
pub struct GrantTerms<'a> {
    /// Stands in the URL's query, signed, and so in the log of the store: letters and digits.
    pub id: &'a str,
    /// From this moment on the URL doesn't work.
    pub until: Timestamp,
}

/// What stands before a grant's name in a URL. S3 takes no notice of such parameters, but for its log.
pub const GRANT_PARAMETER: &str = "x-grant";

/// The method that a download URL is good for; S3 tells the two apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DownloadMethod {
    /// Brings the bytes.
    Get,
    /// Brings the headers alone.
    Head,
}

impl DownloadMethod {
    fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
        }
    }
}

/// Signs what clients send and fetch bytes with. It asks no store whether there is such an object.
#[derive(Debug)]
pub struct Presigner {
    credentials: SigningCredentials,
    signer: Signer,
    upload_lifetime: Duration,
    download_lifetime: Duration,
    names_every_version: bool,
    /// Where downloads lead, if not to the bucket.
    #[cfg(feature = "server")]
    edge: Option<EdgeSigner>,
}

impl Presigner {
    /// URLs live for `upload_lifetime` and `download_lifetime`, or shorter if the credentials end sooner.
    pub fn new(
        credentials: SigningCredentials,
        region: String,
        upload_lifetime: Duration,
        download_lifetime: Duration,
    ) -> Self {
        Self {
            credentials,
            signer: Signer::new(region),
            upload_lifetime,
            download_lifetime,
            names_every_version: false,
            #[cfg(feature = "server")]
            edge: None,
        }
    }

    /// With downloads that lead to a distribution before the bucket.
    #[cfg(feature = "server")]
    #[must_use]
    pub fn with_downloads_by(self, edge: Option<EdgeSigner>) -> Self {
        Self { edge, ..self }
    }

    /// Scheme and host of the distribution that downloads lead to; `None`: they lead to the bucket.
    #[cfg(feature = "server")]
    pub fn download_origin(&self) -> Option<String> {
        self.edge.as_ref().map(EdgeSigner::origin)
    }

    /// Where the store has versions: a download of an object without one says that it means that, so that it
    /// can't bring one that came later under the same key.
    #[must_use]
    pub fn naming_every_version(self) -> Self {
        Self {
            names_every_version: true,
            ..self
        }
    }

    /// A PUT of exactly these bytes' worth, once.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] without credentials.
    pub async fn upload(
        &self,
        bucket: &BucketUrl,
        terms: &UploadTerms<'_>,
        now: Timestamp,
    ) -> Result<PresignedUpload, StoreError> {
        self.upload_within(bucket, terms, None, now).await
    }

    /// The same for so long at the most.
    ///
    /// # Errors
    /// As [`Self::upload`].
    pub async fn upload_within(
        &self,
        bucket: &BucketUrl,
        terms: &UploadTerms<'_>,
        longest: Option<Duration>,
        now: Timestamp,
    ) -> Result<PresignedUpload, StoreError> {
        let lifetime = longest.map_or(self.upload_lifetime, |it| it.min(self.upload_lifetime));
        let length = terms.length.to_string();
        let mut headers = vec![
            ("content-type", terms.content_type.as_str().to_owned()),
            ("if-none-match", "*".to_owned()),
        ];
        if let Some(digest) = terms.sha256 {
            headers.push((CHECKSUM_HEADER, digest.to_base64()));
        }
        let signed: Vec<(&str, &str)> = std::iter::once(("content-length", length.as_str()))
            .chain(headers.iter().map(|(name, value)| (*name, value.as_str())))
            .collect();
        let subject = Subject {
            method: "PUT",
            uri: &bucket.object(terms.key),
            headers: &signed,
        };
        let (url, expires_at) = self.presign(&subject, now, lifetime).await?;
        Ok(PresignedUpload {
            url,
            kind: Upload::Put { headers },
            expires_at,
        })
    }

    /// A form that uploads exactly these bytes' worth. S3 knows no condition like `if-none-match` for it, so
    /// it may be sent again: whoever hands it out has to know that the store bears that.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] without credentials.
    pub async fn upload_form(
        &self,
        bucket: &BucketUrl,
        terms: &UploadTerms<'_>,
        now: Timestamp,
    ) -> Result<PresignedUpload, StoreError> {
        let wanted = self.upload_lifetime;
        let (identity, lifetime) = self.credentials.identity(now, wanted).await?;
        let signed_at = now.trunc_subsecs(0);
        let expires_at = signed_at + Duration::from_secs(lifetime.as_secs());
        let credentials = credentials_of(&identity)?;
        let fields = form::fields(
            &self.signer,
            credentials,
            bucket.name(),
            terms,
            signed_at,
            expires_at,
        );
        Ok(PresignedUpload {
            url: PresignedUrl(bucket.form()),
            kind: Upload::Form { fields },
            expires_at,
        })
    }

    /// A GET or HEAD of one version.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] without credentials.
    pub async fn download(
        &self,
        bucket: &BucketUrl,
        method: DownloadMethod,
        terms: &DownloadTerms<'_>,
        now: Timestamp,
    ) -> Result<PresignedUrl, StoreError> {
        let uri = self.download_uri(bucket, terms);
        let lifetime = self.download_lifetime;
        let (url, _) = self.presign_download(method, &uri, lifetime, now).await?;
        Ok(url)
    }

    /// The same for a grant: the URL names it, and works until the grant says so at the most. `None`: that is less
    /// than a second, which is the least that a URL can work for.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] without credentials.
    pub async fn granted_download(
        &self,
        bucket: &BucketUrl,
        method: DownloadMethod,
        terms: &DownloadTerms<'_>,
        grant: &GrantTerms<'_>,
        now: Timestamp,
    ) -> Result<Option<(PresignedUrl, Timestamp)>, StoreError> {
        // From the second in which it is signed.
        let left = (grant.until - now.trunc_subsecs(0)).to_std();
        let lifetime = left.unwrap_or_default().min(self.download_lifetime);
        if lifetime.as_secs() == 0 {
            return Ok(None);
        }
        let mut uri = self.download_uri(bucket, terms);
        append(&mut uri, GRANT_PARAMETER, grant.id);
        self.presign_download(method, &uri, lifetime, now)
            .await
            .map(Some)
    }

    fn download_uri(&self, bucket: &BucketUrl, terms: &DownloadTerms<'_>) -> String {
        let disposition = attachment(terms.filename, terms.display_name);
        let content_type = terms.content_type.as_str();
        // In the order in which they are signed.
        let mut uri = self.object_uri(bucket, terms.key);
        append(&mut uri, "response-content-disposition", &disposition);
        uri.extend(["&response-content-encoding=", DOWNLOAD_CONTENT_ENCODING]);
        append(&mut uri, "response-content-type", content_type);
        let version = terms.version_id.map(|VersionId(version)| version.as_str());
        let unversioned = self.names_every_version.then_some(NULL_VERSION);
        if let Some(version) = version.or(unversioned) {
            append(&mut uri, "versionId", version);
        }
        uri
    }

    /// The object's URL with the beginning of a query.
    fn object_uri(&self, bucket: &BucketUrl, key: ObjectKey) -> String {
        #[cfg(feature = "server")]
        if let Some(edge) = &self.edge {
            // Told not to keep it, the distribution would fetch it each time. What viewers are told is its own to say.
            return edge.object(key) + "?";
        }
        let mut uri = bucket.object(key);
        uri.extend(["?response-cache-control=", DOWNLOAD_CACHE_CONTROL]);
        uri
    }

    async fn presign_download(
        &self,
        method: DownloadMethod,
        uri: &str,
        lifetime: Duration,
        now: Timestamp,
    ) -> Result<(PresignedUrl, Timestamp), StoreError> {
        #[cfg(feature = "server")]
        if let Some(edge) = &self.edge {
            // For both methods, and without credentials that could end sooner.
            let expires_at = now.trunc_subsecs(0) + Duration::from_secs(lifetime.as_secs());
            return Ok((PresignedUrl(edge.sign(uri, expires_at)?), expires_at));
        }
        let subject = Subject {
            method: method.as_str(),
            uri,
            headers: &[],
        };
        self.presign(&subject, now, lifetime).await
    }

    async fn presign(
        &self,
        subject: &Subject<'_>,
        now: Timestamp,
        wanted: Duration,
    ) -> Result<(PresignedUrl, Timestamp), StoreError> {
        let (identity, lifetime) = self.credentials.identity(now, wanted).await?;
        // SigV4 counts in whole seconds, from the second in which the URL was signed.
        let signed_at = now.trunc_subsecs(0);
        let lifetime = Duration::from_secs(lifetime.as_secs());
        let credentials = credentials_of(&identity)?;
        let url = self
            .signer
            .presign(subject, credentials, signed_at, lifetime)
            .map_err(|error| StoreError::unavailable("the signer", error))?;
        Ok((PresignedUrl(url), signed_at + lifetime))
    }
}

fn credentials_of(identity: &Identity) -> Result<&Credentials, StoreError> {
    identity
        .data::<Credentials>()
        .ok_or_else(|| StoreError::unavailable("the signer", "no credentials to sign with"))
}

/// Another parameter of a query that was begun.
fn append(url: &mut String, name: &str, value: &str) {
    let separator = if url.ends_with('?') { "" } else { "&" };
    url.extend([separator, name, "="]);
    url.extend(utf8_percent_encode(value, QUERY));
}
