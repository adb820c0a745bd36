//! The audit log, written and then looked through.

use std::fs;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::access::{Person, Role};
use crate::domain::UserId;

fn at(seconds: u64) -> Timestamp {
    Timestamp::UNIX_EPOCH + Duration::from_secs(1_790_000_000 + seconds)
}

fn key() -> AuditKey {
    AuditKey::from_seed(&[7; 32]).unwrap()
}

fn open(dir: &Path) -> AuditLog {
    AuditLog::in_data_dir(dir, key(), at(0)).unwrap()
}

fn deleted<'a>(id: &str, caller: &'a Caller, seconds: u64) -> Entry<'a> {
    Entry {
        time: at(seconds),
        request_id: "r-1",
        caller: caller.into(),
        action: "delete_file",
        resource: Some(id.to_owned()),
        outcome: "done",
        source: Some(IpAddr::from([192, 0, 2, 1])),
    }
}

/// All lines of all days, in their order.
fn lines(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir.join("audit")).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let texts = paths.iter().map(|path| fs::read_to_string(path).unwrap());
    let lines = texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>());
    lines.collect()
}

fn verify(lines: &[String]) -> Verification {
    let mut verifier = Verifier::new(Some(key().public()));
    lines.iter().for_each(|line| verifier.take(line));
    verifier.finish()
}

/// Two runs with three deletions each, both ended.
fn two_runs(dir: &Path) -> Vec<String> {
    for run in 0..2 {
        let log = open(dir);
        for file in 0..3 {
            let _ = log
                .record(&deleted(&format!("f{file}"), &Caller::Operator, run))
                .unwrap();
        }
        log.close(at(run)).unwrap();
    }
    lines(dir)
}

#[test]
fn a_line_says_who_did_what_with_what_when_from_where_and_what_came_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let person = Caller::User(Arc::new(Person {
        id: UserId::of("i", "s"),
        role: Role::Member,
        name: Some("Alice".into()),
    }));
    let _ = log.record(&deleted("f1", &person, 1)).unwrap();
    let line: serde_json::Value = serde_json::from_str(&lines(dir.path())[1]).unwrap();
    for (field, value) in [
        ("target", "audit"),
        ("time", "2026-09-21T14:13:21.000Z"),
        ("requestId", "r-1"),
        ("caller", &UserId::of("i", "s").to_string()),
        ("action", "delete_file"),
        ("resource", "f1"),
        ("outcome", "done"),
        ("source", "192.0.2.1"),
    ] {
        assert_eq!(line[field], value, "{field}");
    }
    assert!(!lines(dir.path())[1].contains("Alice"));
}

#[test]
fn lines_as_they_were_written_are_whole_over_runs_and_days() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let _ = log.record(&deleted("f", &Caller::Operator, 0)).unwrap();
    let next_day = 24 * 60 * 60;
    let _ = log
        .record(&deleted("f", &Caller::Nobody, next_day))
        .unwrap();
    // A clock that is set back writes on where it was.
    let _ = log.record(&deleted("f", &Caller::Operator, 0)).unwrap();
    drop(log);
    assert_eq!(fs::read_dir(dir.path().join("audit")).unwrap().count(), 2);
    let lines = two_runs(dir.path());
    let found = verify(&lines);
    assert_eq!(found.problems, []);
    assert_eq!((found.lines, found.checkpoints), (4 + 5 + 5, 2));
    // The first run was killed before its checkpoint.
    assert_eq!(found.unsigned, 4);
    assert_eq!(found.keys, [key().public()]);
}

proptest! {
    /// Whatever single thing is done to whatever line.
    #[test]
    fn a_line_that_is_changed_removed_moved_or_repeated_shows(
        at in 0_usize..10, change in 0_usize..4, position in 0_usize..100
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut lines = two_runs(dir.path());
        prop_assert_eq!(lines.len(), 10);
        match change {
            0 => {
                // A digit or letter becomes another.
                let mut bytes = lines[at].clone().into_bytes();
                let position = position % bytes.len();
                bytes[position] = if bytes[position] == b'1' { b'2' } else { b'1' };
                lines[at] = String::from_utf8(bytes).unwrap();
            }
            // The very last one is a cut tail, which another test is about; so is the very first.
            1 => drop(lines.remove(at.clamp(1, 8))),
            2 => lines.swap(at.min(8), at.min(8) + 1),
            _ => lines.insert(at, lines[at].clone()),
        }
        let found = verify(&lines);
        // The last line has none behind it that would name it; what it says is signed.
        let is_seen = !found.problems.is_empty() || found.checkpoints < 2 || found.other_lines > 0;
        prop_assert!(is_seen || at == 9, "{change} {at}");
    }
}

#[test]
fn the_end_of_a_run_that_was_cut_off_shows_by_the_run_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut lines = two_runs(dir.path());
    lines.drain(2..5);
    let found = verify(&lines);
    assert!(
        matches!(found.problems[..], [Problem::MissingTail { seq: 4, .. }]),
        "{found:?}"
    );
    // And so does a whole run that is gone.
    let dir = tempfile::tempdir().unwrap();
    two_runs(dir.path());
    let mut lines = two_runs(dir.path());
    lines.drain(5..10);
    assert!(matches!(
        verify(&lines).problems[..],
        [Problem::MissingTail { seq: 4, .. }]
    ));
}

#[test]
fn the_end_of_the_last_run_that_was_cut_off_shows_by_the_ordinary_log() {
    let dir = tempfile::tempdir().unwrap();
    let mut lines = two_runs(dir.path());
    let last = Line::read(&lines[9]).unwrap();
    let (chain, seq, hash) = (last.chain, last.seq, chain::hash(&lines[9]));
    let as_text = format!(
        "INFO audit: checkpoint of the audit log chain=\"{chain}\" seq={seq} hash=\"{hash}\""
    );
    let as_json = format!(
        r#"{{"message":"checkpoint of the audit log","chain":"{chain}","seq":{seq},"hash":"{hash}"}}"#
    );
    for logged in [as_text, as_json] {
        let with_log = |lines: &[String]| {
            let mut verifier = Verifier::new(None);
            verifier.expect("INFO something else");
            verifier.expect(&logged);
            lines.iter().for_each(|line| verifier.take(line));
            verifier.finish().problems
        };
        assert_eq!(with_log(&lines), []);
        let missing = Problem::MissingCheckpoint {
            chain: chain.clone(),
            seq,
        };
        assert_eq!(with_log(&lines[..9]), [missing]);
    }
    // Without the log nothing is wrong with what is left.
    lines.truncate(9);
    assert_eq!(verify(&lines).problems, []);
    assert_eq!(verify(&lines).unsigned, 4);
}

#[test]
fn a_past_that_another_key_signed_is_no_past() {
    let dir = tempfile::tempdir().unwrap();
    let forged = AuditLog::in_data_dir(dir.path(), AuditKey::from_seed(&[8; 32]).unwrap(), at(0));
    forged.unwrap().close(at(1)).unwrap();
    let found = verify(&lines(dir.path()));
    assert!(
        matches!(found.problems[..], [Problem::BadSignature { seq: 1, .. }]),
        "{found:?}"
    );
}

#[test]
fn a_line_that_a_power_cut_tore_spoils_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let whole = two_runs(dir.path());
    let day = fs::read_dir(dir.path().join("audit")).unwrap().next();
    let path = day.unwrap().unwrap().path();
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, &text[..text.len() - 40]).unwrap();
    let log = open(dir.path());
    log.close(at(9)).unwrap();
    let found = verify(&lines(dir.path()));
    assert_eq!(found.problems, []);
    assert_eq!((found.lines, found.other_lines), (9 + 2, 1));
    assert_eq!(whole.len(), 10);
}

#[test]
fn what_could_mislead_a_terminal_is_escaped() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let mut entry = deleted("a\u{1b}[2J\u{202e}\n\u{7f}é😀", &Caller::Operator, 0);
    entry.request_id = "\r\n";
    let _ = log.record(&entry).unwrap();
    let lines = lines(dir.path());
    assert_eq!(lines.len(), 2);
    assert!(lines[1].bytes().all(|byte| (b' '..=b'~').contains(&byte)));
    assert_eq!(verify(&lines).problems, []);
}

#[tokio::test(start_paused = true)]
async fn a_checkpoint_comes_after_a_thousand_lines_or_five_minutes() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    for _ in 0..LINES_A_CHECKPOINT {
        let _ = log.record(&deleted("f", &Caller::Operator, 0)).unwrap();
    }
    assert_eq!(verify(&lines(dir.path())).checkpoints, 1);
    let _ = log.record(&deleted("f", &Caller::Operator, 0)).unwrap();
    log.tick(at(0)).unwrap();
    assert_eq!(verify(&lines(dir.path())).checkpoints, 1);
    tokio::time::advance(CHECKPOINT_INTERVAL).await;
    log.tick(at(300)).unwrap();
    assert_eq!(verify(&lines(dir.path())).checkpoints, 2);
    // Nothing was done since: there is nothing to sign.
    tokio::time::advance(CHECKPOINT_INTERVAL).await;
    log.tick(at(600)).unwrap();
    assert_eq!(verify(&lines(dir.path())).checkpoints, 2);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_refusals_is_counted_and_takes_no_room() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let mut refused = deleted("f", &Caller::Nobody, 0);
    refused.outcome = "sign_in_required";
    for _ in 0..MAX_REFUSALS + 5_000 {
        log.record_refusal(&refused).unwrap();
    }
    assert_eq!(lines(dir.path()).len() as u64, 1 + MAX_REFUSALS);
    let _ = log.record(&deleted("f", &Caller::Operator, 1)).unwrap();
    assert_eq!(verify(&lines(dir.path())).left_out, 5_000);
    tokio::time::advance(REFUSAL_WINDOW).await;
    log.record_refusal(&refused).unwrap();
    let found = verify(&lines(dir.path()));
    assert_eq!((found.lines, found.left_out), (MAX_REFUSALS + 3, 5_000));
    assert_eq!(found.problems, []);
}

/// A log on a pipe, and its other end.
fn on_pipe(patience: Duration) -> (AuditLog, io::PipeReader) {
    let (reader, writer) = io::pipe().unwrap();
    let pipe = fs::File::from(std::os::fd::OwnedFd::from(writer));
    (AuditLog::on_pipe(pipe, patience), reader)
}

/// Reads lines until the pipe's other end is closed.
fn reading(reader: io::PipeReader) -> std::thread::JoinHandle<Vec<String>> {
    std::thread::spawn(move || {
        let lines = io::BufRead::lines(io::BufReader::new(reader));
        lines.map(Result::unwrap).collect()
    })
}

#[tokio::test]
async fn as_long_as_nobody_reads_standard_output_nothing_is_begun_and_no_line_is_lost() {
    let patience = Duration::from_millis(50);
    let (log, reader) = on_pipe(patience);
    let mut recorded = 0;
    let mut record = || {
        recorded += 1;
        log.record(&deleted(&format!("f{recorded}"), &Caller::Operator, 1))
            .unwrap()
    };
    record().wait().await.unwrap();
    // The pipe takes some hundred lines. What is begun then isn't handed out, and soon nothing is begun.
    let began = Instant::now();
    let mut waited = Ok(());
    while log.reserve().is_ok() {
        waited = record().wait().await;
        assert!(began.elapsed() < Duration::from_secs(20), "it goes on");
    }
    assert_eq!(waited.unwrap_err().kind(), io::ErrorKind::TimedOut);
    let refused = log.reserve().unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::TimedOut);
    // Nor is anybody held up by it.
    assert!(log.reserve().is_err() && log.tick(at(1)).is_ok());
    let more = (0..100).map(|_| record()).collect::<Vec<_>>();
    // Somebody reads: all of it comes, in its order, and the log goes on.
    let read = reading(reader);
    for line in more {
        line.wait().await.unwrap();
    }
    log.reserve().unwrap();
    record().wait().await.unwrap();
    log.close(at(2)).unwrap();
    drop(log);
    let lines = read.join().unwrap();
    let found = verify(&lines);
    assert_eq!(found.problems, []);
    // With the start and the checkpoint.
    assert_eq!((found.lines, found.other_lines), (recorded + 2, 0));
}

#[tokio::test]
async fn however_much_waits_for_standard_output_it_is_bounded_and_refusals_take_no_room() {
    let (log, reader) = on_pipe(Duration::from_millis(20));
    let entry = deleted("f", &Caller::Operator, 1);
    let mut queued = 0;
    while log.record(&entry).is_ok() {
        queued += 1;
        assert!(queued < 10_000, "it goes on");
        if queued == 3_000 {
            // Half of the room is for the lines of what is under way.
            log.record_refusal(&entry).unwrap();
            assert!(log.reserve().is_err());
        }
    }
    let read = reading(reader);
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while drain_fails(&log) {
        assert!(std::time::Instant::now() < deadline, "it doesn't go on");
    }
    let _ = log.record(&entry).unwrap();
    log.close(at(1)).unwrap();
    drop(log);
    let found = verify(&read.join().unwrap());
    assert_eq!((found.problems, found.left_out), (vec![], 1));
}

fn drain_fails(log: &AuditLog) -> bool {
    let drain = log.lock().drain().unwrap();
    drain().is_err()
}
