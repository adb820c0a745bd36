//! What a compound file is (MS-CFB): older documents of Office, installers of Windows, and documents of Office that a
//! password encrypts.
//!
//! Invariant: only what the ends of a file have is read. A root that lies in between says nothing.

use super::ends::Ends;

pub(super) const GENERIC: &str = "application/x-cfb";
pub(super) const INSTALLER: &str = "application/x-msi";

/// Where the header says how large its sectors are, as a power of two, and which one the directory begins in
/// (section 2.2).
const SECTOR_SHIFT_AT: u64 = 30;
const DIRECTORY_SECTOR_AT: u64 = 48;
/// Where the class is in the entry of the root, which is the first of the directory (section 2.6.1).
const CLASS_AT: u64 = 80;

/// The stream of a document that is encrypted with a password (MS-OFFCRYPTO, section 2.3.4).
const ENCRYPTED_PACKAGE: &str = "EncryptedPackage";

/// The first three fields of a class and its last eight bytes.
type Class = (u32, u16, u16, [u8; 8]);

const OLE: [u8; 8] = [0xc0, 0, 0, 0, 0, 0, 0, 0x46];
const CLASSES: [(Class, &str); 9] = [
    ((0x000c_1082, 0, 0, OLE), INSTALLER),
    ((0x000c_1084, 0, 0, OLE), INSTALLER),
    ((0x000c_1086, 0, 0, OLE), INSTALLER),
    ((0x0002_0900, 0, 0, OLE), "application/msword"),
    ((0x0002_0906, 0, 0, OLE), "application/msword"),
    ((0x0002_0810, 0, 0, OLE), "application/vnd.ms-excel"),
    ((0x0002_0820, 0, 0, OLE), "application/vnd.ms-excel"),
    (
        (
            0x6481_8d10,
            0x4f9b,
            0x11cf,
            [0x86, 0xea, 0x00, 0xaa, 0x00, 0xb9, 0x29, 0xe8],
        ),
        "application/vnd.ms-powerpoint",
    ),
    ((0x0002_0d0b, 0, 0, OLE), "application/vnd.ms-outlook"),
];

/// The media type of a compound file; [`GENERIC`] where its root says nothing, or can't be seen.
pub(super) fn media_type(ends: &Ends) -> &'static str {
    let class = root_class(ends);
    let found = CLASSES.iter().find(|(known, _)| Some(*known) == class);
    found.map_or(GENERIC, |(_, media_type)| media_type)
}

fn root_class(ends: &Ends) -> Option<Class> {
    let shift = ends.at(SECTOR_SHIFT_AT, 2)?;
    let sector_size = match u16::from_le_bytes(shift.try_into().ok()?) {
        9 => 512,
        12 => 4096,
        _ => return None,
    };
    let sector = ends.at(DIRECTORY_SECTOR_AT, 4)?;
    let sector = u64::from(u32::from_le_bytes(sector.try_into().ok()?));
    let class = ends.at((sector + 1) * sector_size + CLASS_AT, 16)?;
    Some((
        u32::from_le_bytes(class[..4].try_into().ok()?),
        u16::from_le_bytes(class[4..6].try_into().ok()?),
        u16::from_le_bytes(class[6..8].try_into().ok()?),
        class[8..].try_into().ok()?,
    ))
}

/// Whether it holds a document that a password encrypts, as far as can be seen.
pub(super) fn is_encrypted_document(ends: &Ends) -> bool {
    let name: Vec<u8> = ENCRYPTED_PACKAGE
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    [ends.first(), ends.last()]
        .iter()
        .any(|part| part.windows(name.len()).any(|window| window == name))
}
