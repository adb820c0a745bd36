//! What bodies say of boxes, and the cursors of their lists.

use serde_json::{Value, json};

use super::bodies::{BoxBody, new_hand_in};
use super::shapes::{read_box_cursor, read_file_cursor, write_box_cursor, write_file_cursor};
use crate::api::problem::{Code, Problem};
use crate::boxes::{Keep, SubmitterKind};
use crate::domain::{BoxId, FileId, UserId, from_millis};

fn body(value: &Value) -> BoxBody {
    value.as_object().cloned().unwrap().into()
}

fn fields(problem: &Problem) -> Vec<&'static str> {
    problem.errors.iter().map(|error| error.field).collect()
}

#[test]
fn a_box_needs_a_title_and_nothing_else() {
    let new = body(&json!({"title": " Sheet 3 ", "dueAt": null, "types": null}));
    let new = new.new_box().unwrap();
    assert_eq!(new.title.as_str(), "Sheet 3");
    assert_eq!(
        (new.submitter, new.keep),
        (SubmitterKind::Named, Keep::Latest)
    );
    assert!(new.types.are_all() && new.max_files.is_none() && new.overrides.is_empty());
    assert_eq!(fields(&body(&json!({})).new_box().unwrap_err()), ["title"]);
}

#[test]
fn everything_that_is_wrong_about_a_box_is_named_at_once() {
    let wrong = json!({
        "title": "\u{202e}",
        "opensAt": "soon",
        "dueAt": 7,
        "closesAt": [],
        "maxFiles": 0,
        "maxFileBytes": 0,
        "types": ["../x"],
        "submitter": "anybody",
        "keep": "some",
        "overrides": [{"name": "Ada"}],
        "more": 1,
    });
    let expected = [
        "title",
        "opensAt",
        "dueAt",
        "closesAt",
        "maxFiles",
        "maxFileBytes",
        "types",
        "submitter",
        "keep",
        "overrides",
        "(unknown)",
    ];
    assert_eq!(fields(&body(&wrong).new_box().unwrap_err()), expected);
    assert_eq!(fields(&body(&wrong).change().unwrap_err()), expected);
    for overrides in [
        json!(7),
        json!([7]),
        json!([{}]),
        json!([{"submitter": ""}]),
        json!([{"submitter": "Ada", "dueAt": "soon"}]),
    ] {
        let problem = body(&json!({"title": "a", "overrides": overrides}));
        assert_eq!(fields(&problem.new_box().unwrap_err()), ["overrides"]);
    }
}

#[test]
fn null_takes_a_time_away_and_what_is_not_there_stays() {
    let change = body(&json!({"closesAt": null, "maxFiles": null}))
        .change()
        .unwrap();
    assert_eq!(
        (change.closes_at, change.max_files),
        (Some(None), Some(None))
    );
    assert!(change.due_at.is_none() && change.title.is_none() && !change.renew);
    let kept = json!({"title": null, "types": null, "keep": null, "close": 1, "renew": null});
    let problem = body(&kept).change().unwrap_err();
    assert_eq!(
        fields(&problem),
        ["title", "types", "keep", "close", "renew"]
    );
    let closing = body(&json!({"close": true})).change().unwrap();
    assert!(closing.close && !closing.renew);
}

#[test]
fn a_hand_in_is_a_file_with_a_submitter_and_has_no_other_fields() {
    let read = |value: Value| new_hand_in(value.as_object().cloned().unwrap(), 1_000);
    let file = json!({"filename": "a.pdf", "size": 5, "submitter": "Ada"});
    assert_eq!(read(file).unwrap().submitter.unwrap().as_str(), "Ada");
    let none = json!({"filename": "a.pdf", "size": 5, "submitter": null});
    assert!(read(none).unwrap().submitter.is_none());
    for (value, expected) in [
        (
            json!({"filename": "a", "size": 5, "submitter": ""}),
            vec!["submitter"],
        ),
        (
            json!({"filename": "..", "submitter": 7}),
            vec!["filename", "size", "submitter"],
        ),
        (
            json!({"filename": "a", "size": 5, "uploadMethod": "POST"}),
            vec!["(unknown)"],
        ),
        (
            json!({"filename": "a", "size": 5, "deleteAfter": "2027-01-01T00:00:00Z"}),
            vec!["(unknown)"],
        ),
        (
            json!({"filename": "a", "size": 5, "owner": "x"}),
            vec!["(unknown)"],
        ),
    ] {
        let problem = read(value).unwrap_err();
        assert_eq!(fields(&problem), expected);
        assert_eq!(problem.code, Code::InvalidRequest);
    }
    let large = read(json!({"filename": "a", "size": 1_001})).unwrap_err();
    assert_eq!(large.code, Code::ContentTooLarge);
}

#[test]
fn a_cursor_reads_back_in_its_own_list_only() {
    let id = BoxId::from_bytes([7; 14]);
    let owners = [
        None,
        Some(UserId::of("i", "alice")),
        Some(UserId::of("i", "bob")),
    ];
    for owner in owners {
        let text = write_box_cursor(id, owner);
        for other in owners {
            assert_eq!(read_box_cursor(&text, other).is_ok(), owner == other);
        }
        assert!(read_file_cursor(&text, id).is_err());
    }
    let file = FileId::new(from_millis(1_790_000_000_123).unwrap());
    let text = write_file_cursor(file, id);
    assert_eq!(read_file_cursor(&text, id), Ok(file));
    assert!(read_file_cursor(&text, BoxId::from_bytes([8; 14])).is_err());
    for text in ["", "abc", "\u{e9}", &text[1..]] {
        assert!(read_file_cursor(text, id).is_err(), "{text}");
    }
}
