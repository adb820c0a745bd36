//! Whether the bucket is there, in this region, whether its objects may be used, and whether it is the
//! same time there as here.
//!
//! Invariant: asking changes nothing, so what may be written and deleted isn't asked. The stack's
//! policies allow it together with what is asked.

use std::error::Error;
use std::sync::Arc;

use async_trait::async_trait;
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::{CHECKED_KEY, S3ObjectStore, has_no_such_call, is_missing};
use crate::aws::{AnswerDate, Asked, Failure, StartupProblem, findings};
use crate::clock::{Clock, SystemClock};
use crate::start_check::{Finding, StartCheck};

/// [`S3ObjectStore::check_start`], as one of the checks of a start.
pub struct BucketCheck {
    /// The store whose bucket is looked at.
    pub store: Arc<S3ObjectStore>,
    /// The region that the bucket is expected in, named in what is found.
    pub region: String,
    /// The stack's output that allows what is looked at.
    pub policy: &'static str,
    /// Whether the program reads tags of versions.
    pub reads_tags: bool,
}

#[async_trait]
impl StartCheck for BucketCheck {
    fn name(&self) -> &'static str {
        "bucket"
    }

    fn subject(&self) -> String {
        format!("bucket {}", self.store.bucket)
    }

    async fn look(&self) -> Vec<Finding> {
        let mut problems = self.store.check_start(&self.region, self.policy).await;
        if self.reads_tags {
            let tags = self.store.may_read_tags(&self.region, self.policy).await;
            problems.extend(tags);
        }
        findings(problems, || {
            let lock = self
                .store
                .lock
                .map(|mode| format!("; what has to be kept is locked there ({})", mode.as_str()));
            let lock = lock.unwrap_or_default();
            format!(
                "bucket {} is there, these credentials may use it, and its clock is this machine's{lock}",
                self.store.bucket
            )
        })
    }
}

impl S3ObjectStore {
    /// Everything that stands in the way. `policy` is the stack's output that allows it.
    pub async fn check_start(&self, region: &str, policy: &str) -> Vec<StartupProblem> {
        // Also a refusal has a date.
        let answered = AnswerDate::default();
        let (read, list, versioning, lock) = tokio::join!(
            self.may_read(region, policy, answered.clone()),
            self.may_list_versions(region, policy),
            self.may_ask_for_versioning(region, policy),
            self.may_lock(region, policy),
        );
        let there = answered.get().ok();
        let clock = there.and_then(|there| StartupProblem::of_clocks(there, SystemClock.now()));
        let found = [read, list, versioning, lock, clock];
        found.into_iter().flatten().collect()
    }

    async fn may_read(
        &self,
        region: &str,
        policy: &str,
        answered: AnswerDate,
    ) -> Option<StartupProblem> {
        let get = self.client.get_object().bucket(&self.bucket);
        let get = get.key(CHECKED_KEY).customize().interceptor(answered);
        let error = get.send().await.err()?;
        if is_missing(&error) {
            return None;
        }
        let action = "s3:GetObject on uploads/*, or s3:ListBucket on the bucket";
        Some(self.problem(action, region, policy, "GetObject", &error))
    }

    async fn may_list_versions(&self, region: &str, policy: &str) -> Option<StartupProblem> {
        let list = self.client.list_object_versions().bucket(&self.bucket);
        let error = list.prefix(CHECKED_KEY).max_keys(1).send().await.err()?;
        // Stores without versions have no such call.
        let failure = Failure::new("ListObjectVersions", &error);
        if has_no_such_call(&failure) {
            return None;
        }
        let action = "s3:ListBucketVersions for uploads/*";
        Some(self.problem(action, region, policy, "ListObjectVersions", &error))
    }

    async fn may_ask_for_versioning(&self, region: &str, policy: &str) -> Option<StartupProblem> {
        let ask = self.client.get_bucket_versioning().bucket(&self.bucket);
        let error = ask.send().await.err()?;
        let failure = Failure::new("GetBucketVersioning", &error);
        if has_no_such_call(&failure) {
            return None;
        }
        let action = "s3:GetBucketVersioning on the bucket";
        Some(self.problem(action, region, policy, "GetBucketVersioning", &error))
    }

    pub(super) fn problem<E>(
        &self,
        action: &str,
        region: &str,
        policy: &str,
        operation: &'static str,
        error: &SdkError<E, HttpResponse>,
    ) -> StartupProblem
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
        StartupProblem::of(asked, operation, error)
    }
}
