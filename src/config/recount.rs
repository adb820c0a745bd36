//! The settings of `file-share recount`: where the records are, and whether what is off is mended.
//!
//! Invariant: as everywhere, it starts with all of them right or names all that aren't.

use clap::Args;

use super::{CommonArgs, CommonSettings, Mode, ModeArgs, Problems};

/// The flags of `file-share recount`, as text.
#[derive(Debug, Clone, Args)]
pub struct RecountArgs {
    /// Mend what is off, and count what was made while nobody had a quota. Left out, the command only says what is off
    #[arg(long)]
    pub mend: bool,
    /// Where bytes and records are.
    #[command(flatten)]
    pub mode: ModeArgs,
    /// What every program takes.
    #[command(flatten)]
    pub common: CommonArgs,
}

/// The settings of `file-share recount`, judged.
#[derive(Debug, Clone)]
pub struct RecountSettings {
    /// Whether what is off is mended.
    pub mend: bool,
    /// Where bytes and records are; in aws mode without an endpoint for clients.
    pub mode: Mode,
    /// What every program takes.
    pub common: CommonSettings,
}

impl RecountArgs {
    /// Judges all flags.
    ///
    /// # Errors
    /// Everything that isn't right, at once.
    pub fn judge(&self) -> Result<RecountSettings, Problems> {
        Problems::collected(|problems| {
            let common = self.common.judge(problems);
            let mode = self.mode.judge(problems);
            Some(RecountSettings {
                mend: self.mend,
                mode: mode?,
                common: common?,
            })
        })
    }
}
