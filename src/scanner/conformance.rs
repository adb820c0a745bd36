//! What every scanner does, whatever is behind it.
//!
//! Invariant: the suite asks for nothing that one of the scanners doesn't know: of viruses the test file alone.
//!
//! Absent on purpose: archives, and how a scanner fails. Each has its own ways.

#![allow(
    clippy::unwrap_used,
    reason = "a suite fails where it unwraps, as a test does"
)]

use std::time::Duration;

use super::probes::eicar;
use super::{ScanFailure, Scanner, Verdict, scan_bytes};

/// Instantiates the suite: `scanner_conformance!(new_scanner)`, where `new_scanner` is an async function that gives a
/// scanner, and what keeps it alive.
#[macro_export]
macro_rules! scanner_conformance {
    ($new:path) => {
        $crate::scanner_conformance!(@each $new,
            tells_what_is_clean_from_what_is_not,
            finds_what_lies_across_chunks,
            takes_files_of_any_length_up_to_the_largest,
            forgets_a_scan_that_is_broken_off,
            scans_many_at_a_time,
        );
    };
    (@each $new:path, $($name:ident,)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let (scanner, _kept) = $new().await;
                $crate::scanner::conformance::$name(&scanner).await;
            }
        )+
    };
}

fn is_infected(verdict: &Result<Verdict, ScanFailure>) -> bool {
    matches!(verdict, Ok(Verdict::Infected(name)) if !name.as_str().is_empty())
}

/// A virus has a name; what has none is clean, also if it has no bytes.
pub async fn tells_what_is_clean_from_what_is_not(scanner: &impl Scanner) {
    for clean in [&b""[..], b"x", b"hello, world", &[0; 1000]] {
        let verdict = scan_bytes(scanner, clean).await;
        assert_eq!(verdict.ok(), Some(Verdict::Clean));
    }
    let infected = scan_bytes(scanner, &eicar()).await;
    assert!(is_infected(&infected), "{infected:?}");
}

/// However it is cut.
pub async fn finds_what_lies_across_chunks(scanner: &impl Scanner) {
    let virus = eicar();
    for size in [1, 7, virus.len() - 1] {
        let mut scan = scanner.begin(virus.len() as u64).await.unwrap();
        for chunk in virus.chunks(size) {
            scan.add(chunk).await.unwrap();
            // Nothing is no end.
            scan.add(&[]).await.unwrap();
        }
        let infected = scan.verdict().await;
        assert!(is_infected(&infected), "{infected:?}");
    }
}

/// The largest that the service takes.
pub async fn takes_files_of_any_length_up_to_the_largest(scanner: &impl Scanner) {
    let largest = usize::try_from(crate::domain::MAX_CONTENT_LENGTH).unwrap();
    let verdict = scan_bytes(scanner, &vec![b'a'; largest]).await;
    assert_eq!(verdict.ok(), Some(Verdict::Clean));
    let virus = eicar();
    let mut bytes = vec![b'a'; largest - virus.len()];
    bytes.extend(virus);
    let infected = scan_bytes(scanner, &bytes).await;
    assert!(is_infected(&infected), "{infected:?}");
}

/// The next one is as good as any.
pub async fn forgets_a_scan_that_is_broken_off(scanner: &impl Scanner) {
    for _ in 0..20 {
        let mut scan = scanner.begin(1000).await.unwrap();
        scan.add(&eicar()).await.unwrap();
        drop(scan);
    }
    let verdict = scan_bytes(scanner, b"hello").await;
    assert_eq!(verdict.ok(), Some(Verdict::Clean));
}

/// Each gets its own answer.
pub async fn scans_many_at_a_time(scanner: &impl Scanner) {
    let scans = (0..8).map(|number| async move {
        match number % 2 {
            0 => assert!(is_infected(&scan_bytes(scanner, &eicar()).await)),
            _ => assert_eq!(
                scan_bytes(scanner, format!("file {number}").as_bytes())
                    .await
                    .ok(),
                Some(Verdict::Clean)
            ),
        }
    });
    let all = futures_util::future::join_all(scans);
    let limit = Duration::from_secs(60);
    tokio::time::timeout(limit, all).await.unwrap();
}
