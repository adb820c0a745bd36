//! Whether what a file is fits the name that it has.
//!
//! Invariant: what does something where it is opened has a name that says so, or one that says nothing. Of a file whose
//! name has to be true, it is true: what it says can be seen in the bytes. A file whose name says nothing is never
//! refused.

use super::detection::{Detected, EMPTY, Nature, ZIP};
use super::families::{Active, Expected, expected};
use crate::domain::{ContentType, Declaration, RejectionReason};

/// Judges the bytes of a file by its name.
///
/// # Errors
/// The reason to reject the file.
pub fn judge(declared: &Declaration, detected: &Detected) -> Result<(), RejectionReason> {
    for ending in declared.endings().into_iter().flatten() {
        judge_ending(ending.as_str(), declared.type_has_to_fit, detected).map_err(|found| {
            let found = ContentType::parse(found).unwrap_or_else(|_| ContentType::unknown());
            RejectionReason::content_mismatch(&ending, found)
        })?;
    }
    Ok(())
}

/// What the file is that it may not be under a name that ends so.
fn judge_ending<'a>(ending: &str, has_to_fit: bool, detected: &'a Detected) -> Result<(), &'a str> {
    let Some(expected) = expected(ending) else {
        return Ok(());
    };
    let actives = [detected.active, detected.active_behind];
    let mut actives = actives.into_iter().flatten();
    let says_so = actives.clone().any(|it| it.is_called(ending));
    // Something else may lie behind a program, which runs as what it is called.
    if !says_so && let Some(active) = actives.find(|it| !it.may_be_called(ending)) {
        return Err(match detected.active {
            Some(front) if front == active => detected.media_type.as_str(),
            _ => behind(active),
        });
    }
    match has_to_fit {
        true => judge_type(expected, detected),
        false => Ok(()),
    }
}

/// What lies behind the file that it seems to be.
fn behind(active: Active) -> &'static str {
    match active {
        Active::AndroidPackage => "application/vnd.android.package-archive",
        _ => "application/java-archive",
    }
}

/// Whether the file can be seen to be what is expected.
fn judge_type(expected: Expected, detected: &Detected) -> Result<(), &str> {
    let media_type = detected.media_type.as_str();
    let fits = match expected {
        Expected::Types(types) => types.contains(&media_type),
        Expected::Office(types) => {
            types.contains(&media_type) || detected.nature == Nature::EncryptedOffice
        }
        Expected::Zip => detected.nature == Nature::Zip,
        Expected::Text => is_text(detected),
        Expected::Active(active) => {
            [detected.active, detected.active_behind].contains(&Some(active))
        }
        Expected::Anything => true,
    };
    if !fits {
        return Err(media_type);
    }
    // Two things at once: a picture, and an archive behind it.
    let is_two_things = matches!(
        detected.nature,
        Nature::Binary {
            has_zip_behind: true,
            ..
        }
    );
    match expected {
        Expected::Types(_) | Expected::Office(_) if is_two_things => Err(ZIP),
        _ => Ok(()),
    }
}

/// Text, in whatever encoding: it has no NUL, and isn't known to be anything else. An empty file is one as well.
fn is_text(detected: &Detected) -> bool {
    let media_type = detected.media_type.as_str();
    match detected.nature {
        Nature::Empty => media_type == EMPTY,
        // Printed pages are written in letters too, and are none of those that names of texts promise.
        Nature::Text => !matches!(
            media_type,
            "application/pdf" | "application/rtf" | "application/postscript" | "image/x-eps"
        ),
        Nature::Binary { has_nul, .. } => !has_nul && media_type == "application/octet-stream",
        Nature::Zip | Nature::EncryptedOffice => false,
    }
}
