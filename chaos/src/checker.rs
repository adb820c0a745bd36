//! What is left after a campaign, held against what clients were told.
//!
//! Every file of the history is described and, if it is available, downloaded and hashed; every file
//! that the service lists must be one of the history's; and the stores themselves are looked into.
//!
//! Invariant: the expectation comes from the history alone. What the service says of itself is only
//! ever compared.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::StreamExt;

use crate::aws::{self, Aws};
use crate::client::Client;
use crate::history::Observation;
use crate::measurement::Measurement;

/// Files that are looked at at a time.
const AT_A_TIME: usize = 16;
const MAX_EXAMPLES: usize = 20;
const PATIENCE: Duration = Duration::from_secs(300);

/// Where to look behind the service.
pub(crate) enum Inside<'a> {
    Aws(&'a Aws),
    /// The data directory of local mode.
    Local(&'a Path),
}

/// What was found. All but the first three must be zero.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub files: usize,
    pub available: usize,
    pub deleted: usize,
    /// Files that somebody was told of and that aren't there, or bytes that the store accepted and
    /// that aren't available.
    pub lost: usize,
    /// Bytes or records that don't have the digest of what was sent.
    pub wrong: usize,
    /// Deletions that were acknowledged, of files that are there.
    pub resurrected: usize,
    /// Objects without a record that wants them, or more than one version of one.
    pub orphans: usize,
    /// Available records whose bytes aren't in the store.
    pub hollow: usize,
    /// Listed files that nobody was told of, beyond those whose creation broke off.
    pub unknown: usize,
    /// What was received half and not removed.
    pub temporary: usize,
    /// The first of each kind, for whoever looks into it.
    pub examples: Vec<String>,
}

impl Findings {
    pub(crate) fn measurements(&self) -> Vec<Measurement> {
        for example in &self.examples {
            eprintln!("  found: {example}");
        }
        vec![
            Measurement::done("files told of", self.files),
            Measurement::done("of them available, downloaded and hashed", self.available),
            Measurement::none("lost", self.lost),
            Measurement::none("wrong digests", self.wrong),
            Measurement::none("deleted and there again", self.resurrected),
            Measurement::none("orphaned or missing bytes", self.orphans + self.hollow),
            Measurement::none(
                "temporary files and unknown records",
                self.temporary + self.unknown,
            ),
        ]
    }

    /// Adds what was found elsewhere.
    pub(crate) fn add(&mut self, other: Self) {
        self.files += other.files;
        self.available += other.available;
        self.deleted += other.deleted;
        self.lost += other.lost;
        self.wrong += other.wrong;
        self.resurrected += other.resurrected;
        self.orphans += other.orphans;
        self.hollow += other.hollow;
        self.unknown += other.unknown;
        self.temporary += other.temporary;
        let room = MAX_EXAMPLES.saturating_sub(self.examples.len());
        self.examples.extend(other.examples.into_iter().take(room));
    }

    fn note(&mut self, kind: &str, id: &str) {
        if self.examples.len() < MAX_EXAMPLES {
            self.examples.push(format!("{kind}: {id}"));
        }
    }
}

/// What the history says must be.
#[derive(Default)]
struct Expected {
    sha256: String,
    stored: bool,
    delete_sent: bool,
    deleted: bool,
    /// Digests and statuses that clients were shown or downloaded.
    shown: Vec<(String, Option<String>)>,
}

impl Expected {
    fn read(told: &[Observation]) -> Self {
        let mut expected = Self::default();
        for told in told {
            match told {
                Observation::Created { sha256, .. } => expected.sha256 = sha256.clone(),
                Observation::Stored => expected.stored = true,
                Observation::Settled { status, sha256 } => {
                    expected.shown.push((status.clone(), sha256.clone()));
                }
                Observation::Downloaded { sha256 } => {
                    let shown = ("available".to_owned(), Some(sha256.clone()));
                    expected.shown.push(shown);
                }
                Observation::DeleteSent => expected.delete_sent = true,
                Observation::Deleted => expected.deleted = true,
            }
        }
        expected
    }
}

/// Looks at everything. The service must be up, and nothing must be under way.
pub(crate) async fn check(client: &Client, inside: Inside<'_>) -> Findings {
    // An answer of 503 says nothing of what is there, so it is asked for again, for long.
    client.be_patient(PATIENCE);
    let mut findings = Findings::default();
    let told = client.history.read();
    let mut visible = BTreeMap::new();
    let mut checked = futures_util::stream::iter(&told)
        .map(async |(id, told)| {
            let mut of_file = Findings {
                files: 1,
                ..Findings::default()
            };
            let status = check_file(client, id, &Expected::read(told), &mut of_file).await;
            (id.clone(), status, of_file)
        })
        .buffer_unordered(AT_A_TIME);
    while let Some((id, status, of_file)) = checked.next().await {
        findings.add(of_file);
        if let Some(status) = status {
            visible.insert(id, status);
        }
    }
    drop(checked);
    let mut listed = BTreeSet::new();
    for id in client.list(None).await {
        if !listed.insert(id.clone()) {
            findings.wrong += 1;
            findings.note("listed twice", &id);
        }
    }
    for id in visible.keys().filter(|id| !listed.contains(*id)) {
        findings.lost += 1;
        findings.note("not listed", id);
    }
    let strangers = listed.iter().filter(|id| !told.contains_key(*id)).count();
    findings.unknown += strangers.saturating_sub(client.stats.untold.get());
    match inside {
        Inside::Aws(aws) => look_into_aws(aws, &mut findings).await,
        Inside::Local(dir) => look_into_data_dir(dir, &visible, &mut findings),
    }
    findings
}

/// The status that the file is shown with, if it is.
async fn check_file(
    client: &Client,
    id: &str,
    expected: &Expected,
    findings: &mut Findings,
) -> Option<String> {
    for (status, sha256) in &expected.shown {
        let whole = sha256.as_deref().is_none_or(|it| it == expected.sha256);
        if !whole || status == "rejected" {
            findings.wrong += 1;
            findings.note("shown otherwise than it was sent", id);
        }
    }
    let Some(answer) = client.describe(id, 0).await else {
        findings.lost += 1;
        findings.note("not to be had", id);
        return None;
    };
    let Some(shown) = answer else {
        if expected.delete_sent {
            findings.deleted += 1;
        } else {
            findings.lost += 1;
            findings.note("lost", id);
        }
        return None;
    };
    let status = shown.text("status").to_owned();
    if expected.deleted {
        findings.resurrected += 1;
        findings.note("deleted and there", id);
    }
    if status == "available" {
        findings.available += 1;
        let downloaded = client.download(id).await.flatten();
        if shown.text("sha256") != expected.sha256
            || downloaded.as_deref() != Some(expected.sha256.as_str())
        {
            findings.wrong += 1;
            findings.note("wrong digest", id);
        }
    } else if expected.stored || !expected.shown.is_empty() {
        findings.lost += 1;
        findings.note(&format!("accepted and {status}"), id);
    }
    Some(status)
}

async fn look_into_aws(aws: &Aws, findings: &mut Findings) {
    let versions = aws.versions().await;
    let items = aws.items().await;
    for (id, versions) in &versions {
        let status = items.get(id).map(|item| aws::text(item, "status"));
        let wanted = match status {
            // Bytes of a pending file are on their way to be judged.
            Some("pending") => true,
            Some("available") => versions.len() == 1,
            _ => false,
        };
        if !wanted {
            findings.orphans += 1;
            let kind = format!("{} versions of a file that is {status:?}", versions.len());
            findings.note(&kind, id);
        }
    }
    for (id, item) in &items {
        if aws::text(item, "status") == "available" {
            let version = aws::text(item, "versionId");
            let of_file = versions.get(id);
            if !of_file.is_some_and(|all| all.iter().any(|it| it == version)) {
                findings.hollow += 1;
                findings.note("available without its bytes", id);
            }
        }
    }
}

/// All files below a directory.
pub(crate) fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files
}

/// What the service itself keeps among the objects, to know that records and objects belong together.
const MARKER_FILE: &str = "store-marker";

/// The versions of all objects in a data directory.
pub(crate) fn objects_below(dir: &Path) -> Vec<PathBuf> {
    let objects = dir.join("objects");
    let marker = objects.join(MARKER_FILE);
    let mut files = files_below(&objects);
    files.retain(|path| *path != marker);
    files
}

/// The ID of the object that a file below `objects/` is a version of.
pub(crate) fn object_of(version: &Path) -> Option<String> {
    let name = version.parent()?.file_name()?;
    Some(name.to_str()?.to_owned())
}

fn look_into_data_dir(dir: &Path, visible: &BTreeMap<String, String>, findings: &mut Findings) {
    findings.temporary += files_below(&dir.join("incoming")).len();
    let stored: BTreeSet<String> = objects_below(dir)
        .iter()
        .filter_map(|path| object_of(path))
        .collect();
    for id in &stored {
        if !matches!(
            visible.get(id).map(String::as_str),
            Some("pending" | "available")
        ) {
            findings.orphans += 1;
            findings.note("bytes that no record wants", id);
        }
    }
    for (id, status) in visible {
        if status == "available" && !stored.contains(id) {
            findings.hollow += 1;
            findings.note("available without its bytes", id);
        }
    }
}
