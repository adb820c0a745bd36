//! The programs are killed between a change and its delivery, at each point that lies between, in both modes.
//!
//! What has to be told is read from the service itself, when all is over: so what was in doubt when a program was killed
//! counts as what came of it, and a message about anything else was invented.

use std::collections::BTreeMap;

use super::*;
use crate::support::curl::curl;

/// Where a change and its delivery are when the program is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Point {
    /// Changes are being made, and some have their answer.
    Changing,
    /// The change has its answer, and the receiver takes nothing.
    NotTaken,
    /// The receiver has read the message and says nothing yet.
    Held,
    /// The receiver has just said that it took it.
    Taken,
}

const POINTS: [Point; 4] = [Point::Changing, Point::NotTaken, Point::Held, Point::Taken];

/// What one client knows of its files.
struct Campaign {
    receiver: Receiver,
    dir: tempfile::TempDir,
    /// The IDs of what was created.
    files: Vec<String>,
    /// Whether the service was asked to delete it.
    asked_to_delete: BTreeSet<String>,
}

impl Campaign {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("source"), "hello").unwrap();
        Self {
            receiver: Receiver::start(),
            dir,
            files: Vec::new(),
            asked_to_delete: BTreeSet::new(),
        }
    }

    fn is_at(&self, point: Point) {
        let status = if point == Point::NotTaken { 500 } else { 204 };
        self.receiver.status.store(status, Ordering::SeqCst);
        let is_held = matches!(point, Point::Held | Point::Changing);
        self.receiver.is_held.store(is_held, Ordering::SeqCst);
    }

    fn create(&mut self, base: &str) -> Value {
        let name = format!("{}.txt", self.files.len());
        let created = create(base, &json!({"filename": name, "size": 5}));
        self.files.push(text(&created, "id").to_owned());
        created
    }

    fn send(&self, created: &Value) -> String {
        upload(created, &self.dir.path().join("source"))
    }

    /// One file that is there, and one that was there and is deleted.
    fn make_changes(&mut self, base: &str) {
        for is_to_go in [false, true] {
            let created = self.create(base);
            assert_eq!(self.send(&created), "200");
            let file = file_of(base, &created);
            await_available(&file);
            if is_to_go {
                assert_eq!(curl_status(&["--request", "DELETE", &file]), "204");
                self.asked_to_delete.insert(text(&created, "id").to_owned());
            }
        }
    }

    /// Begins changes that `kill` comes between, a little later each time.
    fn begin_changes(&mut self, base: &str, after: Duration, kill: impl FnOnce()) {
        let one = self.create(base);
        let two = self.create(base);
        let three = self.create(base);
        assert_eq!(self.send(&one), "200");
        await_available(&file_of(base, &one));
        self.asked_to_delete.insert(text(&one, "id").to_owned());
        let mut asking = [
            self.in_background(&upload_arguments(&two, &self.dir.path().join("source"))),
            self.in_background(&["--request".into(), "DELETE".into(), file_of(base, &one)]),
            self.in_background(&upload_arguments(&three, &self.dir.path().join("source"))),
        ];
        // How far each of them gets is the machine's to say: every outcome has to be right.
        std::thread::sleep(after);
        kill();
        for asking in &mut asking {
            let _ = asking.wait();
        }
    }

    fn in_background(&self, arguments: &[String]) -> Child {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--max-time", "30", "--output", "/dev/null"]);
        curl.args(arguments).stdout(Stdio::null()).spawn().unwrap()
    }

    /// Waits until something has come that wasn't there before.
    fn wait_for_more_than(&self, before: usize) {
        let began = Instant::now();
        while self.receiver.got().len() <= before {
            assert!(began.elapsed() < LIMIT, "nothing was sent");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// What there is to tell by now, by the service's own account: whether it is there, and whether it was deleted.
    fn to_be_told(&self, base: &str) -> BTreeSet<String> {
        let mut told = BTreeSet::new();
        for id in &self.files {
            let url = format!("{base}/v1/files/{id}/metadata");
            let answer = curl(&["--write-out", "\n%{http_code}", &url]);
            let answer = String::from_utf8(answer).unwrap();
            let (body, status) = answer.rsplit_once('\n').unwrap();
            let available = format!("msg_{id}_available");
            if status == "404" {
                assert!(self.asked_to_delete.contains(id), "{id} is gone");
                // Only what was there was asked to be deleted.
                told.extend([available, format!("msg_{id}_deleted")]);
                continue;
            }
            assert_eq!(status, "200", "{body}");
            let record: Value = serde_json::from_str(body).unwrap();
            match record["status"].as_str() {
                Some("available") => drop(told.insert(available)),
                Some("pending") => {}
                other => panic!("{other:?}: {body}"),
            }
        }
        told
    }

    /// Everything there is to tell has come, nothing else has, and each is signed as it should be.
    fn all_is_told_and_nothing_invented(&self, base: &str) {
        self.is_at(Point::Taken);
        let began = Instant::now();
        let got = loop {
            let got = self.receiver.got();
            let ids = got.iter().map(|it| it.header("webhook-id").to_owned());
            let told: BTreeSet<String> = ids.collect();
            // A message is sent after its change was made: what has come by now was to be told then.
            let expected = self.to_be_told(base);
            let invented: Vec<_> = told.difference(&expected).collect();
            assert!(invented.is_empty(), "{invented:?} of {got:#?}");
            if told == expected {
                assert!(told.len() >= self.files.len(), "{told:?}");
                break got;
            }
            let missing: Vec<_> = expected.difference(&told).collect();
            assert!(began.elapsed() < LIMIT, "{missing:?} never came");
            std::thread::sleep(POLL);
        };
        let mut bodies: BTreeMap<&str, &str> = BTreeMap::new();
        for delivery in &got {
            signature(delivery);
            let id = delivery.header("webhook-id");
            let (_, what) = id.rsplit_once('_').unwrap();
            assert_eq!(delivery.kind(), format!("file.{what}"), "{delivery:?}");
            let said = delivery.said();
            assert!(id.contains(text(&said["data"], "id")), "{delivery:?}");
            // However often it is told, it is the same.
            let first = bodies.entry(id).or_insert(&delivery.body);
            assert_eq!(*first, delivery.body);
        }
    }
}

/// A worker that was killed took the message of this one with it, if it was waiting for it; then it is visible again
/// after a minute, or the reconciler finds the file.
fn await_available(file: &str) {
    let began = Instant::now();
    loop {
        let record = curl_json(&[&format!("{file}/metadata?wait=20")]);
        match record["status"].as_str() {
            Some("available") => return,
            Some("pending") => assert!(began.elapsed() < LIMIT, "nobody looks: {record}"),
            _ => panic!("{record}"),
        }
    }
}

/// As `upload` sends it.
fn upload_arguments(created: &Value, source: &Path) -> Vec<String> {
    let upload = &created["upload"];
    let mut arguments = vec!["--upload-file".to_owned(), source.display().to_string()];
    for (name, value) in upload["headers"].as_object().unwrap() {
        let value = value.as_str().unwrap();
        arguments.extend(["--header".to_owned(), format!("{name}: {value}")]);
    }
    arguments.push(text(upload, "url").to_owned());
    arguments
}

#[test]
fn in_local_mode_each_change_is_told_and_none_is_invented_wherever_the_program_is_killed() {
    let mut campaign = Campaign::new();
    let data = campaign.dir.path().join("data");
    let of_receiver = settings(&campaign.receiver);
    for round in 0..12_usize {
        let point = POINTS[round % POINTS.len()];
        campaign.is_at(point);
        let before = campaign.receiver.got().len();
        let program = Program::local(&data, &by_name(&of_receiver));
        let base = program.base.clone();
        match point {
            Point::Changing => {
                let after = Duration::from_millis(3 * round as u64);
                campaign.begin_changes(&base, after, || program.kill());
            }
            Point::NotTaken => {
                campaign.make_changes(&base);
                program.kill();
            }
            Point::Held | Point::Taken => {
                campaign.make_changes(&base);
                campaign.wait_for_more_than(before);
                program.kill();
            }
        }
        campaign.is_at(Point::Taken);
    }
    let program = Program::local(&data, &by_name(&of_receiver));
    campaign.all_is_told_and_nothing_invented(&program.base);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_aws_mode_each_change_is_told_and_none_is_invented_whichever_program_is_killed() {
    let deployment = MiniStack::shared().await.deploy("killed-webhooks").await;
    tokio::task::spawn_blocking(move || killed_in_aws_mode(&deployment))
        .await
        .unwrap();
}

fn killed_in_aws_mode(deployment: &Deployment) {
    let mut campaign = Campaign::new();
    let of_receiver = settings(&campaign.receiver);
    // The reconciler looks after what a killed worker had in hand, as well as the queue.
    let started = || {
        let api = Program::aws_api(deployment, &by_name(&of_receiver[..1]));
        let worker = Program::worker(deployment, &by_name(&of_receiver));
        (api, worker)
    };
    for round in 0..8_usize {
        let point = POINTS[round % POINTS.len()];
        campaign.is_at(point);
        let before = campaign.receiver.got().len();
        let (api, worker) = started();
        let base = api.base.clone();
        match point {
            Point::Changing => {
                let after = Duration::from_millis(10 * round as u64);
                campaign.begin_changes(&base, after, || {
                    api.kill();
                    worker.kill();
                });
            }
            Point::NotTaken => {
                campaign.make_changes(&base);
                api.kill();
                worker.kill();
            }
            Point::Held | Point::Taken => {
                campaign.make_changes(&base);
                campaign.wait_for_more_than(before);
                worker.kill();
            }
        }
        campaign.is_at(Point::Taken);
    }
    let (api, _worker) = started();
    campaign.all_is_told_and_nothing_invented(&api.base);
}
