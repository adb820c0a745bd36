//! What bodies about links are taken for.

use serde_json::{Value, json};

use super::bodies::LinkBody;
use crate::api::problem::Problem;
use crate::domain::Audience;

fn body(value: &Value) -> LinkBody {
    value.as_object().cloned().unwrap().into()
}

fn fields(problem: &Problem) -> Vec<&'static str> {
    problem.errors.iter().map(|error| error.field).collect()
}

const ID: &str = "0199a2b4-7c1e-7f4d-9a7e-0d8a4c1b2e3f";

#[test]
fn a_link_needs_files_and_nothing_else() {
    let new = body(&json!({"files": [ID], "title": null}));
    let new = new.new_link().unwrap();
    assert_eq!(new.files.len(), 1);
    assert!(new.title.is_none() && new.password.is_none() && new.max_downloads.is_none());
    assert_eq!(new.audience, Audience::Anyone);
}

#[test]
fn everything_that_is_wrong_about_a_link_is_named_at_once_and_no_password_is_repeated() {
    let wrong = json!({
        "files": [ID, ID.to_uppercase()],
        "title": "a\nb",
        "expiresAt": "soon",
        "maxDownloads": 0,
        "password": "hush".repeat(33),
        "audience": "everybody",
        "label": "",
        "more": 1,
    });
    let expected = [
        "files",
        "title",
        "expiresAt",
        "maxDownloads",
        "password",
        "audience",
        "label",
        "(unknown)",
    ];
    let problem = body(&wrong).new_link().unwrap_err();
    assert_eq!(fields(&problem), expected);
    assert!(!problem.detail.contains("hush"), "{problem:?}");
    let problem = body(&wrong).change().unwrap_err();
    assert_eq!(fields(&problem), expected);
    for (files, part) in [
        (json!(null), "is required"),
        (json!([]), "1 to 100"),
        (json!(vec![ID; 101]), "1 to 100"),
        (json!("abc"), "list of strings"),
        (json!([7]), "must be a string"),
        (json!(["abc"]), "UUIDv7"),
        (json!([ID, ID]), "twice"),
    ] {
        let problem = body(&json!({"files": files})).new_link().unwrap_err();
        assert_eq!(fields(&problem), ["files"]);
        assert!(problem.detail.contains(part), "{problem:?}");
    }
    for limit in [json!(1.5), json!(-1), json!("7"), json!(1_000_001)] {
        let problem = body(&json!({"files": [ID], "maxDownloads": limit}));
        assert_eq!(fields(&problem.new_link().unwrap_err()), ["maxDownloads"]);
    }
}

#[test]
fn null_takes_away_what_can_be_taken_away_and_what_is_not_there_stays() {
    let nothing = body(&json!({})).change().unwrap();
    assert!(nothing.title.is_none() && nothing.password.is_none() && !nothing.renew);
    let cleared = json!({"title": null, "label": null, "password": null, "maxDownloads": null});
    let cleared = body(&cleared).change().unwrap();
    assert!(matches!(cleared.title, Some(None)) && matches!(cleared.label, Some(None)));
    assert!(matches!(cleared.password, Some(None)));
    assert_eq!(cleared.max_downloads, Some(None));
    let kept = json!({"files": null, "expiresAt": null, "audience": null, "renew": null});
    let problem = body(&kept).change().unwrap_err();
    assert_eq!(
        fields(&problem),
        ["files", "expiresAt", "audience", "renew"]
    );
    let renewed = body(&json!({"renew": true})).change().unwrap();
    assert!(renewed.renew);
}

#[test]
fn a_password_that_can_not_be_right_is_none_and_what_is_no_text_is_refused() {
    let given = |value: Value| body(&json!({"password": value})).password_alone();
    assert!(given(json!("a")).unwrap().is_some());
    for none in [json!(""), json!("x".repeat(129)), json!(null)] {
        assert!(given(none).unwrap().is_none());
    }
    assert_eq!(fields(&given(json!(7)).unwrap_err()), ["password"]);
    let more = body(&json!({"passwort": "a"})).password_alone();
    assert_eq!(fields(&more.unwrap_err()), ["(unknown)"]);
}
