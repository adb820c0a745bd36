//! Names that people give their files, and under which curl and a browser save them again.

use std::fs;

use serde_json::json;

use crate::support::curl::{create, curl, curl_json, upload};
use crate::support::program::{Program, data_dir};

/// A name as it was sent, and what comes of it.
struct Name {
    given: &'static str,
    filename: &'static str,
    /// What people see.
    shown: &'static str,
    /// Under which a browser saves it.
    saved: &'static str,
    /// For clients that know no other.
    ascii: &'static str,
}

const fn name(
    given: &'static str,
    filename: &'static str,
    shown: &'static str,
    saved: &'static str,
    ascii: &'static str,
) -> Name {
    Name {
        given,
        filename,
        shown,
        saved,
        ascii,
    }
}

/// One for which all are the same.
const fn plain(name: &'static str) -> Name {
    self::name(name, name, name, name, name)
}

#[rustfmt::skip]
const NAMES: [Name; 21] = [
    plain("notes-1.txt"),
    name("résumé final.pdf", "résumé_final.pdf", "résumé final.pdf", "résumé final.pdf", "resume_final.pdf"),
    name("课程大纲.pdf", "课程大纲.pdf", "课程大纲.pdf", "课程大纲.pdf", "____.pdf"),
    name("محاضرة ١.pdf", "محاضرة_١.pdf", "محاضرة ١.pdf", "محاضرة ١.pdf", "________.pdf"),
    name("party 🎉.png", "party__.png", "party 🎉.png", "party 🎉.png", "party__.png"),
    name("a\r\nSet-Cookie: b.txt", "a__Set-Cookie__b.txt", "aSet-Cookie: b.txt", "aSet-Cookie_ b.txt", "a__Set-Cookie__b.txt"),
    name("say \"hi\"; x=y.txt", "say__hi___x_y.txt", "say \"hi\"; x=y.txt", "say _hi_; x=y.txt", "say__hi___x_y.txt"),
    name("../../etc/passwd", ".._.._etc_passwd", ".._.._etc_passwd", ".._.._etc_passwd", ".._.._etc_passwd"),
    name("C:\\Users\\me\\a.txt", "C__Users_me_a.txt", "C:_Users_me_a.txt", "C__Users_me_a.txt", "C__Users_me_a.txt"),
    name("safe\u{202e}fdp.exe", "safe_fdp.exe", "safefdp.exe", "safefdp.exe", "safe_fdp.exe"),
    name("what? <1|2> *", "what___1_2___", "what? <1|2> *", "what_ _1_2_ _", "what___1_2___"),
    // Names that Windows doesn't save, and one that a shell takes for an option.
    name("CON", "CON", "CON", "_CON", "_CON"),
    name("nul.tar.gz", "nul.tar.gz", "nul.tar.gz", "_nul.tar.gz", "_nul.tar.gz"),
    name("trailing. .", "trailing._.", "trailing. .", "trailing___", "trailing.__"),
    name("-rf", "-rf", "-rf", "_rf", "_rf"),
    // What nobody sees, where it spells something and where it doesn't.
    name("in\u{3164}voice\u{fe0f}.pdf", "invoice.pdf", "in\u{3164}voice\u{fe0f}.pdf", "in\u{3164}voice\u{fe0f}.pdf", "invoice.pdf"),
    name("می\u{200c}خواهم\u{200d}.txt", "می\u{200c}خواهم.txt", "می\u{200c}خواهم\u{200d}.txt", "می\u{200c}خواهم\u{200d}.txt", "________.txt"),
    name("\u{301}", "\u{301}", "\u{301}", "\u{301}", "_"),
    name("\u{301}..", "\u{301}..", "\u{301}..", "\u{301}__", "___"),
    name("re\u{301}sume\u{301}.txt", "r\u{e9}sum\u{e9}.txt", "r\u{e9}sum\u{e9}.txt", "r\u{e9}sum\u{e9}.txt", "resume.txt"),
    name("100 %.txt", "100__.txt", "100 %.txt", "100 %.txt", "100__.txt"),
];

#[test]
fn a_file_is_shown_as_its_name_was_given_and_saved_again_under_a_safe_form_of_it() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    let sent = dir.path().join("to-send");
    fs::write(&sent, "x").unwrap();
    for (index, name) in NAMES.into_iter().enumerate() {
        let created = create(&program.base, &json!({"filename": name.given, "size": 1}));
        assert_eq!(created["filename"], name.filename);
        assert_eq!(created["displayName"], name.shown);
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
        assert_eq!(start, format!("attachment; filename=\"{}\"", name.ascii));
        let decoded = percent_encoding::percent_decode_str(extended)
            .decode_utf8()
            .unwrap();
        assert_eq!(decoded, name.saved);

        let folder = dir.path().join(index.to_string());
        fs::create_dir(&folder).unwrap();
        let output_dir = folder.to_str().unwrap();
        curl(&["-L", "-O", "-J", "--output-dir", output_dir, &url]);
        let saved: Vec<String> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(saved, [name.ascii], "curl saved {:?} elsewhere", name.given);
    }
}
