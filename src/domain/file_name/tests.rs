//! Names as clients send them and as stores have them.

use proptest::prelude::*;

use super::*;

fn cleaned(text: &str) -> String {
    FileName::sanitize(text).unwrap().0
}

#[test]
fn what_is_not_a_letter_mark_digit_or_one_of_three_signs_becomes_an_underscore() {
    assert_eq!(cleaned("bad/name?.txt"), "bad_name_.txt");
    assert_eq!(cleaned("résumé final.pdf"), "résumé_final.pdf");
    assert_eq!(cleaned("../../etc/passwd"), ".._.._etc_passwd");
    assert_eq!(cleaned("a\r\nb\"c\\d\0"), "a__b_c_d_");
    assert_eq!(cleaned("party 🎉.png"), "party__.png");
    assert_eq!(cleaned("½.txt"), "_.txt");
    assert_eq!(cleaned("right\u{202e}gpj.exe"), "right_gpj.exe");
}

#[test]
fn letters_of_every_script_stay() {
    for name in [
        "课程大纲.pdf",
        "محاضرة١.pdf",
        "हिन्दी.txt",
        "CON",
        ".gitignore",
        "-rf",
        "a-b_c.d",
    ] {
        assert_eq!(cleaned(name), name);
    }
}

#[test]
fn two_spellings_of_one_letter_become_one() {
    assert_eq!(cleaned("re\u{301}sume\u{301}"), "r\u{e9}sum\u{e9}");
    // Also where something that nobody sees stood between.
    assert_eq!(
        cleaned("re\u{34f}\u{301}sume\u{200d}\u{301}"),
        "r\u{e9}sum\u{e9}"
    );
}

#[test]
fn letters_and_marks_that_nobody_sees_are_removed() {
    for invisible in [
        '\u{34f}',
        '\u{115f}',
        '\u{1160}',
        '\u{17b4}',
        '\u{180b}',
        '\u{3164}',
        '\u{fe00}',
        '\u{fe0f}',
        '\u{ffa0}',
        '\u{e0100}',
        '\u{e01ef}',
        '\u{200c}',
        '\u{200d}',
    ] {
        assert_eq!(cleaned(&format!("in{invisible}voice.pdf")), "invoice.pdf");
        assert_eq!(cleaned(&format!("课{invisible}程")), "课程");
        for nothing_else in ["", ".", ".."] {
            let text = format!("{invisible}{nothing_else}{invisible}");
            assert!(FileName::sanitize(&text).is_err(), "{text:?}");
        }
    }
    assert_eq!(cleaned("❤\u{fe0f}.png"), "_.png");
    assert_eq!(cleaned("👩\u{200d}💻.png"), "__.png");
}

#[test]
fn joiners_stay_where_a_script_is_written_with_them() {
    for name in [
        // Persian: "I want", "universities".
        "می\u{200c}خواهم.txt",
        "دانشگاه\u{200c}ها.pdf",
        // Hindi: half a letter, and one with its mark.
        "क्\u{200d}ष.txt",
        "श्\u{200c}री",
        // Sinhala.
        "ශ්\u{200d}රී.pdf",
    ] {
        assert_eq!(cleaned(name), name);
    }
    for (text, expected) in [
        ("\u{200c}می", "می"),
        ("می\u{200c}", "می"),
        ("می\u{200c}.txt", "می.txt"),
        ("می\u{200c}\u{200c}خ", "می\u{200c}خ"),
        ("می \u{200c}خ", "می_خ"),
        ("a\u{200c}می", "aمی"),
    ] {
        assert_eq!(cleaned(text), expected);
    }
}

#[test]
fn names_that_are_none_are_refused() {
    for text in ["", ".", ".."] {
        assert!(FileName::sanitize(text).is_err(), "{text:?}");
        assert!(FileName::from_stored(text).is_err(), "{text:?}");
    }
}

#[test]
fn a_name_that_has_too_many_bytes_is_shortened_before_its_ending() {
    assert_eq!(cleaned(&"x".repeat(255)).len(), 255);
    // Windows takes all of these.
    assert_eq!(
        cleaned(&format!("{}.pdf", "課".repeat(86))),
        format!("{}.pdf", "課".repeat(83))
    );
    assert_eq!(cleaned(&"é".repeat(128)), "é".repeat(127));
    assert_eq!(cleaned(&"🎉".repeat(255)), "_".repeat(255));
    // What looks like an ending and is most of the name isn't one.
    let late_dot = format!("{}.{}", "課".repeat(2), "程".repeat(100));
    assert!(cleaned(&late_dot).starts_with("課課.程程"));
    // A letter keeps its marks or goes with them.
    let marked = cleaned(&format!("{}.txt", "क\u{93f}".repeat(60)));
    assert!(marked.ends_with("क\u{93f}.txt"), "{marked}");
    assert_eq!(cleaned(&"\u{301}".repeat(200)), "\u{301}".repeat(127));
    // What no file was ever called isn't.
    for text in ["x".repeat(256), "課".repeat(256), "x".repeat(300)] {
        let refused = FileName::sanitize(&text).unwrap_err();
        assert!(refused.0.contains("255"), "{refused:?}");
    }
}

#[test]
fn a_stored_name_is_taken_as_it_is_whatever_rules_it_was_cleaned_by() {
    for name in [
        "a.txt",
        "-rf",
        // Stored when nobody looked for what can't be seen.
        "\u{3164}",
        "in\u{200d}voice\u{fe0f}.pdf",
        // Not in NFC, as a later version of Unicode may have it.
        "re\u{301}sume\u{301}",
        // A letter that Unicode doesn't have yet.
        "\u{3ffff}",
    ] {
        assert_eq!(FileName::from_stored(name).unwrap().as_str(), name);
    }
    let long = "x".repeat(256);
    for text in [
        "a b",
        "a/b",
        "a\0",
        "a\n",
        "🎉",
        "a\u{202e}b",
        "\u{e000}",
        &long,
    ] {
        assert!(FileName::from_stored(text).is_err(), "{text:?}");
    }
}

/// What names are hard to clean for: joiners, marks, what nobody sees, dots, and letters of all kinds.
fn hard() -> impl Strategy<Value = String> {
    let parts = prop_oneof![
        Just('\u{200c}'),
        Just('\u{200d}'),
        Just('\u{34f}'),
        Just('\u{301}'),
        Just('\u{64b}'),
        Just('\u{94d}'),
        Just('\u{93f}'),
        Just('\u{fe0f}'),
        Just('\u{115f}'),
        Just('\u{1160}'),
        Just('\u{1100}'),
        Just('\u{1161}'),
        Just('\u{11a8}'),
        Just('\u{958}'),
        Just('\u{627}'),
        Just('\u{653}'),
        Just('क'),
        Just('ی'),
        Just('課'),
        Just('e'),
        Just('.'),
        Just('-'),
        Just('\u{1f71}'),
        Just('\u{2f800}'),
        Just(' '),
        any::<char>(),
    ];
    proptest::collection::vec(parts, 0..90).prop_map(String::from_iter)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn cleaning_a_name_twice_changes_nothing_more(text in prop_oneof!["\\PC{0,80}", "(?s:.{0,80})", hard()]) {
        if let Ok(name) = FileName::sanitize(&text) {
            prop_assert_eq!(FileName::sanitize(name.as_str()), Ok(name.clone()));
            prop_assert!(name.as_str().chars().all(|c| is_written(c) && !is_invisible(c)));
            prop_assert!(name.as_str().len() <= MAX_FILE_NAME_BYTES);
            prop_assert!(unicode_normalization::is_nfc(name.as_str()));
        }
    }

    #[test]
    fn whatever_is_cleaned_is_read_back_as_it_was_stored(text in prop_oneof!["(?s:.{0,80})", hard()]) {
        if let Ok(name) = FileName::sanitize(&text) {
            prop_assert_eq!(FileName::from_stored(name.as_str()), Ok(name.clone()));
        }
        if let Ok(name) = FileName::from_stored(&text) {
            prop_assert_eq!(name.as_str(), text);
        }
    }
}
