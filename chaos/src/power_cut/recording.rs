//! System calls as changes of inodes, over any number of runs of a program in one directory.

use std::collections::{BTreeMap, HashMap};
use std::path::{Component, Path, PathBuf};

use super::trace::{Call, read};

pub(crate) type Inode = usize;
/// The directory that the recording is about, which is there from the beginning.
pub(crate) const ROOT: Inode = 0;

/// One change of what is in the page cache.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Write {
        file: Inode,
        at: usize,
        bytes: Vec<u8>,
    },
    Length {
        file: Inode,
        length: usize,
    },
    /// Room for so many bytes, zeros where there were none.
    AtLeast {
        file: Inode,
        least: usize,
    },
    /// A new name in a directory.
    Name {
        dir: Inode,
        name: String,
        inode: Inode,
    },
    NoName {
        dir: Inode,
        name: String,
    },
    Rename {
        from: (Inode, String),
        to: (Inode, String),
        inode: Inode,
    },
}

impl Change {
    /// Whose sync makes it survive.
    pub(crate) fn inodes(&self) -> [Inode; 2] {
        match self {
            Self::Write { file, .. } | Self::Length { file, .. } | Self::AtLeast { file, .. } => {
                [*file; 2]
            }
            Self::Name { dir, .. } | Self::NoName { dir, .. } => [*dir; 2],
            Self::Rename { from, to, .. } => [from.0, to.0],
        }
    }

    pub(crate) fn is_of_names(&self) -> bool {
        matches!(
            self,
            Self::Name { .. } | Self::NoName { .. } | Self::Rename { .. }
        )
    }
}

#[derive(Debug, Clone)]
pub(crate) enum Event {
    Change(Change),
    /// Everything that happened to the inode before event `begun`.
    Synced {
        inode: Inode,
        begun: usize,
    },
    /// What the program sends from here on, or has received.
    Said(Vec<u8>),
    Heard(Vec<u8>),
}

#[derive(Debug, Default)]
pub(crate) struct Recording {
    root: PathBuf,
    pub events: Vec<Event>,
    /// Directories as they are at the end of what was read; files have none.
    dirs: HashMap<Inode, BTreeMap<String, Inode>>,
    inodes: Inode,
}

/// What a run of the program has open.
type Open = HashMap<i64, (Inode, usize)>;

impl Recording {
    pub(crate) fn of(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            dirs: HashMap::from([(ROOT, BTreeMap::new())]),
            inodes: 1,
            ..Self::default()
        }
    }

    pub(crate) fn is_dir(&self, inode: Inode) -> bool {
        self.dirs.contains_key(&inode)
    }

    /// Whether nothing has made the rename to this name survive so far.
    pub(crate) fn is_unsynced(&self, renamed_to: &str) -> bool {
        let mut renamed = None;
        for (at, event) in self.events.iter().enumerate() {
            match event {
                Event::Change(Change::Rename { from, to, .. }) if to.1 == renamed_to => {
                    renamed = Some((at, [from.0, to.0]));
                }
                Event::Synced { inode, begun } => {
                    renamed = renamed.filter(|(at, dirs)| !dirs.contains(inode) || begun <= at);
                }
                _ => {}
            }
        }
        renamed.is_some()
    }

    /// Goes on with another run of the program, as strace wrote it down.
    pub(crate) fn add(&mut self, trace: &str) {
        let mut open = Open::new();
        // By the number of calls that have returned: where a sync began.
        let mut events_after = vec![self.events.len()];
        for call in read(trace) {
            self.add_call(&call, &mut open, &events_after);
            events_after.push(self.events.len());
        }
    }

    fn change(&mut self, change: Change) {
        self.events.push(Event::Change(change));
    }

    fn add_call(&mut self, call: &Call, open: &mut Open, events_after: &[usize]) {
        match call.name.as_str() {
            "openat" => self.open(call, open),
            "close" => drop(open.remove(&call.number(0))),
            "dup" | "dup3" | "fcntl" => {
                if let Some(own) = open.get(&call.number(0)).copied()
                    && (call.name != "fcntl" || call.has_flag(1, "F_DUPFD_CLOEXEC"))
                {
                    open.insert(call.result, own);
                }
            }
            "write" | "writev" | "pwrite64" | "pwritev" | "sendto" => self.write(call, open),
            "recvfrom" => self.heard(call),
            "ftruncate" => {
                if let Some((file, _)) = open.get(&call.number(0)) {
                    let length = usize::try_from(call.number(1)).expect("it fits");
                    self.change(Change::Length {
                        file: *file,
                        length,
                    });
                }
            }
            // Room behind the end, in which there is nothing to read.
            "fallocate" if call.has_flag(1, "FALLOC_FL_KEEP_SIZE") => {}
            "fallocate" => {
                assert_eq!(
                    call.number(1),
                    0,
                    "a kind of fallocate that isn't in the model"
                );
                if let Some((file, _)) = open.get(&call.number(0)) {
                    let (file, end) = (*file, call.number(2) + call.number(3));
                    let least = usize::try_from(end).expect("it fits");
                    self.change(Change::AtLeast { file, least });
                }
            }
            "fsync" | "fdatasync" => {
                if let Some((inode, _)) = open.get(&call.number(0)) {
                    let begun = events_after[call.begun_after];
                    self.events.push(Event::Synced {
                        inode: *inode,
                        begun,
                    });
                }
            }
            "mkdir" => self.make(self.place(None, call, 0), true),
            "mkdirat" => self.make(self.place(Some(open), call, 0), true),
            "unlink" | "rmdir" => self.remove(self.place(None, call, 0)),
            "unlinkat" => self.remove(self.place(Some(open), call, 0)),
            "rename" => self.rename(self.place(None, call, 0), self.place(None, call, 1)),
            "renameat" | "renameat2" => {
                let from = self.place(Some(open), call, 0);
                self.rename(from, self.place(Some(open), call, 2));
            }
            "link" | "linkat" | "symlink" => {
                panic!("{} isn't in the model", call.name)
            }
            _ => {}
        }
    }

    fn open(&mut self, call: &Call, open: &mut Open) {
        let Some((dir, name)) = self.place(Some(open), call, 0) else {
            open.remove(&call.result);
            return;
        };
        let found = match name.as_str() {
            "." => Some(dir),
            _ => self.dirs[&dir].get(&name).copied(),
        };
        let inode = match found {
            Some(inode) => inode,
            None if call.has_flag(2, "O_CREAT") => self.new_name(dir, name, false),
            None => {
                open.remove(&call.result);
                return;
            }
        };
        if call.has_flag(2, "O_TRUNC") {
            self.change(Change::Length {
                file: inode,
                length: 0,
            });
        }
        open.insert(call.result, (inode, 0));
    }

    fn write(&mut self, call: &Call, open: &mut Open) {
        let written = usize::try_from(call.result).expect("it fits");
        let bytes = &call.bytes(1)[..written];
        let Some((file, position)) = open.get_mut(&call.number(0)) else {
            // A connection, or a log.
            if bytes.starts_with(b"HTTP/1.1 ") {
                self.events.push(Event::Said(bytes.to_owned()));
            }
            return;
        };
        let at = match call.name.as_str() {
            "pwrite64" | "pwritev" => usize::try_from(call.number(3)).expect("it fits"),
            _ => {
                *position += written;
                *position - written
            }
        };
        let (file, bytes) = (*file, bytes.to_owned());
        self.change(Change::Write { file, at, bytes });
    }

    fn heard(&mut self, call: &Call) {
        self.events.push(Event::Heard(call.bytes(1).to_owned()));
    }

    /// The directory and the name in it that a call means, below the root; `dirs` where the argument before
    /// the path is a descriptor of a directory.
    fn place(&self, open: Option<&Open>, call: &Call, index: usize) -> Option<(Inode, String)> {
        let (base, path) = match open {
            None => (None, call.text(index)),
            Some(open) => {
                let base = match call.args.get(index) {
                    Some(super::trace::Arg::Number(fd)) => open.get(fd).map(|it| it.0),
                    _ => None,
                };
                (base, call.text(index + 1))
            }
        };
        let path = Path::new(&path);
        let (mut dir, relative) = match path.strip_prefix(&self.root) {
            Ok(relative) => (ROOT, relative),
            Err(_) => (base?, path),
        };
        let mut names = relative.components().filter_map(|part| match part {
            Component::Normal(name) => name.to_str(),
            _ => None,
        });
        let Some(mut last) = names.next() else {
            return Some((dir, ".".to_owned()));
        };
        for name in names {
            dir = *self.dirs.get(&dir)?.get(last)?;
            last = name;
        }
        self.dirs.contains_key(&dir).then(|| (dir, last.to_owned()))
    }

    fn make(&mut self, place: Option<(Inode, String)>, is_dir: bool) {
        if let Some((dir, name)) = place {
            self.new_name(dir, name, is_dir);
        }
    }

    fn new_name(&mut self, dir: Inode, name: String, is_dir: bool) -> Inode {
        let inode = self.inodes;
        self.inodes += 1;
        if is_dir {
            self.dirs.insert(inode, BTreeMap::new());
        }
        self.entries(dir).insert(name.clone(), inode);
        self.change(Change::Name { dir, name, inode });
        inode
    }

    fn remove(&mut self, place: Option<(Inode, String)>) {
        if let Some((dir, name)) = place {
            self.entries(dir).remove(&name);
            self.change(Change::NoName { dir, name });
        }
    }

    fn rename(&mut self, from: Option<(Inode, String)>, to: Option<(Inode, String)>) {
        let (Some(from), Some(to)) = (from, to) else {
            return;
        };
        let inode = self.entries(from.0).remove(&from.1);
        let inode = inode.expect("what is renamed is there");
        self.entries(to.0).insert(to.1.clone(), inode);
        self.change(Change::Rename { from, to, inode });
    }

    fn entries(&mut self, dir: Inode) -> &mut BTreeMap<String, Inode> {
        self.dirs.get_mut(&dir).expect("it is a directory")
    }
}
