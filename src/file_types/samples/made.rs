//! The bytes of the samples, each file as small as what tells its type lets it be.
//!
//! Invariant: the same bytes at each call, and all of them stand here: no program and no file of somebody's makes them.
//! What they are found to be is said by the table (`samples`) alone.

use super::END_BYTES;

/// A PDF that nothing is on.
pub fn pdf() -> Vec<u8> {
    b"%PDF-1.4\n%\xE2\xE3\xCF\xD3\n1 0 obj\n<<>>\nendobj\nstream\n\0\x01\x02\nendstream\ntrailer\n<<>>\n%%EOF\n".to_vec()
}

/// A program of Windows, as far as its headers go.
pub fn exe() -> Vec<u8> {
    let mut bytes = vec![0; 512];
    bytes[..2].copy_from_slice(b"MZ");
    bytes[60] = 128;
    bytes[128..132].copy_from_slice(b"PE\0\0");
    bytes
}

/// A program of DOS.
pub(super) fn dos() -> Vec<u8> {
    let mut bytes = vec![0xCD; 100];
    bytes[..12].copy_from_slice(b"MZ\x64\0\x01\0\0\0\x02\0\0\0");
    bytes
}

/// A document whose name is told by nothing in the first 64 KiB.
pub fn late_docx() -> Vec<u8> {
    let filling = vec![7; 2 * END_BYTES];
    zip(&[
        ("[Content_Types].xml", b"<Types/>"),
        ("customXml/item1.xml", &filling),
        ("word/document.xml", b"<w/>"),
    ])
}

/// A picture that Java runs.
pub(super) fn gifar() -> Vec<u8> {
    [gif(), jar()].concat()
}

pub(super) fn docx() -> Vec<u8> {
    let body = [7; 900];
    zip(&[
        ("[Content_Types].xml", b"<Types/>"),
        ("word/document.xml", &body),
    ])
}

pub(super) fn odt() -> Vec<u8> {
    zip(&[
        ("mimetype", b"application/vnd.oasis.opendocument.text"),
        ("META-INF/manifest.xml", b"<manifest/>"),
    ])
}

pub(super) fn jar() -> Vec<u8> {
    zip(&[
        ("META-INF/MANIFEST.MF", b"Main-Class: A\n"),
        ("A.class", b"\xCA\xFE\xBA\xBE"),
    ])
}

pub(super) fn png() -> Vec<u8> {
    b"\x89PNG\r\n\x1A\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0\0\0\0\0".to_vec()
}

pub(super) fn jpeg() -> Vec<u8> {
    b"\xFF\xD8\xFF\xE0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xFF\xD9".to_vec()
}

pub(super) fn gif() -> Vec<u8> {
    b"GIF89a\x01\0\x01\0\0\0\0;".to_vec()
}

pub(super) fn elf() -> Vec<u8> {
    [&b"\x7FELF\x02\x01\x01"[..], &[0; 57]].concat()
}

pub(super) fn svg() -> Vec<u8> {
    b"<?xml version=\"1.0\"?>\n<!-- a picture -->\n<svg xmlns=\"http://www.w3.org/2000/svg\"/>"
        .to_vec()
}

pub(super) fn shortcut() -> Vec<u8> {
    let class = b"\x4C\0\0\0\x01\x14\x02\0\0\0\0\0\xC0\0\0\0\0\0\0\x46";
    [&class[..], &[0; 56]].concat()
}

pub(super) fn iso_media(brand: &[u8; 4]) -> Vec<u8> {
    [&b"\0\0\0\x18ftyp"[..], brand, &[0; 200]].concat()
}

pub(super) fn tar_of_a_jar() -> Vec<u8> {
    let mut bytes = vec![0; 512];
    bytes[..5].copy_from_slice(b"a.jar");
    bytes[257..265].copy_from_slice(b"ustar\x0000");
    bytes.extend(jar());
    bytes.resize(10_240, 0);
    bytes
}

/// A compound file whose directory is in this sector, with a root of the class that begins so.
pub(super) fn compound(class: [u8; 4], sector: usize) -> Vec<u8> {
    let mut bytes = vec![0; 512 * (sector + 2)];
    bytes[..8].copy_from_slice(b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1");
    bytes[30] = 9;
    bytes[48..52].copy_from_slice(&(sector as u32).to_le_bytes());
    let at = 512 * (sector + 1) + 80;
    bytes[at..at + 4].copy_from_slice(&class);
    bytes[at + 8..at + 16].copy_from_slice(b"\xC0\0\0\0\0\0\0\x46");
    bytes
}

/// One whose directory lies between what is looked at.
pub(super) fn deep_compound() -> Vec<u8> {
    let mut bytes = compound([0x06, 0x09, 0x02, 0], 200);
    bytes.resize(4 * END_BYTES, 0);
    bytes
}

pub(super) fn encrypted_office() -> Vec<u8> {
    let mut bytes = compound([0; 4], 1);
    let name = "EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes);
    bytes.extend(name);
    bytes
}

/// An archive of these files, as they are.
pub(super) fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in files {
        let at = bytes.len() as u32;
        let sizes = [content.len() as u32; 2].map(u32::to_le_bytes).concat();
        let name_length = (name.len() as u16).to_le_bytes();
        let common = [
            &[20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0][..],
            &sizes,
            &name_length,
            &[0, 0],
        ]
        .concat();
        bytes.extend([&b"PK\x03\x04"[..], &common[..], name.as_bytes(), content].concat());
        directory.extend(
            [
                &b"PK\x01\x02\x14\0"[..],
                &common[..],
                &[0; 10],
                &at.to_le_bytes(),
                name.as_bytes(),
            ]
            .concat(),
        );
    }
    let count = (files.len() as u16).to_le_bytes();
    let (size, at) = (directory.len() as u32, bytes.len() as u32);
    bytes.extend(&directory);
    let end = [
        &b"PK\x05\x06\0\0\0\0"[..],
        &count,
        &count,
        &size.to_le_bytes(),
        &at.to_le_bytes(),
        &[0, 0],
    ];
    bytes.extend(end.concat());
    bytes
}

/// The same without its directory, as it lies before something else.
pub(super) fn zip_of_parts(files: &[(&str, &[u8])]) -> Vec<u8> {
    let whole = zip(files);
    let end = whole.windows(4).position(|it| it == b"PK\x01\x02");
    whole[..end.unwrap_or(whole.len())].to_vec()
}
