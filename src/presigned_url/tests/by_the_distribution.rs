//! What URLs say that lead to a distribution before the bucket.

use super::*;
use crate::presigned_url::edge::tests::key as new_key;

const ORIGIN: &str = "https://d111111abcdef8.cloudfront.net";

fn led_elsewhere() -> Presigner {
    let (private, public) = new_key();
    let signer = EdgeSigner::new(ORIGIN, "K1", &private, &public).unwrap();
    presigner().with_downloads_by(Some(signer))
}

/// The parameters before the signature's, and when the URL ends.
fn parts(url: &PresignedUrl) -> (String, i64) {
    let path = format!("{ORIGIN}/{}?", key());
    let query = url.expose().strip_prefix(&path).unwrap();
    let (own, signed) = query.split_once("&Expires=").unwrap();
    let (expires, _) = signed.split_once("&Signature=").unwrap();
    (own.to_owned(), expires.parse().unwrap())
}

fn terms<'a>(
    version_id: Option<&'a VersionId>,
    filename: &'a FileName,
    content_type: &'a ContentType,
) -> DownloadTerms<'a> {
    DownloadTerms {
        key: key(),
        version_id,
        filename,
        display_name: None,
        content_type,
    }
}

#[tokio::test]
async fn a_download_leads_to_the_distribution_with_the_version_the_name_and_the_type_and_an_upload_does_not()
 {
    let presigner = led_elsewhere();
    assert_eq!(presigner.download_origin().as_deref(), Some(ORIGIN));
    let filename = FileName::sanitize("notes.txt").unwrap();
    let content_type = ContentType::parse("text/plain; charset=utf-8").unwrap();
    let version = VersionId("3/L4kqtJl+cp".into());
    let terms = terms(Some(&version), &filename, &content_type);
    for method in [DownloadMethod::Get, DownloadMethod::Head] {
        let url = presigner
            .download(&bucket(), method, &terms, now())
            .await
            .unwrap();
        let (own, expires) = parts(&url);
        assert_eq!(
            own,
            "response-content-disposition=attachment%3B%20filename%3D%22notes.txt%22%3B%20\
             filename%2A%3DUTF-8%27%27notes.txt\
             &response-content-encoding=identity\
             &response-content-type=text%2Fplain%3B%20charset%3Dutf-8\
             &versionId=3%2FL4kqtJl%2Bcp"
        );
        // From the second in which it was signed, as with S3.
        assert_eq!(expires, 1_790_000_000 + 300);
    }
    let upload = UploadTerms {
        key: key(),
        length: ContentLength::new(5, MAX_CONTENT_LENGTH).unwrap(),
        content_type: &content_type,
        sha256: None,
    };
    let upload = presigner.upload(&bucket(), &upload, now()).await.unwrap();
    assert!(upload.url.expose().starts_with(&bucket().to_string()));
}

#[tokio::test]
async fn a_granted_download_names_its_grant_and_ends_with_it_there_too() {
    let presigner = led_elsewhere();
    let filename = FileName::sanitize("notes.txt").unwrap();
    let content_type = ContentType::parse("text/plain").unwrap();
    let terms = terms(None, &filename, &content_type);
    let granted = async |seconds: u64| {
        let until = now() + Duration::from_secs(seconds);
        let grant = GrantTerms { id: "g1", until };
        let get = DownloadMethod::Get;
        let bucket = bucket();
        let signed = presigner.granted_download(&bucket, get, &terms, &grant, now());
        signed.await.unwrap()
    };
    let (url, ends) = granted(60).await.unwrap();
    let (own, expires) = parts(&url);
    assert!(own.ends_with("&x-grant=g1"), "{own}");
    assert_eq!(expires, 1_790_000_060);
    assert_eq!(ends.timestamp(), expires);
    assert_eq!(parts(&granted(3600).await.unwrap().0).1, 1_790_000_300);
    assert!(granted(0).await.is_none());
}
