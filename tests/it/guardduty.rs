//! Where GuardDuty scans: the real worker under the stack's policies.

use crate::support::ministack::MiniStack;
use crate::support::program::Program;

const SCANNER: (&str, &str) = ("SCANNER", "guardduty");

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_may_not_read_tags_does_not_start() {
    let deployment = MiniStack::shared().await.deploy("guardduty-not").await;
    let refused = tokio::task::block_in_place(|| Program::worker_refuses(&deployment, &[SCANNER]));
    for said in ["s3:GetObjectVersionTagging", "WorkerPolicy"] {
        assert!(refused.contains(said), "{refused}");
    }
}
