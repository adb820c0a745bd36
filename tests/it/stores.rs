//! The stores are three choices: the service runs on another metadata store than its mode's.

use std::sync::Arc;

use clap::Parser;
use file_share::app::{App, listen};
use file_share::config::ApiArgs;
use file_share::metadata_store::memory::MemoryMetadataStore;
use file_share::stores::{Records, StoreChoices};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::support::curl::{create, curl_json, upload};
use crate::support::program::data_dir;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    args: ApiArgs,
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_runs_on_a_third_metadata_store_beside_the_objects_of_its_mode() {
    let dir = data_dir();
    let data = dir.path().join("data");
    let flags = ["file-share", "--listen=127.0.0.1:0", "--data-dir"];
    let flags = flags.into_iter().chain([data.to_str().unwrap()]);
    let settings = Cli::parse_from(flags).args.judge().unwrap();
    let memory = Arc::new(MemoryMetadataStore::default());
    let choices = StoreChoices {
        records: Records::Memory(Arc::clone(&memory)),
        ..StoreChoices::of_mode(&settings.mode)
    };
    let app = App::build_on(&settings, &choices).await.unwrap();
    let listener = listen(settings.listen).await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let stop = CancellationToken::new();
    let served = tokio::spawn(app.serve(listener, stop.clone()));

    let source = dir.path().join("source");
    std::fs::write(&source, "hello").unwrap();
    let settled = tokio::task::block_in_place(|| {
        let created = create(&base, &json!({"filename": "a.txt", "size": 5}));
        assert_eq!(upload(&created, &source), "200");
        let id = created["id"].as_str().unwrap();
        curl_json(&[&format!("{base}/v1/files/{id}/metadata?wait=20")])
    });
    assert_eq!(settled["status"], "available");
    assert_eq!(memory.count(), 1);
    assert!(!data.join("metadata.sqlite").exists());
    stop.cancel();
    served.await.unwrap();
}
