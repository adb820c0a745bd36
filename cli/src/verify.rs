//! `fshare verify`: whether a receipt is genuine, and a file the one that it is about.
//!
//! **Invariant:** keys come from the service that the person named, or from a file of theirs, and never from where the
//! receipt says. Memory doesn't grow with the file, which is read no further than the receipt says it goes.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use chrono::{DateTime, SecondsFormat};
use serde_json::{Value, json};

use crate::address::server_key;
use crate::api_client::ApiClient;
use crate::arguments;
use crate::error::{CliError, DONE, SOME_FAILED};
use crate::inputs::digest;
use crate::jws::{Claims, Keys, MAX_KEYS_BYTES, MAX_RECEIPT_BYTES, UnverifiedReceipt};
use crate::output::{Output, human, local_time};
use crate::retry::Deadline;

/// What stands in a receipt for a file that was handed in to a box: for people, in this order.
const OF_BOXES: [(&str, &str); 5] = [
    ("title", "for"),
    ("submitter", "from"),
    ("dueAt", "due"),
    ("late", "late"),
    ("box", "box"),
];

/// The exit code: whether everything holds.
pub(crate) async fn run(
    server: &str,
    arguments: &arguments::Verify,
    until: Deadline,
    output: &Output,
) -> Result<u8, CliError> {
    let text = read_receipt(&arguments.receipt)?;
    let receipt = UnverifiedReceipt::parse(&text)?;
    let (keys, whose) = match &arguments.keys {
        Some(path) => (keys_in(path)?, format!("in {}", path.display())),
        None => {
            let (keys, base) = keys_at(server, until).await?;
            (keys, format!("of {base}"))
        }
    };
    let claims = receipt.verified_by(&keys, &whose)?;
    let compared = match &arguments.file {
        Some(path) => Some((path, compare(path, &claims).await?)),
        None => None,
    };
    let holds = compared
        .as_ref()
        .is_none_or(|(_, difference)| difference.is_none());
    let code = if holds { DONE } else { SOME_FAILED };
    if output.json {
        let file = compared.map(|(path, difference)| {
            json!({ "path": path.display().to_string(), "same": difference.is_none(), "difference": difference })
        });
        output.json_line(&json!({
            "genuine": true,
            "keys": whose,
            "keyId": receipt.key_id,
            "receipt": claims.all,
            "file": file,
        }))?;
        return Ok(code);
    }
    output.result(&format!(
        "✓ the receipt is genuine: signed with the key {} {whose}",
        receipt.key_id
    ))?;
    for (name, value) in lines(&claims, server, arguments.keys.is_some()) {
        output.result(&format!("  {name:9} {value}"))?;
    }
    match compared {
        None => {}
        Some((path, None)) => output.result(&format!(
            "✓ {} is exactly the file of the receipt",
            path.display()
        ))?,
        Some((path, Some(difference))) => output.result(&format!(
            "✗ {} isn't the file of the receipt: {difference}",
            path.display()
        ))?,
    }
    Ok(code)
}

/// What it says, for people.
fn lines(claims: &Claims, server: &str, is_offline: bool) -> Vec<(&'static str, String)> {
    let mut lines = vec![
        ("name", claims.name.clone()),
        (
            "size",
            format!("{} ({} bytes)", human(claims.size), claims.size),
        ),
        ("sha256", claims.sha256.clone()),
        ("uploaded", local_time(&claims.uploaded_at)),
    ];
    for (field, name) in OF_BOXES {
        match claims.all.get(field) {
            Some(Value::String(text)) if field == "dueAt" => lines.push((name, local_time(text))),
            Some(Value::String(text)) => lines.push((name, text.clone())),
            Some(Value::Bool(is)) => lines.push((name, if *is { "yes" } else { "no" }.to_owned())),
            _ => {}
        }
    }
    lines.push(("file", claims.file_id.to_string()));
    let issued = DateTime::from_timestamp(claims.issued_at, 0);
    if let Some(issued) = issued {
        let issued = issued.to_rfc3339_opts(SecondsFormat::Secs, true);
        lines.push(("issued", local_time(&issued)));
    }
    // Anybody may reach one service by several addresses.
    let elsewhere = !is_offline && server_key(&claims.issuer) != server_key(server);
    let issuer = match elsewhere {
        true => format!(
            "{} (so the receipt says; its signature was checked with the keys of {})",
            claims.issuer,
            server.trim_end_matches('/')
        ),
        false => claims.issuer.clone(),
    };
    lines.push(("issuer", issuer));
    lines
}

/// Where the file differs from what the receipt says; `None`: nowhere.
async fn compare(path: &Path, claims: &Claims) -> Result<Option<String>, CliError> {
    let (path, claims) = (path.to_owned(), claims.clone());
    let compared = tokio::task::spawn_blocking(move || {
        difference(&path, &claims)
            .map_err(|error| CliError::Here(format!("{}: {error}", path.display())))
    });
    compared
        .await
        .map_err(|error| CliError::Here(error.to_string()))?
}

fn difference(path: &Path, claims: &Claims) -> io::Result<Option<String>> {
    let says = claims.size;
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() && metadata.len() != says {
        let has = metadata.len();
        return Ok(Some(format!(
            "it has {has} bytes, and the receipt says {says}"
        )));
    }
    let (size, sha256) = digest(
        &mut (&mut file).take(says.saturating_add(1)),
        &mut io::sink(),
    )?;
    Ok(if size > says {
        Some(format!(
            "it has more than the {says} bytes that the receipt says"
        ))
    } else if size < says {
        Some(format!("it has {size} bytes, and the receipt says {says}"))
    } else if sha256 != claims.sha256 {
        Some(format!(
            "as many bytes, and others: their SHA-256 is {sha256}"
        ))
    } else {
        None
    })
}

fn read_receipt(path: &Path) -> Result<String, CliError> {
    let bytes = match path.as_os_str() == "-" {
        true => at_most(MAX_RECEIPT_BYTES, io::stdin().lock()),
        false => File::open(path).and_then(|file| at_most(MAX_RECEIPT_BYTES, file)),
    };
    let bytes = bytes.map_err(|error| CliError::Here(format!("{}: {error}", path.display())))?;
    let bytes = bytes.ok_or_else(|| {
        CliError::NoReceipt(format!(
            "this is no receipt: it is longer than {MAX_RECEIPT_BYTES} bytes"
        ))
    })?;
    String::from_utf8(bytes)
        .map_err(|_| CliError::NoReceipt("this is no receipt: it isn't text".to_owned()))
}

/// `None`: there is more.
fn at_most(limit: u64, from: impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    from.take(limit + 1).read_to_end(&mut bytes)?;
    Ok(u64::try_from(bytes.len())
        .is_ok_and(|length| length <= limit)
        .then_some(bytes))
}

fn keys_in(path: &Path) -> Result<Keys, CliError> {
    let here = |why: &str| CliError::Here(format!("{}: {why}", path.display()));
    let bytes = File::open(path).and_then(|file| at_most(MAX_KEYS_BYTES, file));
    let bytes = bytes.map_err(|error| here(&error.to_string()))?;
    let keys = bytes.and_then(|bytes| Keys::parse(&bytes));
    keys.ok_or_else(|| here("it has no keys: save there what GET /v1/receipts/keys answers"))
}

/// The keys of a service, and its address. Nobody has to show who they are for them.
async fn keys_at(server: &str, until: Deadline) -> Result<(Keys, String), CliError> {
    let service = ApiClient::anonymous(server)?;
    let answer = service.receipt_keys(until).await?;
    let base = service.base().to_owned();
    let keys = Keys::parse(&answer).ok_or_else(|| {
        CliError::Unusable(format!("{base} has answered something else than keys"))
    })?;
    match keys.are_none() {
        true => Err(CliError::NotGenuine(format!(
            "the receipt isn't shown to be genuine: {base} signs no receipts. Where is the service that does (--server \
             URL, or --keys FILE)?"
        ))),
        false => Ok((keys, base)),
    }
}
