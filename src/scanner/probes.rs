//! Files by which a scanner shows that it works: made when they are needed, so that none of ours is taken for a virus.
//!
//! The test file is that of EICAR (<https://www.eicar.org/download-anti-malware-testfile/>), which every scanner calls a
//! virus and which is none.
//!
//! Invariant: the same bytes every time, without a time or a name of this machine's, and the test file is in no source
//! and in no program as it is.
//!
//! Absent on purpose: checksums that are computed. What the archives hold never changes, so theirs are numbers here, and
//! a test computes them.

use std::sync::OnceLock;

/// The first half of the test file.
const EICAR_BEGINS: &str = r"X5O!P%@AP[4\PZX54(P^)7CC)7}$";
/// The second half, from its end: a linker may put the two side by side.
const EICAR_ENDS_REVERSED: &str = "*H+H$!ELIF-TSET-SURIVITNA-DRADNATS-RACIE";
const EICAR_CRC: u32 = 0x6851_cf3c;

/// How many bytes of nothing lie before the test file in [`bomb`].
pub const ZEROS: u32 = 30 * 1024 * 1024;
const ZEROS_CRC: u32 = 0xf99c_62a6;
const INNER_CRC: u32 = 0xa12b_ebbc;

/// As a scanner is to call it: an entry that needs a password.
const ENCRYPTED: u16 = 1;
const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// The 68 bytes of the test file.
pub fn eicar() -> Vec<u8> {
    let end = EICAR_ENDS_REVERSED.bytes().rev();
    EICAR_BEGINS.bytes().chain(end).collect()
}

/// The test file behind 30 MiB of zeros, in an archive within an archive of 200 KB. Whoever stops looking at some size,
/// as scanners do with the settings that they come with, finds nothing.
pub fn bomb() -> &'static [u8] {
    static BOMB: OnceLock<Vec<u8>> = OnceLock::new();
    BOMB.get_or_init(make_bomb)
}

fn make_bomb() -> Vec<u8> {
    let eicar = eicar();
    let zeros = Entry {
        name: "zeros.bin",
        crc: ZEROS_CRC,
        length: ZEROS,
        kept: ZEROS,
        method: STORED,
        flags: 0,
    };
    let virus = Entry {
        name: "eicar.com",
        crc: EICAR_CRC,
        length: eicar.len() as u32,
        kept: eicar.len() as u32,
        method: STORED,
        flags: 0,
    };
    let head = zeros.header();
    let virus_at = head.len() as u32 + ZEROS;
    let mut tail = virus.header();
    tail.extend(&eicar);
    let directory_at = virus_at + tail.len() as u32;
    tail.extend(directory(&[(&zeros, 0), (&virus, virus_at)], directory_at));

    let mut deflated = Bits::default();
    deflated.begin();
    deflated.literals(&head);
    deflated.zeros(ZEROS);
    deflated.literals(&tail);
    deflated.end();
    let inner = Entry {
        name: "inner.zip",
        crc: INNER_CRC,
        length: directory_at + (tail.len() as u32 - (directory_at - virus_at)),
        kept: deflated.bytes.len() as u32,
        method: DEFLATED,
        flags: 0,
    };
    archive(&inner, &deflated.bytes)
}

/// What nobody may find anything in.
pub const HARMLESS: &[u8] = b"In this text there is nothing to find.\n";
const HARMLESS_CRC: u32 = 0x4a45_a755;

/// The same in an archive.
pub fn harmless_archive() -> Vec<u8> {
    let entry = Entry {
        name: "harmless.txt",
        crc: HARMLESS_CRC,
        length: HARMLESS.len() as u32,
        kept: HARMLESS.len() as u32,
        method: STORED,
        flags: 0,
    };
    archive(&entry, HARMLESS)
}

/// Whether these are the bytes of [`bomb`].
#[cfg(any(test, feature = "conformance"))]
pub(super) fn is_bomb(bytes: &[u8]) -> bool {
    bytes == bomb()
}

/// An archive whose one entry nobody can read without a password.
pub fn encrypted() -> Vec<u8> {
    // A header of twelve bytes, and what it was.
    let kept = [0x5a; 12 + 32];
    let entry = Entry {
        name: "secret.txt",
        crc: 0x1234_5678,
        length: 32,
        kept: kept.len() as u32,
        method: STORED,
        flags: ENCRYPTED,
    };
    archive(&entry, &kept)
}

/// An entry of a zip archive, by what both its headers say (APPNOTE.TXT 4.3.7 and 4.3.12).
struct Entry {
    name: &'static str,
    crc: u32,
    length: u32,
    /// How many bytes are in the archive.
    kept: u32,
    method: u16,
    flags: u16,
}

impl Entry {
    /// From the version that is needed to the length of the name.
    fn common(&self) -> Vec<u8> {
        const VERSION: u16 = 20;
        const MIDNIGHT: u16 = 0;
        const FIRST_OF_JANUARY_1980: u16 = 0x21;
        let mut bytes = Vec::new();
        for field in [
            VERSION,
            self.flags,
            self.method,
            MIDNIGHT,
            FIRST_OF_JANUARY_1980,
        ] {
            bytes.extend(field.to_le_bytes());
        }
        for field in [self.crc, self.kept, self.length] {
            bytes.extend(field.to_le_bytes());
        }
        bytes.extend((self.name.len() as u16).to_le_bytes());
        bytes
    }

    fn header(&self) -> Vec<u8> {
        let no_extra_field = 0_u16.to_le_bytes();
        [
            b"PK\x03\x04",
            &self.common()[..],
            &no_extra_field,
            self.name.as_bytes(),
        ]
        .concat()
    }

    fn in_directory(&self, at: u32) -> Vec<u8> {
        let made_by = 20_u16.to_le_bytes();
        // No extra field, comment, disk or attributes.
        let nothing = [0; 12];
        [
            b"PK\x01\x02",
            &made_by[..],
            &self.common(),
            &nothing,
            &at.to_le_bytes(),
            self.name.as_bytes(),
        ]
        .concat()
    }
}

/// The directory of an archive, and its end.
fn directory(entries: &[(&Entry, u32)], directory_at: u32) -> Vec<u8> {
    let listed: Vec<u8> = entries
        .iter()
        .flat_map(|(entry, at)| entry.in_directory(*at))
        .collect();
    let count = (entries.len() as u16).to_le_bytes();
    [
        &listed[..],
        b"PK\x05\x06",
        &[0; 4],
        &count,
        &count,
        &(listed.len() as u32).to_le_bytes(),
        &directory_at.to_le_bytes(),
        &[0; 2],
    ]
    .concat()
}

fn archive(entry: &Entry, kept: &[u8]) -> Vec<u8> {
    let mut bytes = entry.header();
    bytes.extend(kept);
    let directory_at = bytes.len() as u32;
    bytes.extend(directory(&[(entry, 0)], directory_at));
    bytes
}

/// A stream of deflate (RFC 1951), as far as it is needed here.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    pending: u64,
    count: u32,
}

impl Bits {
    /// The lowest bit first.
    fn push(&mut self, bits: u64, count: u32) {
        self.pending |= bits << self.count;
        self.count += count;
        while self.count >= 8 {
            self.bytes.push(self.pending.to_le_bytes()[0]);
            self.pending >>= 8;
            self.count -= 8;
        }
    }

    /// The one block, in the codes that are known beforehand (RFC 1951, 3.2.6). Their highest bit comes first, so each
    /// is written from behind. No byte stands in it as it is: a scanner that doesn't unpack finds nothing.
    fn begin(&mut self) {
        const LAST_WITH_KNOWN_CODES: (u64, u32) = (0b011, 3);
        self.push(LAST_WITH_KNOWN_CODES.0, LAST_WITH_KNOWN_CODES.1);
    }

    fn literals(&mut self, bytes: &[u8]) {
        const LONGER_FROM: u8 = 144;
        for byte in bytes {
            match byte.checked_sub(LONGER_FROM) {
                None => self.push(u64::from((0x30 + byte).reverse_bits()), 8),
                Some(above) => {
                    let code = (0x190 + u16::from(above)) << 7;
                    self.push(u64::from(code.reverse_bits()), 9);
                }
            }
        }
    }

    fn zeros(&mut self, count: u32) {
        const REPEAT: u32 = 258;
        /// The last byte 258 times more: length code 285, distance code 0.
        const REPEATED: (u64, u32) = (0b1010_0011, 13);
        let repeats = (count - 1) / REPEAT;
        for _ in 0..count - repeats * REPEAT {
            self.literals(&[0]);
        }
        for _ in 0..repeats {
            self.push(REPEATED.0, REPEATED.1);
        }
    }

    fn end(&mut self) {
        const END: (u64, u32) = (0, 7);
        self.push(END.0, END.1);
        self.push(0, (8 - self.count % 8) % 8);
    }
}

#[cfg(all(test, feature = "server"))]
mod tests {
    use std::io::Read;

    use flate2::Crc;
    use flate2::read::DeflateDecoder;

    use super::*;

    fn crc(bytes: &[u8]) -> u32 {
        let mut crc = Crc::new();
        crc.update(bytes);
        crc.sum()
    }

    #[test]
    fn the_test_file_is_the_one_that_every_scanner_knows() {
        let eicar = eicar();
        assert_eq!(eicar.len(), 68);
        assert_eq!(crc(&eicar), EICAR_CRC);
    }

    #[test]
    fn the_harmless_archive_is_one() {
        assert_eq!(crc(HARMLESS), HARMLESS_CRC);
        let archive = harmless_archive();
        assert!(archive.starts_with(b"PK") && archive.len() < 1024);
        let holds = |part: &[u8]| archive.windows(part.len()).any(|window| window == part);
        assert!(holds(HARMLESS) && !holds(&eicar()));
    }

    #[test]
    fn the_archive_is_small_and_holds_the_test_file_behind_30_mib() {
        let bomb = bomb();
        assert!(bomb.len() < 210_000, "{}", bomb.len());
        let name = "inner.zip".len();
        let header = 30 + name;
        let mut inner = Vec::new();
        let mut decoder = DeflateDecoder::new(&bomb[header..]);
        decoder.read_to_end(&mut inner).unwrap();
        assert_eq!(crc(&inner), INNER_CRC);
        let field = |at: usize| u32::from_le_bytes(bomb[at..at + 4].try_into().unwrap());
        assert_eq!(field(14), INNER_CRC);
        assert_eq!(field(22) as usize, inner.len());
        let zeros = 30 + "zeros.bin".len();
        let behind = zeros + ZEROS as usize;
        assert_eq!(crc(&inner[zeros..behind]), ZEROS_CRC);
        assert!(inner[zeros..behind].iter().all(|byte| *byte == 0));
        let virus = behind + 30 + "eicar.com".len();
        assert_eq!(inner[virus..virus + 68], eicar());
        assert!(is_bomb(bomb));
        assert!(!is_bomb(&inner));
        // Whoever doesn't unpack it sees nothing.
        let virus = eicar();
        assert!(!bomb.windows(virus.len()).any(|window| window == virus));
    }

    #[test]
    fn the_test_file_is_nowhere_in_these_sources() {
        let halves = [EICAR_BEGINS, EICAR_ENDS_REVERSED];
        let eicar = String::from_utf8(eicar()).unwrap();
        assert!(!include_str!("probes.rs").contains(&eicar));
        assert!(halves.iter().all(|half| half.len() < eicar.len()));
    }
}
