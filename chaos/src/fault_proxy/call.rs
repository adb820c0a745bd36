//! What a request asks of which service, as far as a plan has to know.

use bytes::Bytes;
use hyper::http::request::Parts;
use hyper::{Method, Uri};
use serde_json::Value;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum AwsService {
    S3,
    DynamoDb,
    Sqs,
    /// Not signed for one of the three.
    Other,
}

#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub service: AwsService,
    /// The operation's name; for S3 the method.
    pub operation: String,
    /// The ID of the file that it is about, if it names one.
    pub file_id: Option<String>,
    /// Whether it comes from a client with a presigned URL.
    pub is_presigned: bool,
    /// The body of a DynamoDB or SQS call.
    pub body: Value,
    pub method: Method,
}

impl Call {
    pub(crate) fn read(head: &Parts, body: &Bytes) -> Self {
        let header = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
        let query = head.uri.query().unwrap_or_default();
        // `…/20261124/us-east-1/s3/aws4_request`, in a header or in the query.
        let scope = header("authorization").unwrap_or(query);
        let target = header("x-amz-target").unwrap_or_default();
        let service = if target.starts_with("DynamoDB") {
            AwsService::DynamoDb
        } else if target.starts_with("AmazonSQS") {
            AwsService::Sqs
        } else if scope.contains("/s3/") || scope.contains("%2Fs3%2F") {
            AwsService::S3
        } else {
            AwsService::Other
        };
        let operation = match target.rsplit_once('.') {
            Some((_, operation)) => operation.to_owned(),
            None => head.method.to_string(),
        };
        let body_text = std::str::from_utf8(body).unwrap_or_default();
        let body = match service {
            AwsService::DynamoDb | AwsService::Sqs => {
                serde_json::from_slice(body).unwrap_or_default()
            }
            AwsService::S3 | AwsService::Other => Value::Null,
        };
        let file_id = match service {
            AwsService::S3 => id_in(&head.uri).or_else(|| id_named_by(query, body_text)),
            AwsService::DynamoDb => body["Key"]["fileId"]["S"]
                .as_str()
                .or_else(|| body["Item"]["fileId"]["S"].as_str())
                .map(str::to_owned),
            AwsService::Sqs | AwsService::Other => None,
        };
        Self {
            service,
            operation,
            file_id,
            is_presigned: query.contains("X-Amz-Signature="),
            body,
            method: head.method.clone(),
        }
    }

    pub(crate) fn is(&self, service: AwsService, operation: &str) -> bool {
        self.service == service && self.operation == operation
    }
}

/// From `/bucket/uploads/{id}`.
fn id_in(uri: &Uri) -> Option<String> {
    let (_, id) = uri.path().split_once("/uploads/")?;
    (!id.is_empty()).then(|| id.to_owned())
}

/// From the prefix of a listing, or from a batch of deletions, which is all of one file's versions.
fn id_named_by(query: &str, body: &str) -> Option<String> {
    let listed = query
        .split('&')
        .find_map(|it| it.strip_prefix("prefix=uploads%2F"));
    let deleted = || {
        let (_, key) = body.split_once("<Key>uploads/")?;
        Some(key.split_once("</Key>")?.0)
    };
    let id = listed.or_else(deleted)?;
    (!id.is_empty()).then(|| id.to_owned())
}
