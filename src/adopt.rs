//! `file-share adopt`: marks records and objects as belonging together, where a person has decided that.
//!
//! Invariant: without `--yes` it changes nothing. It says on standard output what it found and what it does.

use std::process::ExitCode;

use crate::config::AdoptSettings;
use crate::store_error::StoreError;
use crate::store_marker::{Marker, MarkerState, StorePair, compare};
use crate::stores::{self, Access, OpenStores, StartError, StoreChoices};

/// What `file-share adopt --help` says behind the flags.
pub const AFTER_HELP: &str = "\
Stop the service first, in aws mode all of its programs. In aws mode it needs what the API may do (the
stack's ApiPolicy).

Exit codes:
  0  done, or there is nothing to adopt
  1  not done: a store doesn't answer, or --yes is missing
  2  the settings aren't right";

/// Says what is there, and marks both sides if that is meant.
pub async fn run(settings: &AdoptSettings) -> ExitCode {
    let opened = match open(settings).await {
        Ok(opened) => opened,
        Err(error) => {
            eprintln!("file-share adopt can't start: {error}");
            return ExitCode::FAILURE;
        }
    };
    match adopt(opened.store_pair(), settings.yes).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!(
                "file-share adopt isn't done: {}. It can be called again",
                error.chain()
            );
            ExitCode::FAILURE
        }
    }
}

/// Whether nothing is left to do.
async fn adopt(pair: StorePair<'_>, yes: bool) -> Result<bool, StoreError> {
    let (records, objects) = pair.look().await?;
    println!("records: {}", told(records.as_ref()));
    println!("objects: {}", told(objects.as_ref()));
    let nothing_to_adopt = match compare(records, objects) {
        Ok(MarkerState::Matching(_)) => Some("They belong together: there is nothing to adopt."),
        Ok(MarkerState::Unmarked | MarkerState::Unfinished(_)) => {
            Some("They aren't marked yet: the next start does that by itself.")
        }
        Ok(MarkerState::RecordsFromBefore) => {
            println!(
                "The records are an older copy. Objects that were uploaded since then have no record."
            );
            None
        }
        Ok(MarkerState::ObjectsFromBefore) => {
            println!(
                "The objects are an older copy. Files that were uploaded since then have no bytes."
            );
            None
        }
        Err(mismatch) => {
            println!("{mismatch}.");
            None
        }
    };
    if let Some(said) = nothing_to_adopt {
        println!("{said}");
        // Whoever knows better may still give both a fresh marker.
        if !yes {
            return Ok(true);
        }
    }
    println!(
        "Adopting gives both a fresh marker: from then on these records and these objects count as belonging \
         together. Pending and available files without bytes stay so, and objects that no record names are \
         taken for nobody's by the daily sweep: look first whether a better copy is to be had."
    );
    if !yes {
        println!("Nothing was changed. With --yes it is done.");
        return Ok(false);
    }
    pair.adopt().await?;
    println!("Done. Start the service again.");
    Ok(true)
}

fn told(marker: Option<&Marker>) -> String {
    match marker {
        None => "not marked".to_owned(),
        Some(Marker { id, starts }) => format!("marked {id}, {} starts", starts / 2),
    }
}

async fn open(settings: &AdoptSettings) -> Result<OpenStores, StartError> {
    let choices = StoreChoices::of_mode(&settings.mode);
    stores::open(&choices, &settings.common, Access::Write).await
}
