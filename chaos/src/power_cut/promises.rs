//! What a recorded program had said, and the cuts that put it to the test.
//!
//! Invariant: a promise counts from the event on with which it was sent. What nobody was told is none.

use std::collections::{BTreeMap, HashMap};

use super::disk::Unsynced;
use super::recording::{Change, Event, Inode, Recording};

/// How far behind a promise a cut comes at the most, in events.
const SOON: usize = 12;

/// What the program had said, by the event with which it did.
#[derive(Default)]
pub(crate) struct Promises {
    /// That the bytes are there: 200 or 412 to a PUT.
    pub stored: BTreeMap<String, usize>,
    /// That the file is available.
    pub available: BTreeMap<String, usize>,
    /// Somebody asked for its deletion.
    pub deleted: BTreeMap<String, usize>,
}

impl Promises {
    pub(crate) fn of(recording: &Recording) -> Self {
        let mut this = Self::default();
        let mut in_dir: HashMap<Inode, &str> = HashMap::new();
        let mut objects: HashMap<&str, &str> = HashMap::new();
        for (at, event) in recording.events.iter().enumerate() {
            let first = |promises: &mut BTreeMap<String, usize>, id: &str| {
                promises.entry(id.to_owned()).or_insert(at);
            };
            match event {
                Event::Change(Change::Name { dir, name, .. }) => {
                    in_dir.insert(*dir, name);
                }
                Event::Change(Change::Rename { to, inode, .. }) => {
                    if let Some(version) = in_dir.get(inode) {
                        objects.insert(version, &to.1);
                    }
                }
                Event::Change(_) | Event::Synced { .. } => {}
                Event::Heard(bytes) => {
                    if let Some(id) = between(bytes, "DELETE /v1/files/", " ") {
                        first(&mut this.deleted, &id);
                    }
                }
                Event::Said(bytes) => {
                    let version = between(bytes, "x-amz-version-id: ", "\r");
                    let object = version.and_then(|it| objects.get(it.as_str()).copied());
                    if let Some(id) = object {
                        first(&mut this.stored, id);
                    }
                    if between(bytes, "<Code>PreconditionF", "<").is_some()
                        && let Some(id) = between(bytes, "/uploads/", "<")
                    {
                        first(&mut this.stored, &id);
                    }
                    let text = String::from_utf8_lossy(bytes);
                    if text.contains("\"status\":\"available\"")
                        && let Some(id) = between(bytes, "\r\n\r\n{\"id\":\"", "\"")
                    {
                        first(&mut this.available, &id);
                    }
                }
            }
        }
        this
    }

    /// One cut right behind each promise, after which nothing survives that needn't; then some soon behind a
    /// promise, and some anywhere.
    pub(crate) fn cuts(
        &self,
        recording: &Recording,
        count: usize,
        random: &mut fastrand::Rng,
    ) -> Vec<(usize, Unsynced)> {
        let last = recording.events.len();
        let promises: Vec<usize> = self
            .available
            .values()
            .chain(self.stored.values())
            .copied()
            .collect();
        let at_once = promises.iter().map(|promise| (promise + 1, Unsynced::Lost));
        let mut cuts: Vec<_> = at_once.collect();
        while cuts.len() < count {
            let at = match random.choice(&promises) {
                Some(promise) if random.bool() => (promise + 1 + random.usize(..SOON)).min(last),
                _ => random.usize(..=last),
            };
            let until = random.usize(..=at);
            let unsynced = match random.u8(..6) {
                0..=2 => Unsynced::Lost,
                3 => Unsynced::Until(until),
                4 => Unsynced::NamesUntil(until),
                _ => Unsynced::Random(random.u64(..)),
            };
            cuts.push((at, unsynced));
        }
        cuts
    }
}

/// What stands between two texts.
fn between(bytes: &[u8], before: &str, behind: &str) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let (_, rest) = text.split_once(before)?;
    Some(rest.split_once(behind)?.0.to_owned())
}
