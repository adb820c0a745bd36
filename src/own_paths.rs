//! The paths that the service answers under itself, in one list.
//!
//! Invariant: whatever is mounted is here, so that a bucket's name or a public URL's path that would hide one
//! is known as such, and a page answers GET alone and says so.
//!
//! Absent on purpose: the single calls below `API`. The contract names those, by the handlers.

macro_rules! paths {
    ($(#[$list_doc:meta])* $list:ident: $($(#[$doc:meta])* $name:ident = $path:literal;)+) => {
        $($(#[$doc])* pub const $name: &str = $path;)+

        $(#[$list_doc])*
        pub const $list: [&str; [$($path),+].len()] = [$($name),+];
    };
}

paths! {
    /// What answers GET and isn't in the contract, as an OpenAPI document would write it.
    PAGES:
    /// The web page.
    INDEX = "/";
    /// The page of one file, which people share.
    FILE_PAGE = "/f/{id}";
    /// The same, as links end that somebody typed.
    FILE_PAGE_WITH_SLASH = "/f/{id}/";
    /// What a link opens, which people share too. Its form is sent here as well.
    SHARED_PAGE = "/s/{token}";
    /// Where whoever has a box's URL hands in.
    BOX_PAGE = "/b/{token}";
    /// Where people see their boxes.
    BOXES_PAGE = "/boxes";
    /// Where people let a program in that shows them a code.
    PAIR_PAGE = "/pair";
    /// Where whoever was given a receipt checks it.
    RECEIPT_PAGE = "/receipt";
    /// How programs share files by this very service.
    GUIDE = "/guide";
    /// What these consist of.
    WEB_ASSET = "/web/{version}/{name}";
    /// Whether the program is alive.
    HEALTHZ = "/healthz";
    /// Whether it can work.
    READYZ = "/readyz";
    /// The contract.
    OPENAPI = "/openapi.json";
    /// The contract, to be read and tried.
    DOCS = "/docs";
    /// The same as another page.
    EXPLORER = "/explorer";
    /// What a problem means, where its `type` points.
    PROBLEM = "/problems/{code}";
}

paths! {
    /// What the calls of the contract begin with.
    CALLS:
    /// The calls, by version.
    API = "/v1";
    /// The same calls without the version.
    FILES = "/files";
}

/// What all calls begin with that sign in and out.
pub const SESSION: &str = "/v1/session";
/// [`SHARED_PAGE`] with whatever was copied along behind it.
pub const SHARED_PAGES: &str = "/s/*token";
/// [`BOX_PAGE`] with whatever was copied along behind it.
pub const BOX_PAGES: &str = "/b/*token";
/// What the paths of all pages of links begin with.
pub const SHARED: &str = "/s";

/// Sends a browser to the issuer.
pub const SIGN_IN_START: &str = "/v1/session/start";
/// Where the issuer sends it back to.
pub const SIGN_IN_CALLBACK: &str = "/v1/session/callback";

/// A page's path as a route: with `:id` for `{id}`.
pub fn route(page: &str) -> String {
    page.replace('{', ":").replace('}', "")
}

/// Whether it depends on the caller what is shown at a path that isn't the API's.
pub fn is_for_callers(path: &str) -> bool {
    ["/f/", "/s/", "/b/"]
        .iter()
        .any(|pages| path.starts_with(pages))
}

/// Whether a browser shows people what is there, and isn't a program that reads it.
pub fn is_for_people(path: &str) -> bool {
    let pages = [
        INDEX,
        BOXES_PAGE,
        PAIR_PAGE,
        RECEIPT_PAGE,
        GUIDE,
        DOCS,
        EXPLORER,
    ];
    pages.contains(&path) || is_for_callers(path) || path.starts_with("/problems/")
}

/// Whether a path that begins with this segment may be one of ours.
pub fn begins_one(segment: &str) -> bool {
    !segment.is_empty()
        && PAGES
            .iter()
            .chain(&CALLS)
            .any(|path| path.split('/').nth(1) == Some(segment))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_ours_if_a_path_of_ours_begins_with_it() {
        for own in [
            "v1", "files", "f", "s", "b", "boxes", "pair", "receipt", "guide", "web", "healthz",
            "readyz", "docs", "explorer", "problems",
        ] {
            assert!(begins_one(own), "{own}");
        }
        assert!(begins_one("openapi.json"));
        for other in ["", "v2", "file-share-bucket", "doc", "openapi", "{id}"] {
            assert!(!begins_one(other), "{other}");
        }
    }

    #[test]
    fn pages_are_for_people_and_calls_checks_and_assets_are_not() {
        for page in [
            "/",
            "/boxes",
            "/pair",
            "/receipt",
            "/guide",
            "/docs",
            "/explorer",
            "/f/x",
            "/f/x/",
            "/s/x",
            "/b/x.",
            "/problems/rate_limited",
        ] {
            assert!(is_for_people(page), "{page}");
        }
        for other in [
            "/v1/files",
            "/files",
            "/healthz",
            "/readyz",
            "/web/1/app.js",
            "/openapi.json",
            "/s",
            "/box",
        ] {
            assert!(!is_for_people(other), "{other}");
        }
    }

    #[test]
    fn a_route_names_what_may_vary_as_the_framework_does() {
        assert_eq!(route(WEB_ASSET), "/web/:version/:name");
        assert_eq!(route(INDEX), "/");
    }
}
