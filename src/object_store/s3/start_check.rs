//! Whether the bucket is there, in this region, and whether its objects may be used.
//!
//! Invariant: asking changes nothing, so what may be written and deleted isn't asked. The stack's
//! policies allow it together with what is asked.

use std::error::Error;

use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::{CHECKED_KEY, S3ObjectStore, is_missing};
use crate::aws::{Asked, Failure, Obstacle};

impl S3ObjectStore {
    /// Everything that stands in the way. `policy` is the stack's output that allows it.
    pub async fn check_start(&self, region: &str, policy: &str) -> Vec<Obstacle> {
        let (read, list) = tokio::join!(
            self.may_read(region, policy),
            self.may_list_versions(region, policy)
        );
        [read, list].into_iter().flatten().collect()
    }

    async fn may_read(&self, region: &str, policy: &str) -> Option<Obstacle> {
        let get = self.client.get_object().bucket(&self.bucket);
        let error = get.key(CHECKED_KEY).send().await.err()?;
        if is_missing(&error) {
            return None;
        }
        let action = "s3:GetObject on uploads/*, or s3:ListBucket on the bucket";
        Some(self.obstacle(action, region, policy, "GetObject", &error))
    }

    async fn may_list_versions(&self, region: &str, policy: &str) -> Option<Obstacle> {
        let list = self.client.list_object_versions().bucket(&self.bucket);
        let error = list.prefix(CHECKED_KEY).max_keys(1).send().await.err()?;
        // Stores without versions have no such call.
        let failure = Failure::new("ListObjectVersions", &error);
        if failure.status == Some(501) || failure.has_code("NotImplemented") {
            return None;
        }
        let action = "s3:ListBucketVersions for uploads/*";
        Some(self.obstacle(action, region, policy, "ListObjectVersions", &error))
    }

    fn obstacle<E>(
        &self,
        action: &str,
        region: &str,
        policy: &str,
        operation: &'static str,
        error: &SdkError<E, HttpResponse>,
    ) -> Obstacle
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let resource = format!("bucket {}", self.bucket);
        let asked = Asked {
            resource: &resource,
            action,
            setting: "BUCKET_NAME",
            region,
            policy,
        };
        Obstacle::of(asked, operation, error)
    }
}
