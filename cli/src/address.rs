//! Addresses as people write them: of a server, of a page, of a file.

use http::Uri;
use uuid::Uuid;

use crate::failure::Failure;
use crate::service::Service;

/// `http://host:port/prefix`, without a slash at the end.
pub fn base_of(server: &str) -> Result<String, Failure> {
    let wrong = |why: &str| {
        Failure::Usage(format!(
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
pub fn origin_of(uri: &Uri) -> Option<String> {
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

/// A file by its ID or its link; a link also says where its server is.
///
/// # Errors
/// It is neither.
pub fn parse_file(text: &str, service: &Service) -> Result<(Service, Uuid), Failure> {
    if let Ok(id) = text.parse::<Uuid>() {
        return Ok((service.clone(), id));
    }
    let wrong = || {
        Failure::Usage("a file is named by its ID or its link (…/v1/files/ID, …/f/ID)".to_owned())
    };
    let link = text.trim_end_matches('/');
    let link = link.strip_suffix("/metadata").unwrap_or(link);
    let (files, id) = link.rsplit_once('/').ok_or_else(wrong)?;
    let id = id.parse::<Uuid>().map_err(|_| wrong())?;
    // The page of a file, and what a program is given.
    let base = files.strip_suffix("/f").or_else(|| {
        let base = files.strip_suffix("/files")?;
        Some(base.strip_suffix("/v1").unwrap_or(base))
    });
    let base = base.ok_or_else(wrong)?;
    Ok((service.elsewhere(base_of(base)?), id))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "019c134c-66db-7f4d-9a7e-0d8a4c1b2e3f";

    fn parse(text: &str) -> Result<(String, String), String> {
        let service = Service::at("http://here:1/").unwrap();
        let (service, id) = parse_file(text, &service).map_err(|failure| failure.to_string())?;
        Ok((service.base().to_owned(), id.to_string()))
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
}
