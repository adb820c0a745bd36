//! The calls about what keeps a file from being deleted: a hold, and a time until which it is kept.
//!
//! **Invariant:** each says what is to be so, and not what is to change, so that repeating it changes nothing.

use http::{Method, StatusCode};
use serde_json::json;
use uuid::Uuid;

use crate::answer::{expect, parsed};
use crate::api_client::ApiClient;
use crate::error::CliError;
use crate::retry::Deadline;
use crate::wire::Record;

impl ApiClient {
    /// Keeps a file from being deleted. Saying the same again changes nothing.
    pub(crate) async fn hold(
        &self,
        id: Uuid,
        reason: &str,
        until: Deadline,
    ) -> Result<Record, CliError> {
        let path = format!("/v1/files/{id}/hold");
        let body = json!({ "reason": reason });
        let answer = self.call(Method::PUT, &path, Some(&body), None, until);
        parsed(&expect(answer.await?, StatusCode::OK)?)
    }

    /// Has a file kept until then. Saying the same again changes nothing.
    pub(crate) async fn keep(
        &self,
        id: Uuid,
        until_when: &str,
        until: Deadline,
    ) -> Result<Record, CliError> {
        let path = format!("/v1/files/{id}/keep-until");
        let body = json!({ "keepUntil": until_when });
        let answer = self.call(Method::PUT, &path, Some(&body), None, until);
        parsed(&expect(answer.await?, StatusCode::OK)?)
    }

    /// Lets it be deleted again.
    pub(crate) async fn release(&self, id: Uuid, until: Deadline) -> Result<(), CliError> {
        let path = format!("/v1/files/{id}/hold");
        let answer = self.call(Method::DELETE, &path, None, None, until).await?;
        expect(answer, StatusCode::NO_CONTENT).map(|_| ())
    }
}
