//! How clients of AWS are built.
//!
//! Region, credentials and endpoints come from the standard places (environment, profile,
//! container, instance), unless [`AwsSettings`] says otherwise.
//!
//! Invariant: all clients share one HTTP client, one set of credentials, and limits on time and
//! attempts. The SDK's protection against stalled streams stays on, since no time-out covers the
//! body of an answer.
//!
//! Absent on purpose: proxies. Stores are reached directly or through a private endpoint.

use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_types::{
    checksum_config::{RequestChecksumCalculation, ResponseChecksumValidation},
    retry::RetryConfig,
    timeout::TimeoutConfig,
};
use aws_types::service_config::ServiceConfigKey;

/// How long a connection may take to be made, TLS included.
const CONNECT_TIME_OUT: Duration = Duration::from_secs(2);
/// How long one attempt may take until its answer begins.
const ATTEMPT_TIME_OUT: Duration = Duration::from_secs(5);
/// How long an operation may take with all its attempts.
const OPERATION_TIME_OUT: Duration = Duration::from_secs(15);
/// The first attempt included. Callers try again on their own, later. With a fifth of all attempts
/// failing, which has been seen of services in trouble, three attempts leave one call in 125 unanswered
/// and five one in 3,000; a page of a list is eight calls.
const MAX_ATTEMPTS: u32 = 5;
const MAX_BACK_OFF: Duration = Duration::from_secs(2);

const _: () = assert!(CONNECT_TIME_OUT.as_millis() < ATTEMPT_TIME_OUT.as_millis());
const _: () = assert!(
    ATTEMPT_TIME_OUT.as_millis() * 2 + MAX_BACK_OFF.as_millis() * 2
        < OPERATION_TIME_OUT.as_millis(),
    "a third attempt can still begin after two that hung"
);

/// What overrides the standard variables and profiles. Everything is optional.
#[derive(Debug, Clone, Default)]
pub struct AwsSettings {
    /// Where every service is reached, such as `http://localhost:4566`.
    pub endpoint_url: Option<String>,
    /// The region that requests are signed for.
    pub region: Option<String>,
    /// The credentials that requests are signed with.
    pub credentials: Option<SharedCredentialsProvider>,
}

/// Neither the settings, nor the environment, nor the profile names a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no AWS region is set: set AWS_REGION, or a region in the AWS profile")]
pub struct MissingRegion;

/// Finds out region, credentials and endpoints, once, for all clients. The presigner takes the
/// provider of credentials from here too: [`SdkConfig::credentials_provider`].
///
/// # Errors
/// [`MissingRegion`]: without a region no request can be signed. That credentials are missing shows
/// only with the first call.
pub async fn load_sdk_config(settings: AwsSettings) -> Result<SdkConfig, MissingRegion> {
    let http_client = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http_client)
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(MAX_ATTEMPTS)
                .with_max_backoff(MAX_BACK_OFF),
        )
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(CONNECT_TIME_OUT)
                .operation_attempt_timeout(ATTEMPT_TIME_OUT)
                .operation_timeout(OPERATION_TIME_OUT)
                .build(),
        )
        // Other stores with S3's API refuse the checksums that the SDK would add by itself.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    if let Some(url) = settings.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    if let Some(region) = settings.region {
        loader = loader.region(Region::new(region));
    }
    if let Some(credentials) = settings.credentials {
        loader = loader.credentials_provider(credentials);
    }
    let config = loader.load().await;
    // A variable that is empty counts as one that isn't set.
    match config.region().map(|region| region.as_ref().trim()) {
        None | Some("") => Err(MissingRegion),
        Some(_) => Ok(config),
    }
}

/// Addresses buckets by path where the endpoint isn't AWS's: other stores have no host name for
/// each bucket.
pub fn s3_client(config: &SdkConfig) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::config::Builder::from(config)
        .force_path_style(s3_endpoint_url(config).is_some())
        .build();
    aws_sdk_s3::Client::from_conf(config)
}

/// Where S3 is reached, if not at AWS's own address: `AWS_ENDPOINT_URL_S3`, its counterpart in the
/// profile, or the endpoint of all services. The SDK's S3 client looks in the same places.
pub fn s3_endpoint_url(config: &SdkConfig) -> Option<String> {
    let key = ServiceConfigKey::builder()
        .service_id("S3")
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build()
        .ok()?;
    config
        .service_config()
        .and_then(|services| services.load_config(key))
        .or_else(|| config.endpoint_url().map(str::to_owned))
}

/// A client for DynamoDB, with the retries and time-outs of [`load_sdk_config`].
pub fn dynamodb_client(config: &SdkConfig) -> aws_sdk_dynamodb::Client {
    aws_sdk_dynamodb::Client::new(config)
}

/// A receive that polls needs longer time-outs than these. The queue sets them on that
/// operation alone, so that its other calls still fail early.
pub fn sqs_client(config: &SdkConfig) -> aws_sdk_sqs::Client {
    aws_sdk_sqs::Client::new(config)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use aws_credential_types::Credentials;
    use aws_sdk_s3::config::StalledStreamProtectionConfig;

    use super::*;
    use crate::aws::Failure;

    fn settings(endpoint_url: Option<String>) -> AwsSettings {
        AwsSettings {
            endpoint_url,
            region: Some("eu-central-1".into()),
            credentials: Some(SharedCredentialsProvider::new(Credentials::for_tests())),
        }
    }

    #[tokio::test]
    async fn every_client_has_limits_on_time_and_attempts() {
        let config = load_sdk_config(settings(None)).await.unwrap();
        let time_outs = config.timeout_config().unwrap();
        assert_eq!(time_outs.operation_timeout(), Some(OPERATION_TIME_OUT));
        assert_eq!(
            time_outs.operation_attempt_timeout(),
            Some(ATTEMPT_TIME_OUT)
        );
        assert_eq!(config.retry_config().unwrap().max_attempts(), MAX_ATTEMPTS);
        assert!(
            config
                .stalled_stream_protection()
                .as_ref()
                .is_none_or(StalledStreamProtectionConfig::download_enabled)
        );
        assert!(config.credentials_provider().is_some());
    }

    #[tokio::test]
    async fn the_endpoint_of_all_services_is_the_one_of_s3() {
        let url = "http://localhost:4566".to_owned();
        let config = load_sdk_config(settings(Some(url.clone()))).await.unwrap();
        assert_eq!(s3_endpoint_url(&config), Some(url));
    }

    /// What is refused here is the connection, so a TLS provider and trusted roots were found.
    #[tokio::test]
    async fn a_tls_endpoint_that_refuses_connections_fails_as_one() {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let config = load_sdk_config(settings(Some(format!("https://127.0.0.1:{port}"))))
            .await
            .unwrap();
        let error = dynamodb_client(&config)
            .list_tables()
            .send()
            .await
            .unwrap_err();
        let failure = Failure::new("ListTables", &error).to_string();
        assert!(failure.contains("onnect"), "{failure}");
        assert!(failure.contains("refused"), "{failure}");
    }
}
