//! The body of a request to create a file, read and judged field by field.
//!
//! Invariant: what comes out is domain values only. Every field that isn't right is named at once,
//! with what would be right, and a field that isn't known is refused: a client that writes `sha265`
//! must not believe that its digest is checked.

use std::collections::BTreeMap;

use poem_openapi::Object;
use serde_json::{Map, Value};

use super::json_body::BodySchema;
use super::problem::{Code, FieldError, Problem};
use crate::domain::{
    ContentLength, ContentType, Declaration, DisplayName, FileName, Invalid, Metadata,
    Sha256Digest, parse_timestamp,
};
use crate::operations::NewFile;
use crate::presigned_url::UploadMethod;

/// What to say of a file before sending it.
#[derive(Object)]
#[oai(rename = "NewFile", rename_all = "camelCase", deny_unknown_fields)]
#[allow(
    dead_code,
    reason = "describes the body in the contract; the fields are read by hand"
)]
pub(super) struct NewFileSchema {
    /// The name, which comes back in two forms. In `displayName`, which people see, it is as it was given, without
    /// controls and what turns the direction of text, and with `_` for `/` and `\`. In `filename` characters that
    /// aren't letters, marks or digits of any script, `_`, `-` or `.`, become `_`, and what nobody sees is left out. At
    /// most 255 characters; a `filename` of more than 255 bytes of UTF-8 is shortened before its ending.
    #[oai(validator(min_length = 1))]
    filename: String,
    /// The exact number of bytes that will be sent, from 0 to 20971520 (20 MiB).
    #[oai(validator(minimum(value = "0"), maximum(value = "20971520")))]
    size: u64,
    /// A media type. Left out or empty, it is guessed from the name.
    content_type: Option<String>,
    /// The SHA-256 of the bytes as 64 hex digits, if it is known. The store then refuses other bytes.
    #[oai(validator(pattern = "^[0-9a-fA-F]{64}$"))]
    sha256: Option<String>,
    /// How the bytes are going to be sent: `PUT`, which is the default, or `POST` for a program that can
    /// send forms but no headers. A form goes to `upload.url` as `multipart/form-data`, with `upload.fields`
    /// and then the bytes as a field `file`, which comes last.
    upload_method: Option<String>,
    /// When the service is to delete the file, as in `2027-01-31T09:05:00Z`: a time in the future. Where the
    /// service limits how long files are kept, that limit holds if this is left out, and no later time is taken.
    delete_after: Option<String>,
    /// What to keep with the file: texts by name, which come back in its record. At most 16 keys, none
    /// of them empty or with control characters, and 1024 bytes of UTF-8 in all keys and values together.
    metadata: Option<BTreeMap<String, String>>,
}

impl BodySchema for NewFileSchema {
    const DESCRIPTION: &'static str = "What is going to be uploaded";
}

/// The body as it came, not yet judged: the limit on sizes is the handler's to know.
pub(super) struct CreateFileBody(Map<String, Value>);

impl From<Map<String, Value>> for CreateFileBody {
    fn from(fields: Map<String, Value>) -> Self {
        Self(fields)
    }
}

impl CreateFileBody {
    /// Reads every field. A content type that is left out is guessed from the name, and the method is PUT.
    ///
    /// # Errors
    /// All fields that aren't right. A size above `max_upload_bytes` is a problem of its own, 413.
    pub(super) fn judge(self, max_upload_bytes: u64) -> Result<NewFile, Problem> {
        let mut fields = Fields {
            values: self.0,
            errors: Vec::new(),
            too_large: None,
        };
        let names = fields.text("filename", names);
        let length = fields.size(max_upload_bytes);
        // What browsers say of a file whose type they don't know.
        if fields.values.get("contentType").and_then(Value::as_str) == Some("") {
            fields.values.remove("contentType");
        }
        let content_type = fields.text("contentType", ContentType::parse);
        let sha256 = fields.text("sha256", Sha256Digest::parse_hex);
        let upload_method = fields.text("uploadMethod", UploadMethod::parse);
        let delete_after = fields.text("deleteAfter", parse_timestamp);
        let metadata = fields.metadata();
        if names.is_none() {
            fields.require("filename", "is required: the name that people see");
        }
        if length.is_none() {
            fields.require("size", "is required: the exact number of bytes to come");
        }
        fields.refuse_unknown();
        match (names, length) {
            (Some((filename, display_name)), Some(length)) if fields.errors.is_empty() => {
                Ok(NewFile {
                    declared: Declaration {
                        content_type: content_type.unwrap_or_else(|| ContentType::guess(&filename)),
                        filename,
                        display_name,
                        length,
                        sha256,
                        metadata,
                        type_has_to_fit: false,
                    },
                    upload_method: upload_method.unwrap_or_default(),
                    delete_after,
                })
            }
            _ => Err(match fields.too_large {
                Some(problem) if fields.errors.len() == 1 => problem,
                _ => Problem::fields(Code::InvalidRequest, fields.errors),
            }),
        }
    }
}

/// The two forms of a name.
fn names(text: &str) -> Result<(FileName, Option<DisplayName>), Invalid> {
    let filename = FileName::sanitize(text)?;
    let display_name = DisplayName::given(text, &filename);
    Ok((filename, display_name))
}

/// The fields that are left to read, and what was wrong with the others.
struct Fields {
    values: Map<String, Value>,
    errors: Vec<FieldError>,
    too_large: Option<Problem>,
}

impl Fields {
    fn refuse(&mut self, field: &'static str, message: impl Into<String>) {
        self.errors.push(FieldError {
            field,
            message: message.into(),
        });
    }

    /// Refuses a field that is missing, unless something was wrong with it already.
    fn require(&mut self, field: &'static str, message: &str) {
        if !self.errors.iter().any(|error| error.field == field) {
            self.refuse(field, message);
        }
    }

    /// A field of text; `null` is the same as left out.
    fn text<T>(
        &mut self,
        field: &'static str,
        parse: impl FnOnce(&str) -> Result<T, Invalid>,
    ) -> Option<T> {
        match self.values.remove(field) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => match parse(&text) {
                Ok(value) => Some(value),
                Err(invalid) => {
                    self.refuse(field, invalid.0);
                    None
                }
            },
            Some(_) => {
                self.refuse(field, "must be a string");
                None
            }
        }
    }

    fn size(&mut self, max_upload_bytes: u64) -> Option<ContentLength> {
        let value = self
            .values
            .remove("size")
            .filter(|value| !value.is_null())?;
        let Some(bytes) = value.as_u64() else {
            self.refuse(
                "size",
                format!("must be a whole number of bytes from 0 to {max_upload_bytes}"),
            );
            return None;
        };
        ContentLength::new(bytes, max_upload_bytes)
            .map_err(|too_long| {
                self.refuse("size", too_long.to_string());
                self.too_large = Some(Problem::fields(
                    Code::ContentTooLarge,
                    self.errors.last().cloned().into_iter().collect(),
                ));
            })
            .ok()
    }

    /// None if it is left out, `null`, or isn't right.
    fn metadata(&mut self) -> Metadata {
        let entries = match self.values.remove("metadata") {
            None | Some(Value::Null) => return Metadata::default(),
            Some(Value::Object(entries)) => entries,
            Some(_) => {
                self.refuse("metadata", "must be an object whose values are strings");
                return Metadata::default();
            }
        };
        let texts: Option<Vec<(String, String)>> = entries
            .into_iter()
            .map(|(key, value)| match value {
                Value::String(text) => Some((key, text)),
                _ => None,
            })
            .collect();
        let texts = texts.ok_or_else(|| Invalid::new("must have strings as its values"));
        texts.and_then(Metadata::new).unwrap_or_else(|invalid| {
            self.refuse("metadata", invalid.0);
            Metadata::default()
        })
    }

    fn refuse_unknown(&mut self) {
        if !self.values.is_empty() {
            self.refuse(
                "(unknown)",
                "there are fields besides filename, size, contentType, sha256, uploadMethod, deleteAfter and \
                 metadata: check their spelling",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::MAX_CONTENT_LENGTH;

    fn judge(body: Value) -> Result<NewFile, Problem> {
        let Value::Object(fields) = body else {
            panic!("tests send objects");
        };
        CreateFileBody(fields).judge(MAX_CONTENT_LENGTH)
    }

    fn refused_fields(body: Value) -> Vec<&'static str> {
        let problem = judge(body).unwrap_err();
        assert_eq!(problem.code, Code::InvalidRequest, "{problem:?}");
        problem.errors.iter().map(|e| e.field).collect()
    }

    #[test]
    fn deep_numbers_of_any_length_and_doubled_fields_are_judged_like_all_others() {
        let read = |text: &str| serde_json::from_str::<Map<String, Value>>(text);
        // Deeper than serde_json goes, so that no stack runs out.
        let deep = format!(
            r#"{{"filename":{}1{}}}"#,
            "[".repeat(8000),
            "]".repeat(8000)
        );
        assert!(read(&deep).is_err());
        for size in [
            "1e308",
            "-0",
            "0.5",
            "1e-5",
            &"9".repeat(400),
            &format!("1.{}", "0".repeat(400)),
        ] {
            let text = format!(r#"{{"filename":"a","size":{size}}}"#);
            if let Ok(fields) = read(&text) {
                assert_eq!(refused_fields(Value::Object(fields)), ["size"], "{size}");
            }
        }
        // Of two the last counts, and it is the one that is checked.
        let doubled = read(r#"{"filename":"a","size":1,"size":99999999}"#).unwrap();
        let problem = judge(Value::Object(doubled)).unwrap_err();
        assert_eq!(problem.code, Code::ContentTooLarge);
    }

    #[test]
    fn a_name_and_a_size_are_enough() {
        let new = judge(json!({"filename": "a b.pdf", "size": 0})).unwrap();
        assert_eq!(new.declared.filename.as_str(), "a_b.pdf");
        assert_eq!(new.declared.shown_name(), "a b.pdf");
        assert_eq!(new.declared.length.bytes(), 0);
        assert_eq!(new.declared.content_type.as_str(), "application/pdf");
        assert_eq!(new.declared.sha256, None);
    }

    #[test]
    fn null_is_the_same_as_left_out() {
        let body = json!({"filename": "a", "size": 1, "contentType": null, "sha256": null});
        assert_eq!(
            judge(body).unwrap().declared.content_type.as_str(),
            "application/octet-stream"
        );
        assert_eq!(
            refused_fields(json!({"filename": null, "size": null})),
            ["filename", "size"]
        );
    }

    #[test]
    fn an_empty_media_type_is_the_same_as_none() {
        let body = json!({"filename": "a.pdf", "size": 1, "contentType": ""});
        assert_eq!(
            judge(body).unwrap().declared.content_type.as_str(),
            "application/pdf"
        );
    }

    #[test]
    fn every_field_that_is_wrong_is_named_at_once() {
        let body = json!({
            "filename": "..",
            "size": "5",
            "contentType": "pdf",
            "sha256": "abc",
            "uploadMethod": "post",
            "deleteAfter": "in a week",
            "metadata": ["a"],
        });
        assert_eq!(
            refused_fields(body),
            [
                "filename",
                "size",
                "contentType",
                "sha256",
                "uploadMethod",
                "deleteAfter",
                "metadata"
            ]
        );
        assert_eq!(refused_fields(json!({})), ["filename", "size"]);
        assert_eq!(
            refused_fields(json!({"filename": 1, "size": 1})),
            ["filename"]
        );
        assert_eq!(
            refused_fields(json!({"filename": "a", "size": 1, "sha265": "x"})),
            ["(unknown)"]
        );
    }

    #[test]
    fn metadata_is_texts_by_name_within_their_bounds() {
        let with =
            |metadata: Value| judge(json!({"filename": "a", "size": 1, "metadata": metadata}));
        for none in [json!(null), json!({})] {
            assert!(with(none).unwrap().declared.metadata.is_empty());
        }
        let kept = with(json!({"course": "INF-1", "empty": ""})).unwrap();
        let expected = Declaration::sample().with_metadata(&[("course", "INF-1"), ("empty", "")]);
        assert_eq!(kept.declared.metadata, expected.metadata);
        let many: Map<String, Value> = (0..17).map(|n| (n.to_string(), "".into())).collect();
        for (refused, why) in [
            (json!("a=b"), "an object"),
            (json!([]), "an object"),
            (json!({"n": 1}), "strings"),
            (json!({"n": null}), "strings"),
            (json!({"n": {"a": "b"}}), "strings"),
            (json!({"": "x"}), "empty key"),
            (json!({"a\nb": "x"}), "control"),
            (json!({"a": "x".repeat(1024)}), "1024 bytes"),
            (Value::Object(many), "16 keys"),
        ] {
            let problem = with(refused).unwrap_err();
            assert_eq!(problem.errors.len(), 1);
            assert_eq!(problem.errors[0].field, "metadata");
            let message = &problem.errors[0].message;
            assert!(message.contains(why), "{message}");
        }
    }

    #[test]
    fn a_size_is_a_whole_number_that_is_not_negative() {
        for size in [
            json!(-1),
            json!(1.5),
            json!("1"),
            json!(true),
            json!([1]),
            json!(1e30),
        ] {
            assert_eq!(
                refused_fields(json!({"filename": "a", "size": size})),
                ["size"]
            );
        }
    }

    #[test]
    fn a_size_above_the_limit_is_too_large_and_not_merely_wrong() {
        let problem = judge(json!({"filename": "a", "size": 20_971_521})).unwrap_err();
        assert_eq!(problem.code, Code::ContentTooLarge);
        assert!(problem.detail.contains("20971520"), "{}", problem.detail);
        let problem = judge(json!({"filename": "a", "size": u64::MAX})).unwrap_err();
        assert_eq!(problem.code, Code::ContentTooLarge);
    }
}
