//! `fshare qr` and `fshare upload --qr`: a link as a picture that phones read from a screen or a projector.
//!
//! **Invariant:** dark on light whatever colours a terminal has, with the light zone around it that readers need. The
//! code's link is the one that others can open, as far as the service knows it; one that they can't is said to be so.

use std::io::{self, IsTerminal};

use qrcodegen::{QrCode, QrCodeEcc};
use serde_json::json;

use crate::address::{parse_capability, parse_file};
use crate::api_client::ApiClient;
use crate::error::CliError;
use crate::links_for_others::only_here;
use crate::output::Output;

/// In modules, as ISO/IEC 18004 has it.
const QUIET_ZONE: i32 = 4;
/// Black on white, of the 256 colours that a theme doesn't change.
const COLOURS: &str = "\x1b[38;5;16;48;5;231m";
const NO_COLOURS: &str = "\x1b[0m";

/// Shows the code of a file's link, of one that was passed on, or of a box's.
///
/// # Errors
/// It is none of these, too long, or nobody reads it any more.
pub(crate) async fn show(service: &ApiClient, file: &str, output: &Output) -> Result<(), CliError> {
    let link = match parse_capability(file)? {
        // Of another service it isn't known by which address others reach it.
        Some(page) if service.leads_here(&page.base) => {
            service.links_for_others().await.named(&page.page())
        }
        Some(page) => page.page(),
        None => {
            let (service, id) = parse_file(file, service).await?;
            service.links_for_others().await.page_of(id)
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

/// Shows a link's code to whoever watches, and whose it is.
pub(crate) fn show_beside(link: &str, shown: &str, output: &Output) {
    match encode(link) {
        Ok(code) => output.picture_beside(&blocks(&code, io::stderr().is_terminal())),
        Err(failure) => output.note(&format!("fshare: {failure}")),
    }
    output.note(&format!("{shown}: {link}"));
    note_if_only_here(link, output);
}

fn note_if_only_here(link: &str, output: &Output) {
    if let Some(said) = only_here(link) {
        output.note(&said);
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
