//! Refusals in the words of the services.
//!
//! Codes and statuses: the "Common Errors" and error pages of each service's API reference, and
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Response};

use super::{AwsService, Call};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// 500: it broke there.
    Internal,
    /// 503: not now.
    Unavailable,
    Throttled,
    ExpiredCredentials,
    /// S3 only; the others answer [`Refusal::Internal`].
    NoSuchBucket,
}

impl Refusal {
    fn words(self, service: AwsService) -> (u16, &'static str) {
        use AwsService::{DynamoDb, Other, S3, Sqs};
        match (self, service) {
            (Self::Internal, S3) => (500, "InternalError"),
            (Self::Internal, DynamoDb) => (500, "InternalServerError"),
            (Self::Internal | Self::NoSuchBucket, Sqs | Other | DynamoDb) => {
                (500, "InternalFailure")
            }
            (Self::Unavailable, _) => (503, "ServiceUnavailable"),
            (Self::Throttled, S3) => (503, "SlowDown"),
            (Self::Throttled, DynamoDb) => (400, "ProvisionedThroughputExceededException"),
            (Self::Throttled, Sqs | Other) => (400, "RequestThrottled"),
            (Self::ExpiredCredentials, S3) => (400, "ExpiredToken"),
            (Self::ExpiredCredentials, DynamoDb) => (400, "ExpiredTokenException"),
            (Self::ExpiredCredentials, Sqs | Other) => (403, "ExpiredToken"),
            (Self::NoSuchBucket, S3) => (404, "NoSuchBucket"),
        }
    }

    pub(crate) fn answer(self, call: &Call) -> Response<Full<Bytes>> {
        let (status, code) = self.words(call.service);
        let (content_type, namespace) = match call.service {
            AwsService::S3 | AwsService::Other => ("application/xml", ""),
            AwsService::DynamoDb => (
                "application/x-amz-json-1.0",
                "com.amazonaws.dynamodb.v20120810#",
            ),
            AwsService::Sqs => ("application/x-amz-json-1.0", "com.amazonaws.sqs#"),
        };
        let body = match call.service {
            // An answer to HEAD has no body.
            AwsService::S3 if call.method == Method::HEAD => String::new(),
            AwsService::S3 | AwsService::Other => format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code>\
                 <Message>A campaign wants it so.</Message><RequestId>0</RequestId></Error>"
            ),
            AwsService::DynamoDb | AwsService::Sqs => {
                format!(r#"{{"__type":"{namespace}{code}","message":"A campaign wants it so."}}"#)
            }
        };
        Response::builder()
            .status(status)
            .header("content-type", content_type)
            .header("x-amzn-requestid", "0")
            .body(Full::new(body.into()))
            .expect("all of it is plain text")
    }
}
