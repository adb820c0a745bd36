//! What a failed call to AWS says, for the person who has to mend it.

use std::error::Error;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use super::wrong;
use crate::aws::Refusal;
use crate::start_check::{Finding, Flaw};

/// What was asked for.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    /// Such as `the bucket file-share-bucket`.
    pub resource: &'a str,
    /// The permission that the call needs.
    pub action: &'a str,
    /// The setting that names the resource.
    pub setting: &'a str,
}

impl Asked<'_> {
    /// Hidden where a permission is missing, wrong otherwise.
    pub(super) fn finding<E>(self, error: &SdkError<E>) -> Finding
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let Self {
            resource,
            action,
            setting,
        } = self;
        match Refusal::of(error.code()) {
            Some(Refusal::Forbidden) => Finding::Hidden(Flaw::new(
                format!("these credentials lack {action} on {resource}"),
                "attach the stack's OperatorPolicy to whoever looks",
            )),
            Some(Refusal::Missing) => wrong(
                format!("{resource} isn't there"),
                format!("correct {setting} or AWS_REGION, or deploy deploy/stack.yaml there"),
            ),
            Some(Refusal::Elsewhere) => wrong(
                format!("{resource} is in another region"),
                format!("set AWS_REGION to its region, or correct {setting}"),
            ),
            Some(Refusal::BadCredentials) => {
                let code = error.code().unwrap_or_default();
                wrong(
                    format!("AWS doesn't accept the credentials ({code})"),
                    "renew them, and see that the secret belongs to the key",
                )
            }
            None => {
                let code = error.code().filter(|code| !code.is_empty());
                let why = code.map_or_else(|| innermost(error), str::to_owned);
                wrong(
                    format!("{resource} couldn't be asked about: {why}"),
                    "see the network from here to AWS (AWS_ENDPOINT_URL, AWS_REGION), and try again",
                )
            }
        }
    }
}

fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
