//! The settings of `file-share adopt`: where bytes and records are, and whether it is meant.
//!
//! Invariant: as everywhere, it starts with all of them right or names all that aren't.

use clap::Args;

use super::{CommonArgs, CommonSettings, Mode, ModeArgs, Problems};

#[derive(Debug, Clone, Args)]
pub struct AdoptArgs {
    /// Do it. Left out, the command only says what it would do
    #[arg(long)]
    pub yes: bool,
    #[command(flatten)]
    pub mode: ModeArgs,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Debug, Clone)]
pub struct AdoptSettings {
    pub yes: bool,
    pub mode: Mode,
    pub common: CommonSettings,
}

impl AdoptArgs {
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
