//! Names as people gave them.

use proptest::prelude::*;

use super::*;

/// What people see of a name that was given.
fn shown(text: &str) -> String {
    let filename = FileName::sanitize(text).unwrap();
    match DisplayName::given(text, &filename) {
        Some(name) => name.to_string(),
        None => filename.to_string(),
    }
}

#[test]
fn a_name_is_shown_as_it_was_given() {
    for name in [
        "résumé final.pdf",
        "What? (really) – 100 %: \"yes\" <now> | *.txt",
        "محاضرة ١.pdf",
        "می\u{200c}خواهم.txt",
        "party 🎉.png",
        "👩\u{200d}💻 ❤\u{fe0f}.png",
        "½ & ¾.csv",
        "CON",
        "-rf",
        " leading and trailing ",
        "trailing. .",
        "a\u{200e}b\u{200f}",
    ] {
        assert_eq!(shown(name), name);
    }
    assert_eq!(shown("re\u{301}sume\u{301} x"), "r\u{e9}sum\u{e9} x");
}

#[test]
fn what_steers_is_left_out_and_what_separates_a_path_becomes_an_underscore() {
    for (given, name) in [
        ("right\u{202e}gpj.exe", "rightgpj.exe"),
        ("a\u{2066}b\u{2069} c\u{202a}d\u{202c}", "ab cd"),
        ("a\r\n\tb\0\u{1b}[2J\u{7f}\u{85} c", "ab[2J c"),
        ("one\u{2028}two\u{2029}three", "onetwothree"),
        ("../../etc/passwd", ".._.._etc_passwd"),
        ("week 1/intro.pdf", "week 1_intro.pdf"),
        ("C:\\Users\\me\\a.txt", "C:_Users_me_a.txt"),
        // Also where that was between a letter and its mark.
        ("re\u{202e}\u{301}sume\u{301} 1", "r\u{e9}sum\u{e9} 1"),
    ] {
        assert_eq!(shown(given), name, "{given:?}");
    }
}

#[test]
fn a_name_in_which_there_is_nothing_to_see_is_shown_in_its_cleaned_form() {
    for (given, name) in [
        (" ", "_"),
        ("\u{a0}\u{200b}", "__"),
        ("\u{202e}", "_"),
        ("\u{202e}..", "_.."),
        ("..\n", ".._"),
        ("\u{2060}\u{fe0f}", "_"),
        ("\u{e0020}\u{e0061}", "__"),
    ] {
        assert_eq!(shown(given), name, "{given:?}");
    }
}

#[test]
fn nothing_is_kept_that_the_cleaned_name_says_already() {
    for text in [
        "a.txt",
        "课程大纲.pdf",
        "re\u{301}sume\u{301}.pdf",
        "in\u{202e}voice",
    ] {
        let filename = FileName::sanitize(text).unwrap();
        let given = DisplayName::given(text, &filename);
        assert_eq!(given.is_some(), text.contains('\u{202e}'), "{text:?}");
        assert_eq!(DisplayName::given(filename.as_str(), &filename), None);
    }
}

#[test]
fn a_name_of_too_many_characters_is_shortened_before_its_ending() {
    // Joiners that join nothing count here, and not in the cleaned form.
    let joined = format!("{}.png", "👩\u{200d}💻".repeat(90));
    let name = shown(&joined);
    assert_eq!(name.chars().count(), MAX_DISPLAY_NAME_CHARS - 1, "{name}");
    assert!(name.starts_with("👩\u{200d}💻") && name.ends_with("💻👩.png"));
    let longest = format!("{}.pdf", "課 ".repeat(125) + "x");
    assert_eq!(longest.chars().count(), MAX_DISPLAY_NAME_CHARS);
    assert_eq!(shown(&longest), longest);
}

#[test]
fn a_stored_name_is_taken_as_it_is_unless_no_version_can_have_written_it() {
    for name in [
        "a b",
        "re\u{301}sume\u{301}",
        "\u{3ffff}",
        "\u{e000}",
        " ",
        "\u{3164}",
    ] {
        assert_eq!(DisplayName::from_stored(name).unwrap().as_str(), name);
    }
    let long = "x".repeat(256);
    for text in [
        "",
        ".",
        "..",
        "a/b",
        "a\\b",
        "a\0",
        "a\n",
        "a\u{202e}b",
        "\u{2066}",
        &long,
    ] {
        assert!(DisplayName::from_stored(text).is_err(), "{text:?}");
    }
}

/// What names are hard to clean for.
fn hard() -> impl Strategy<Value = String> {
    let parts = prop_oneof![
        prop::sample::select(vec![
            '/', '\\', '.', ' ', '\n', '\u{7f}', '\u{85}', '\u{200d}', '\u{200e}', '\u{202a}',
            '\u{202e}', '\u{2066}', '\u{2069}', '\u{301}', '\u{338}', '\u{fe0f}', '\u{1100}',
            '\u{1161}', '\u{11a8}', '\u{212a}', '\u{2126}', '🎉', 'e', '課', '\u{ff0f}',
            '\u{ff3c}', '\u{2028}',
        ]),
        any::<char>(),
    ];
    proptest::collection::vec(parts, 1..300).prop_map(String::from_iter)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn no_name_steers_or_leads_elsewhere_whatever_was_given(text in prop_oneof!["\\PC{0,80}", "(?s:.{0,300})", hard()]) {
        if let Ok(filename) = FileName::sanitize(&text)
            && let Some(name) = DisplayName::given(&text, &filename)
        {
            let name = name.as_str();
            let direction = ['\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}', '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}'];
            prop_assert!(!name.contains(['/', '\\']) && !name.contains(direction), "{:?}", name);
            prop_assert!(!name.contains(char::is_control), "{:?}", name);
            prop_assert!((1..=MAX_DISPLAY_NAME_CHARS).contains(&name.chars().count()), "{:?}", name);
            prop_assert!(unicode_normalization::is_nfc(name), "{:?}", name);
            prop_assert!(!matches!(name, "." | ".."), "{:?}", name);
            // Cleaned twice, it is the same.
            let again = FileName::sanitize(name).map(|filename| DisplayName::given(name, &filename));
            if let Ok(Some(again)) = again {
                prop_assert_eq!(again.as_str(), name);
            }
            prop_assert_eq!(DisplayName::from_stored(name), Ok(DisplayName(name.to_owned())));
        }
    }
}
