//! The settings of `file-share adopt`: where bytes and records are, and whether it is meant.
//!
//! Invariant: as everywhere, it starts with all of them right or names all that aren't.

use clap::Args;

use super::{CommonArgs, CommonSettings, Mode, Problems, directory, is_local};

#[derive(Debug, Clone, Args)]
pub struct AdoptArgs {
    /// Do it. Left out, the command only says what it would do
    #[arg(long)]
    pub yes: bool,
    /// Where bytes and records are kept: local (this machine) or aws (S3 and DynamoDB)
    #[arg(long, env = "MODE", default_value = "local", value_name = "local|aws")]
    pub mode: String,
    /// Where local mode keeps files and records
    #[arg(
        long,
        env = "DATA_DIR",
        default_value = "data",
        value_name = "DIRECTORY"
    )]
    pub data_dir: String,
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
        let mut problems = Problems::default();
        let common = self.common.judge(&mut problems);
        let data_dir = problems.judge("DATA_DIR", &self.data_dir, directory);
        let is_local = problems.judge("MODE", &self.mode, is_local);
        let (Some(common), Some(data_dir), Some(is_local)) = (common, data_dir, is_local) else {
            return Err(problems);
        };
        let mode = match is_local {
            true => Mode::Local { data_dir },
            false => Mode::Aws {
                s3_public_endpoint_url: None,
            },
        };
        Ok(AdoptSettings {
            yes: self.yes,
            mode,
            common,
        })
    }
}
