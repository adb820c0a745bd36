//! Which proof of who they are callers have to show, by the settings.
//!
//! Invariant: a service that others can reach lets in whoever has the key alone, unless an operator said that
//! it is open.

use std::path::Path;
use std::sync::Arc;

use super::StartError;
use crate::access::oidc::Issuer;
use crate::access::{Gate, LocalKey, Policy, SignInAt};
use crate::api::CallRates;
use crate::capability_token::CapabilityKeys;
use crate::config::{AccessSetting, ApiSettings};
use crate::item_store::ItemStore;

/// What signs the URLs of links. `data_dir`: where local mode keeps a secret of its own, if no operator gave one.
pub(super) fn link_keys(
    settings: &ApiSettings,
    data_dir: Option<&Path>,
) -> Result<CapabilityKeys, StartError> {
    match (&settings.link_secrets, data_dir) {
        (Some(secrets), _) => Ok(CapabilityKeys::of_secrets(
            secrets.first(),
            secrets.others(),
        )),
        (None, Some(data_dir)) => CapabilityKeys::load_or_create(data_dir)
            .map_err(|error| StartError::new("the secret of links", error)),
        (None, None) => Err(StartError::new("LINK_SECRET", "there is none")),
    }
}

/// Says whom requests come from, by this policy.
pub(super) fn gate(
    settings: &ApiSettings,
    policy: Policy,
    items: &Arc<dyn ItemStore>,
    keys: CapabilityKeys,
) -> Gate {
    Gate::new(policy, Arc::clone(items))
        .knowing_submissions(keys)
        .limiting_tries(settings.rates.secret)
}

/// How often callers may call. Whoever sits at this machine takes nothing from anybody.
pub(super) fn call_rates(settings: &ApiSettings, policy: &Policy) -> CallRates {
    match policy {
        Policy::Loopback => CallRates::default(),
        Policy::Open | Policy::Key(_) | Policy::Oidc(_) => {
            CallRates::new(settings.rates.read, settings.rates.create)
        }
    }
}

/// A key that callers have to show.
#[derive(Debug, Clone)]
pub struct RequiredKey {
    /// The key.
    pub key: LocalKey,
    /// Whether this start made it.
    pub is_new: bool,
}

/// What a service in aws mode asks for.
pub(super) fn policy_beside_s3(settings: &ApiSettings) -> Result<Policy, StartError> {
    match settings.access {
        AccessSetting::Oidc => issuer(settings, None),
        AccessSetting::Open => Ok(Policy::Open),
        AccessSetting::Auto | AccessSetting::Key => {
            Err(StartError::new("ACCESS", "in aws mode it is open or oidc"))
        }
    }
}

/// The issuer of the settings. It isn't asked for anything yet: one that is away keeps no service down.
fn issuer(settings: &ApiSettings, data_dir: Option<&Path>) -> Result<Policy, StartError> {
    let Some(oidc) = settings.oidc.clone() else {
        return Err(StartError::new("OIDC_ISSUER", "there is none"));
    };
    let secret = match (&oidc.session_secret, data_dir) {
        (Some(secret), _) => secret.expose().to_owned(),
        (None, Some(data_dir)) => SignInAt::secret_in(data_dir)
            .map_err(|error| StartError::new("the session secret", error))?,
        (None, None) => return Err(StartError::new("SESSION_SECRET", "there is none")),
    };
    let issuer = Issuer::new(oidc);
    let issuer = issuer.map_err(|error| StartError::new("the way to OIDC_ISSUER", error))?;
    let secret = secret.into_bytes();
    Ok(Policy::Oidc(SignInAt { issuer, secret }))
}

/// What a service asks for whose data directory this is, and its key if it asks for one.
pub(super) fn policy(
    settings: &ApiSettings,
    data_dir: &Path,
) -> Result<(Policy, Option<RequiredKey>), StartError> {
    match settings.access {
        AccessSetting::Open => Ok((Policy::Open, None)),
        AccessSetting::Oidc => Ok((issuer(settings, Some(data_dir))?, None)),
        AccessSetting::Auto if settings.is_for_this_machine() => Ok((Policy::Loopback, None)),
        AccessSetting::Auto | AccessSetting::Key => {
            let failed = |error| StartError::new("the access key", error);
            let existing = LocalKey::load(data_dir).map_err(failed)?;
            let is_new = existing.is_none();
            let key = match existing {
                Some(key) => key,
                None => LocalKey::load_or_create(data_dir).map_err(failed)?,
            };
            let policy = Policy::Key(key.clone());
            Ok((policy, Some(RequiredKey { key, is_new })))
        }
    }
}
