//! The clients that the programs use, for a deployment in the emulator.
//!
//! Invariant: built anew for each test, since connections belong to the runtime of one test.

use aws_config::SdkConfig;
use aws_credential_types::{Credentials as AwsCredentials, provider::SharedCredentialsProvider};
use file_share::aws::{AwsSettings, load_sdk_config};

use super::ministack::{Credentials, Deployment};

/// The configuration of a program that runs as `user`.
pub(crate) async fn sdk_config(deployment: &Deployment, user: &Credentials) -> SdkConfig {
    let credentials = AwsCredentials::new(
        &user.access_key_id,
        &user.secret_access_key,
        None,
        None,
        "test",
    );
    load_sdk_config(AwsSettings {
        endpoint_url: Some(deployment.endpoint.clone()),
        region: Some(deployment.region.clone()),
        credentials: Some(SharedCredentialsProvider::new(credentials)),
    })
    .await
    .expect("the region is set")
}
