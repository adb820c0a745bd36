//! What an upload collects in memory before it is written to the disk.
//!
//! A client that sends fast is given a whole buffer at once, since growing one costs copies. A thousand
//! clients that send slowly would hold a thousand buffers that way, so one that pauses or has just begun
//! gets what it sends and little more.
//!
//! Invariant: no more than [`WRITE_CHUNK`] and the chunk that came last are held, and nothing while a client
//! pauses for longer than [`WRITE_AFTER`].

use std::time::Duration;

use bytes::{Bytes, BytesMut};

/// How much is collected before it is written, in bytes.
pub(super) const WRITE_CHUNK: usize = 128 * 1024;
/// How much a client that may be slow is given room for, in bytes.
const SLOW_CHUNK: usize = 4 * 1024;
/// How long the next bytes are waited for before those that are there are written.
pub(super) const WRITE_AFTER: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct WriteBuffer {
    bytes: BytesMut,
    /// Whether the last buffer was filled without a pause.
    is_fast: bool,
}

impl WriteBuffer {
    /// Adds a chunk, and gives what is to be written if it is enough.
    pub(super) fn add(&mut self, chunk: &[u8]) -> Option<Bytes> {
        if self.bytes.capacity() == 0 {
            let room = match self.is_fast {
                true => WRITE_CHUNK + chunk.len(),
                false => chunk.len().max(SLOW_CHUNK),
            };
            self.bytes.reserve(room);
        }
        self.bytes.extend_from_slice(chunk);
        (self.bytes.len() >= WRITE_CHUNK).then(|| {
            self.is_fast = true;
            self.take()
        })
    }

    /// What is held, to be written because the client pauses; `None` if that is nothing.
    pub(super) fn pause(&mut self) -> Option<Bytes> {
        self.is_fast = false;
        (!self.bytes.is_empty()).then(|| self.take())
    }

    /// What is left at the end.
    pub(super) fn take(&mut self) -> Bytes {
        std::mem::take(&mut self.bytes).freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_sends_slowly_is_given_little_room_and_whoever_sends_fast_a_whole_buffer() {
        let mut buffer = WriteBuffer::default();
        assert_eq!(buffer.add(b"a"), None);
        assert!(
            buffer.bytes.capacity() <= SLOW_CHUNK,
            "{}",
            buffer.bytes.capacity()
        );
        assert_eq!(buffer.pause().as_deref(), Some(&b"a"[..]));
        assert_eq!((buffer.bytes.capacity(), buffer.pause()), (0, None));

        let chunk = vec![0; WRITE_CHUNK / 2];
        assert_eq!(buffer.add(&chunk), None);
        assert_eq!(buffer.add(&chunk).map(|full| full.len()), Some(WRITE_CHUNK));
        assert_eq!(buffer.add(b"a"), None);
        assert!(buffer.bytes.capacity() >= WRITE_CHUNK);
        assert_eq!(buffer.pause().as_deref(), Some(&b"a"[..]));
        assert_eq!(buffer.add(b"b"), None);
        assert!(buffer.bytes.capacity() <= SLOW_CHUNK);
        assert_eq!(buffer.take(), &b"b"[..]);
    }
}
