//! What a signed token must claim, and whom it then is about.
//!
//! Invariant: a claim of a wrong type is no claim. People are told apart by issuer and subject alone; names, addresses
//! and groups may change and be shared.
//!
//! Absent on purpose: whether the signature is right, which is looked at before.

use std::sync::Arc;

use serde_json::Value;

use super::jose::Claims;
use super::{LEEWAY, TokenRefused};
use crate::access::{Person, Role};
use crate::config::OidcSettings;
use crate::domain::{Timestamp, UserId, from_millis};

/// How long a subject may be, in bytes; OpenID Connect says 255.
const MAX_SUBJECT_BYTES: usize = 255;
/// How long a name may be, in characters; the rest of a longer one is left out.
const MAX_NAME_CHARACTERS: usize = 100;
/// How many groups of a person are looked at.
const MAX_GROUPS: usize = 1_000;
/// How long a group may be, in bytes; a longer one isn't looked at.
const MAX_GROUP_BYTES: usize = 256;
/// Claims that may have a person's groups: the first there is.
const GROUP_CLAIMS: [&str; 3] = ["groups", "cognito:groups", "roles"];
/// Claims that may have a person's name: the first there is.
const NAME_CLAIMS: [&str; 5] = [
    "name",
    "preferred_username",
    "cognito:username",
    "username",
    "email",
];
/// What only an ID token or a logout token has, and what binds a token to a key of its sender's (`cnf`, RFC 7800):
/// whoever holds such a token without a proof of that key stole it, and no proof is looked at here.
const NEVER_OF_ACCESS: [&str; 5] = ["at_hash", "c_hash", "s_hash", "events", "cnf"];
/// What Keycloak calls its tokens that aren't for access.
const OTHER_KINDS: [&str; 4] = ["id", "refresh", "offline", "logout"];

/// Whom a token is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Who says it.
    pub issuer: String,
    /// What the issuer calls them.
    pub subject: String,
    /// Who it is, for this service.
    pub user_id: UserId,
    /// Who calls; `None`: none of their groups has a role.
    pub person: Option<Arc<Person>>,
    /// The groups that the issuer says they are in.
    pub groups: Vec<String>,
    /// When the token was made; `None`: it doesn't say.
    pub issued_at: Option<Timestamp>,
    /// When the token ends.
    pub expires_at: Timestamp,
}

impl Identity {
    /// What they may do; `None`: nothing.
    pub fn role(&self) -> Option<Role> {
        self.person.as_ref().map(|person| person.role)
    }

    /// How the issuer names those who have a role: a label for people, by which nothing is decided.
    pub fn name(&self) -> Option<&str> {
        self.person.as_ref()?.name.as_deref()
    }
}

/// The most that one of these groups may do; `None`: nothing.
fn role_of(groups: &[String], settings: &OidcSettings) -> Option<Role> {
    let roles = [
        (&settings.admins, Role::Admin),
        (&settings.members, Role::Member),
        (&settings.guests, Role::Guest),
    ];
    let mut theirs = roles
        .into_iter()
        .filter(|(having_it, _)| having_it.contain_any(groups));
    theirs.next().map(|(_, role)| role)
}

/// Whom an access token is about, if it is one for this service, and for now.
pub(super) fn of_bearer(
    claims: &Claims,
    kind: Option<&str>,
    settings: &OidcSettings,
    now: Timestamp,
) -> Result<Identity, TokenRefused> {
    if !matches!(kind, None | Some("jwt" | "at+jwt")) {
        return Err(TokenRefused::Kind);
    }
    let says = |name: &str, what: &str| claims.get(name).is_some_and(|it| it == what);
    let typ = claims.get("typ").and_then(Value::as_str);
    let is_other = typ.is_some_and(|typ| OTHER_KINDS.contains(&typ.to_ascii_lowercase().as_str()))
        || claims.get("token_use").is_some_and(|it| it != "access")
        || NEVER_OF_ACCESS.iter().any(|it| claims.contains_key(*it));
    let is_access = kind == Some("at+jwt")
        || says("typ", "Bearer")
        || says("token_use", "access")
        || claims.contains_key("scope")
        || claims.contains_key("scp");
    let audience = audience(claims)?;
    // Where an audience of access is the client too, an ID token differs by nothing else.
    let needs_sign = claims.contains_key("nonce")
        || audience
            .as_ref()
            .is_some_and(|it| it.contains(&&*settings.client_id));
    if is_other || needs_sign && !is_access {
        return Err(TokenRefused::Kind);
    }
    check_issuer(claims, settings)?;
    let is_for_us = match (&audience, &settings.audience) {
        (Some(theirs), Some(ours)) => theirs.contains(&ours.as_str()),
        // Cognito's.
        (None, _) => says("client_id", &settings.client_id) && says("token_use", "access"),
        (Some(_), None) => false,
    };
    if !is_for_us {
        return Err(TokenRefused::Audience);
    }
    identity(claims, settings, now)
}

/// Whom an ID token is about, if it is one of this sign-in.
pub(super) fn of_id_token(
    claims: &Claims,
    kind: Option<&str>,
    settings: &OidcSettings,
    nonce: &str,
    now: Timestamp,
) -> Result<Identity, TokenRefused> {
    let is_other = !matches!(kind, None | Some("jwt"))
        || claims.get("token_use").is_some_and(|it| it != "id")
        || claims.contains_key("events");
    if is_other {
        return Err(TokenRefused::Kind);
    }
    check_issuer(claims, settings)?;
    let client = settings.client_id.as_str();
    let audience = audience(claims)?.ok_or(TokenRefused::Claim("aud"))?;
    let is_authorized = match claims.get("azp") {
        Some(party) => party == client,
        None => audience.len() == 1,
    };
    if !audience.contains(&client) || !is_authorized {
        return Err(TokenRefused::Audience);
    }
    if claims.get("nonce").and_then(Value::as_str) != Some(nonce) {
        return Err(TokenRefused::Nonce);
    }
    let issued = time(claims, "iat")?.ok_or(TokenRefused::Claim("iat"))?;
    if issued > now + LEEWAY {
        return Err(TokenRefused::NotYet);
    }
    identity(claims, settings, now)
}

fn check_issuer(claims: &Claims, settings: &OidcSettings) -> Result<(), TokenRefused> {
    match claims.get("iss") {
        Some(Value::String(issuer)) if *issuer == settings.issuer => Ok(()),
        _ => Err(TokenRefused::Issuer),
    }
}

/// `None`: there is none.
fn audience(claims: &Claims) -> Result<Option<Vec<&str>>, TokenRefused> {
    match claims.get("aud") {
        None => Ok(None),
        Some(Value::String(one)) => Ok(Some(vec![one])),
        Some(Value::Array(several)) => {
            let texts: Option<Vec<&str>> = several.iter().map(Value::as_str).collect();
            texts.map(Some).ok_or(TokenRefused::Claim("aud"))
        }
        Some(_) => Err(TokenRefused::Claim("aud")),
    }
}

/// What ID and access tokens have in common.
fn identity(
    claims: &Claims,
    settings: &OidcSettings,
    now: Timestamp,
) -> Result<Identity, TokenRefused> {
    let expires_at = time(claims, "exp")?.ok_or(TokenRefused::Claim("exp"))?;
    if now >= expires_at + LEEWAY {
        return Err(TokenRefused::Expired);
    }
    if time(claims, "nbf")?.is_some_and(|not_before| not_before > now + LEEWAY) {
        return Err(TokenRefused::NotYet);
    }
    let subject = claims.get("sub").and_then(Value::as_str);
    let subject = subject
        .filter(|it| (1..=MAX_SUBJECT_BYTES).contains(&it.len()))
        .ok_or(TokenRefused::Claim("sub"))?;
    let user_id = UserId::of(&settings.issuer, subject);
    let groups = groups(claims, settings.roles_claim.as_deref());
    let person = |role| Person {
        id: user_id,
        role,
        name: name(claims),
    };
    Ok(Identity {
        issuer: settings.issuer.clone(),
        subject: subject.to_owned(),
        user_id,
        person: role_of(&groups, settings).map(person).map(Arc::new),
        groups,
        issued_at: time(claims, "iat").ok().flatten(),
        expires_at,
    })
}

/// Seconds since 1970 are a number, never text. Far enough from the end of time for sums.
fn time(claims: &Claims, name: &'static str) -> Result<Option<Timestamp>, TokenRefused> {
    const MOST_SECONDS: i64 = 253_402_300_799;
    let Some(value) = claims.get(name) else {
        return Ok(None);
    };
    let seconds = match value {
        // Fractions are cut off; what is too large stays too large.
        Value::Number(number) => number
            .as_i64()
            .or_else(|| number.as_f64().map(|it| it as i64)),
        _ => None,
    };
    seconds
        .filter(|seconds| (0..=MOST_SECONDS).contains(seconds))
        .and_then(|seconds| from_millis(seconds * 1000))
        .map(Some)
        .ok_or(TokenRefused::Claim(name))
}

fn name(claims: &Claims) -> Option<String> {
    let texts = NAME_CLAIMS
        .iter()
        .filter_map(|it| claims.get(*it)?.as_str());
    let mut names = texts.map(label).filter(|name| !name.is_empty());
    names.next()
}

/// Without what isn't seen or turns the direction of what is.
fn label(text: &str) -> String {
    let hides = |it: char| {
        it.is_control()
            || matches!(it, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{061C}' | '\u{FEFF}')
    };
    let seen: String = text.chars().filter(|it| !hides(*it)).collect();
    let short: String = seen.trim().chars().take(MAX_NAME_CHARACTERS).collect();
    short.trim_end().to_owned()
}

/// No groups is none, and not an error.
fn groups(claims: &Claims, claim: Option<&str>) -> Vec<String> {
    let found = match claim {
        Some(claim) => named(claims, claim),
        None => GROUP_CLAIMS.iter().find_map(|it| claims.get(*it)),
    };
    let texts: Vec<&str> = match found {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several
            .iter()
            .take(MAX_GROUPS)
            .filter_map(Value::as_str)
            .collect(),
        _ => Vec::new(),
    };
    let good = |it: &&str| (1..=MAX_GROUP_BYTES).contains(&it.len());
    texts.into_iter().filter(good).map(str::to_owned).collect()
}

/// A claim of this whole name, or what its dots lead to.
fn named<'a>(claims: &'a Claims, name: &str) -> Option<&'a Value> {
    claims.get(name).or_else(|| {
        let mut steps = name.split('.');
        let first = claims.get(steps.next()?)?;
        steps.try_fold(first, |value, step| value.get(step))
    })
}
