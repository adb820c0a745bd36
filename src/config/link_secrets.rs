//! The secrets that links are signed with.
//!
//! Invariant: none that could be guessed, none twice, and none is ever printed, also not where it is refused.

use super::oidc::given;
use super::{Problems, SecretText};

/// How many secrets there may be at a time: each costs a hash for a URL that none of them signed.
const MAX_SECRETS: usize = 8;
/// What can't be guessed has so many, in bytes.
const MIN_SECRET_BYTES: usize = 32;
/// How long a secret may be, in bytes.
const MAX_SECRET_BYTES: usize = 1024;

/// Secrets, of which the first signs and all verify.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkSecrets {
    first: SecretText,
    others: Vec<SecretText>,
}

impl LinkSecrets {
    /// The one that signs.
    pub fn first(&self) -> &str {
        self.first.expose()
    }

    /// Those that verify besides.
    pub fn others(&self) -> impl Iterator<Item = &str> {
        self.others.iter().map(SecretText::expose)
    }

    /// The outer `None`: it isn't right. Without [`Problems::judge`], which repeats what it refuses.
    pub(super) fn judge(
        list: Option<&SecretText>,
        is_local: Option<bool>,
        problems: &mut Problems,
    ) -> Option<Option<Self>> {
        const NAME: &str = "LINK_SECRET";
        let Some(list) = list.filter(|list| given(Some(list.expose())).is_some()) else {
            if is_local == Some(false) {
                problems.refuse(
                    NAME,
                    "is needed with MODE=aws: 32 characters or more, the same for all processes, such as those of: \
                     openssl rand -hex 32",
                );
            }
            return Some(None);
        };
        match Self::parse(list) {
            Ok(secrets) => Some(Some(secrets)),
            Err(why) => {
                problems.refuse(NAME, why);
                None
            }
        }
    }

    /// Reads secrets that commas separate.
    ///
    /// # Errors
    /// What isn't right, in words that say nothing of what is there.
    fn parse(list: &SecretText) -> Result<Self, &'static str> {
        let mut secrets: Vec<&str> = list.expose().split(',').map(str::trim).collect();
        if secrets.len() > MAX_SECRETS {
            return Err("must be at most 8 secrets");
        }
        let is_secret = |secret: &&str| {
            (MIN_SECRET_BYTES..=MAX_SECRET_BYTES).contains(&secret.len())
                && !secret.chars().any(char::is_control)
        };
        if !secrets.iter().all(is_secret) {
            return Err(
                "must be secrets of 32 to 1,024 bytes without control characters, with a comma between two, such as \
                 those of: openssl rand -hex 32",
            );
        }
        let is_again = |(at, secret): (usize, &&str)| secrets[..at].contains(secret);
        if secrets.iter().enumerate().any(is_again) {
            return Err("names a secret twice");
        }
        let first = SecretText::new(secrets.remove(0));
        let others = secrets.into_iter().map(SecretText::new).collect();
        Ok(Self { first, others })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn parse(list: &str) -> Result<LinkSecrets, &'static str> {
        LinkSecrets::parse(&SecretText::new(list))
    }

    #[test]
    fn the_first_of_a_list_signs_and_blanks_around_secrets_make_no_difference() {
        let other = SECRET.to_uppercase();
        let secrets = parse(&format!("{SECRET} , {other}")).unwrap();
        assert_eq!(secrets.first(), SECRET);
        assert_eq!(secrets.others().collect::<Vec<_>>(), [other.as_str()]);
        assert!(!format!("{secrets:?}").contains("abcdef"), "{secrets:?}");
    }

    #[test]
    fn a_list_that_is_not_right_is_refused_and_not_repeated() {
        let many: Vec<String> = (0..9).map(|at| format!("{SECRET}{at}")).collect();
        for (list, part) in [
            (String::new(), "32 to 1,024"),
            (SECRET[1..].to_owned(), "32 to 1,024"),
            ("x".repeat(1025), "32 to 1,024"),
            (format!("{SECRET},"), "32 to 1,024"),
            (format!("{SECRET}\u{7}x"), "32 to 1,024"),
            (format!("{SECRET},{SECRET}"), "twice"),
            (many.join(","), "at most 8"),
        ] {
            let refused = parse(&list).unwrap_err();
            assert!(refused.contains(part), "{list}: {refused}");
        }
        assert!(parse(&many[..MAX_SECRETS].join(",")).is_ok());
    }
}
