//! Clients of AWS for a few looks: region, credentials and endpoints come from the standard places.
//!
//! **Invariant:** every call has a time-out and few attempts; somebody waits for the answer.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::provider::ProvideCredentials;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_types::service_config::ServiceConfigKey;

use super::super::report::{Flaw, Seen};

const CONNECT_TIME_OUT: Duration = Duration::from_secs(3);
const ATTEMPTS: u32 = 2;

pub struct Clients {
    pub s3: aws_sdk_s3::Client,
    pub sqs: aws_sdk_sqs::Client,
    pub dynamodb: aws_sdk_dynamodb::Client,
}

impl Clients {
    /// `limit` is for one look, all attempts included.
    pub async fn load(limit: Duration) -> Result<Seen<Self>, Flaw> {
        let http_client = aws_smithy_http_client::Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .build_https();
        let time_outs = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIME_OUT)
            .operation_attempt_timeout(limit / 2)
            .operation_timeout(limit)
            .build();
        let config = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http_client)
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(time_outs)
            .load()
            .await;
        let Some(region) = config.region() else {
            return Err(Flaw::wrong(
                "no AWS region is set",
                "set AWS_REGION, or a region in the AWS profile",
            ));
        };
        let said = format!("a region ({region}) and credentials are set");
        let credentials = match config.credentials_provider() {
            Some(provider) => provider.provide_credentials().await.is_ok(),
            None => false,
        };
        if !credentials {
            return Err(Flaw::wrong(
                "there are no AWS credentials",
                "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or log in with \
                 `aws sso login`",
            ));
        }
        // Other stores than AWS's have no host name for each bucket.
        let s3 = aws_sdk_s3::config::Builder::from(&config)
            .force_path_style(has_own_endpoint(&config))
            .build();
        let value = Self {
            s3: aws_sdk_s3::Client::from_conf(s3),
            sqs: aws_sdk_sqs::Client::new(&config),
            dynamodb: aws_sdk_dynamodb::Client::new(&config),
        };
        Ok(Seen { said, value })
    }
}

/// Whether S3 is somewhere else than at AWS: `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, or the same in
/// the profile.
fn has_own_endpoint(config: &SdkConfig) -> bool {
    let key = ServiceConfigKey::builder()
        .service_id("S3")
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build();
    let services = config.service_config();
    let own = key.ok().and_then(|key| services?.load_config(key));
    own.is_some() || config.endpoint_url().is_some()
}
