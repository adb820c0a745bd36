//! Names that people give their files, and under which curl and a browser save them again.

use std::fs;

use serde_json::json;

use crate::support::curl::{create, curl, curl_json, upload};
use crate::support::program::{Program, data_dir};

/// What is sent, what is stored, and the ASCII name for clients that know no other.
const NAMES: [(&str, &str, &str); 18] = [
    ("résumé final.pdf", "résumé_final.pdf", "resume_final.pdf"),
    ("课程大纲.pdf", "课程大纲.pdf", "____.pdf"),
    ("محاضرة ١.pdf", "محاضرة_١.pdf", "________.pdf"),
    ("party 🎉.png", "party__.png", "party__.png"),
    (
        "a\r\nSet-Cookie: b.txt",
        "a__Set-Cookie__b.txt",
        "a__Set-Cookie__b.txt",
    ),
    (
        "say \"hi\"; x=y.txt",
        "say__hi___x_y.txt",
        "say__hi___x_y.txt",
    ),
    ("../../etc/passwd", ".._.._etc_passwd", ".._.._etc_passwd"),
    (
        "C:\\Users\\me\\a.txt",
        "C__Users_me_a.txt",
        "C__Users_me_a.txt",
    ),
    // Names that Windows doesn't save, and one that a shell takes for an option.
    ("CON", "CON", "_CON"),
    ("nul.tar.gz", "nul.tar.gz", "_nul.tar.gz"),
    ("trailing. .", "trailing._.", "trailing.__"),
    ("-rf", "-rf", "_rf"),
    // What nobody sees, where it spells something and where it doesn't.
    ("in\u{3164}voice\u{fe0f}.pdf", "invoice.pdf", "invoice.pdf"),
    (
        "می\u{200c}خواهم\u{200d}.txt",
        "می\u{200c}خواهم.txt",
        "________.txt",
    ),
    ("\u{301}", "\u{301}", "_"),
    ("\u{301}..", "\u{301}..", "___"),
    (
        "re\u{301}sume\u{301}.txt",
        "r\u{e9}sum\u{e9}.txt",
        "resume.txt",
    ),
    ("100%.txt", "100_.txt", "100_.txt"),
];

#[test]
fn a_file_is_saved_again_under_a_safe_form_of_the_name_that_it_was_given() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    let sent = dir.path().join("to-send");
    fs::write(&sent, "x").unwrap();
    for (index, (given, stored, ascii)) in NAMES.into_iter().enumerate() {
        let created = create(&program.base, &json!({"filename": given, "size": 1}));
        assert_eq!(created["filename"], stored);
        assert_eq!(upload(&created, &sent), "200");
        let url = format!(
            "{}/v1/files/{}",
            program.base,
            created["id"].as_str().unwrap()
        );
        curl_json(&[&format!("{url}/metadata?wait=20")]);

        let answer = curl(&[
            "--location",
            "--dump-header",
            "-",
            "--output",
            "/dev/null",
            &url,
        ]);
        let answer = String::from_utf8(answer).unwrap();
        let disposition = answer
            .lines()
            .find_map(|line| line.strip_prefix("content-disposition: "))
            .unwrap_or_else(|| panic!("no disposition: {answer}"));
        // A browser takes `filename*` (RFC 6266), an old client `filename`.
        let (start, extended) = disposition.split_once("; filename*=UTF-8''").unwrap();
        assert_eq!(start, format!("attachment; filename=\"{ascii}\""));
        let decoded = percent_encoding::percent_decode_str(extended)
            .decode_utf8()
            .unwrap();
        // What a system can save: for all but a few names, the name.
        let expected = match stored.is_ascii() {
            true => ascii,
            false => stored.trim_end_matches('.'),
        };
        let undotted = decoded.trim_end_matches('_');
        assert!(decoded == expected || undotted == expected, "{decoded}");

        let folder = dir.path().join(index.to_string());
        fs::create_dir(&folder).unwrap();
        let output_dir = folder.to_str().unwrap();
        curl(&["-L", "-O", "-J", "--output-dir", output_dir, &url]);
        let saved: Vec<String> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(saved, [ascii], "curl saved {given:?} under another name");
    }
}
