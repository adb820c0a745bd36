//! What a person who just started the program wants to know: where it is reached, and how to get in.
//!
//! Invariant: every address is one that can be opened, and the key is shown once, to a person at a terminal. Standard
//! output often ends in a log.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::RequiredKey;
use crate::access::LocalKey;
use crate::config::{ApiSettings, Mode};

/// Of a machine without an address that others could reach.
const IN_NO_NETWORK: &str = "reach it once this machine is in a network";
/// How wide the names of the lines are.
const NAME_CHARS: usize = 10;

/// What is said at the start.
#[derive(Debug)]
pub struct Greeting<'a> {
    /// Of the service.
    pub settings: &'a ApiSettings,
    /// What it listens on.
    pub listening: SocketAddr,
    /// Where others reach that, the likeliest first.
    pub reached: Vec<SocketAddr>,
    /// What callers have to show, if they have to.
    pub key: Option<&'a RequiredKey>,
    /// Whether it goes to a terminal.
    pub is_read_by_a_person: bool,
}

impl fmt::Display for Greeting<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bases = self.bases();
        let base = &bases[0];
        writeln!(f, "File Share Service on {base} ({})", self.place())?;
        lines(f, "also at", &bases[1..])?;
        if self.is_in_no_network() {
            lines(f, "others", &[IN_NO_NETWORK.to_owned()])?;
        }
        lines(f, "sign in", &self.sign_in(&bases))?;
        lines(f, "explorer", &[format!("{base}/explorer")])?;
        lines(f, "Swagger UI", &[format!("{base}/docs")])?;
        let header = self.bearer();
        let call = format!(
            "curl -s {base}/v1/files{header} -H 'Content-Type: application/json' \
             -d '{{\"filename\":\"hello.txt\",\"size\":5}}'"
        );
        lines(f, "try it", &[call])
    }
}

/// One line each; only the first has the name.
fn lines(f: &mut fmt::Formatter<'_>, name: &str, texts: &[String]) -> fmt::Result {
    for (at, text) in texts.iter().enumerate() {
        let name = if at == 0 { name } else { "" };
        writeln!(f, "  {name:NAME_CHARS$} {text}")?;
    }
    Ok(())
}

impl Greeting<'_> {
    /// Where people reach it, the likeliest first. Never empty.
    fn bases(&self) -> Vec<String> {
        if let Some(url) = &self.settings.public_url {
            return vec![url.to_string().trim_end_matches('/').to_owned()];
        }
        if self.reached.is_empty() {
            return vec![format!("http://{}", self.on_this_machine())];
        }
        let bases = self.reached.iter();
        bases.map(|address| format!("http://{address}")).collect()
    }

    /// Where this machine reaches it that has no other address.
    fn on_this_machine(&self) -> SocketAddr {
        match self.listening {
            SocketAddr::V4(at) if at.ip().is_unspecified() => {
                (Ipv4Addr::LOCALHOST, at.port()).into()
            }
            SocketAddr::V6(at) if at.ip().is_unspecified() => {
                (Ipv6Addr::LOCALHOST, at.port()).into()
            }
            address => address,
        }
    }

    /// Whether others were meant to reach it, and can't.
    fn is_in_no_network(&self) -> bool {
        self.settings.public_url.is_none()
            && self.listening.ip().is_unspecified()
            && self.reached.is_empty()
    }

    fn place(&self) -> String {
        match &self.settings.mode {
            Mode::Local { data_dir } => {
                format!("files and records are kept in {}", data_dir.display())
            }
            Mode::Aws { .. } => format!(
                "bucket {}, table {}",
                self.settings.common.bucket_name, self.settings.common.table_name
            ),
        }
    }

    /// How somebody signs in. The key stands behind a `#`, which browsers send to nobody.
    fn sign_in(&self, bases: &[String]) -> Vec<String> {
        match (self.key, &self.settings.mode) {
            (Some(key), Mode::Local { .. }) if key.is_new && self.is_read_by_a_person => {
                let key = key.key.expose();
                let links = bases.iter().map(|base| format!("{base}/#key={key}"));
                links.collect()
            }
            (Some(_), Mode::Local { data_dir }) => {
                let file = data_dir.join(LocalKey::FILE_NAME);
                vec![format!("with the key in {}", file.display())]
            }
            (None, _) | (_, Mode::Aws { .. }) => Vec::new(),
        }
    }

    /// What shows the key to a call of curl, and to no eye that looks on.
    fn bearer(&self) -> String {
        match (self.key, &self.settings.mode) {
            (Some(_), Mode::Local { data_dir }) => {
                let file = data_dir.join(LocalKey::FILE_NAME);
                format!(" -H \"Authorization: Bearer $(cat '{}')\"", file.display())
            }
            (None, _) | (_, Mode::Aws { .. }) => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::config::ApiArgs;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: ApiArgs,
    }

    /// What is said of a service with these flags that listens and is reached there.
    fn said(
        flags: &[&str],
        listening: &str,
        reached: &[&str],
        key: Option<&RequiredKey>,
    ) -> String {
        let flags = std::iter::once(&"file-share").chain(flags);
        let settings = Cli::parse_from(flags).args.judge().unwrap();
        let greeting = Greeting {
            settings: &settings,
            listening: listening.parse().unwrap(),
            reached: reached.iter().map(|one| one.parse().unwrap()).collect(),
            key,
            is_read_by_a_person: true,
        };
        greeting.to_string()
    }

    #[test]
    fn every_address_that_others_reach_has_a_line_and_the_first_is_the_likeliest() {
        let reached = ["192.168.1.7:8000", "[fd00::2]:8000", "10.8.0.2:8000"];
        let said = said(&["--access=open"], "[::]:8000", &reached, None);
        let lines: Vec<_> = said.lines().take(4).collect();
        let expected = [
            "File Share Service on http://192.168.1.7:8000 (files and records are kept in data)",
            "  also at    http://[fd00::2]:8000",
            "             http://10.8.0.2:8000",
            "  explorer   http://192.168.1.7:8000/explorer",
        ];
        assert_eq!(lines, expected);
        assert!(!said.contains("[::]"), "{said}");
    }

    #[test]
    fn the_key_is_shown_in_a_link_of_each_address_to_the_person_at_the_first_start_alone() {
        let dir = tempfile::tempdir().unwrap();
        let key = |is_new| RequiredKey {
            key: LocalKey::load_or_create(dir.path()).unwrap(),
            is_new,
        };
        let reached = ["192.168.1.7:8000", "[fd00::2]:8000"];
        let (first, later) = (key(true), key(false));
        let text = first.key.expose();
        let shown = said(&[], "[::]:8000", &reached, Some(&first));
        for base in [
            "  sign in    http://192.168.1.7:8000",
            "             http://[fd00::2]:8000",
        ] {
            assert!(
                shown.contains(&format!("\n{base}/#key={text}\n")),
                "{shown}"
            );
        }
        assert_eq!(shown.matches(text).count(), 2, "{shown}");
        let shown = said(&[], "[::]:8000", &reached, Some(&later));
        assert!(!shown.contains(text), "{shown}");
        assert!(shown.contains("  sign in    with the key in data/access-key\n"));
    }

    #[test]
    fn a_public_url_is_the_only_address_that_is_named() {
        let flags = [
            "--public-url=https://files.example.org/course/",
            "--access=open",
        ];
        let said = said(&flags, "0.0.0.0:8000", &["192.168.1.7:8000"], None);
        assert!(said.starts_with("File Share Service on https://files.example.org/course ("));
        assert!(
            !said.contains("192.168.1.7") && !said.contains("also at"),
            "{said}"
        );
    }

    #[test]
    fn a_machine_in_no_network_is_named_as_it_reaches_itself_and_says_so() {
        for (listening, base) in [
            ("0.0.0.0:8000", "http://127.0.0.1:8000"),
            ("[::]:8000", "http://[::1]:8000"),
        ] {
            let said = said(&["--access=open"], listening, &[], None);
            assert!(
                said.starts_with(&format!("File Share Service on {base} (")),
                "{said}"
            );
            assert!(said.contains("  others     reach it once"), "{said}");
        }
        let said = said(&[], "127.0.0.1:8000", &[], None);
        assert!(said.starts_with("File Share Service on http://127.0.0.1:8000 ("));
        assert!(!said.contains("others"), "{said}");
    }
}
