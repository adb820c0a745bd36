//! How much everybody may have.
//!
//! Invariant: by default nothing is bounded, and each bound can be lifted by a word.

use std::collections::BTreeMap;

use clap::Args;

use super::Problems;
use super::values::bytes;
use crate::domain::{Quota, UserId};

/// The highest number of files that a quota can be set to.
const MOST_FILES: u64 = 1_000_000_000;
/// The most bytes that it can be set to: 1 EiB.
const MOST_BYTES: u64 = 1 << 60;
/// What stands before the value for administrators.
const ADMIN: &str = "admin";
/// How many people can have a quota of their own.
const MOST_PEOPLE: usize = 1_000;

/// The flags that bound how much everybody may have, as text.
#[derive(Debug, Clone, Args)]
pub struct QuotaArgs {
    /// How much a person's files may have together, with those that others hand in to their boxes, such as 10GiB; off:
    /// any amount. Values of their own for administrators, and for people by the ID that GET /v1/session shows them, come
    /// behind commas: 10GiB,admin=off,usr_…=50GiB. Where it is switched on for people who have files already, run
    /// file-share recount --mend
    #[arg(
        long,
        env = "QUOTA_BYTES",
        default_value = "off",
        value_name = "SIZE|off[,admin=SIZE|off][,usr_…=SIZE|off]…"
    )]
    pub quota_bytes: String,
    /// How many files a person may have, likewise
    #[arg(
        long,
        env = "QUOTA_FILES",
        default_value = "off",
        value_name = "FILES|off[,admin=FILES|off][,usr_…=FILES|off]…"
    )]
    pub quota_files: String,
}

/// How much everybody may have.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QuotaSettings {
    bytes: Limits,
    files: Limits,
}

/// Of one measure; `None`: any amount.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Limits {
    /// People, and programs that act for them.
    member: Option<u64>,
    /// Administrators.
    admin: Option<u64>,
    /// Those who have another one, whatever their role is.
    people: BTreeMap<UserId, Option<u64>>,
}

impl Limits {
    fn is_on(&self) -> bool {
        let by_role = [self.member, self.admin];
        by_role
            .iter()
            .chain(self.people.values())
            .any(Option::is_some)
    }

    fn of(&self, owner: UserId, is_admin: bool) -> Option<u64> {
        let by_role = if is_admin { self.admin } else { self.member };
        self.people.get(&owner).copied().unwrap_or(by_role)
    }
}

impl QuotaSettings {
    /// Whether anything is bounded for anybody.
    pub fn is_on(&self) -> bool {
        self.bytes.is_on() || self.files.is_on()
    }

    /// Those of these texts, for tests.
    #[cfg(test)]
    pub(crate) fn judged(quota_bytes: &str, quota_files: &str) -> Result<Self, Problems> {
        let args = QuotaArgs {
            quota_bytes: quota_bytes.into(),
            quota_files: quota_files.into(),
        };
        Problems::collected(|problems| args.judge(problems))
    }

    /// What this person may have.
    pub fn of(&self, owner: UserId, is_admin: bool) -> Quota {
        Quota {
            max_files: self.files.of(owner, is_admin),
            max_bytes: self.bytes.of(owner, is_admin),
        }
    }
}

impl QuotaArgs {
    /// `None` if something isn't right; `problems` then says what.
    pub(super) fn judge(&self, problems: &mut Problems) -> Option<QuotaSettings> {
        let size = |text: &str| bytes(text, 1, MOST_BYTES);
        let sizes = problems.judge("QUOTA_BYTES", &self.quota_bytes, |it| limits(it, size));
        let files = problems.judge("QUOTA_FILES", &self.quota_files, |it| limits(it, count));
        Some(QuotaSettings {
            bytes: sizes?,
            files: files?,
        })
    }
}

fn count(text: &str) -> Result<u64, String> {
    let files = text.parse().ok();
    files
        .filter(|files| (1..=MOST_FILES).contains(files))
        .ok_or_else(|| format!("must be a number of files from 1 to {MOST_FILES}, or off"))
}

fn limits(text: &str, parse: impl Fn(&str) -> Result<u64, String>) -> Result<Limits, String> {
    let limit = |text: &str| match text.trim() {
        "off" => Ok(None),
        text => parse(text).map(Some),
    };
    let mut parts = text.split(',');
    let member = limit(parts.next().unwrap_or_default())?;
    let (mut admin, mut people) = (None, BTreeMap::new());
    for part in parts {
        let (who, value) = part.split_once('=').ok_or_else(|| {
            format!("behind a comma must be {ADMIN}= or a person's ID, as usr_…=")
        })?;
        let (who, value) = (who.trim(), limit(value)?);
        let before = match who {
            ADMIN => admin.replace(value),
            person => {
                let person = UserId::parse(person)
                    .map_err(|_| format!("{person} is neither {ADMIN} nor a person's ID"))?;
                people.insert(person, value)
            }
        };
        if before.is_some() {
            return Err(format!("{who} has two values"));
        }
    }
    if people.len() > MOST_PEOPLE {
        return Err(format!("names more than {MOST_PEOPLE} people"));
    }
    Ok(Limits {
        member,
        admin: admin.unwrap_or(member),
        people,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(quota_bytes: &str, quota_files: &str) -> Result<QuotaSettings, Problems> {
        QuotaSettings::judged(quota_bytes, quota_files)
    }

    #[test]
    fn a_quota_is_for_all_or_another_one_for_administrators_and_people() {
        let ada = UserId::of("https://id.example.org", "ada");
        let other = UserId::of("https://id.example.org", "grace");
        let quota = |(max_bytes, max_files)| Quota {
            max_files,
            max_bytes,
        };
        let hers = |value: &str| format!("1KiB,admin=off,{ada}={value}");
        for (size, files, member, admin, of_ada) in [
            (
                "off".to_owned(),
                "off",
                (None, None),
                (None, None),
                (None, None),
            ),
            (
                "1KiB".into(),
                "off",
                (Some(1024), None),
                (Some(1024), None),
                (Some(1024), None),
            ),
            (
                "1KiB,admin=off".into(),
                "7",
                (Some(1024), Some(7)),
                (None, Some(7)),
                (Some(1024), Some(7)),
            ),
            (
                hers("off"),
                "7",
                (Some(1024), Some(7)),
                (None, Some(7)),
                (None, Some(7)),
            ),
            (
                hers("2KiB"),
                "off",
                (Some(1024), None),
                (None, None),
                (Some(2048), None),
            ),
            (
                "off, admin=5MB".into(),
                "7,admin=9",
                (None, Some(7)),
                (Some(5_000_000), Some(9)),
                (None, Some(7)),
            ),
        ] {
            let settings = judged(&size, files).unwrap();
            assert_eq!(settings.of(other, false), quota(member), "{size} {files}");
            assert_eq!(settings.of(other, true), quota(admin), "{size} {files}");
            assert_eq!(settings.of(ada, false), quota(of_ada), "{size} {files}");
        }
        // Whatever her role is.
        let settings = judged(&hers("2KiB"), "off").unwrap();
        assert_eq!(settings.of(ada, true), quota((Some(2048), None)));
        assert!(!QuotaSettings::default().is_on());
        assert!(judged("off,admin=1", "off").is_ok_and(|it| it.is_on()));
        assert!(judged(&format!("off,{ada}=1"), "off").is_ok_and(|it| it.is_on()));
    }

    #[test]
    fn what_is_no_quota_is_named_and_says_what_one_looks_like() {
        let ada = UserId::of("https://id.example.org", "ada");
        let twice = format!("1KiB,{ada}=1,{ada}=2");
        let many: String = (0..=MOST_PEOPLE)
            .map(|n| format!(",{}=1", UserId::of("i", &n.to_string())))
            .collect();
        let many = format!("1KiB{many}");
        for (size, files, part) in [
            (twice.as_str(), "off", "two values"),
            ("1KiB,admin=1,admin=2", "off", "two values"),
            (many.as_str(), "off", "1000 people"),
            ("1KiB,usr_ada=1", "off", "a person's ID"),
            ("1KiB,ada", "off", "usr_"),
            ("many", "off", "QUOTA_BYTES"),
            ("0", "off", "10MiB"),
            ("1GiB,guest=1", "off", "admin"),
            ("off", "0", "QUOTA_FILES"),
            ("off", "1,admin=none", "or off"),
        ] {
            let problems = judged(size, files).unwrap_err().to_string();
            assert!(problems.contains(part), "{problems}");
        }
    }
}
