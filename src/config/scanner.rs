//! Whether files are scanned for viruses, by what, and what becomes of those that can't be.
//!
//! Invariant: nothing is guessed: an address that isn't exactly one is refused, since a service that was to scan and
//! doesn't would be worse than one that doesn't start.

use std::fmt;
use std::path::PathBuf;

use clap::Args;

use super::Problems;

/// The longest path of a Unix socket, in bytes (unix(7)).
const MAX_SOCKET_PATH: usize = 107;
/// The longest name of a host, in bytes.
const MAX_HOST: usize = 253;

const EXPECTED: &str = "must be off, guardduty, clamd:/path/of/a/socket or clamd:host:port, such as clamd:127.0.0.1:3310";

/// The flags about scanning, as text.
#[derive(Debug, Clone, Args)]
pub struct ScannerArgs {
    /// What scans files for viruses before they are available: clamd by its Unix socket, such as
    /// clamd:/run/clamav/clamd.ctl, or by host and port; or guardduty (aws mode), whose plan tags each object. Without an
    /// answer files stay pending. Nothing does if it is left out, and with off. In aws mode the workers scan, and say so in the table: the API then leaves all files to them,
    /// and a worker without a scanner starts only with off, which ends scanning once no worker scans any more
    #[arg(long, env = "SCANNER", value_name = "off|clamd:ADDRESS|guardduty")]
    pub scanner: Option<String>,
    /// What becomes of a file that the scanner can't look into, because it is encrypted or too large inside: reject, or
    /// allow
    #[arg(
        long,
        env = "SCAN_UNSCANNABLE",
        default_value = "reject",
        value_name = "reject|allow"
    )]
    pub scan_unscannable: String,
}

/// Where a clamd is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClamdAddress {
    /// A Unix socket on this machine.
    Unix(PathBuf),
    /// A host, which neither knows who asks nor hides what is sent.
    Tcp {
        /// A name or an address.
        host: String,
        /// Mostly 3310.
        port: u16,
    },
}

impl fmt::Display for ClamdAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "clamd at {}", path.display()),
            Self::Tcp { host, port } if host.contains(':') => write!(f, "clamd at [{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "clamd at {host}:{port}"),
        }
    }
}

/// What becomes of a file that the scanner can't look into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unscannable {
    /// It is rejected.
    #[default]
    Reject,
    /// It is taken as if nothing had been found.
    Allow,
}

/// What scans files, as it was set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ScannedBy {
    /// Nothing, since nobody said anything.
    #[default]
    NotSaid,
    /// Nothing, and that is meant.
    Nothing,
    /// A clamd.
    Clamd(ClamdAddress),
    /// GuardDuty, which tags the versions of a bucket.
    GuardDuty,
}

/// Whether files are scanned.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScannerSettings {
    /// What scans them.
    pub by: ScannedBy,
    /// What becomes of those that can't be.
    pub unscannable: Unscannable,
}

impl ScannerArgs {
    /// `None` if something isn't right; `problems` then says what.
    pub(super) fn judge(&self, problems: &mut Problems) -> Option<ScannerSettings> {
        let by = match &self.scanner {
            None => Some(ScannedBy::NotSaid),
            Some(text) => problems.judge("SCANNER", text, scanner),
        };
        let unscannable =
            problems.judge(
                "SCAN_UNSCANNABLE",
                &self.scan_unscannable,
                |text| match text {
                    "reject" => Ok(Unscannable::Reject),
                    "allow" => Ok(Unscannable::Allow),
                    _ => Err("must be reject or allow".into()),
                },
            );
        Some(ScannerSettings {
            by: by?,
            unscannable: unscannable?,
        })
    }
}

/// GuardDuty sees only what is in S3.
pub(super) fn scans_in_its_mode(
    scanner: &ScannerSettings,
    is_local: bool,
    problems: &mut Problems,
) {
    if is_local && scanner.by == ScannedBy::GuardDuty {
        problems.refuse(
            "SCANNER",
            "guardduty is for aws mode: it scans what is in S3, and nothing on this machine",
        );
    }
}

fn scanner(text: &str) -> Result<ScannedBy, String> {
    match text {
        "off" => Ok(ScannedBy::Nothing),
        "guardduty" => Ok(ScannedBy::GuardDuty),
        _ => clamd(text).map(ScannedBy::Clamd),
    }
}

fn clamd(text: &str) -> Result<ClamdAddress, String> {
    let address = text.strip_prefix("clamd:").ok_or(EXPECTED)?;
    if address.starts_with('/') {
        return match address.len() <= MAX_SOCKET_PATH && !address.contains('\0') {
            true => Ok(ClamdAddress::Unix(address.into())),
            false => Err(format!(
                "the path of a socket has at most {MAX_SOCKET_PATH} bytes"
            )),
        };
    }
    let (host, port) = address.rsplit_once(':').ok_or(EXPECTED)?;
    // Rust reads `+3310` as a number too.
    let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
    let port = port.parse().ok().filter(|port| is_number && *port != 0);
    let bracketed = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let host = match bracketed {
        Some(host) if host.parse::<std::net::Ipv6Addr>().is_ok() => host,
        None if is_host(host) => host,
        _ => return Err(EXPECTED.into()),
    };
    Ok(ClamdAddress::Tcp {
        host: host.to_owned(),
        port: port.ok_or(EXPECTED)?,
    })
}

fn is_host(host: &str) -> bool {
    let is_within = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    (1..=MAX_HOST).contains(&host.len()) && host.chars().all(is_within)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(scanner: &str, unscannable: &str) -> Result<ScannerSettings, String> {
        let args = ScannerArgs {
            scanner: Some(scanner.into()),
            scan_unscannable: unscannable.into(),
        };
        Problems::collected(|problems| args.judge(problems)).map_err(|it| it.to_string())
    }

    #[test]
    fn a_scanner_is_off_or_a_clamd_by_its_socket_or_its_host_and_port() {
        let tcp = |host: &str, port| {
            let host = host.into();
            ScannedBy::Clamd(ClamdAddress::Tcp { host, port })
        };
        for (text, expected) in [
            ("off", ScannedBy::Nothing),
            ("guardduty", ScannedBy::GuardDuty),
            (
                "clamd:/run/clamav/clamd.ctl",
                ScannedBy::Clamd(ClamdAddress::Unix("/run/clamav/clamd.ctl".into())),
            ),
            ("clamd:127.0.0.1:3310", tcp("127.0.0.1", 3310)),
            ("clamd:clamav:3310", tcp("clamav", 3310)),
            ("clamd:[::1]:3310", tcp("::1", 3310)),
        ] {
            let settings = judged(text, "reject").unwrap();
            assert_eq!(settings.by, expected, "{text}");
        }
        let said = judged("off", "allow").unwrap();
        assert_eq!(said.unscannable, Unscannable::Allow);
        // To say nothing isn't to say that nothing is to be scanned.
        let args = ScannerArgs {
            scanner: None,
            scan_unscannable: "reject".into(),
        };
        let not_said = Problems::collected(|problems| args.judge(problems)).unwrap();
        assert_eq!(not_said, ScannerSettings::default());
        assert_ne!(not_said.by, said.by);
    }

    #[test]
    fn what_is_no_scanner_is_refused_and_never_taken_for_off() {
        let long = format!("clamd:/{}", "x".repeat(MAX_SOCKET_PATH));
        for text in [
            "",
            "OFF",
            "on",
            "none",
            "clamd",
            "clamd:",
            "clamd:run/clamd.ctl",
            "clamd:localhost",
            "clamd:localhost:",
            "clamd:localhost:0",
            "clamd:localhost:+1",
            "clamd:localhost:65536",
            "clamd::3310",
            "clamd:::1:3310",
            "clamd:[::1:3310",
            "clamd:[x]:3310",
            "clamd:a b:3310",
            "clamd:a/b:3310",
            "GuardDuty",
            "guardduty:",
            "/run/clamav/clamd.ctl",
            &long,
        ] {
            let refused = judged(text, "reject").unwrap_err();
            assert!(refused.contains("\n  SCANNER:"), "{text}: {refused}");
        }
        for text in ["", "no", "Reject"] {
            let refused = judged("off", text).unwrap_err();
            assert!(
                refused.contains("\n  SCAN_UNSCANNABLE:"),
                "{text}: {refused}"
            );
        }
    }

    #[test]
    fn an_address_is_said_as_people_write_it() {
        for text in [
            "clamd:/run/clamd.ctl",
            "clamd:[::1]:3310",
            "clamd:clamav:3310",
        ] {
            let address = clamd(text).unwrap();
            assert_eq!(address.to_string(), text.replacen(':', " at ", 1));
        }
    }
}
