//! Object Lock: that a version stays until its time, whoever may delete otherwise.
//!
//! Invariant: a lock is of one version and is put by its ID, and only ever moves forward. Nothing is locked that
//! isn't to be available, so the bucket has no default: what is rejected has to go.
//!
//! Absent on purpose: a way around a lock. Neither program may bypass one.

use std::time::Duration;

use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{
    ChecksumAlgorithm, ObjectLockEnabled, ObjectLockRetention, ObjectLockRetentionMode,
};

use super::{S3ObjectStore, STORE, StoreError};
use crate::aws::{Failure, StartupProblem, unavailable};
use crate::domain::{LockMode, Timestamp, VersionId, from_millis};

/// When to look again at a version that may not be deleted and says nothing of until when.
const UNKNOWN_END: Duration = Duration::from_secs(24 * 60 * 60);
/// For so long after a lock's end a refusal may still be its own, and it is looked at again soon.
const JUST_ENDED: Duration = Duration::from_secs(60 * 60);
const LOOK_AGAIN: Duration = Duration::from_secs(60);

fn as_sdk(mode: LockMode) -> ObjectLockRetentionMode {
    match mode {
        LockMode::Governance => ObjectLockRetentionMode::Governance,
        LockMode::Compliance => ObjectLockRetentionMode::Compliance,
    }
}

/// In whole seconds, as S3 keeps them: rounded up, so that no lock ends too early.
fn rounded_up(until: Timestamp) -> i64 {
    until.timestamp() + i64::from(until.timestamp_subsec_nanos() > 0)
}

impl S3ObjectStore {
    pub(super) async fn lock_version(
        &self,
        mode: LockMode,
        key: &str,
        version_id: Option<&VersionId>,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(VersionId(version_id)) = version_id else {
            let why =
                "OBJECT_LOCK is on and the object has no version: the bucket has to keep versions";
            return Err(StoreError::unavailable(STORE, why));
        };
        let retention = ObjectLockRetention::builder()
            .mode(as_sdk(mode))
            .retain_until_date(DateTime::from_secs(rounded_up(until)))
            .build();
        let put = self.client.put_object_retention().bucket(&self.bucket);
        let answer = put
            .key(key)
            .version_id(version_id)
            .retention(retention)
            // S3 asks for a checksum of this body.
            .checksum_algorithm(ChecksumAlgorithm::Crc32)
            .send()
            .await;
        let Err(error) = answer else {
            return Ok(());
        };
        // It may be locked for longer already, which nobody may shorten.
        let failure = Failure::new("PutObjectRetention", &error);
        if failure.has_code("AccessDenied")
            && let Ok(Some(locked)) = self.locked_until(key, version_id).await
            && locked >= until
        {
            return Ok(());
        }
        Err(StoreError::unavailable(STORE, failure))
    }

    /// Until when this version is locked; `None` if it isn't.
    async fn locked_until(
        &self,
        key: &str,
        version_id: &str,
    ) -> Result<Option<Timestamp>, StoreError> {
        let get = self.client.get_object_retention().bucket(&self.bucket);
        match get.key(key).version_id(version_id).send().await {
            Ok(output) => {
                let until = output.retention().and_then(|it| it.retain_until_date());
                Ok(until.and_then(|at| from_millis(at.to_millis().ok()?)))
            }
            Err(error) => {
                let failure = Failure::new("GetObjectRetention", &error);
                if failure.has_code("NoSuchObjectLockConfiguration") {
                    return Ok(None);
                }
                Err(unavailable(STORE, "GetObjectRetention", &error))
            }
        }
    }

    /// What a refusal to delete these versions means: the end of the latest lock, which another program may have put.
    /// Where this one locks versions, one that says no end, such as somebody's legal hold, is looked at again after a day.
    /// `None`: it says nothing of locks, so a permission is missing.
    pub(super) async fn locked(
        &self,
        key: &str,
        version_ids: &[String],
        now: Timestamp,
    ) -> Result<Option<StoreError>, StoreError> {
        let (mut until, locks) = (None, self.lock.is_some());
        for version_id in version_ids {
            let end = match self.locked_until(key, version_id).await {
                Err(error) if locks => return Err(error),
                // There may be no Object Lock in this bucket, or no permission to ask for one.
                Err(_) => None,
                Ok(Some(end)) if now < end => Some(end),
                // S3 goes on saying when a lock ended, and may go on refusing for a moment.
                Ok(Some(end)) if now < end + JUST_ENDED => Some(now + LOOK_AGAIN),
                Ok(_) => locks.then(|| now + UNKNOWN_END),
            };
            until = until.max(end);
        }
        Ok(until.map(|until| StoreError::Locked {
            store: STORE,
            until,
        }))
    }

    /// What stands in the way of locks, where versions are to be locked.
    pub(super) async fn may_lock(&self, region: &str, policy: &str) -> Option<StartupProblem> {
        self.lock?;
        let ask = self.client.get_object_lock_configuration();
        let output = match ask.bucket(&self.bucket).send().await {
            Ok(output) => output,
            Err(error) => {
                let failure = Failure::new("GetObjectLockConfiguration", &error);
                if failure.has_code("ObjectLockConfigurationNotFoundError") {
                    return Some(self.has_no_lock());
                }
                let action = "s3:GetBucketObjectLockConfiguration on the bucket";
                let operation = "GetObjectLockConfiguration";
                return Some(self.problem(action, region, policy, operation, &error));
            }
        };
        let configured = output.object_lock_configuration();
        let is_on = configured
            .is_some_and(|it| it.object_lock_enabled() == Some(&ObjectLockEnabled::Enabled));
        if !is_on {
            return Some(self.has_no_lock());
        }
        configured?.rule().map(|_| {
            StartupProblem::Wrong(format!(
                "bucket {} locks every object by a default rule, so what is rejected could not be deleted: remove the \
                 rule, and keep Object Lock on. The service locks what is available itself",
                self.bucket
            ))
        })
    }

    fn has_no_lock(&self) -> StartupProblem {
        StartupProblem::Wrong(format!(
            "OBJECT_LOCK is set, and bucket {} has no Object Lock: deploy the stack with ObjectLock=true, or switch it \
             on (aws s3api put-object-lock-configuration --bucket {} \
             --object-lock-configuration ObjectLockEnabled=Enabled)",
            self.bucket, self.bucket
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_lock_ends_before_the_file_may_go() {
        for (millis, seconds) in [(0, 0), (1, 1), (999, 1), (1_000, 1), (1_001, 2)] {
            assert_eq!(rounded_up(from_millis(millis).unwrap()), seconds);
        }
    }
}
