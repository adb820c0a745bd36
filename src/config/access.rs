//! Who may use the service, and whether it is kept what they do.
//!
//! Invariant: an issuer that is named is asked, and what a mode hasn't is refused and not left out silently.

use clap::Args;

use super::Problems;

/// The flags that say who may use the service, as text.
#[derive(Debug, Clone, Args)]
pub struct AccessArgs {
    /// Who may use the service. open: everybody who reaches it, and the default. key: whoever has the key, which the
    /// first start makes and prints (local mode). oidc: programs with an access token of OIDC_ISSUER, which is the
    /// default where that is set. auto: oidc with an issuer; else everybody while only this machine reaches it, else
    /// key; open in aws mode
    #[arg(long, env = "ACCESS", value_name = "auto|open|key|oidc")]
    pub access: Option<String>,
    /// Whether local mode keeps who did what, in DATA_DIR/audit. auto: where callers are asked who they are
    #[arg(
        long,
        env = "AUDIT",
        default_value = "auto",
        value_name = "auto|on|off"
    )]
    pub audit: String,
}

/// Who may use the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessSetting {
    /// Follows from who can reach the service.
    Auto,
    /// Everybody.
    Open,
    /// Whoever has the local key.
    Key,
    /// Whoever shows an access token of the issuer, or an API token.
    Oidc,
}

/// Whether it is kept who did what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditSetting {
    /// Where callers are asked who they are.
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

impl AccessArgs {
    /// `is_local`: whether local mode is meant, if that can be told.
    pub(super) fn judge(
        &self,
        is_local: Option<bool>,
        has_issuer: bool,
        problems: &mut Problems,
    ) -> Option<(AccessSetting, AuditSetting)> {
        let access = self.access(has_issuer, problems);
        let refused = match access {
            Some(AccessSetting::Key) if has_issuer => {
                Some("people sign in at OIDC_ISSUER or with a key, and not with both")
            }
            Some(AccessSetting::Key) if is_local == Some(false) => {
                Some("there is a key in local mode alone; with MODE=aws it is open or oidc")
            }
            Some(AccessSetting::Oidc) if !has_issuer => Some("oidc needs OIDC_ISSUER"),
            _ => None,
        };
        if let Some(message) = refused {
            problems.missing("ACCESS", message);
        }
        let audit = problems.judge("AUDIT", &self.audit, |text| match text {
            "auto" => Ok(AuditSetting::Auto),
            "on" => Ok(AuditSetting::On),
            "off" => Ok(AuditSetting::Off),
            _ => Err("must be auto, on or off".to_owned()),
        });
        if is_local == Some(false) && audit == Some(AuditSetting::On) {
            problems.missing("AUDIT", "it is kept in local mode alone so far");
        }
        Some((access?, audit?))
    }

    fn access(&self, has_issuer: bool, problems: &mut Problems) -> Option<AccessSetting> {
        let given = self.access.as_deref().map(str::trim);
        let Some(text) = given.filter(|text| !text.is_empty()) else {
            // An issuer that is named and not asked would be a door that only looks shut.
            return Some(match has_issuer {
                true => AccessSetting::Oidc,
                false => AccessSetting::Open,
            });
        };
        problems.judge("ACCESS", text, |text| match text {
            "auto" if has_issuer => Ok(AccessSetting::Oidc),
            "auto" => Ok(AccessSetting::Auto),
            "open" => Ok(AccessSetting::Open),
            "key" => Ok(AccessSetting::Key),
            "oidc" => Ok(AccessSetting::Oidc),
            _ => Err("must be auto, open, key or oidc".to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(
        (access, audit): (Option<&str>, &str),
        is_local: bool,
        has_issuer: bool,
    ) -> Result<(AccessSetting, AuditSetting), String> {
        let args = AccessArgs {
            access: access.map(str::to_owned),
            audit: audit.to_owned(),
        };
        Problems::collected(|problems| args.judge(Some(is_local), has_issuer, problems))
            .map_err(|problems| problems.to_string())
    }

    #[test]
    fn an_issuer_that_is_named_is_asked_unless_the_service_is_said_to_be_open() {
        use AccessSetting::{Auto, Key, Oidc, Open};
        for is_local in [true, false] {
            let access = |text, has_issuer| judged((text, "auto"), is_local, has_issuer);
            let is = |setting| Ok((setting, AuditSetting::Auto));
            for unset in [None, Some(""), Some(" ")] {
                assert_eq!(access(unset, false), is(Open));
                assert_eq!(access(unset, true), is(Oidc));
            }
            assert_eq!(access(Some("auto"), true), is(Oidc));
            assert_eq!(access(Some("auto"), false), is(Auto));
            assert_eq!(access(Some("oidc"), true), is(Oidc));
            assert_eq!(access(Some("open"), true), is(Open));
        }
        assert_eq!(
            judged((Some("key"), "off"), true, false),
            Ok((Key, AuditSetting::Off))
        );
    }

    #[test]
    fn what_can_not_be_is_refused_with_what_would_be_right() {
        for (settings, is_local, has_issuer, message) in [
            ((Some("key"), "auto"), true, true, "not with both"),
            ((Some("key"), "auto"), false, false, "open or oidc"),
            ((Some("oidc"), "auto"), true, false, "needs OIDC_ISSUER"),
            (
                (Some("root"), "auto"),
                true,
                false,
                "auto, open, key or oidc",
            ),
            ((None, "maybe"), true, false, "auto, on or off"),
            ((None, "on"), false, false, "local mode alone"),
        ] {
            let refused = judged(settings, is_local, has_issuer).unwrap_err();
            assert!(refused.contains(message), "{refused}");
        }
    }
}
