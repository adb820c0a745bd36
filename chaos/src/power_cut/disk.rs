//! What is left after a cut, and its directory made anew.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::recording::{Change, Event, Inode, ROOT, Recording};

/// What becomes of changes that no sync has made safe.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Unsynced {
    /// None survives.
    Lost,
    /// All up to this event, as a journal's commit has it.
    Until(usize),
    /// All names up to this event, and no bytes.
    NamesUntil(usize),
    /// Each by chance, of bytes each page by itself.
    Random(u64),
}

/// In bytes.
const PAGE: usize = 4096;

#[derive(Debug, Default)]
pub(crate) struct Disk {
    dirs: HashMap<Inode, BTreeMap<String, Inode>>,
    files: HashMap<Inode, Vec<u8>>,
}

impl Disk {
    /// After the power is cut behind `cut` events.
    pub(crate) fn after(recording: &Recording, cut: usize, unsynced: Unsynced) -> Self {
        let events = &recording.events[..cut];
        let mut synced: HashMap<Inode, usize> = HashMap::new();
        for event in events {
            if let Event::Synced { inode, begun } = event {
                let last = synced.entry(*inode).or_default();
                *last = (*last).max(*begun);
            }
        }
        let mut random = fastrand::Rng::with_seed(match unsynced {
            Unsynced::Random(seed) => seed,
            _ => 0,
        });
        let mut disk = Self::default();
        for (at, event) in events.iter().enumerate() {
            let Event::Change(change) = event else {
                continue;
            };
            let is_synced = change
                .inodes()
                .iter()
                .any(|inode| synced.get(inode).is_some_and(|begun| *begun > at));
            let survives = match unsynced {
                Unsynced::Lost => false,
                Unsynced::Until(last) => at < last,
                Unsynced::NamesUntil(last) => at < last && change.is_of_names(),
                Unsynced::Random(_) => {
                    if !is_synced && let Change::Write { file, at, bytes } = change {
                        disk.write_some_pages(*file, *at, bytes, &mut random);
                        continue;
                    }
                    random.bool()
                }
            };
            if is_synced || survives {
                disk.apply(change);
            }
        }
        disk
    }

    fn apply(&mut self, change: &Change) {
        match change {
            Change::Write { file, at, bytes } => self.write(*file, *at, bytes),
            Change::Length { file, length } => {
                self.files.entry(*file).or_default().resize(*length, 0);
            }
            Change::AtLeast { file, least } => self.write(*file, *least, &[]),
            Change::Name { dir, name, inode } => {
                self.entries(*dir).insert(name.clone(), *inode);
            }
            Change::NoName { dir, name } => drop(self.entries(*dir).remove(name)),
            Change::Rename { from, to, inode } => {
                self.entries(from.0).remove(&from.1);
                self.entries(to.0).insert(to.1.clone(), *inode);
            }
        }
    }

    fn entries(&mut self, dir: Inode) -> &mut BTreeMap<String, Inode> {
        self.dirs.entry(dir).or_default()
    }

    fn write(&mut self, file: Inode, at: usize, bytes: &[u8]) {
        let content = self.files.entry(file).or_default();
        content.resize(content.len().max(at + bytes.len()), 0);
        content[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn write_some_pages(
        &mut self,
        file: Inode,
        at: usize,
        bytes: &[u8],
        random: &mut fastrand::Rng,
    ) {
        for (index, page) in bytes.chunks(PAGE).enumerate() {
            if random.bool() {
                self.write(file, at + index * PAGE, page);
            }
        }
    }

    /// Makes the directory anew, for its owner only. What is memory isn't made.
    pub(crate) fn build(&self, recording: &Recording, into: &Path) {
        self.build_dir(recording, ROOT, into);
    }

    fn build_dir(&self, recording: &Recording, dir: Inode, path: &Path) {
        for (name, inode) in self.dirs.get(&dir).into_iter().flatten() {
            let path = path.join(name);
            let mode = if recording.is_dir(*inode) {
                fs::create_dir(&path).expect("a directory can be made");
                self.build_dir(recording, *inode, &path);
                0o700
            } else if name.ends_with("-shm") {
                continue;
            } else {
                let content = self.files.get(inode).map_or(&[][..], Vec::as_slice);
                fs::write(&path, content).expect("a file can be written");
                0o600
            };
            let closed = fs::set_permissions(&path, fs::Permissions::from_mode(mode));
            closed.expect("a mode can be set");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that is written, synced, renamed, and whose directories are synced one after the other.
    fn recording() -> Recording {
        let mut recording = Recording::of(Path::new("/r"));
        let path =
            |text: &str| -> String { text.bytes().map(|byte| format!("\\x{byte:02x}")).collect() };
        let (a, b, f) = (path("/r/a"), path("/r/b"), path("/r/a/f"));
        recording.add(&format!(
            "1 mkdir(\"{a}\", 0700) = 0
1 mkdir(\"{b}\", 0700) = 0
1 openat(AT_FDCWD, \"{r}\", O_RDONLY|O_CLOEXEC) = 3
1 fsync(3) = 0
1 openat(AT_FDCWD, \"{f}\", O_WRONLY|O_CREAT|O_EXCL, 0600) = 4
1 write(4, \"\\x68\\x69\", 2) = 2
1 fsync(4) = 0
1 rename(\"{f}\", \"{g}\") = 0
1 openat(AT_FDCWD, \"{b}\", O_RDONLY|O_CLOEXEC) = 5
1 fsync(5 <unfinished ...>
2 write(4, \"\\x21\", 1) = 1
1 <... fsync resumed>) = 0
",
            r = path("/r"),
            g = path("/r/b/g"),
        ));
        recording
    }

    fn left(recording: &Recording, cut: usize, unsynced: Unsynced) -> Vec<(String, String)> {
        let dir = tempfile::tempdir().unwrap();
        Disk::after(recording, cut, unsynced).build(recording, dir.path());
        let files = crate::checker::files_below(dir.path());
        let name = |path: &Path| path.strip_prefix(dir.path()).unwrap().display().to_string();
        files
            .iter()
            .map(|path| (name(path), fs::read_to_string(path).unwrap()))
            .collect()
    }

    #[test]
    fn what_was_synced_survives_and_of_the_rest_what_the_cut_leaves() {
        let recording = recording();
        let all = recording.events.len();
        let found = |name: &str, content: &str| vec![(name.to_owned(), content.to_owned())];
        assert_eq!(left(&recording, all, Unsynced::Lost), found("b/g", "hi"));
        assert_eq!(left(&recording, all - 1, Unsynced::Lost), []);
        assert_eq!(
            left(&recording, all, Unsynced::Until(all)),
            found("b/g", "hi!")
        );
        let renamed = recording
            .events
            .iter()
            .position(|event| matches!(event, Event::Change(Change::Rename { .. })));
        let renamed = renamed.unwrap();
        let before = left(&recording, renamed, Unsynced::NamesUntil(renamed));
        assert_eq!(before, found("a/f", "hi"));
        for seed in 0..20 {
            let left = left(&recording, all, Unsynced::Random(seed));
            assert!(
                [found("b/g", "hi"), found("b/g", "hi!")].contains(&left),
                "{left:?}"
            );
        }
    }
}
