//! What each kind of value must look like.
//!
//! Invariant: a refusal says what would be right.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use http::Uri;
use tracing_subscriber::filter::{EnvFilter, LevelFilter};

use crate::domain::{AllowedTypes, FileEnding};

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
        let [shortest, longest] = [shortest, longest].map(in_units);
        return Err(format!("must lie between {shortest} and {longest}"));
    }
    Ok(duration)
}

/// As it would be written in a setting: in the largest unit that it is whole in.
fn in_units(duration: Duration) -> String {
    let units = [
        (86_400_000, "d"),
        (3_600_000, "h"),
        (60_000, "m"),
        (1_000, "s"),
        (1, "ms"),
    ];
    let millis = duration.as_millis();
    let whole = |unit: u128| millis > 0 && millis.is_multiple_of(unit);
    let found = units.into_iter().find(|(unit, _)| whole(*unit));
    found.map_or_else(
        || "0s".into(),
        |(unit, name)| format!("{}{name}", millis / unit),
    )
}

/// A number of bytes, or one with a unit: `5MB` and `500kB` are thousands, `10MiB` and `512KiB` are 1,024s.
///
/// # Errors
/// Anything else, and what lies outside `least..=most`.
pub(super) fn bytes(text: &str, least: u64, most: u64) -> Result<u64, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => Some(1),
        "kb" => Some(1_000),
        "mb" => Some(1_000_000),
        "gb" => Some(1_000_000_000),
        "kib" => Some(1 << 10),
        "mib" => Some(1 << 20),
        "gib" => Some(1 << 30),
        _ => None,
    };
    factor
        .and_then(|factor| number.parse::<u64>().ok()?.checked_mul(factor))
        .filter(|bytes| (least..=most).contains(bytes))
        .ok_or_else(|| match most {
            u64::MAX => {
                format!("must be a size of at least {least} bytes, such as 10MiB, 512KiB or 5MB")
            }
            most => {
                format!("must be a size from {least} to {most} bytes, such as 10MiB, 512KiB or 5MB")
            }
        })
}

/// Where to listen: an address and a port; `localhost` is this machine alone, and no address is all of
/// this machine's.
pub(super) fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let port = |text: &str| text.parse::<u16>().ok();
    let address = match text.rsplit_once(':') {
        Some(("", number)) => port(number).map(|port| (Ipv4Addr::UNSPECIFIED, port).into()),
        Some((name, number)) if name.eq_ignore_ascii_case("localhost") => {
            port(number).map(|port| (Ipv4Addr::LOCALHOST, port).into())
        }
        _ => text.parse().ok(),
    };
    address.ok_or_else(|| {
        "must be an address and a port such as 127.0.0.1:8000 or localhost:8000, or :8000 for all addresses"
            .to_owned()
    })
}

/// Host names, separated by commas, in lower case; `*.` before one means every name below it.
pub(super) fn allowed_hosts(text: &str) -> Result<Vec<String>, String> {
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    let names = text
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty());
    names
        .map(|name| {
            let whole = name.strip_suffix('.').unwrap_or(name);
            let domain = whole.strip_prefix("*.").unwrap_or(whole);
            match domain.split('.').all(is_label) {
                true => Ok(whole.to_ascii_lowercase()),
                false => Err(format!(
                    "must be host names such as files.lan, or *.lan for all below it, without scheme and \
                     port, separated by commas; {name:?} is none"
                )),
            }
        })
        .collect()
}

/// Endings of names, separated by commas; none: all are taken.
pub(super) fn allowed_types(text: &str) -> Result<AllowedTypes, String> {
    let endings = text.split(',').map(str::trim).filter(|it| !it.is_empty());
    let endings = endings.map(|ending| {
        FileEnding::parse(ending)
            .map_err(|invalid| format!("{invalid}, separated by commas; {ending:?} is none"))
    });
    let endings = endings.collect::<Result<Vec<_>, _>>()?;
    AllowedTypes::new(endings).map_err(|invalid| invalid.0)
}

/// An absolute `http` or `https` URL without a query.
///
/// # Errors
/// Anything else.
pub fn url(text: &str) -> Result<Uri, String> {
    let uri: Uri = text.parse().map_err(
        |_| "must be a URL that begins with http:// or https://, such as https://files.example.org",
    )?;
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    if is_http
        && uri.authority().is_some_and(|a| !a.as_str().contains('@'))
        && uri.query().is_none()
    {
        Ok(uri)
    } else {
        Err(
            "must be a URL that begins with http:// or https://, such as https://files.example.org"
                .into(),
        )
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
    origins.iter().try_for_each(|text| origin(text))?;
    Ok(origins
        .iter()
        .map(|text| text.trim_end_matches('/').to_owned())
        .collect())
}

/// Whether a browser can ever send it as an `Origin`, if not with every port in it.
fn origin(text: &str) -> Result<(), String> {
    let refused = |why: &str| Err(format!("{why}; {text:?} is none"));
    if text.contains('*') {
        return refused(
            "has to name each origin, such as https://app.example.org, or be * alone for all",
        );
    }
    if !text.is_ascii() {
        return refused("must be origins as browsers send them, with international names as xn--…");
    }
    match url(text) {
        Ok(uri) if uri.path() == "/" && !text.ends_with("//") => Ok(()),
        _ => refused(
            "must be origins such as https://app.example.org, without a path, separated by commas",
        ),
    }
}

/// With what the names of the parts that log something begin.
const TARGETS: [&str; 8] = [
    "file_share",
    "aws",
    "hyper",
    "h2",
    "rustls",
    "tokio",
    "poem",
    "tower",
];

/// What is logged where nobody said what.
pub(super) const DEFAULT_LOG_FILTER: &str = "info";

/// What a filter of `tracing_subscriber` is; an empty text is the default.
pub(super) fn log_filter(text: &str) -> Result<String, String> {
    let text = match text {
        "" => DEFAULT_LOG_FILTER,
        text => text,
    };
    // A word that is no level is taken for a part of the program, of which then everything is logged, and
    // of all others nothing: hardly what somebody meant who wrote `inof`.
    let is_plain = |word: &&str| !word.is_empty() && !word.contains(['=', '[']);
    let is_known = |word: &str| {
        word.parse::<LevelFilter>().is_ok() || TARGETS.iter().any(|target| word.starts_with(target))
    };
    if let Some(word) = text
        .split(',')
        .map(str::trim)
        .filter(is_plain)
        .find(|word| !is_known(word))
    {
        return Err(format!(
            "{word:?} is no level: those are error, warn, info, debug, trace and off, for all or for a part \
             such as file_share=debug"
        ));
    }
    EnvFilter::try_new(text)
        .map(|_| text.to_owned())
        .map_err(|error| {
            format!("must be a level such as info, or parts with levels such as file_share=debug,warn: {error}")
        })
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
        let said = |shortest, longest| duration("1ms", shortest, longest).unwrap_err();
        let (half, week) = (Duration::from_millis(500), Duration::from_secs(604_800));
        assert_eq!(said(half, week), "must lie between 500ms and 7d");
        let (minute, hours) = (Duration::from_secs(60), Duration::from_secs(43_200));
        assert_eq!(said(minute, hours), "must lie between 1m and 12h");
    }

    #[test]
    fn sizes_have_units_too() {
        let parse = |text| bytes(text, 0, 20 << 20);
        for (text, expected) in [
            ("20971520", 20_971_520),
            ("0", 0),
            ("10MiB", 10 << 20),
            ("512 KiB", 512 << 10),
            ("5MB", 5_000_000),
            ("5mb", 5_000_000),
            ("12kB", 12_000),
            ("7B", 7),
        ] {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
        for text in [
            "",
            "MiB",
            "1.5MiB",
            "-1",
            "5M",
            "21MiB",
            "1GiB",
            "99999999999999GiB",
            "5 bytes",
        ] {
            let refused = parse(text).unwrap_err();
            assert!(
                refused.contains("20971520") && refused.contains("MiB"),
                "{refused}"
            );
        }
    }

    #[test]
    fn an_address_to_listen_on_may_be_a_port_of_this_machine_or_of_all_its_addresses() {
        for (text, expected) in [
            ("127.0.0.1:8000", "127.0.0.1:8000"),
            ("[::1]:80", "[::1]:80"),
            (":8000", "0.0.0.0:8000"),
            ("localhost:8000", "127.0.0.1:8000"),
            ("LocalHost:0", "127.0.0.1:0"),
        ] {
            assert_eq!(listen_address(text).unwrap().to_string(), expected);
        }
        for text in [
            "",
            ":",
            "8000",
            "localhost",
            "localhost:",
            "files.lan:8000",
            ":99999",
            "::1",
        ] {
            assert!(listen_address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn allowed_hosts_are_names_or_all_below_one() {
        let hosts = allowed_hosts("Files.lan., *.Tailnet.example,host.docker.internal,").unwrap();
        assert_eq!(
            hosts,
            ["files.lan", "*.tailnet.example", "host.docker.internal"]
        );
        assert_eq!(allowed_hosts("").unwrap().len(), 0);
        for text in [
            "*",
            "*.",
            "a.*.lan",
            "http://files.lan",
            "files.lan:8000",
            "a..b",
            "bücher.lan",
            "-a",
        ] {
            let refused = allowed_hosts(text).unwrap_err();
            assert!(refused.contains("files.lan"), "{refused}");
        }
    }

    #[test]
    fn allowed_types_are_endings_and_none_means_all() {
        let types = allowed_types(".PDF, docx,png,").unwrap();
        assert_eq!(types.to_texts(), ["docx", "pdf", "png"]);
        assert!(allowed_types("").unwrap().are_all());
        for text in ["*", "*.pdf", "application/pdf", "tar.gz", "pdf docx"] {
            let refused = allowed_types(text).unwrap_err();
            assert!(refused.contains("such as pdf"), "{refused}");
        }
    }

    #[test]
    fn an_origin_that_no_browser_sends_is_refused_with_what_to_write() {
        assert_eq!(
            origins("https://a.example:443/").unwrap(),
            ["https://a.example:443"]
        );
        for (text, advice) in [
            ("https://*.example.org", "name each"),
            ("https://*", "name each"),
            ("https://bücher.example", "xn--"),
            ("https://a.example/x", "without a path"),
            ("https://a.example//", "without a path"),
            ("a.example", "https://app.example.org"),
            ("null", "https://app.example.org"),
        ] {
            let refused = origins(text).unwrap_err();
            assert!(refused.contains(advice), "{text}: {refused}");
        }
    }

    #[test]
    fn a_log_filter_may_be_empty_and_must_make_sense() {
        for text in [
            "INFO",
            "off",
            "file_share=debug,warn",
            "file_share::api",
            "info,hyper=trace",
            "[request]=debug",
        ] {
            assert_eq!(log_filter(text).as_deref(), Ok(text));
        }
        for text in ["inof", "debug,wran", "verbose"] {
            assert!(
                log_filter(text).unwrap_err().contains("is no level"),
                "{text}"
            );
        }
        assert_eq!(log_filter("").as_deref(), Ok("info"));
        assert_eq!(log_filter("debug").as_deref(), Ok("debug"));
        assert!(log_filter("file_share=loud").is_err());
    }
}
