//! The API as an AWS Lambda function: the same endpoint, asked by the Runtime API instead of by connections.
//!
//! Invariant: nothing waits in this process for another event, since the machine may stand still for good behind any: what
//! happened to files is written behind the answer, and lines of the audit log are out before it.

use std::sync::Arc;

use poem::Response;
use poem::endpoint::BoxEndpoint;
use tokio_util::sync::CancellationToken;

use super::{App, audit};
use crate::api::{self, gateway_event::GatewayFunction};
use crate::config::ApiSettings;
use crate::file_events::EventWriter;
use crate::lambda_runtime::{EventError, Function, Invocation, RuntimeApi, RuntimeError};

struct ApiFunction {
    gateway: GatewayFunction<BoxEndpoint<'static, Response>>,
    event_writer: Option<EventWriter>,
}

impl Function for ApiFunction {
    async fn answer(&mut self, invocation: &Invocation) -> Result<Vec<u8>, EventError> {
        self.gateway.answer(invocation).await
    }

    async fn settle(&mut self) {
        if let Some(writer) = &mut self.event_writer {
            writer.write_out().await;
        }
    }
}

impl App {
    /// Answers events of API Gateway until `stop`.
    ///
    /// # Errors
    /// The Runtime API can't be used.
    pub async fn answer_events(
        self,
        settings: &ApiSettings,
        runtime_api: &RuntimeApi,
        stop: CancellationToken,
    ) -> Result<(), RuntimeError> {
        let served = CancellationToken::new();
        let keeping = self.audit.map(|log| {
            let clock = Arc::clone(&self.stores.clock);
            tokio::spawn(audit::keep(log, clock, served.clone()))
        });
        let mut function = ApiFunction {
            gateway: GatewayFunction {
                endpoint: self.endpoint,
                path_prefix: api::path_prefix(settings.public_url.as_ref()),
                knows_proxies: !settings.rates.trusted_proxies.is_empty(),
            },
            event_writer: self.event_writer,
        };
        tracing::info!("events of Lambda are answered");
        let answered = runtime_api.serve(&mut function, &stop).await;
        served.cancel();
        if let Some(keeping) = keeping {
            let _ = keeping.await;
        }
        answered
    }
}

#[cfg(test)]
mod tests;
