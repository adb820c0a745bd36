//! `fshare qr` and `fshare upload --qr`: a link as a picture that phones read from a screen or a projector.
//!
//! **Invariant:** dark on light whatever colours a terminal has, with the light zone around it that readers need. The
//! code's link is the one that others can open, as far as the service knows it; one that they can't is said to be so.

use std::io::{self, IsTerminal};
use std::time::Duration;

use qrcodegen::{QrCode, QrCodeEcc};
use serde_json::json;
use tokio::time::timeout;

use crate::address::{base_of, is_for_this_machine, parse_file, parse_share};
use crate::api_client::ApiClient;
use crate::error::CliError;
use crate::output::Output;

/// How long the service may take to say where others reach it. The link is there without it.
const ASK_LIMIT: Duration = Duration::from_secs(5);
/// In modules, as ISO/IEC 18004 has it.
const QUIET_ZONE: i32 = 4;
/// Black on white, of the 256 colours that a theme doesn't change.
const COLOURS: &str = "\x1b[38;5;16;48;5;231m";
const NO_COLOURS: &str = "\x1b[0m";
const ONLY_HERE: &str = "only this computer can open this link: start the service with LISTEN=0.0.0.0:8000, or set its \
     PUBLIC_URL to where others reach it";

/// Shows the code of a file's link, or of a share's.
///
/// # Errors
/// It is neither, too long, or nobody reads it any more.
pub(crate) async fn show(service: &ApiClient, file: &str, output: &Output) -> Result<(), CliError> {
    let link = match parse_share(file)? {
        Some(share) => share.page(),
        None => {
            let (service, id) = parse_file(file, service)?;
            let links = LinksForOthers::of(&service).await;
            links.named(&service.link(id))
        }
    };
    let code = encode(&link)?;
    if output.json {
        return output.json_line(&json!({ "link": link, "modules": modules(&code) }));
    }
    output.picture(&blocks(&code, io::stdout().is_terminal()))?;
    output.result(&link)?;
    note_if_only_here(&link, output);
    Ok(())
}

/// How links begin that are passed on to others.
pub(crate) struct LinksForOthers {
    own: String,
    others: String,
}

impl LinksForOthers {
    /// As the service says it; its address as it is asked, if it says nothing.
    pub(crate) async fn of(service: &ApiClient) -> Self {
        let asked = timeout(ASK_LIMIT, service.session()).await;
        let said = asked.ok().and_then(Result::ok);
        let said = said.and_then(|session| session.share_base);
        // What it says stands in a link: an address of a server and nothing else.
        let said = said.and_then(|base| base_of(&base).ok());
        let own = service.base().to_owned();
        let others = said.unwrap_or_else(|| own.clone());
        Self { own, others }
    }

    /// A link of the service's, as others open it.
    fn named(&self, link: &str) -> String {
        match link.strip_prefix(&self.own) {
            Some(path) => format!("{}{path}", self.others),
            None => link.to_owned(),
        }
    }

    /// Shows its code to whoever watches, and whose it is.
    pub(crate) fn show_beside(&self, link: &str, shown: &str, output: &Output) {
        let link = self.named(link);
        match encode(&link) {
            Ok(code) => output.picture_beside(&blocks(&code, io::stderr().is_terminal())),
            Err(failure) => output.note(&format!("fshare: {failure}")),
        }
        output.note(&format!("{shown}: {link}"));
        note_if_only_here(&link, output);
    }
}

fn note_if_only_here(link: &str, output: &Output) {
    if is_for_this_machine(link) {
        output.note(&format!("fshare: {ONLY_HERE}"));
    }
}

fn encode(link: &str) -> Result<QrCode, CliError> {
    QrCode::encode_text(link, QrCodeEcc::Medium)
        .map_err(|_| CliError::Usage("the link is too long for a QR code".to_owned()))
}

/// Rows of 1 (dark) and 0, without the light zone.
fn modules(code: &QrCode) -> Vec<String> {
    let row = |y| {
        let modules = (0..code.size()).map(|x| if code.get_module(x, y) { '1' } else { '0' });
        modules.collect()
    };
    (0..code.size()).map(row).collect()
}

/// Lines of half blocks, two rows in each, with the light zone around the code.
fn blocks(code: &QrCode, is_coloured: bool) -> Vec<String> {
    let all = -QUIET_ZONE..code.size() + QUIET_ZONE;
    // What lies outside the code is light.
    let block = |x, y| match (code.get_module(x, y), code.get_module(x, y + 1)) {
        (true, true) => '█',
        (true, false) => '▀',
        (false, true) => '▄',
        (false, false) => ' ',
    };
    let (before, behind) = if is_coloured {
        (COLOURS, NO_COLOURS)
    } else {
        ("", "")
    };
    let line = |y| {
        let blocks: String = all.clone().map(|x| block(x, y)).collect();
        format!("{before}{blocks}{behind}")
    };
    all.clone().step_by(2).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_of_the_service_is_named_as_others_open_it_and_any_other_as_it_is() {
        let links = LinksForOthers {
            own: "http://127.0.0.1:8000".to_owned(),
            others: "https://files.example/p".to_owned(),
        };
        let named = links.named("http://127.0.0.1:8000/f/1");
        assert_eq!(named, "https://files.example/p/f/1");
        assert_eq!(links.named("http://other/f/1"), "http://other/f/1");
    }

    #[test]
    fn a_link_that_no_code_can_hold_is_refused() {
        assert!(encode(&"x".repeat(2331)).is_ok());
        assert!(encode(&"x".repeat(2332)).is_err());
    }

    #[test]
    fn the_lines_have_the_light_zone_on_all_sides_and_colours_only_if_they_are_wanted() {
        let code = encode("http://127.0.0.1:8000/f/1").unwrap();
        let plain = blocks(&code, false);
        let width = usize::try_from(code.size() + 2 * QUIET_ZONE).unwrap();
        assert!(plain.iter().all(|line| line.chars().count() == width));
        assert_eq!(plain.len(), width.div_ceil(2));
        for line in [&plain[0], &plain[1], plain.last().unwrap()] {
            assert_eq!(line.trim(), "", "{plain:?}");
        }
        assert!(
            plain
                .iter()
                .all(|line| line.starts_with("    ") && line.ends_with("    "))
        );
        let coloured = blocks(&code, true);
        assert_eq!(coloured[3], format!("{COLOURS}{}{NO_COLOURS}", plain[3]));
    }
}
