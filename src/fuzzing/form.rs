//! A form says the same however its body was cut into chunks, and none is taken but the one that was signed.

use bytes::Bytes;
use futures_util::stream;

use super::Input;
use super::presigned_request::{BUCKET, HOST, LIFETIME, REGION, credentials, now, signed_at};
use crate::domain::{
    ContentLength, ContentType, FileId, MAX_CONTENT_LENGTH, ObjectKey, Sha256Digest,
};
use crate::local_mode::read_form;
use crate::presigned_url::{
    BucketUrl, Presigner, ReceivedForm, UploadTerms, VerifiedForm, verify_form,
};

const BOUNDARY: &str = "b";
const FILE: &[u8] = b"hello";

/// A signed form, as a client sends it, with some of its bytes changed.
///
/// First byte: how long the chunks are. Then, for each change, two bytes of where it is, one of how many
/// bytes go, one of how many come, and these.
pub(super) fn mutated(data: &[u8]) {
    let mut input = Input(data);
    let chunk_length = usize::from(input.byte()) + 1;
    let (original, signed) = ORIGINAL.with(Clone::clone);
    let mut body = original.clone();
    while !input.0.is_empty() {
        let position = usize::from(u16::from_le_bytes(input.array())) % (body.len() + 1);
        let (removed, added) = (usize::from(input.byte()), usize::from(input.byte()));
        let (added, rest) = input.0.split_at(added.min(input.0.len()));
        input = Input(rest);
        let end = body.len().min(position + removed);
        body.splice(position..end, added.iter().copied());
    }
    let whole = read([body.as_slice()]);
    assert_eq!(read(body.chunks(chunk_length)), whole);
    let verdict = whole.and_then(|(form, file)| Ok((Terms::of(&verdict(&form)?), file)));
    if body == original {
        assert_eq!(verdict, Ok((signed, FILE.to_vec())));
    } else if let Ok((terms, _)) = verdict {
        assert_eq!(terms, signed);
    }
}

fn read<'a>(
    chunks: impl IntoIterator<Item = &'a [u8], IntoIter: Send>,
) -> Result<(ReceivedForm, Vec<u8>), &'static str> {
    let chunks = chunks.into_iter().map(Bytes::copy_from_slice);
    now(read_form(stream::iter(chunks), BOUNDARY))
}

/// What a form was signed for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Terms {
    key: ObjectKey,
    length: ContentLength,
    sha256: Option<Sha256Digest>,
}

impl Terms {
    fn of(form: &VerifiedForm) -> Self {
        Self {
            key: form.key(),
            length: form.length(),
            sha256: form.sha256(),
        }
    }
}

fn verdict(form: &ReceivedForm) -> Result<VerifiedForm, &'static str> {
    let credentials = credentials();
    let verified = verify_form(form, BUCKET, &credentials, REGION, LIFETIME, signed_at());
    now(verified).map_err(|_| "refused")
}

thread_local! {
    /// Signed once, since that takes longer than all the rest.
    static ORIGINAL: (Vec<u8>, Terms) = original();
}

fn original() -> (Vec<u8>, Terms) {
    let presigner = Presigner::new(credentials(), REGION.into(), LIFETIME, LIFETIME);
    let bucket = BucketUrl::on_host(HOST, BUCKET).expect("a bucket");
    let id = FileId::parse("0199a2b4-7c1e-7f4d-9a7e-0d8a4c1b2e3f").expect("an ID");
    let sha256 = Sha256Digest::from_bytes([7; 32]);
    let length = FILE.len() as u64;
    let terms = UploadTerms {
        key: ObjectKey::new(id),
        length: ContentLength::new(length, MAX_CONTENT_LENGTH).expect("a length"),
        content_type: &ContentType::parse("text/plain").expect("a media type"),
        sha256: Some(sha256),
    };
    let upload = now(presigner.upload_form(&bucket, &terms, signed_at())).expect("signed");
    let mut body = Vec::new();
    let mut part = |head: &str, content: &[u8]| {
        let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n\r\n");
        body.extend([head.as_bytes(), content, b"\r\n"].concat());
    };
    for (name, value) in upload.kind.fields().unwrap_or_default() {
        part(&format!("name=\"{name}\""), value.as_bytes());
    }
    part("name=\"file\"; filename=\"a.txt\"", FILE);
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    let signed = Terms {
        key: terms.key,
        length: terms.length,
        sha256: terms.sha256,
    };
    (body, signed)
}
