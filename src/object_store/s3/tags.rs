//! Tags of versions: what others, such as GuardDuty, say of the bytes.
//!
//! Invariant: a tag is that of the version that was asked for, by its ID. What S3 says of another one is no answer.
//!
//! Absent on purpose: setting one. Who may is said in the bucket's policy, and none of our programs may.

use super::{
    CHECKED_KEY, Lookup, NULL_VERSION, S3ObjectStore, STORE, StoreError, is_missing, undated,
};
use crate::aws::{Failure, StartupProblem, refused_at};
use aws_sdk_s3::types::BucketVersioningStatus;

const OPERATION: &str = "GetObjectTagging";

#[derive(Debug, thiserror::Error)]
#[error(
    "not allowed to read tags: this needs s3:GetObjectVersionTagging on uploads/*, which the stack's WorkerPolicy has \
     with GuardDutyRoleArn"
)]
struct MayNotReadTags(#[source] Failure);

impl S3ObjectStore {
    pub(super) async fn tag_of(
        &self,
        key: &str,
        version_id: &str,
        name: &str,
    ) -> Result<Lookup<Option<String>>, StoreError> {
        let ask = self.client.get_object_tagging().bucket(&self.bucket);
        let output = match ask.key(key).version_id(version_id).send().await {
            Ok(output) => output,
            Err(error) if is_missing(&error) => {
                return Ok(Lookup::Absent {
                    as_of: refused_at(&error).map_err(undated)?,
                });
            }
            Err(error) => {
                let failure = Failure::new(OPERATION, &error);
                return Err(match failure.status {
                    Some(403) => StoreError::unavailable(STORE, MayNotReadTags(failure)),
                    _ => StoreError::unavailable(STORE, failure),
                });
            }
        };
        if output.version_id().is_some_and(|of| of != version_id) {
            let why = "it says the tags of another version than it was asked for";
            return Err(StoreError::unavailable(STORE, why));
        }
        let tag = output.tag_set().iter().find(|tag| tag.key() == name);
        Ok(Lookup::Found(tag.map(|tag| tag.value().to_owned())))
    }

    /// What stands in the way of files that are available by a tag of their version.
    pub(super) async fn may_read_tags(&self, region: &str, policy: &str) -> Option<StartupProblem> {
        match self.versioning().await {
            Ok(Some(BucketVersioningStatus::Enabled)) => {}
            Ok(_) => {
                return Some(StartupProblem::Wrong(format!(
                    "SCANNER=guardduty needs versions, and bucket {} keeps none: a tag would be of whatever lies under \
                     a key. Have it keep them (aws s3api put-bucket-versioning --bucket {} \
                     --versioning-configuration Status=Enabled)",
                    self.bucket, self.bucket
                )));
            }
            // Somebody else says so.
            Err(_) => return None,
        }
        let ask = self.client.get_object_tagging().bucket(&self.bucket);
        let ask = ask.key(CHECKED_KEY).version_id(NULL_VERSION);
        let error = ask.send().await.err()?;
        if is_missing(&error) {
            return None;
        }
        let action = "s3:GetObjectVersionTagging on uploads/*";
        Some(self.problem(action, region, policy, OPERATION, &error))
    }
}
