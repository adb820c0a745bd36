//! Who may use the service, and whether it is kept what they do.
//!
//! Invariant: an issuer that is named is asked, what a mode hasn't is refused and not left out silently, and a
//! service that others reach is open to all of them only if somebody said so.

use clap::Args;

use super::Problems;

/// The flags that say who may use the service, as text.
#[derive(Debug, Clone, Args)]
pub struct AccessArgs {
    /// Who may use the service. oidc: whom OIDC_ISSUER vouches for. key: whoever has the key, which the first start
    /// makes and prints (local mode). open: everybody who reaches it. auto: oidc where OIDC_ISSUER is set; else, in
    /// local mode, everybody while only this machine reaches it, and whoever has the key otherwise; aws mode needs
    /// OIDC_ISSUER, or to be told that it is open
    #[arg(
        long,
        env = "ACCESS",
        default_value = "auto",
        value_name = "auto|open|key|oidc"
    )]
    pub access: String,
    /// Whether it is kept who did what: in DATA_DIR/audit, or on standard output in aws mode. auto: where callers are
    /// asked who they are
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
        let access = problems.judge("ACCESS", &self.access, |text| match text {
            // An issuer that is named and not asked would be a door that only looks shut.
            "" | "auto" if has_issuer => Ok(AccessSetting::Oidc),
            "" | "auto" => Ok(AccessSetting::Auto),
            "open" => Ok(AccessSetting::Open),
            "key" => Ok(AccessSetting::Key),
            "oidc" => Ok(AccessSetting::Oidc),
            _ => Err("must be auto, open, key or oidc".to_owned()),
        });
        let refused = match access {
            Some(AccessSetting::Key) if has_issuer => {
                Some("people sign in at OIDC_ISSUER or with a key, and not with both")
            }
            Some(AccessSetting::Key) if is_local == Some(false) => {
                Some("there is a key in local mode alone; with MODE=aws it is open or oidc")
            }
            Some(AccessSetting::Auto) if is_local == Some(false) => Some(
                "with MODE=aws it has to be said who may use the service: set OIDC_ISSUER, where people sign in, or \
                 ACCESS=open if whoever reaches the service may do everything",
            ),
            Some(AccessSetting::Oidc) if !has_issuer => Some("oidc needs OIDC_ISSUER"),
            _ => None,
        };
        if let Some(message) = refused {
            problems.refuse("ACCESS", message);
        }
        let audit = problems.judge("AUDIT", &self.audit, |text| match text {
            "auto" => Ok(AuditSetting::Auto),
            "on" => Ok(AuditSetting::On),
            "off" => Ok(AuditSetting::Off),
            _ => Err("must be auto, on or off".to_owned()),
        });
        let is_asked = access == Some(AccessSetting::Oidc);
        if is_local == Some(false) && audit == Some(AuditSetting::On) && !is_asked {
            problems.refuse(
                "AUDIT",
                "with MODE=aws it is kept where OIDC_ISSUER says who calls",
            );
        }
        Some((access?, audit?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(
        (access, audit): (&str, &str),
        is_local: bool,
        has_issuer: bool,
    ) -> Result<(AccessSetting, AuditSetting), String> {
        let args = AccessArgs {
            access: access.to_owned(),
            audit: audit.to_owned(),
        };
        Problems::collected(|problems| args.judge(Some(is_local), has_issuer, problems))
            .map_err(|problems| problems.to_string())
    }

    #[test]
    fn an_issuer_that_is_named_is_asked_unless_the_service_is_said_to_be_open() {
        use AccessSetting::{Auto, Key, Oidc, Open};
        let is = |setting| Ok((setting, AuditSetting::Auto));
        for is_local in [true, false] {
            let access = |text, has_issuer| judged((text, "auto"), is_local, has_issuer);
            for undecided in ["", " ", "auto"] {
                assert_eq!(access(undecided, true), is(Oidc));
            }
            assert_eq!(access("oidc", true), is(Oidc));
            assert_eq!(access("open", true), is(Open));
            assert_eq!(access("open", false), is(Open));
        }
        assert_eq!(judged(("auto", "auto"), true, false), is(Auto));
        assert_eq!(
            judged(("key", "off"), true, false),
            Ok((Key, AuditSetting::Off))
        );
    }

    #[test]
    fn what_can_not_be_is_refused_with_what_would_be_right() {
        for (settings, is_local, has_issuer, message) in [
            (("key", "auto"), true, true, "not with both"),
            (("key", "auto"), false, false, "open or oidc"),
            (("auto", "auto"), false, false, "OIDC_ISSUER, where"),
            (("oidc", "auto"), true, false, "needs OIDC_ISSUER"),
            (("root", "auto"), true, false, "auto, open, key or oidc"),
            (("auto", "maybe"), true, false, "auto, on or off"),
            (("open", "on"), false, false, "where OIDC_ISSUER says"),
            (("open", "on"), false, true, "where OIDC_ISSUER says"),
        ] {
            let refused = judged(settings, is_local, has_issuer).unwrap_err();
            assert!(refused.contains(message), "{refused}");
        }
    }
}
