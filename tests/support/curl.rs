//! The real curl, as a user runs it.

use std::process::Command;

use serde_json::Value;

/// Runs curl and gives what it printed.
pub(crate) fn curl(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--max-time", "60"])
        .args(arguments)
        .output()
        .expect("curl is installed");
    assert!(
        output.status.success(),
        "curl failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// Runs curl for a JSON answer.
pub(crate) fn curl_json(arguments: &[&str]) -> Value {
    let output = curl(arguments);
    serde_json::from_slice(&output)
        .unwrap_or_else(|_| panic!("not JSON: {}", String::from_utf8_lossy(&output)))
}

/// Runs curl and gives the status alone.
pub(crate) fn curl_status(arguments: &[&str]) -> String {
    let mut all = vec!["--output", "/dev/null", "--write-out", "%{http_code}"];
    all.extend(arguments);
    String::from_utf8(curl(&all)).expect("a status is text")
}

/// Creates a file with curl.
pub(crate) fn create(base: &str, body: &Value) -> Value {
    curl_json(&[
        &format!("{base}/v1/files"),
        "--header",
        "Content-Type: application/json",
        "--data",
        &body.to_string(),
    ])
}

/// The arguments that send a form with the fields of `created`, and the file at `path` as its last one.
pub(crate) fn form_arguments(created: &Value, path: &std::path::Path) -> Vec<String> {
    let upload = &created["upload"];
    let fields = upload["fields"].as_object().expect("fields");
    let mut arguments: Vec<String> = fields
        .iter()
        .flat_map(|(name, value)| {
            let value = value.as_str().expect("text");
            ["--form-string".to_owned(), format!("{name}={value}")]
        })
        .collect();
    arguments.extend(["--form".to_owned(), format!("file=@{}", path.display())]);
    arguments.push(upload["url"].as_str().expect("a URL").to_owned());
    arguments
}

/// Sends a file as a form, as `created` says; the status.
pub(crate) fn upload_form(created: &Value, path: &std::path::Path) -> String {
    let arguments = form_arguments(created, path);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    curl_status(&arguments)
}

/// Sends a file's bytes where `created` says, with the headers that it lists; the status.
pub(crate) fn upload(created: &Value, path: &std::path::Path) -> String {
    let upload = &created["upload"];
    let path = path.to_str().expect("a path of ours is text");
    let headers: Vec<String> = upload["headers"]
        .as_object()
        .expect("headers")
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.as_str().expect("text")))
        .collect();
    let mut arguments = vec!["--upload-file", path];
    for header in &headers {
        arguments.extend(["--header", header]);
    }
    arguments.push(upload["url"].as_str().expect("a URL"));
    curl_status(&arguments)
}
