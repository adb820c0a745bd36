//! Files of many kinds for tests, each made here, with what they are and whether their names may have them.
//!
//! Invariant: what a test shows of a type it shows of bytes that stand here, so none needs a file of somebody's.

use super::END_BYTES;

/// Whether a file is taken under its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// Whatever is allowed.
    Always,
    /// Unless only some types are.
    WhereAllAre,
    /// Nowhere.
    Never,
}

/// A file.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Its name.
    pub name: &'static str,
    /// What is in it.
    pub bytes: Vec<u8>,
    /// What it is found to be; of one that is refused, what it may not be.
    pub media_type: &'static str,
    /// Whether it is taken.
    pub taken: Taken,
}

use Taken::{Always, Never, WhereAllAre};

const DOCX: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
const PE: &str = "application/vnd.microsoft.portable-executable";
const JAR: &str = "application/java-archive";

/// All of them.
pub fn all() -> Vec<Sample> {
    let kinds = [honest(), texts(), active(), polyglots(), others()];
    let all = kinds.into_iter().flatten();
    all.map(|(name, bytes, media_type, taken)| Sample {
        name,
        bytes,
        media_type,
        taken,
    })
    .collect()
}

type Row = (&'static str, Vec<u8>, &'static str, Taken);

/// Files that are what they are called.
fn honest() -> Vec<Row> {
    vec![
        ("a.pdf", pdf(), "application/pdf", Always),
        (
            "late.pdf",
            [&[b'\n'; 900][..], &pdf()].concat(),
            "application/pdf",
            Always,
        ),
        ("a.png", png(), "image/png", Always),
        ("a.jpg", jpeg(), "image/jpeg", Always),
        ("a.JPEG", jpeg(), "image/jpeg", Always),
        ("a.gif", gif(), "image/gif", Always),
        ("a.docx", docx(), DOCX, Always),
        ("late.docx", late_docx(), DOCX, Always),
        (
            "a.xlsx",
            zip(&[
                ("[Content_Types].xml", b"<Types/>"),
                ("xl/workbook.xml", b"<x/>"),
            ]),
            XLSX,
            Always,
        ),
        (
            "a.docm",
            zip(&[
                ("word/document.xml", b"<w/>"),
                ("word/vbaProject.bin", b"\0"),
            ]),
            "application/vnd.ms-word.document.macroenabled.12",
            Always,
        ),
        (
            "a.odt",
            odt(),
            "application/vnd.oasis.opendocument.text",
            Always,
        ),
        (
            "a.epub",
            zip(&[
                ("mimetype", b"application/epub+zip"),
                ("META-INF/container.xml", b"<c/>"),
            ]),
            "application/epub+zip",
            Always,
        ),
        (
            "a.zip",
            zip(&[("a.txt", b"hello")]),
            "application/zip",
            Always,
        ),
        ("empty.zip", zip(&[]), "application/zip", Always),
        (
            "a.doc",
            compound([0x06, 0x09, 0x02, 0], 1),
            "application/msword",
            Always,
        ),
        ("deep.doc", deep_compound(), "application/x-cfb", Always),
        (
            "locked.docx",
            encrypted_office(),
            "application/x-cfb",
            Always,
        ),
        ("a.mp4", iso_media(b"isom"), "application/mp4", Always),
        ("new.mp4", iso_media(b"iso9"), "video/mp4", Always),
        ("a.mov", iso_media(b"qt  "), "video/quicktime", Always),
        ("a.heic", iso_media(b"heic"), "image/heic", Always),
        (
            "a.webm",
            b"\x1A\x45\xDF\xA3\x9f\x42\x86\x81\x01\x42\x82\x84webm\0\0\0".to_vec(),
            "video/webm",
            Always,
        ),
        (
            "a.mp3",
            [&b"ID3\x03\0\0\0\0\x0f\x76"[..], &[0; 64]].concat(),
            "application/x-id3v2",
            Always,
        ),
        ("a.tar", tar_of_a_jar(), "application/x-tar", Always),
        (
            "a.tar.gz",
            b"\x1F\x8B\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0".to_vec(),
            "application/gzip",
            Always,
        ),
    ]
}

/// Texts, in what people write them.
fn texts() -> Vec<Row> {
    let utf_16 = |text: &str| {
        let units = text.encode_utf16().flat_map(u16::to_le_bytes);
        [0xFF, 0xFE].into_iter().chain(units).collect::<Vec<u8>>()
    };
    let long = |line: &str| line.repeat(3 * END_BYTES / line.len() + 1).into_bytes();
    vec![
        ("a.txt", b"hello".to_vec(), "text/plain", Always),
        ("empty.txt", Vec::new(), "application/x-empty", Always),
        ("one.txt", b"x".to_vec(), "text/plain", Always),
        (
            "long.txt",
            long("Gr\u{fc}\u{df}e, \u{65e5}\u{672c}\n"),
            "text/plain",
            Always,
        ),
        (
            "utf16.txt",
            utf_16("Gr\u{fc}\u{df}e\r\n"),
            "text/plain",
            Always,
        ),
        (
            "excel.csv",
            b"Stra\xDFe;Gr\xFC\xDFe\r\n\xC4pfel;1,50\r\n".to_vec(),
            "text/plain",
            Always,
        ),
        (
            "first.csv",
            b"\xC4pfel;Gr\xFC\xDFe\r\n".to_vec(),
            "text/plain",
            Always,
        ),
        ("film.txt", b"The free film".to_vec(), "text/plain", Always),
        (
            "mz.txt",
            b"MZ was here, and it's no program".to_vec(),
            "text/plain",
            Always,
        ),
        ("font.json", b"true".to_vec(), "text/plain", Always),
        (
            "README.md",
            b"# Title\n\n#! not a script\n".to_vec(),
            "text/plain",
            Always,
        ),
        (
            "centred.md",
            b"<div align=\"center\">\n<h1>Title</h1>\n</div>\n".to_vec(),
            "text/plain",
            Always,
        ),
        (
            "page.md",
            b"<html><body>A page in a text</body></html>".to_vec(),
            "text/html",
            Always,
        ),
        ("heading.txt", b"#!Heading\n".to_vec(), "text/plain", Always),
        (
            "a.ipynb",
            b"{\"cells\": [{\"source\": [\"<html>\"]}]}".to_vec(),
            "text/plain",
            Always,
        ),
        (
            "a.tex",
            b"\\documentclass{article}\n".to_vec(),
            "text/x-tex",
            Always,
        ),
        (
            "main.py",
            b"#!/usr/bin/env python3\nprint(1)\n".to_vec(),
            "text/x-python",
            Always,
        ),
        (
            "plain.py",
            b"print('<html>')\n".to_vec(),
            "text/plain",
            Always,
        ),
        (
            "run.sh",
            b"#! /bin/sh\nexit\n".to_vec(),
            "text/x-script",
            Always,
        ),
        (
            "a.xml",
            b"<?xml version=\"1.0\"?><a/>".to_vec(),
            "text/xml",
            Always,
        ),
        ("picture.xml", svg(), "image/svg+xml", Always),
        (
            "a.html",
            b"\n<!DOCTYPE html>\n<title>x</title>".to_vec(),
            "text/html",
            Always,
        ),
        ("a.svg", svg(), "image/svg+xml", Always),
        (
            "nul.txt",
            b"a\0b".to_vec(),
            "application/octet-stream",
            WhereAllAre,
        ),
        (
            "utf32.txt",
            b"\xFF\xFE\0\0a\0\0\0".to_vec(),
            "application/octet-stream",
            WhereAllAre,
        ),
        (
            "pdf.txt",
            b"%PDF-1.4 in letters".to_vec(),
            "application/pdf",
            WhereAllAre,
        ),
        (
            "rtf.csv",
            b"{\\rtf1 a}".to_vec(),
            "application/rtf",
            WhereAllAre,
        ),
    ]
}

/// What does something where it is opened, by its own name and by others.
fn active() -> Vec<Row> {
    let marked = |mark: &[u8], text: &str| [mark, text.as_bytes()].concat();
    let utf_16 = "<html>".encode_utf16().flat_map(u16::to_be_bytes);
    let utf_16: Vec<u8> = [0xFE, 0xFF].into_iter().chain(utf_16).collect();
    let padded = format!(
        "<!--{}-->\n<?pi x?><!DOCTYPE x [<!ENTITY a \"b\">]><x:SCRIPT>",
        "-".repeat(9_000)
    );
    vec![
        ("a.exe", exe(), PE, Always),
        ("setup", exe(), PE, Always),
        ("setup.run", exe(), PE, Always),
        ("exe.pdf", exe(), PE, Never),
        ("exe.txt", exe(), PE, Never),
        ("exe.zip", exe(), PE, Never),
        ("exe.py", exe(), PE, Never),
        ("exe.pdf ", exe(), PE, Never),
        ("dos.txt", dos(), PE, Never),
        (
            "two_letters.jpg",
            [&b"MZ"[..], &[0xF0; 900], &[0]].concat(),
            "application/octet-stream",
            WhereAllAre,
        ),
        ("elf.jpg", elf(), "application/x-executable", Never),
        ("liba.so", elf(), "application/x-executable", Always),
        (
            "class.png",
            b"\xCA\xFE\xBA\xBE\0\0\0\x41\0".to_vec(),
            "application/java-vm",
            Never,
        ),
        (
            "html.txt",
            b"<!doctype HTML><script>alert(1)</script>".to_vec(),
            "text/html",
            Never,
        ),
        ("html.pdf", b"<html>".to_vec(), "text/html", Never),
        (
            "bom.txt",
            marked(b"\xEF\xBB\xBF", "\r\n<html>"),
            "text/html",
            Never,
        ),
        ("utf16.csv", utf_16, "text/html", Never),
        ("nul.txt", marked(b"<html>", "\0"), "text/html", Never),
        ("hidden.jpg", padded.into_bytes(), "text/html", Never),
        ("page.py", b"<!DOCTYPE html>".to_vec(), "text/html", Never),
        ("index.php", b"<?php echo 1;".to_vec(), "text/x-php", Always),
        ("php.txt", b"<?php echo 1;".to_vec(), "text/x-php", Never),
        ("svg.png", svg(), "image/svg+xml", Never),
        (
            "bare.txt",
            b"<svg onload='alert(1)'/>".to_vec(),
            "image/svg+xml",
            Never,
        ),
        (
            "script.txt",
            b"#!/bin/sh\nrm -r /\n".to_vec(),
            "text/x-shellscript",
            Never,
        ),
        (
            "script.md",
            b"#!\t/bin/sh\n".to_vec(),
            "text/x-script",
            Never,
        ),
        (
            "batch.txt",
            b"@Echo Off\r\n".to_vec(),
            "text/x-msdos-batch",
            Never,
        ),
        ("a.lnk", shortcut(), "application/x-ms-shortcut", Always),
        ("lnk.pdf", shortcut(), "application/x-ms-shortcut", Never),
        ("a.jar", jar(), JAR, Always),
        ("jar.zip", jar(), JAR, Always),
        ("jar.docx", jar(), JAR, Never),
        ("jar.txt", jar(), JAR, Never),
        (
            "apk.jpg",
            zip(&[("AndroidManifest.xml", b"\0")]),
            "application/vnd.android.package-archive",
            Never,
        ),
        (
            "a.msi",
            compound([0x84, 0x10, 0x0c, 0], 1),
            "application/x-msi",
            Always,
        ),
        (
            "msi.doc",
            compound([0x84, 0x10, 0x0c, 0], 1),
            "application/x-msi",
            Never,
        ),
    ]
}

/// What is two things at once.
fn polyglots() -> Vec<Row> {
    let classes = zip(&[("A.class", b"\xCA\xFE\xBA\xBE")]);
    let plain = zip(&[("a.txt", b"hello")]);
    vec![
        ("gifar.gif", [gif(), jar()].concat(), JAR, Never),
        ("applet.gif", [gif(), classes].concat(), JAR, Never),
        ("jar.pdf", [pdf(), jar()].concat(), JAR, Never),
        (
            "zip.pdf",
            [pdf(), plain.clone()].concat(),
            "application/pdf",
            WhereAllAre,
        ),
        (
            "zip.png",
            [png(), plain.clone()].concat(),
            "image/png",
            WhereAllAre,
        ),
        (
            "both.docx",
            [zip_of_parts(&[("word/document.xml", b"<w/>")]), jar()].concat(),
            JAR,
            Never,
        ),
        ("unpacks.exe", [exe(), plain].concat(), PE, Always),
        ("launches.exe", [exe(), jar()].concat(), PE, Always),
        (
            "boots.jar",
            [b"#!/bin/bash\nexec java\n".to_vec(), jar()].concat(),
            "text/x-shellscript",
            Always,
        ),
    ]
}

/// What isn't what it is called, and does nothing.
fn others() -> Vec<Row> {
    vec![
        ("png.jpg", png(), "image/png", WhereAllAre),
        ("txt.pdf", b"hello".to_vec(), "text/plain", WhereAllAre),
        ("empty.pdf", Vec::new(), "application/x-empty", WhereAllAre),
        (
            "zip.docx",
            zip(&[("a.txt", b"hello")]),
            "application/zip",
            WhereAllAre,
        ),
        ("docx.xlsx", docx(), DOCX, WhereAllAre),
        (
            "macros.docx",
            zip(&[
                ("word/document.xml", b"<w/>"),
                ("word/vbaProject.bin", b"\0"),
            ]),
            "application/vnd.ms-word.document.macroenabled.12",
            WhereAllAre,
        ),
        ("cut.docx", docx()[..300].to_vec(), DOCX, Always),
        (
            "data.bin",
            vec![0; 3 * END_BYTES],
            "application/octet-stream",
            Always,
        ),
        ("unknown.xyz", png(), "image/png", Always),
        ("Makefile", b"all:\n".to_vec(), "text/plain", Always),
    ]
}

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
fn dos() -> Vec<u8> {
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
pub fn gifar() -> Vec<u8> {
    [gif(), jar()].concat()
}

fn docx() -> Vec<u8> {
    let body = [7; 900];
    zip(&[
        ("[Content_Types].xml", b"<Types/>"),
        ("word/document.xml", &body),
    ])
}

fn odt() -> Vec<u8> {
    zip(&[
        ("mimetype", b"application/vnd.oasis.opendocument.text"),
        ("META-INF/manifest.xml", b"<manifest/>"),
    ])
}

fn jar() -> Vec<u8> {
    zip(&[
        ("META-INF/MANIFEST.MF", b"Main-Class: A\n"),
        ("A.class", b"\xCA\xFE\xBA\xBE"),
    ])
}

fn png() -> Vec<u8> {
    b"\x89PNG\r\n\x1A\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0\0\0\0\0".to_vec()
}

fn jpeg() -> Vec<u8> {
    b"\xFF\xD8\xFF\xE0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xFF\xD9".to_vec()
}

fn gif() -> Vec<u8> {
    b"GIF89a\x01\0\x01\0\0\0\0;".to_vec()
}

fn elf() -> Vec<u8> {
    [&b"\x7FELF\x02\x01\x01"[..], &[0; 57]].concat()
}

fn svg() -> Vec<u8> {
    b"<?xml version=\"1.0\"?>\n<!-- a picture -->\n<svg xmlns=\"http://www.w3.org/2000/svg\"/>"
        .to_vec()
}

fn shortcut() -> Vec<u8> {
    let class = b"\x4C\0\0\0\x01\x14\x02\0\0\0\0\0\xC0\0\0\0\0\0\0\x46";
    [&class[..], &[0; 56]].concat()
}

fn iso_media(brand: &[u8; 4]) -> Vec<u8> {
    [&b"\0\0\0\x18ftyp"[..], brand, &[0; 200]].concat()
}

fn tar_of_a_jar() -> Vec<u8> {
    let mut bytes = vec![0; 512];
    bytes[..5].copy_from_slice(b"a.jar");
    bytes[257..265].copy_from_slice(b"ustar\x0000");
    bytes.extend(jar());
    bytes.resize(10_240, 0);
    bytes
}

/// A compound file whose directory is in this sector, with a root of the class that begins so.
fn compound(class: [u8; 4], sector: usize) -> Vec<u8> {
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
fn deep_compound() -> Vec<u8> {
    let mut bytes = compound([0x06, 0x09, 0x02, 0], 200);
    bytes.resize(4 * END_BYTES, 0);
    bytes
}

fn encrypted_office() -> Vec<u8> {
    let mut bytes = compound([0; 4], 1);
    let name = "EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes);
    bytes.extend(name);
    bytes
}

/// An archive of these files, as they are.
fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
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
fn zip_of_parts(files: &[(&str, &[u8])]) -> Vec<u8> {
    let whole = zip(files);
    let end = whole.windows(4).position(|it| it == b"PK\x01\x02");
    whole[..end.unwrap_or(whole.len())].to_vec()
}
