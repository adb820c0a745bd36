//! What each kind of value must look like.
//!
//! Invariant: a refusal says what would be right.

use std::time::Duration;

use http::Uri;
use tracing_subscriber::filter::EnvFilter;

/// A number with a unit: `500ms`, `30s`, `15m`, `12h`, `7d`; without one, seconds.
///
/// # Errors
/// Anything else, and what lies outside `shortest..=longest`.
pub fn duration(text: &str, shortest: Duration, longest: Duration) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let millis = match unit.trim() {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err("must be a time such as 30s, 15m or 12h".into()),
    };
    let duration = number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(millis))
        .map(Duration::from_millis)
        .ok_or("must be a time such as 30s, 15m or 12h")?;
    if duration < shortest || duration > longest {
        return Err(format!("must lie between {shortest:?} and {longest:?}"));
    }
    Ok(duration)
}

/// An absolute `http` or `https` URL without a query.
///
/// # Errors
/// Anything else.
pub fn url(text: &str) -> Result<Uri, String> {
    let uri: Uri = text
        .parse()
        .map_err(|_| "must be a URL such as https://files.example.org")?;
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    if is_http
        && uri.authority().is_some_and(|a| !a.as_str().contains('@'))
        && uri.query().is_none()
    {
        Ok(uri)
    } else {
        Err("must be a URL such as https://files.example.org".into())
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>, the part that
/// keeps a name usable as a path and as a label.
pub(super) fn bucket_name(text: &str) -> Result<String, String> {
    let good = (3..=63).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.'))
        && !text.starts_with(['-', '.'])
        && !text.ends_with(['-', '.'])
        && !text.contains("..");
    if good {
        Ok(text.to_owned())
    } else {
        Err("must have 3 to 63 lower-case letters, digits, hyphens and dots".into())
    }
}

/// The naming rules of DynamoDB's API reference, CreateTable.
pub(super) fn table_name(text: &str) -> Result<String, String> {
    let good = (3..=255).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
    if good {
        Ok(text.to_owned())
    } else {
        Err("must have 3 to 255 letters, digits, hyphens, dots and underscores".into())
    }
}

pub(super) fn origins(text: &str) -> Result<Vec<String>, String> {
    let origins: Vec<String> = text
        .split(',')
        .map(str::trim)
        .filter(|o| !o.is_empty())
        .map(str::to_owned)
        .collect();
    if origins.iter().any(|origin| origin == "*") {
        return if origins.len() == 1 {
            Ok(origins)
        } else {
            Err("* stands alone".into())
        };
    }
    let is_origin =
        |text: &String| url(text).is_ok_and(|uri| uri.path() == "/" && !text.ends_with('/'));
    if origins.iter().all(is_origin) {
        Ok(origins)
    } else {
        Err(
            "must be origins such as https://app.example.org, without a path, separated by commas"
                .into(),
        )
    }
}

/// What is logged where nobody said what.
pub(super) const DEFAULT_LOG_FILTER: &str = "info";

/// What a filter of `tracing_subscriber` is; an empty text is the default.
pub(super) fn log_filter(text: &str) -> Result<String, String> {
    let text = match text {
        "" => DEFAULT_LOG_FILTER,
        text => text,
    };
    EnvFilter::try_new(text)
        .map(|_| text.to_owned())
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        let parse = |text| duration(text, Duration::ZERO, Duration::from_secs(86_400));
        assert_eq!(parse("90"), Ok(Duration::from_secs(90)));
        assert_eq!(parse("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse("15m"), Ok(Duration::from_secs(900)));
        for text in [
            "",
            "m",
            "1.5h",
            "5 minutes",
            "-3s",
            "99999999999999999999s",
            "2d",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_log_filter_may_be_empty_and_must_make_sense() {
        assert_eq!(log_filter("").as_deref(), Ok("info"));
        assert_eq!(log_filter("debug").as_deref(), Ok("debug"));
        assert!(log_filter("file_share=loud").is_err());
    }
}
