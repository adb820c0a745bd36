//! The protocol, against a double that does it right, wrong, or not at all.

use std::io;
use std::sync::Arc;

use tempfile::TempDir;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::*;
use crate::scanner::clamd_double::{MAX_STREAM, Manner, serve};
use crate::scanner::probes::eicar;
use crate::scanner::scan_bytes;

/// Short, for a clamd that never does something.
const HASTY: ClamdLimits = ClamdLimits {
    connect: Duration::from_secs(5),
    chunk: Duration::from_millis(300),
    answer: Duration::from_millis(300),
};
const PATIENT: ClamdLimits = ClamdLimits {
    connect: Duration::from_secs(20),
    chunk: Duration::from_secs(20),
    answer: Duration::from_secs(20),
};

fn on_a_socket(manner: Manner, limits: ClamdLimits) -> (Clamd, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("clamd.ctl");
    let listener = UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(stream, manner));
        }
    });
    (Clamd::within(ClamdAddress::Unix(path), limits), directory)
}

async fn over_tcp(manner: Manner, limits: ClamdLimits) -> Clamd {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(stream, manner));
        }
    });
    let host = "127.0.0.1".into();
    Clamd::within(ClamdAddress::Tcp { host, port }, limits)
}

mod over_a_socket {
    use super::*;

    async fn new() -> (Clamd, TempDir) {
        on_a_socket(Manner::Right, PATIENT)
    }

    crate::scanner_conformance!(new);
}

mod over_a_network {
    use super::*;

    async fn new() -> (Clamd, ()) {
        (over_tcp(Manner::Right, PATIENT).await, ())
    }

    crate::scanner_conformance!(new);
}

#[tokio::test]
async fn what_is_too_large_for_clamd_is_known_though_it_stops_reading() {
    let (on_a_socket, _kept) = on_a_socket(Manner::Right, PATIENT);
    let over_tcp = over_tcp(Manner::Right, PATIENT).await;
    let large = vec![0; MAX_STREAM + 2 * CHUNK];
    for clamd in [on_a_socket, over_tcp] {
        for _ in 0..10 {
            let verdict = scan_bytes(&clamd, &large).await.unwrap();
            assert!(matches!(verdict, Verdict::Unscannable(_)), "{verdict:?}");
        }
    }
}

/// Answers that mean that nothing is known.
const NO_VERDICT: [&[u8]; 8] = [
    b"stream: OK",
    b"stream: O",
    b"",
    b"stream: OK\n",
    b"\0\0\0\0",
    b"HTTP/1.1 200 OK\r\n\r\n",
    b"UNKNOWN COMMAND\0",
    b"stream: Can't create temporary file ERROR\0",
];

#[tokio::test]
async fn an_answer_that_is_cut_off_or_makes_no_sense_is_no_verdict() {
    for said in NO_VERDICT {
        let (clamd, _kept) = on_a_socket(Manner::Says(said), PATIENT);
        let verdict = scan_bytes(&clamd, &eicar()).await;
        assert!(verdict.is_err(), "{said:?}: {verdict:?}");
    }
    let (clamd, _kept) = on_a_socket(Manner::Closes, PATIENT);
    assert!(scan_bytes(&clamd, b"hello").await.is_err());
}

#[tokio::test]
async fn an_answer_without_end_is_given_up() {
    static ENDLESS: [u8; 1024 * 1024] = [b'x'; 1024 * 1024];
    let (clamd, _kept) = on_a_socket(Manner::Says(&ENDLESS), PATIENT);
    let failure = scan_bytes(&clamd, b"hello").await.unwrap_err();
    assert!(failure.to_string().contains("too long"), "{failure}");
}

#[tokio::test]
async fn what_clamd_calls_clean_before_it_has_all_is_not_clean() {
    let (clamd, _kept) = on_a_socket(Manner::SaysAtOnce(b"stream: OK\0"), PATIENT);
    let verdict = scan_in_pieces(&clamd).await;
    assert!(verdict.is_err(), "{verdict:?}");
    let (clamd, _kept) = on_a_socket(Manner::SaysAtOnce(b"stream: Early FOUND\0"), PATIENT);
    let verdict = scan_in_pieces(&clamd).await;
    assert!(matches!(verdict, Ok(Verdict::Infected(_))), "{verdict:?}");
}

/// With many turns between the pieces for an answer to come: all of it is one thread's.
async fn scan_in_pieces(clamd: &Clamd) -> Result<Verdict, ScanFailure> {
    const PIECES: usize = 2000;
    let mut scan = clamd.begin(PIECES as u64).await?;
    for _ in 0..PIECES {
        scan.add(b"x").await?;
        tokio::task::yield_now().await;
    }
    scan.verdict().await
}

#[tokio::test]
async fn a_clamd_that_hangs_is_given_up_in_time() {
    for manner in [Manner::NeverAnswers, Manner::NeverReads] {
        let (clamd, _kept) = on_a_socket(manner, HASTY);
        let began = Instant::now();
        let large = vec![0; 20 * CHUNK];
        assert!(scan_bytes(&clamd, &large).await.is_err(), "{manner:?}");
        assert!(began.elapsed() < Duration::from_secs(10), "{manner:?}");
    }
}

#[tokio::test]
async fn a_clamd_that_is_not_there_is_said_by_its_address() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("none.ctl");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let host = "127.0.0.1".to_owned();
    for address in [ClamdAddress::Unix(path), ClamdAddress::Tcp { host, port }] {
        let failure = Clamd::new(address.clone()).begin(1).await.err().unwrap();
        let said = failure.to_string();
        assert!(said.contains(&address.to_string()), "{said}");
    }
}

/// A clamd whose connections pass through no more than a few bytes at a time, and which counts them.
#[tokio::test]
async fn no_more_of_a_file_is_in_memory_than_clamd_takes() {
    let (ours, theirs) = tokio::io::duplex(64);
    let taken = Arc::new(Semaphore::new(0));
    let reading = {
        let taken = Arc::clone(&taken);
        tokio::spawn(async move {
            let mut theirs = theirs;
            let mut buffer = [0; 64];
            loop {
                taken.acquire().await.unwrap().forget();
                if theirs.read(&mut buffer).await? == 0 {
                    return io::Result::Ok(());
                }
            }
        })
    };
    let (reader, writer) = split(Box::new(ours) as Box<dyn Connection>);
    let mut scan = ClamdScan {
        reader,
        writer,
        limits: HASTY,
        answer: Answer::default(),
        is_cut_off: false,
    };
    // Nobody reads, so it isn't taken.
    assert!(scan.add(&[0; 1000]).await.is_err());
    taken.add_permits(1000);
    drop(scan);
    reading.await.unwrap().unwrap();
}
