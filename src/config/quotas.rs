//! How much everybody may have.
//!
//! Invariant: by default nothing is bounded, and each bound can be lifted by a word.

use clap::Args;

use super::Problems;
use super::values::bytes;
use crate::domain::Quota;

/// The highest number of files that a quota can be set to.
const MOST_FILES: u64 = 1_000_000_000;
/// The most bytes that it can be set to: 1 EiB.
const MOST_BYTES: u64 = 1 << 60;
/// What stands before the value for administrators.
const ADMIN: &str = "admin=";

/// The flags that bound how much everybody may have, as text.
#[derive(Debug, Clone, Args)]
pub struct QuotaArgs {
    /// How much a person's files may have together, with those that others hand in to their boxes, such as 10GiB; off:
    /// any amount. A value of their own for administrators comes behind a comma: 10GiB,admin=off. Where it is switched
    /// on for people who have files already, run file-share recount --mend
    #[arg(
        long,
        env = "QUOTA_BYTES",
        default_value = "off",
        value_name = "SIZE|off[,admin=SIZE|off]"
    )]
    pub quota_bytes: String,
    /// How many files a person may have, likewise
    #[arg(
        long,
        env = "QUOTA_FILES",
        default_value = "off",
        value_name = "FILES|off[,admin=FILES|off]"
    )]
    pub quota_files: String,
}

/// How much everybody may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QuotaSettings {
    /// People, and programs that act for them.
    pub member: Quota,
    /// Administrators.
    pub admin: Quota,
}

impl QuotaSettings {
    /// Whether anything is bounded for anybody.
    pub fn is_on(&self) -> bool {
        !(self.member.is_off() && self.admin.is_off())
    }
}

impl QuotaArgs {
    /// `None` if something isn't right; `problems` then says what.
    pub(super) fn judge(&self, problems: &mut Problems) -> Option<QuotaSettings> {
        let size = |text: &str| bytes(text, 1, MOST_BYTES);
        let sizes = problems.judge("QUOTA_BYTES", &self.quota_bytes, |it| by_role(it, size));
        let files = problems.judge("QUOTA_FILES", &self.quota_files, |it| by_role(it, count));
        let (sizes, files) = (sizes?, files?);
        let quota = |max_bytes, max_files| Quota {
            max_files,
            max_bytes,
        };
        Some(QuotaSettings {
            member: quota(sizes.0, files.0),
            admin: quota(sizes.1, files.1),
        })
    }
}

fn count(text: &str) -> Result<u64, String> {
    let files = text.parse().ok();
    files
        .filter(|files| (1..=MOST_FILES).contains(files))
        .ok_or_else(|| format!("must be a number of files from 1 to {MOST_FILES}, or off"))
}

/// What members and administrators may have.
type ByRole = (Option<u64>, Option<u64>);

fn by_role(text: &str, parse: impl Fn(&str) -> Result<u64, String>) -> Result<ByRole, String> {
    let limit = |text: &str| match text.trim() {
        "off" => Ok(None),
        text => parse(text).map(Some),
    };
    let Some((member, admin)) = text.split_once(',') else {
        let all = limit(text)?;
        return Ok((all, all));
    };
    let admin = admin.trim().strip_prefix(ADMIN);
    let admin = admin.ok_or_else(|| format!("behind the comma must be {ADMIN} and a value"))?;
    Ok((limit(member)?, limit(admin)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(quota_bytes: &str, quota_files: &str) -> Result<QuotaSettings, Problems> {
        let args = QuotaArgs {
            quota_bytes: quota_bytes.into(),
            quota_files: quota_files.into(),
        };
        Problems::collected(|problems| args.judge(problems))
    }

    #[test]
    fn a_quota_is_for_all_or_another_one_for_administrators() {
        let quota = |max_bytes, max_files| Quota {
            max_files,
            max_bytes,
        };
        for (size, files, member, admin) in [
            ("off", "off", quota(None, None), quota(None, None)),
            (
                "1KiB",
                "off",
                quota(Some(1024), None),
                quota(Some(1024), None),
            ),
            (
                "1KiB,admin=off",
                "7",
                quota(Some(1024), Some(7)),
                quota(None, Some(7)),
            ),
            (
                "off, admin=5MB",
                "7,admin=9",
                quota(None, Some(7)),
                quota(Some(5_000_000), Some(9)),
            ),
        ] {
            let expected = QuotaSettings { member, admin };
            assert_eq!(judged(size, files), Ok(expected), "{size} {files}");
        }
        assert!(!QuotaSettings::default().is_on());
        assert!(judged("off,admin=1", "off").is_ok_and(|it| it.is_on()));
    }

    #[test]
    fn what_is_no_quota_is_named_and_says_what_one_looks_like() {
        for (size, files, part) in [
            ("many", "off", "QUOTA_BYTES"),
            ("0", "off", "10MiB"),
            ("1GiB,guest=1", "off", "admin="),
            ("off", "0", "QUOTA_FILES"),
            ("off", "1,admin=none", "or off"),
        ] {
            let problems = judged(size, files).unwrap_err().to_string();
            assert!(problems.contains(part), "{problems}");
        }
    }
}
