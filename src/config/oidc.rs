//! The issuer that people sign in at, and which of its groups may do what.
//!
//! Invariant: without `OIDC_ISSUER` nothing else of this is looked at, and with it everything is right. No secret
//! is ever printed, also not where it is refused.

use std::convert::Infallible;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use clap::Args;
use http::Uri;

use super::Problems;

/// How long an identifier at the issuer, a claim or a group may be, in bytes.
const MAX_NAME_BYTES: usize = 256;
/// How long an issuer's URL may be, in bytes.
const MAX_ISSUER_BYTES: usize = 1024;
/// How long a secret may be, in bytes.
const MAX_SECRET_BYTES: usize = 1024;
/// What can't be guessed has so many, in bytes.
const MIN_SESSION_SECRET_BYTES: usize = 32;
/// How many groups a role may have.
const MAX_GROUPS: usize = 100;
/// The group that everybody who signed in belongs to.
const EVERYBODY: &str = "*";

/// The flags that say where people sign in, as text.
#[derive(Debug, Clone, Args)]
pub struct OidcArgs {
    /// The OpenID Connect issuer that people sign in at, exactly as it names itself
    #[arg(long, env = "OIDC_ISSUER", value_name = "URL")]
    pub oidc_issuer: Option<String>,
    /// What the issuer calls this service
    #[arg(long, env = "OIDC_CLIENT_ID", value_name = "ID")]
    pub oidc_client_id: Option<String>,
    /// The secret that the issuer gave to this service; left out, it is a public client. Others on this machine
    /// can see flags, so set the variable
    #[arg(
        long,
        env = "OIDC_CLIENT_SECRET",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    pub oidc_client_secret: Option<SecretText>,
    /// What a browser keeps while somebody signs in is signed with this: 32 characters or more, the same for all
    /// processes of a service. Needed in aws mode; local mode makes one. Others on this machine can see flags, so
    /// set the variable
    #[arg(
        long,
        env = "SESSION_SECRET",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    pub session_secret: Option<SecretText>,
    /// The audience that access tokens must be for; left out, only Amazon Cognito's, which have none, are taken
    #[arg(long, env = "OIDC_AUDIENCE", value_name = "AUDIENCE")]
    pub oidc_audience: Option<String>,
    /// The claim that has a person's groups; left out, the first there is of groups, cognito:groups and roles.
    /// A dot leads into an object, as in realm_access.roles
    #[arg(long, env = "OIDC_ROLES_CLAIM", value_name = "CLAIM")]
    pub oidc_roles_claim: Option<String>,
    /// Groups that may do everything with all files, separated by commas
    #[arg(
        long,
        env = "OIDC_ADMINS",
        default_value = "",
        hide_default_value = true,
        value_name = "GROUPS"
    )]
    pub oidc_admins: String,
    /// Groups that may do everything with files of their own, separated by commas, or * for everybody
    #[arg(
        long,
        env = "OIDC_MEMBERS",
        default_value = "*",
        value_name = "GROUPS|*"
    )]
    pub oidc_members: String,
    /// Groups that see only what others pass on to them, separated by commas, or * for everybody
    #[arg(
        long,
        env = "OIDC_GUESTS",
        default_value = "",
        hide_default_value = true,
        value_name = "GROUPS|*"
    )]
    pub oidc_guests: String,
}

/// A secret that is shared with others. It doesn't print.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(String);

impl SecretText {
    pub(super) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The secret itself, for those who share it alone.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for SecretText {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText")
    }
}

/// Which groups have a role.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Groups(Vec<String>);

impl Groups {
    /// Their names; `*` alone is everybody.
    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// Whether somebody with these groups is among them. Somebody without any can be, if it is everybody.
    pub fn contain_any(&self, groups: &[String]) -> bool {
        let is_in = |mine: &String| mine == EVERYBODY || groups.contains(mine);
        self.0.iter().any(is_in)
    }
}

/// Where people sign in, judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidcSettings {
    /// The issuer's URL, as it was given: an issuer is equal to this text or it is another one.
    pub issuer: String,
    /// What the issuer calls this service.
    pub client_id: String,
    /// `None`: a public client.
    pub client_secret: Option<SecretText>,
    /// What signs the cookie of a sign-in under way; `None`: one that local mode makes.
    pub session_secret: Option<SecretText>,
    /// What access tokens must be for; `None`: only tokens without an audience are taken, Cognito's.
    pub audience: Option<String>,
    /// The claim with a person's groups; `None`: the first there is of the usual ones.
    pub roles_claim: Option<String>,
    /// Who may do everything with all files.
    pub admins: Groups,
    /// Who may do everything with files of their own.
    pub members: Groups,
    /// Who sees what others pass on to them.
    pub guests: Groups,
}

impl OidcArgs {
    /// The outer `None` if something isn't right; `problems` then says what. The inner: nobody signs in.
    pub fn judge(&self, problems: &mut Problems) -> Option<Option<OidcSettings>> {
        let Some(issuer) = given(self.oidc_issuer.as_deref()) else {
            return Some(None);
        };
        let issuer = problems.judge("OIDC_ISSUER", issuer, issuer_url);
        let client_id = match given(self.oidc_client_id.as_deref()) {
            Some(text) => problems.judge("OIDC_CLIENT_ID", text, name),
            None => {
                problems.refuse(
                    "OIDC_CLIENT_ID",
                    "is needed with OIDC_ISSUER: what the issuer calls this service",
                );
                None
            }
        };
        let client_secret = self.judge_client_secret(problems);
        let session_secret = self.judge_session_secret(problems);
        let mut optional = |variable, text: Option<&str>| match given(text) {
            Some(text) => problems.judge(variable, text, name).map(Some),
            None => Some(None),
        };
        let audience = optional("OIDC_AUDIENCE", self.oidc_audience.as_deref());
        let roles_claim = optional("OIDC_ROLES_CLAIM", self.oidc_roles_claim.as_deref());
        let admins = problems.judge("OIDC_ADMINS", &self.oidc_admins, admins);
        let members = problems.judge("OIDC_MEMBERS", &self.oidc_members, groups);
        let guests = problems.judge("OIDC_GUESTS", &self.oidc_guests, groups);
        Some(Some(OidcSettings {
            issuer: issuer?,
            client_id: client_id?,
            client_secret: client_secret?,
            session_secret: session_secret?,
            audience: audience?,
            roles_claim: roles_claim?,
            admins: admins?,
            members: members?,
            guests: guests?,
        }))
    }

    fn judge_client_secret(&self, problems: &mut Problems) -> Option<Option<SecretText>> {
        let judged = secret(self.oidc_client_secret.as_ref(), 1);
        if judged.is_none() {
            problems.refuse(
                "OIDC_CLIENT_SECRET",
                "must be at most 1,024 bytes without control characters",
            );
        }
        judged
    }

    fn judge_session_secret(&self, problems: &mut Problems) -> Option<Option<SecretText>> {
        let judged = secret(self.session_secret.as_ref(), MIN_SESSION_SECRET_BYTES);
        if judged.is_none() {
            problems.refuse(
                "SESSION_SECRET",
                "must be 32 to 1,024 bytes without control characters, such as those of: openssl rand -hex 32",
            );
        }
        judged
    }
}

/// `None`: it isn't right. Without [`Problems::judge`], which repeats what it refuses.
fn secret(text: Option<&SecretText>, min_bytes: usize) -> Option<Option<SecretText>> {
    let Some(text) = given(text.map(SecretText::expose)).map(str::trim) else {
        return Some(None);
    };
    let good =
        (min_bytes..=MAX_SECRET_BYTES).contains(&text.len()) && !text.chars().any(char::is_control);
    good.then(|| Some(SecretText(text.to_owned())))
}

pub(super) fn given(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.trim().is_empty())
}

/// The URL of an issuer: `https`, or `http` where it never leaves this machine.
///
/// # Errors
/// Anything else.
fn issuer_url(text: &str) -> Result<String, String> {
    let right = "must be the issuer's URL, which begins with https:// and has no query, such as \
                 https://id.example.org/realms/main; http:// is for an issuer on this machine alone";
    let uri: Uri = text.parse().map_err(|_| right)?;
    let plain = text.len() <= MAX_ISSUER_BYTES && !text.contains(['?', '#', '@', '\\']);
    match plain && is_private(&uri) {
        true => Ok(text.to_owned()),
        false => Err(right.into()),
    }
}

/// Whether nobody on the way reads what is sent there: it is https, or stays on this machine.
pub(super) fn is_private(uri: &Uri) -> bool {
    let host = uri.host().filter(|host| !host.is_empty());
    match uri.scheme_str() {
        Some("https") => host.is_some(),
        Some("http") => host.is_some_and(is_this_machine),
        _ => false,
    }
}

/// Whether what is sent to it stays on this machine.
pub fn is_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || address.parse::<IpAddr>().is_ok_and(|it| it.is_loopback())
}

fn name(text: &str) -> Result<String, String> {
    let good = text.len() <= MAX_NAME_BYTES && !text.chars().any(char::is_control);
    match good {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "must be at most {MAX_NAME_BYTES} bytes without control characters"
        )),
    }
}

fn groups(text: &str) -> Result<Groups, String> {
    let names = text.split(',').map(str::trim);
    let names: Vec<String> = names
        .filter(|name| !name.is_empty())
        .map(name)
        .collect::<Result<_, _>>()?;
    if names.len() > MAX_GROUPS {
        return Err(format!("must be at most {MAX_GROUPS} groups"));
    }
    if names.len() > 1 && names.iter().any(|name| name == EVERYBODY) {
        return Err("* stands alone".into());
    }
    Ok(Groups(names))
}

fn admins(text: &str) -> Result<Groups, String> {
    match groups(text)? {
        Groups(names) if names.iter().any(|name| name == EVERYBODY) => {
            Err("must be groups: everybody as an administrator is what ACCESS=open is for".into())
        }
        groups => Ok(groups),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: OidcArgs,
    }

    fn judge(flags: &[&str]) -> Result<Option<OidcSettings>, Problems> {
        let args = Cli::parse_from(std::iter::once(&"file-share").chain(flags)).args;
        Problems::collected(|problems| args.judge(problems))
    }

    #[test]
    fn without_an_issuer_nobody_signs_in() {
        assert_eq!(judge(&[]), Ok(None));
        assert_eq!(judge(&["--oidc-issuer=", "--oidc-admins=staff"]), Ok(None));
    }

    #[test]
    fn an_issuer_and_a_client_are_enough_and_everybody_is_a_member() {
        let flags = [
            "--oidc-issuer=https://id.example.org/",
            "--oidc-client-id=files",
        ];
        let settings = judge(&flags).unwrap().unwrap();
        // As it was given: the slash makes it another issuer.
        assert_eq!(settings.issuer, "https://id.example.org/");
        assert_eq!(settings.client_secret, None);
        assert!(settings.members.contain_any(&[]));
        assert!(!settings.admins.contain_any(&["staff".into()]));
        assert!(!settings.guests.contain_any(&[]));
    }

    #[test]
    fn an_issuer_is_https_or_on_this_machine() {
        for good in [
            "https://id.example.org",
            "https://id.example.org:8443/realms/main",
            "http://127.0.0.1:9000",
            "http://localhost:9000/",
            "http://[::1]:9000",
        ] {
            assert_eq!(issuer_url(good), Ok(good.to_owned()));
        }
        for bad in [
            "",
            "id.example.org",
            "http://id.example.org",
            "http://127.0.0.1.example.org",
            "http://localhost.example.org",
            "http://10.0.0.1",
            "https://",
            "https://user@id.example.org",
            "https://id.example.org?tenant=1",
            "https://id.example.org/#x",
            "ftp://127.0.0.1",
        ] {
            let error = issuer_url(bad).unwrap_err();
            assert!(error.contains("begins with https://"), "{bad}: {error}");
        }
    }

    #[test]
    fn everything_that_is_wrong_is_named_at_once_and_the_secret_is_not_repeated() {
        let message = judge(&[
            "--oidc-issuer=http://id.example.org",
            "--oidc-client-secret=hush\u{7}hush",
            "--session-secret=hush",
            "--oidc-admins=*",
            "--oidc-members=*,staff",
        ])
        .unwrap_err()
        .to_string();
        for name in [
            "OIDC_ISSUER",
            "OIDC_CLIENT_ID",
            "OIDC_CLIENT_SECRET",
            "SESSION_SECRET",
            "OIDC_ADMINS",
            "OIDC_MEMBERS",
        ] {
            assert!(message.contains(name), "{name}: {message}");
        }
        assert!(!message.contains("hush"), "{message}");
    }

    #[test]
    fn the_secret_does_not_print() {
        let flags = [
            "--oidc-issuer=https://id.example.org",
            "--oidc-client-id=files",
            "--oidc-client-secret=hush-hush",
        ];
        let args = Cli::parse_from(std::iter::once(&"file-share").chain(&flags)).args;
        let settings = judge(&flags).unwrap();
        let printed = format!("{args:?} {settings:?}");
        assert!(
            printed.contains("files") && !printed.contains("hush"),
            "{printed}"
        );
        let secret = settings.unwrap().client_secret.unwrap();
        assert_eq!(secret.expose(), "hush-hush");
    }
}
