//! Files of many kinds for tests, each made here, with what they are and whether their names may have them.
//!
//! Invariant: what a test shows of a type it shows of bytes that stand here, so none needs a file of somebody's.

mod made;

use made::{
    compound, deep_compound, docx, dos, elf, encrypted_office, gif, gifar, iso_media, jar, jpeg,
    odt, png, shortcut, svg, tar_of_a_jar, zip, zip_of_parts,
};
pub use made::{exe, late_docx, pdf};

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
        ("gifar.gif", gifar(), JAR, Never),
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
