//! The settings of `file-share adopt`: where bytes and records are, and whether it is meant.
//!
//! Invariant: as everywhere, it starts with all of them right or names all that aren't.

use clap::Args;

use super::{CommonArgs, CommonSettings, Mode, ModeArgs, Problems};

/// The flags of `file-share adopt`, as text.
#[derive(Debug, Clone, Args)]
pub struct AdoptArgs {
    /// Do it. Left out, the command only says what it would do
    #[arg(long)]
    pub yes: bool,
    /// Where bytes and records are.
    #[command(flatten)]
    pub mode: ModeArgs,
    /// What every program takes.
    #[command(flatten)]
    pub common: CommonArgs,
}

/// The settings of `file-share adopt`, judged.
#[derive(Debug, Clone)]
pub struct AdoptSettings {
    /// Whether both are marked; otherwise the command only says what it would do.
    pub yes: bool,
    /// Where bytes and records are; in aws mode without an endpoint for clients.
    pub mode: Mode,
    /// What every program takes.
    pub common: CommonSettings,
}

impl AdoptArgs {
    /// Judges all flags.
    ///
    /// # Errors
    /// Everything that isn't right, at once.
    pub fn judge(&self) -> Result<AdoptSettings, Problems> {
        Problems::collected(|problems| {
            let common = self.common.judge(problems);
            let mode = self.mode.judge(problems);
            Some(AdoptSettings {
                yes: self.yes,
                mode: mode?,
                common: common?,
            })
        })
    }
}
