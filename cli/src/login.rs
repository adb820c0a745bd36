//! `fshare login` and `logout`: a token for this machine, by a code that a person types in the browser.
//!
//! **Invariant:** a token that can't be kept isn't asked for, one that wasn't kept is revoked, and after `logout` none
//! is left here, whether or not the service heard of it.
//!
//! **Absent on purpose:** a browser that opens by itself, and an address that has the code in it: typing the code is
//! what shows the person which program they let in.

use std::io::{self, IsTerminal};
use std::time::Duration;

use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::api_client::{ApiClient, TOKEN};
use crate::error::CliError;
use crate::open_browser::open_page;
use crate::output::{Output, local_time};
use crate::platform::host_name;
use crate::retry::Deadline;
use crate::sign_in_calls::{NewPairing, Redemption};
use crate::stored_tokens::{StoredToken, TokenFile};

/// How long a call may take that isn't the wait for a person, retries included.
const CALL_LIMIT: Duration = Duration::from_secs(30);
/// The most of this machine's name that the person sees.
const MAX_HOST_CHARS: usize = 64;
/// What says that this shell runs elsewhere than where its person sits.
const OVER_SSH: [&str; 3] = ["SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"];

/// Signs in at the service, in place of whoever was signed in before.
///
/// # Errors
/// Nobody let this program in, or the token can't be kept.
pub(crate) async fn login(
    server: &str,
    patience: Duration,
    output: &Output,
) -> Result<(), CliError> {
    let service = ApiClient::anonymous(server)?;
    let base = service.base().to_owned();
    let file = TokenFile::required()?;
    file.check()?;
    let before = file.read()?.get(&base).cloned();
    let begun = service
        .begin_pairing(&own_name(), Deadline::after(CALL_LIMIT.min(patience)))
        .await;
    let pairing = match begun {
        Err(CliError::Refused { code, .. }) if code == "tokens_unavailable" => {
            output.note(&format!(
                "✓ {base} asks nobody who they are: it needs no sign-in"
            ));
            return said(output, json!({ "server": base, "isNeeded": false }));
        }
        Err(CliError::Refused { code, .. }) if code == "route_not_found" => {
            return Err(CliError::Unusable(format!(
                "{base} is of an earlier version and lets no program in by a code: set {TOKEN} instead"
            )));
        }
        begun => begun?,
    };
    show(&pairing, output)?;
    let token = wait(&service, &pairing, Deadline::after(patience), output).await?;
    if let Err(failure) = file.set(&base, Some(token.clone())) {
        // Nobody could use it any more.
        let _ = end(&service, &token).await;
        return Err(failure);
    }
    if let Some(before) = before {
        // It has run out or was revoked, or it does so by itself.
        let _ = end(&service, &before).await;
    }
    output.note(&format!(
        "✓ signed in at {base} until {}; the token is in {}",
        local_time(&token.expires_at),
        file.path().display()
    ));
    if std::env::var(TOKEN).is_ok_and(|it| !it.trim().is_empty()) {
        output.note(&format!("! {TOKEN} is set, and counts before it"));
    }
    let StoredToken { id, expires_at, .. } = &token;
    said(
        output,
        json!({ "server": base, "isNeeded": true, "tokenId": id, "expiresAt": expires_at }),
    )
}

/// Ends the token at the service, and forgets it here in any case.
///
/// # Errors
/// The service didn't hear of it.
pub(crate) async fn logout(
    server: &str,
    patience: Duration,
    output: &Output,
) -> Result<(), CliError> {
    let service = ApiClient::anonymous(server)?;
    let base = service.base().to_owned();
    let file = TokenFile::required()?;
    let Some(token) = file.read()?.get(&base).cloned() else {
        output.note(&format!("✓ nobody is signed in at {base}"));
        return said(output, json!({ "server": base, "isRevoked": null }));
    };
    let service = service.with_token(&token)?;
    let until = Deadline::after(CALL_LIMIT.min(patience));
    let ended = service.revoke_token(&token.id, until).await;
    file.set(&base, None)?;
    match ended {
        // It has run out, or was revoked elsewhere.
        Err(CliError::Refused {
            status: 401 | 404, ..
        })
        | Ok(()) => {
            output.note(&format!("✓ signed out at {base}"));
            said(output, json!({ "server": base, "isRevoked": true }))
        }
        Err(failure) => {
            output.note(&format!(
                "✗ the token is removed here, but {base} didn't hear of it. It holds until {} unless somebody \
                 revokes it: fshare tokens revoke {}",
                local_time(&token.expires_at),
                token.id
            ));
            Err(failure)
        }
    }
}

/// For programs.
fn said(output: &Output, line: serde_json::Value) -> Result<(), CliError> {
    match output.json {
        true => output.json_line(&line),
        false => Ok(()),
    }
}

async fn end(service: &ApiClient, token: &StoredToken) -> Result<(), CliError> {
    let service = service.with_token(token)?;
    service
        .revoke_token(&token.id, Deadline::after(CALL_LIMIT))
        .await
}

/// What the person sees who is asked whether to let this program in.
fn own_name() -> String {
    let name = host_name().unwrap_or_default();
    let is_seen = |c: &char| c.is_ascii_graphic();
    let name: String = name.chars().filter(is_seen).take(MAX_HOST_CHARS).collect();
    match name.as_str() {
        "" => "fshare".to_owned(),
        name => format!("fshare on {name}"),
    }
}

fn show(pairing: &NewPairing, output: &Output) -> Result<(), CliError> {
    let NewPairing {
        user_code,
        verify_at,
        expires_at,
        ..
    } = pairing;
    if output.json {
        let line = json!({ "verifyAt": verify_at, "userCode": user_code, "expiresAt": expires_at });
        return output.json_line(&line);
    }
    output.note(&format!("Open       {verify_at}"));
    output.note(&format!("and type   {user_code}"));
    output.note(&format!(
        "until      {} (Ctrl-C ends the wait)",
        local_time(expires_at)
    ));
    Ok(())
}

/// Waits for the person, and asks for the token now and then.
async fn wait(
    service: &ApiClient,
    pairing: &NewPairing,
    until: Deadline,
    output: &Output,
) -> Result<StoredToken, CliError> {
    let mut pressed = offer_browser(output);
    let mut pause = pairing.interval();
    let mut trouble = None;
    loop {
        if pause >= until.left() {
            return Err(CliError::TooSlow(match trouble {
                Some(failure) => failure,
                None => format!("nobody typed {} in time", pairing.user_code),
            }));
        }
        tokio::select! {
            () = sleep(pause) => {}
            Some(()) = pressed.recv() => {
                if !open_page(&pairing.verify_at).await {
                    output.note("no browser could be started here; open the address yourself");
                }
                continue;
            }
        }
        pause = pairing.interval();
        match service.redeem_pairing(pairing).await {
            Ok(Redemption::Token(token)) => return Ok(token),
            Ok(Redemption::Pending(longer)) => {
                pause = pause.max(longer.unwrap_or_default());
                trouble = None;
            }
            Err(CliError::Refused { code, .. }) if code == "pairing_gone" => {
                return Err(CliError::TooSlow(format!(
                    "nobody typed {} in time: call fshare login again",
                    pairing.user_code
                )));
            }
            // The person may be faster than a server that is started anew.
            Err(failure @ (CliError::Unreachable { .. } | CliError::NoAnswer(_))) => {
                if trouble.is_none() {
                    output.note_to_watcher(&format!("{failure}; trying again"));
                }
                trouble = Some(failure.to_string());
            }
            Err(failure) => return Err(failure),
        }
    }
}

/// Tells when the person at this terminal wants the page opened. Over SSH the browser would be elsewhere than they.
fn offer_browser(output: &Output) -> mpsc::Receiver<()> {
    let (presses, pressed) = mpsc::channel(1);
    let is_here = OVER_SSH.iter().all(|name| std::env::var_os(name).is_none());
    let is_watched = io::stdin().is_terminal() && io::stderr().is_terminal() && !output.json;
    if is_here && is_watched {
        output.note("Enter      opens the page in the browser");
        // It ends with the program.
        std::thread::spawn(move || {
            let mut line = String::new();
            if io::stdin().read_line(&mut line).is_ok_and(|read| read > 0) {
                let _ = presses.blocking_send(());
            }
        });
    }
    pressed
}
