//! The worker program: settings → stores and queue → consume and reconcile → drain.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use file_share::aws::{
    AwsSettings, MissingRegion, dynamodb_client, load_sdk_config, s3_client, sqs_client,
};
use file_share::clock::SystemClock;
use file_share::config::AFTER_HELP;
use file_share::metadata_store::dynamodb::DynamoDbMetadataStore;
use file_share::object_store::s3::S3ObjectStore;
use file_share::operations::{Reconciler, Stores};
use file_share::{shutdown, telemetry};
use file_share_worker::consumer::Consumer;
use file_share_worker::event_queue::sqs::SqsQueue;
use file_share_worker::settings::{WorkerArgs, WorkerSettings};

/// Finalizes uploads: takes the store's event notifications from SQS, measures and hashes what
/// arrived, and looks after what notifications and crashes left behind.
#[derive(Parser)]
#[command(name = "file-share-worker", version, after_help = AFTER_HELP)]
struct Cli {
    #[command(flatten)]
    args: WorkerArgs,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let settings = match cli.args.judge() {
        Ok(settings) => settings,
        Err(problems) => {
            eprint!("file-share-worker can't start: {problems}");
            return ExitCode::from(2);
        }
    };
    if let Err(error) = telemetry::start(&settings.common) {
        eprintln!("file-share-worker can't start: {error}");
        return ExitCode::from(2);
    }
    match run(settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("file-share-worker can't start: {error}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(settings: WorkerSettings) -> Result<(), MissingRegion> {
    // First, so that a signal during the start isn't missed.
    let stop = shutdown::on_signal();
    let sdk = load_sdk_config(AwsSettings::default()).await?;
    let common = settings.common;
    let stores = Stores {
        metadata: Arc::new(DynamoDbMetadataStore::new(
            dynamodb_client(&sdk),
            &common.table_name,
        )),
        objects: Arc::new(S3ObjectStore::new(s3_client(&sdk), &common.bucket_name)),
        clock: Arc::new(SystemClock),
        lifecycle: common.lifecycle,
    };
    let queue = SqsQueue::new(
        sqs_client(&sdk),
        settings.queue_url,
        settings.visibility_timeout,
    );
    let consumer = Consumer::new(
        Arc::new(queue),
        Arc::new(stores.clone()),
        &common.bucket_name,
    );
    let reconciler = Reconciler::new(stores.clone());
    tracing::info!(
        bucket = common.bucket_name,
        table = common.table_name,
        "the worker consumes event notifications"
    );
    tokio::join!(
        say_if_a_store_is_away(&stores, stop.clone()),
        consumer.run(stop.clone()),
        reconcile(reconciler, common.reconcile_interval, stop)
    );
    tracing::info!("stopped");
    Ok(())
}

/// Not a reason to end, or to wait: they may be on their way up, and everything is tried again.
async fn say_if_a_store_is_away(stores: &Stores, stop: tokio_util::sync::CancellationToken) {
    tokio::select! {
        checked = stores.check() => if let Err(error) = checked {
            tracing::warn!(error = %error.chain(), "a store doesn't answer yet");
        },
        () = stop.cancelled() => {}
    }
}

/// A round that is under way at shutdown is broken off: each of its steps is one conditional write,
/// and the next round finds what is left.
async fn reconcile(
    reconciler: Reconciler,
    interval: std::time::Duration,
    stop: tokio_util::sync::CancellationToken,
) {
    tokio::select! {
        () = reconciler.run(interval, stop.clone()) => {}
        () = stop.cancelled() => {}
    }
}
