//! Addresses as people write them: of a server, of a page, of a file.

use http::Uri;
use uuid::Uuid;

use crate::api_client::ApiClient;
use crate::error::CliError;

/// `http://host:port/prefix`, without a slash at the end.
pub(crate) fn base_of(server: &str) -> Result<String, CliError> {
    let wrong = |why: &str| {
        CliError::Usage(format!(
            "the server's address must look like http://127.0.0.1:8000 ({why})"
        ))
    };
    let uri: Uri = server.parse().map_err(|_| wrong("it can't be read"))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(wrong("it must begin with http:// or https://"));
    }
    let authority = uri.authority().ok_or_else(|| wrong("it has no host"))?;
    if authority.as_str().contains('@') || uri.query().is_some() {
        return Err(wrong("it must have neither a user nor a query"));
    }
    Ok(server.trim_end_matches('/').to_owned())
}

/// `scheme://host:port`, as a browser writes it: lower case, and no port that goes without saying.
pub(crate) fn origin_of(uri: &Uri) -> Option<String> {
    let scheme = uri.scheme_str()?;
    let host = uri.host()?.to_lowercase();
    let usual = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    Some(match uri.port_u16() {
        Some(port) if port != usual => format!("{scheme}://{host}:{port}"),
        _ => format!("{scheme}://{host}"),
    })
}

/// What a service is known by: the same for each way to write its address, and another for each other service, also
/// below another path of one host.
pub(crate) fn server_key(base: &str) -> String {
    let base = base.trim_end_matches('/');
    let uri: Option<Uri> = base.parse().ok();
    let origin = uri.as_ref().and_then(origin_of);
    match (origin, &uri) {
        (Some(origin), Some(uri)) => format!("{origin}{}", uri.path().trim_end_matches('/')),
        _ => base.to_owned(),
    }
}

/// Whether a host's name or address means the machine of whoever asks it: to others it leads to their own.
pub(crate) fn is_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse();
    address.is_ok_and(|address: std::net::IpAddr| address.is_loopback())
        || host.eq_ignore_ascii_case("localhost")
        || host.to_ascii_lowercase().ends_with(".localhost")
}

/// Whether nobody but this machine comes to an address.
pub(crate) fn is_for_this_machine(address: &str) -> bool {
    let uri: Option<Uri> = address.parse().ok();
    uri.as_ref()
        .and_then(Uri::host)
        .is_some_and(is_this_machine)
}

/// Where the bytes are sent or fetched, if that is an address of a store: a full one, with no user in it,
/// and not in the clear where the service itself is reached by TLS.
///
/// # Errors
/// It isn't. `what` says whose address it is; the address itself may be a credential and isn't shown.
pub(crate) fn check_store_address(address: &str, base: &str, what: &str) -> Result<Uri, CliError> {
    let refused = |why: String| Err(CliError::Unusable(format!("{what} {why}")));
    let Ok(uri) = address.parse::<Uri>() else {
        return refused("can't be read".to_owned());
    };
    let Some(authority) = uri.authority() else {
        return refused("leads nowhere: it has no host".to_owned());
    };
    if authority.as_str().contains('@') {
        return refused("has a user or password in it, and isn't followed".to_owned());
    }
    match uri.scheme_str() {
        Some("https") => Ok(uri),
        Some("http") if !base.starts_with("https:") => Ok(uri),
        Some("http") => refused(format!(
            "leads from https to http, where anybody on the way can read along: it isn't followed. If a \
             proxy ends TLS before the service, set its PUBLIC_URL to {base}"
        )),
        _ => refused("is neither http nor https".to_owned()),
    }
}

/// A link as people pass it on, without what mails, chats and sentences put around it.
fn bare(text: &str) -> &str {
    let around = |c: char| c.is_whitespace() || "<>()[]{}\"'`".contains(c);
    let text = text.trim_start_matches(around);
    let link = text.split(['?', '#']).next().unwrap_or_default();
    link.trim_end_matches(|c: char| around(c) || ".,;:!*/".contains(c))
}

/// What somebody passed on: files to fetch, or a box to hand in to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PassedOn {
    Link,
    Box,
}

/// The URL of a link or a box. Whoever has it can use it, so it doesn't print.
pub(crate) struct CapabilityLink {
    pub kind: PassedOn,
    /// Of the service that it leads to.
    pub base: String,
    /// What stands behind `/s/` or `/b/`.
    pub token: String,
}

impl CapabilityLink {
    /// Its page.
    pub(crate) fn page(&self) -> String {
        format!("{}{}{}", self.base, self.kind.path(), self.token)
    }
}

impl PassedOn {
    fn path(self) -> &'static str {
        match self {
            Self::Link => "/s/",
            Self::Box => "/b/",
        }
    }
}

/// A link or a box that somebody passed on, if that is what it is.
///
/// # Errors
/// It is one, of something that is no server.
pub(crate) fn parse_capability(text: &str) -> Result<Option<CapabilityLink>, CliError> {
    let is_token = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    for kind in [PassedOn::Link, PassedOn::Box] {
        if let Some((base, token)) = bare(text).rsplit_once(kind.path())
            && !token.is_empty()
            && token.chars().all(is_token)
        {
            return Ok(Some(CapabilityLink {
                kind,
                base: base_of(base)?,
                token: token.to_owned(),
            }));
        }
    }
    Ok(None)
}

/// A link that somebody passed on, if that is what it is.
///
/// # Errors
/// It is one, of something that is no server.
pub(crate) fn parse_share(text: &str) -> Result<Option<CapabilityLink>, CliError> {
    let found = parse_capability(text)?;
    Ok(found.filter(|it| it.kind == PassedOn::Link))
}

/// A file by its ID or its link; a link also says where its server is.
///
/// # Errors
/// It is neither.
pub(crate) async fn parse_file(
    text: &str,
    service: &ApiClient,
) -> Result<(ApiClient, Uuid), CliError> {
    let (base, id) = read_file(text)?;
    match base {
        None => Ok((service.clone(), id)),
        Some(base) => Ok((service.of_link(base).await, id)),
    }
}

/// A file's ID, and of a link the address of its server.
fn read_file(text: &str) -> Result<(Option<String>, Uuid), CliError> {
    let link = bare(text);
    if let Ok(id) = link.parse::<Uuid>() {
        return Ok((None, id));
    }
    let said = parse_capability(text)?.map(|it| match it.kind {
        PassedOn::Link => {
            "this is a link that somebody passed on, which isn't known here by its files: fshare download takes \
             them, and fshare open shows it in the browser"
        }
        PassedOn::Box => {
            "this is a box, and no file: fshare box show says what was handed in to one of yours, and a browser opens \
             its page"
        }
    });
    if let Some(said) = said {
        return Err(CliError::Usage(said.to_owned()));
    }
    let wrong = || {
        CliError::Usage("a file is named by its ID or its link (…/f/ID, …/v1/files/ID)".to_owned())
    };
    let link = link.strip_suffix("/metadata").unwrap_or(link);
    let (files, id) = link.rsplit_once('/').ok_or_else(wrong)?;
    let id = id.parse::<Uuid>().map_err(|_| wrong())?;
    // The page of a file, and what a program is given.
    let base = files.strip_suffix("/f").or_else(|| {
        let base = files.strip_suffix("/files")?;
        Some(base.strip_suffix("/v1").unwrap_or(base))
    });
    let base = base.ok_or_else(wrong)?;
    Ok((Some(base_of(base)?), id))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "019c134c-66db-7f4d-9a7e-0d8a4c1b2e3f";

    fn parse(text: &str) -> Result<(String, String), String> {
        let (base, id) = read_file(text).map_err(|failure| failure.to_string())?;
        let base = base.unwrap_or_else(|| "http://here:1".to_owned());
        Ok((base, id.to_string()))
    }

    #[test]
    fn a_file_is_named_by_its_id_or_by_its_link() {
        for (text, base) in [
            (ID.to_owned(), "http://here:1"),
            (
                format!("https://a.example/v1/files/{ID}"),
                "https://a.example",
            ),
            (format!("http://b:8/p/files/{ID}/metadata"), "http://b:8/p"),
            (format!("https://a.example/p/f/{ID}"), "https://a.example/p"),
            (
                format!("<https://a.example/p/f/{ID}/?utm_source=x>."),
                "https://a.example/p",
            ),
            (format!("(see {ID}").replace("see ", ""), "http://here:1"),
        ] {
            assert_eq!(parse(&text), Ok((base.to_owned(), ID.to_owned())), "{text}");
        }
        for text in [
            "",
            "hello.txt",
            &format!("https://a.example/uploads/{ID}?X-Amz-Signature=1"),
            &format!("ftp://a.example/v1/files/{ID}"),
            &format!("https://me@a.example/v1/files/{ID}"),
            "https://a.example/v1/files/../x",
        ] {
            let error = parse(text).unwrap_err();
            assert!(!error.contains("Signature"), "{error}");
        }
    }

    #[test]
    fn bytes_go_only_where_they_are_safe_and_no_address_is_shown() {
        for (address, base, is_fine) in [
            ("http://store:9/k?X-Amz-Signature=1", "http://here:1", true),
            ("https://store/k", "http://here:1", true),
            ("https://store/k", "https://here", true),
            ("http://store/k?X-Amz-Signature=1", "https://here", false),
            ("http://me@store/k", "http://here:1", false),
            ("https://me:secret@store/k", "https://here", false),
            ("/k?X-Amz-Signature=1", "http://here:1", false),
            ("file:///etc/passwd", "http://here:1", false),
            ("gopher://store/k", "http://here:1", false),
            ("", "http://here:1", false),
        ] {
            match check_store_address(address, base, "the redirect") {
                Ok(_) => assert!(is_fine, "{address}"),
                Err(failure) => {
                    let said = failure.to_string();
                    assert!(!is_fine, "{said}");
                    assert!(said.starts_with("the redirect "), "{said}");
                    assert!(
                        !said.contains("Signature") && !said.contains("secret"),
                        "{said}"
                    );
                }
            }
        }
    }
}
