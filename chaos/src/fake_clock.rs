//! A program whose clock is wrong, by a library that is loaded before libc and compiled here from a few
//! lines of C: the kernel has time namespaces, but none for the time of day, and the programs have no
//! switch for it.
//!
//! Invariant: only the time of day is off. What the programs measure with the monotonic clock is right.

use std::path::PathBuf;
use std::process::Command;

use crate::support::ministack::project_root;
use crate::support::program::data_dir;

/// A clock that can be put off, and what a program needs to go by it.
pub(crate) struct FakeClock {
    file: PathBuf,
    library: PathBuf,
    _dir: tempfile::TempDir,
}

impl FakeClock {
    pub(crate) fn make() -> Self {
        let dir = data_dir();
        let library = dir.path().join("fake_clock.so");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
            .arg(&library)
            .arg(project_root().join("chaos/src/fake_clock.c"))
            .status();
        assert!(
            compiled.is_ok_and(|status| status.success()),
            "a C compiler, which building needs as well, compiles fake_clock.c"
        );
        let clock = Self {
            file: dir.path().join("offset"),
            library,
            _dir: dir,
        };
        clock.set(0);
        clock
    }

    /// In place: the programs have the file mapped.
    pub(crate) fn set(&self, seconds: i64) {
        use std::os::unix::fs::FileExt;
        let file = std::fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&self.file);
        let file = file.expect("the offset can be opened");
        file.write_all_at(&seconds.to_ne_bytes(), 0)
            .expect("the offset can be written");
    }

    pub(crate) fn settings(&self) -> [(&str, &str); 2] {
        [
            (
                "LD_PRELOAD",
                self.library.to_str().expect("a path of ours is text"),
            ),
            (
                "CLOCK_OFFSET_FILE",
                self.file.to_str().expect("a path of ours is text"),
            ),
        ]
    }
}
