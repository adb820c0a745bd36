//! The worker program: settings → stores and queue → consume and reconcile → drain. Its subcommands
//! are for the person who looks after the dead-letter queue.

use std::fmt::Display;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use file_share::aws::sqs_client;
use file_share::config::{self, AFTER_HELP, CommonSettings, Problems};
use file_share::file_events::{FileEvents, KeptOf};
use file_share::lambda_runtime::{self, RuntimeApi};
use file_share::operations::{OrphanSweeper, Reconciler, Stores};
use file_share::stores::{self, Access, StoreChoices};
use file_share::webhooks::Deliverer;
use file_share::{shutdown, telemetry};
use file_share_worker::consumer::Consumer;
use file_share_worker::event_queue::sqs::{QueueCheck, SqsQueue};
use file_share_worker::function::{FunctionParts, WorkerFunction};
use file_share_worker::operator;
use file_share_worker::settings::{
    DeadLetterSettings, InspectArgs, RedriveArgs, WorkerArgs, WorkerSettings,
};
use tokio_util::sync::CancellationToken;

/// Finalizes uploads: takes the store's event notifications from SQS, measures and hashes what
/// arrived, and looks after what notifications and crashes left behind.
#[derive(Parser)]
#[command(name = "file-share-worker", version, after_help = AFTER_HELP)]
#[command(args_conflicts_with_subcommands = true)]
struct Cli {
    /// Without a command the worker consumes
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    args: WorkerArgs,
}

#[derive(Subcommand)]
enum Command {
    /// Show what is in the dead-letter queue, and why; the messages stay there
    #[command(after_help = operator::AFTER_HELP)]
    Inspect(Box<InspectArgs>),
    /// Move messages from the dead-letter queue back to the queue, once their cause is gone
    #[command(after_help = operator::AFTER_HELP)]
    Redrive(Box<RedriveArgs>),
}

fn main() -> ExitCode {
    let cli: Cli = config::parse();
    match &cli.command {
        None => {}
        Some(Command::Inspect(args)) => {
            return operate(args.judge(), async |settings| {
                operator::run_inspect(args, &settings).await
            });
        }
        Some(Command::Redrive(args)) => {
            return operate(args.judge(), async |settings| {
                operator::run_redrive(args, &settings).await
            });
        }
    }
    let settings = match cli.args.judge() {
        Ok(settings) => settings,
        Err(problems) => return refused(&problems, 2),
    };
    let runtime_api = RuntimeApi::of_this_process();
    if runtime_api.is_some()
        && let Err(problems) = settings.common.fit_function()
    {
        return refused(&problems, 2);
    }
    if let Err(error) = telemetry::start(&settings.common) {
        return refused(&error, 2);
    }
    match run(settings, runtime_api) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refused(&error, 1),
    }
}

/// Says why there is no worker, to Lambda as well if that started it.
fn refused(error: &impl Display, code: u8) -> ExitCode {
    let message = format!("file-share-worker can't start: {error}");
    eprintln!("{}", message.trim_end());
    lambda_runtime::refuse_start(&message);
    ExitCode::from(code)
}

#[tokio::main]
async fn operate(
    settings: Result<DeadLetterSettings, Problems>,
    command: impl AsyncFnOnce(DeadLetterSettings) -> ExitCode,
) -> ExitCode {
    let settings = match settings {
        Ok(settings) => settings,
        Err(problems) => {
            eprint!("file-share-worker can't start: {problems}");
            return ExitCode::from(2);
        }
    };
    if let Err(error) = telemetry::start(&settings.worker.common) {
        eprintln!("file-share-worker can't start: {error}");
        return ExitCode::from(2);
    }
    command(settings).await
}

#[tokio::main]
async fn run(
    settings: WorkerSettings,
    runtime_api: Option<RuntimeApi>,
) -> Result<(), Box<dyn std::error::Error>> {
    // First, so that a signal during the start isn't missed.
    let stop = shutdown::on_signal();
    let common = settings.common;
    let mut opened = stores::open(&StoreChoices::AWS, &common, Access::Work).await?;
    let sdk = opened.sdk.as_ref().ok_or("the AWS settings are missing")?;
    let queue = Arc::new(SqsQueue::new(
        sqs_client(sdk),
        settings.queue_url,
        settings.visibility_timeout,
    ));
    opened.checks.push(Box::new(QueueCheck {
        queue: Arc::clone(&queue),
        region: opened.region(),
    }));
    opened.start_unmarked().await?;
    let deliverer = Deliverer::new(&opened.webhooks, common.webhooks.as_ref(), &opened.stores)?;
    // Where callers are asked who they are, each file belongs to somebody, and is one whose events are kept.
    let clock = Arc::clone(&opened.stores.clock);
    let (events, writer) = FileEvents::kept_in(opened.items, KeptOf::OwnedFiles, clock);
    let stores = Stores {
        events,
        ..opened.stores
    };
    if let Some(runtime_api) = runtime_api {
        let mut function = WorkerFunction::start(FunctionParts {
            queue,
            stores,
            bucket: common.bucket_name,
            sweeps: common.orphan_sweep_interval.map(|_| common.orphan_limit),
            deliverer,
            event_writer: writer,
        })
        .await;
        tracing::info!("events of Lambda are answered");
        return Ok(runtime_api.serve(&mut function, &stop).await?);
    }
    let consumer = Consumer::new(queue, Arc::new(stores.clone()), &common.bucket_name)
        .counting(stores.metrics.clone());
    stores::serve_metrics(&stores, common.metrics_listen, &stop)?;
    let reconciler = Reconciler::new(stores.clone());
    tracing::info!(
        bucket = common.bucket_name,
        table = common.table_name,
        "the worker consumes event notifications"
    );
    // Beyond what is in hand at the stop.
    let over = CancellationToken::new();
    let writing = tokio::spawn(writer.run(over.clone()));
    tokio::join!(
        say_if_a_store_is_away(&stores, stop.clone()),
        stores.scans.keep_mark(stop.clone()),
        consumer.run(stop.clone()),
        reconcile(reconciler, common.reconcile_interval, stop.clone()),
        sweep_orphans(&stores, &common, stop.clone()),
        tell(deliverer, stop)
    );
    over.cancel();
    let _ = writing.await;
    // Within the time of a stop: what was in hand is given back by then.
    opened.traces.finish(std::future::pending()).await;
    tracing::info!("stopped");
    Ok(())
}

/// Not a reason to end, or to wait: they may be on their way up, and everything is tried again.
async fn say_if_a_store_is_away(stores: &Stores, stop: CancellationToken) {
    tokio::select! {
        checked = stores.check() => if let Err(error) = checked {
            tracing::warn!(error = %error.chain(), "a store doesn't answer yet");
        },
        () = stop.cancelled() => {}
    }
}

async fn sweep_orphans(stores: &Stores, common: &CommonSettings, stop: CancellationToken) {
    if let Some(interval) = common.orphan_sweep_interval {
        let sweeper = OrphanSweeper::new(stores.clone(), common.orphan_limit);
        sweeper.run(interval, stop).await;
    }
}

async fn tell(deliverer: Option<Deliverer>, stop: CancellationToken) {
    if let Some(deliverer) = deliverer {
        deliverer.run(stop).await;
    }
}

/// A round that is under way at shutdown is broken off: each of its steps is one conditional write,
/// and the next round finds what is left.
async fn reconcile(reconciler: Reconciler, interval: std::time::Duration, stop: CancellationToken) {
    tokio::select! {
        () = reconciler.run(interval, stop.clone()) => {}
        () = stop.cancelled() => {}
    }
}
