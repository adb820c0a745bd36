//! What many uploads cost that are sent slowly.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use file_share::capacity::raise_descriptor_limit;
use serde_json::json;

use crate::support::program::{Program, data_dir};

const UPLOADS: usize = 400;
/// What one that has sent a byte may hold, with its connection, in bytes.
const MEMORY_OF_AN_UPLOAD: usize = 128 * 1024;
const PATIENCE: Duration = Duration::from_secs(60);

/// What the program has in memory, in bytes.
fn memory(program: &Program) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", program.process_id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.unwrap().trim().trim_end_matches(" kB");
    kilobytes.parse::<usize>().unwrap() * 1024
}

fn received(data_dir: &std::path::Path) -> usize {
    std::fs::read_dir(data_dir.join("incoming"))
        .unwrap()
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_sent_slowly_holds_little_more_than_it_has_sent() {
    raise_descriptor_limit();
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    let address = program.base.strip_prefix("http://").unwrap();
    let client = reqwest::Client::new();
    let mut heads = Vec::new();
    for _ in 0..UPLOADS {
        let create = client.post(format!("{}/v1/files", program.base));
        let create = create.json(&json!({"filename": "a.txt", "size": 1 << 20}));
        let created: serde_json::Value = create.send().await.unwrap().json().await.unwrap();
        let url = created["upload"]["url"].as_str().unwrap();
        let mut head = format!(
            "PUT {} HTTP/1.1\r\nhost: {address}\r\ncontent-length: {}\r\n",
            url.strip_prefix(program.base.as_str()).unwrap(),
            1 << 20
        );
        for (name, value) in created["upload"]["headers"].as_object().unwrap() {
            head += &format!("{name}: {}\r\n", value.as_str().unwrap());
        }
        heads.push(head + "\r\nx");
    }
    let before = memory(&program);
    let uploads: Vec<TcpStream> = heads
        .iter()
        .map(|head| {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    let deadline = Instant::now() + PATIENCE;
    while received(dir.path()) < UPLOADS {
        assert!(
            Instant::now() < deadline,
            "only {} began",
            received(dir.path())
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let held = memory(&program).saturating_sub(before) / UPLOADS;
    assert!(held <= MEMORY_OF_AN_UPLOAD, "each holds {held} bytes");
    drop(uploads);
}
