//! What a power cut leaves of a directory, worked out from a recording of system calls.
//!
//! A program runs under strace, which writes down every call that changes files or syncs them, with its
//! data. [`trace`] reads that, [`recording`] turns it into changes of inodes, and [`disk`] says for a cut
//! after any of them which survive: what was synced, and of the rest what chance has it. [`promises`] says what
//! has to be true then.
//!
//! Invariant: nothing survives that no call made, and what POSIX promises to survive always does: bytes of
//! a file that was synced after they were written, names of a directory that was synced after they were
//! made. A rename is one change, in both directories.
//!
//! Absent on purpose: kernels' options, such as syncing a new file's name along with it; and SQLite's
//! `-shm`, which is memory.

pub(crate) mod disk;
pub(crate) mod promises;
pub(crate) mod recording;
pub(crate) mod trace;
