//! `fshare receipt`: what the service signs about a file, for whoever has to show it.
//!
//! **Invariant:** what is written is a receipt by its form, and nothing is replaced unless that was asked for. Whether it
//! is genuine says `fshare verify`.

use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::json;
use uuid::Uuid;

use crate::address::parse_file;
use crate::answer::expect;
use crate::api_client::ApiClient;
use crate::arguments;
use crate::download;
use crate::error::CliError;
use crate::jws::UnverifiedReceipt;
use crate::output::Output;
use crate::retry::Deadline;

/// What a service answers as long as a file waits for its bytes.
const PENDING: &str = "upload_pending";

pub(crate) async fn run(
    service: &ApiClient,
    arguments: &arguments::Receipt,
    until: Deadline,
    output: &Output,
) -> Result<(), CliError> {
    let (service, id) = parse_file(&arguments.file, service).await?;
    let text = match service.receipt(id, until).await {
        Err(CliError::Refused { code, .. }) if code == PENDING => {
            output.note_to_watcher("waiting until its bytes are there");
            service.settled(id, until).await?;
            service.receipt(id, until).await?
        }
        answered => answered?,
    };
    let receipt = UnverifiedReceipt::parse(&text)?;
    let Some(path) = &arguments.output else {
        return match output.json {
            true => output.json_line(&json!({ "id": id.to_string(), "receipt": text })),
            false => output.result(&text),
        };
    };
    let name = receipt.unverified_name().unwrap_or_else(|| id.to_string());
    let name = format!("{name}.receipt.jws");
    let content = format!("{text}\n");
    let saved = download::save(path, &name, arguments.force, content.as_bytes()).await?;
    let Some(saved) = saved else {
        return Ok(());
    };
    if output.json {
        let path = saved.display().to_string();
        return output.json_line(&json!({ "id": id.to_string(), "path": path, "receipt": text }));
    }
    output.note_to_watcher(&format!("✓ {}", saved.display()));
    Ok(())
}

impl ApiClient {
    /// The receipt of an available file.
    pub(crate) async fn receipt(&self, id: Uuid, until: Deadline) -> Result<String, CliError> {
        let path = format!("/v1/files/{id}/receipt");
        let answer = self.call(Method::GET, &path, None, None, until).await?;
        let answer = expect(answer, StatusCode::OK)?;
        let text = String::from_utf8(answer.body.into());
        text.map_err(|_| CliError::Unusable("the server's receipt isn't text".to_owned()))
    }

    /// What verifies receipts, as it came.
    pub(crate) async fn receipt_keys(&self, until: Deadline) -> Result<Bytes, CliError> {
        let answer = self.call(Method::GET, "/v1/receipts/keys", None, None, until);
        Ok(expect(answer.await?, StatusCode::OK)?.body)
    }
}
