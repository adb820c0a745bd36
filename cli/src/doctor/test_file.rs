//! The file that the doctor sends, from the moment at which the service may know of it until it is
//! certainly gone.
//!
//! **Invariant:** a create whose answer never came is found again by its idempotency key, so that its
//! file can be deleted too.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::api_client::ApiClient;
use crate::error::CliError;
use crate::file_calls::declaration;
use crate::output::Output;
use crate::retry::Deadline;
use crate::wire::Created;

/// What it is called, for whoever finds it in a list.
pub(super) const NAME: &str = "fshare-doctor-test.bin";
/// The test file of EICAR from its end (<https://www.eicar.org/download-anti-malware-testfile/>), so that no scanner
/// takes this program for a virus.
const VIRUS_REVERSED: &str =
    r"*H+H$!ELIF-TSET-SURIVITNA-DRADNATS-RACIE$}7)CC7)^P(45XZP\4[PA@%P!O5X";
/// How long deleting may take when everything else is over.
const CLEAN_UP: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Default)]
pub(crate) struct TestFile(Arc<Mutex<Option<Trace>>>);

#[derive(Debug, Clone)]
struct Trace {
    service: ApiClient,
    declared: Value,
    key: Uuid,
    id: Option<Uuid>,
}

/// What it consists of: no two are the same.
pub(crate) struct Content {
    pub bytes: Bytes,
    pub sha256: String,
    key: Uuid,
}

impl Content {
    /// `size` bytes that nothing on the way can make fewer.
    pub(crate) fn new(size: u64) -> Self {
        let key = Uuid::now_v7();
        let text = format!("A test file of `fshare doctor`. It may be deleted.\n{key}\n");
        let mut bytes = vec![0; usize::try_from(size).unwrap_or(usize::MAX)];
        fastrand::fill(&mut bytes);
        let length = text.len().min(bytes.len());
        bytes[..length].copy_from_slice(&text.as_bytes()[..length]);
        Self {
            sha256: hex::encode(Sha256::digest(&bytes)),
            bytes: bytes.into(),
            key,
        }
    }

    /// The test file of EICAR, which every scanner calls a virus and which is none.
    pub(crate) fn virus() -> Self {
        let bytes: Vec<u8> = VIRUS_REVERSED.bytes().rev().collect();
        Self {
            sha256: hex::encode(Sha256::digest(&bytes)),
            bytes: bytes.into(),
            key: Uuid::now_v7(),
        }
    }

    pub(crate) fn size(&self) -> u64 {
        self.bytes.len() as u64
    }
}

impl TestFile {
    /// Creates the test file, and remembers it for [`Self::clean_up`], also where the answer is lost.
    ///
    /// # Errors
    /// As [`ApiClient::create`].
    pub(crate) async fn create(
        &self,
        service: &ApiClient,
        content: &Content,
        until: Deadline,
    ) -> Result<Created, CliError> {
        let declared = declaration(NAME, content.size(), &content.sha256);
        self.remember(Some(Trace {
            service: service.clone(),
            declared: declared.clone(),
            key: content.key,
            id: None,
        }));
        let created = service.create(&declared, content.key, until).await;
        match &created {
            Ok(created) => {
                if let Some(trace) = self.lock().as_mut() {
                    trace.id = Some(created.record.id);
                }
            }
            // Refused: there is none.
            Err(CliError::Refused { status, .. }) if *status < 500 => self.remember(None),
            Err(_) => {}
        }
        created
    }

    /// Deletes it for good, if there may be one.
    ///
    /// # Errors
    /// It may still be there.
    pub(crate) async fn delete(&self, until: Deadline) -> Result<(), CliError> {
        let Some(trace) = self.lock().clone() else {
            return Ok(());
        };
        let id = match trace.id {
            Some(id) => id,
            None => {
                let again = trace.service.create(&trace.declared, trace.key, until);
                again.await?.record.id
            }
        };
        let deleted = trace.service.delete(id, until).await;
        // What has to be kept stays, however often that is asked.
        let stays = deleted.as_ref().is_err_and(CliError::is_retained);
        if deleted.is_ok() || stays {
            self.remember(None);
        }
        deleted
    }

    /// The same for an end before its time, and says what came of it.
    pub(crate) async fn clean_up(&self, output: &Output) {
        let Some(trace) = self.lock().clone() else {
            return;
        };
        let deleted = self.delete(Deadline::after(CLEAN_UP));
        let deleted = tokio::time::timeout(CLEAN_UP, deleted).await;
        match deleted {
            Ok(Ok(())) => output.note("fshare: the test file is deleted again"),
            // A create that nobody answered, of a server that isn't there.
            Ok(Err(CliError::Unreachable { .. })) if trace.id.is_none() => {}
            _ => output.note(&match trace.id {
                Some(id) => format!(
                    "fshare: the test file couldn't be deleted; try: fshare delete {}",
                    trace.service.link(id)
                ),
                None => format!("fshare: a test file called {NAME} may be left; see: fshare list"),
            }),
        }
    }

    fn remember(&self, trace: Option<Trace>) {
        *self.lock() = trace;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Trace>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_virus_is_the_one_that_scanners_know() {
        let content = Content::virus();
        // Of the file that EICAR publishes.
        let published = "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f";
        assert_eq!((content.size(), content.sha256.as_str()), (68, published));
    }
}
