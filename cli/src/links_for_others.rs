//! By which address others open what is passed on to them: files, links, boxes.
//!
//! **Invariant:** a link that is printed names the address that the service says others reach it by, as far as it says one,
//! and is understood here again as one of the same service's. Calls go to the address that the person gave.

use std::time::Duration;

use tokio::time::timeout;
use uuid::Uuid;

use crate::address::{base_of, is_for_this_machine, server_key};
use crate::api_client::ApiClient;
use crate::output::Output;

/// How long the service may take to say where others reach it. A link is there without it.
const ASK_LIMIT: Duration = Duration::from_secs(5);
/// What the paths of pages begin with that are passed on.
const PAGES: [&str; 3] = ["/f/", "/s/", "/b/"];
const ONLY_HERE: &str = "only this computer can open this link: start the service with LISTEN=0.0.0.0:8000, or set its \
     PUBLIC_URL to where others reach it";

/// How links begin that are passed on to others.
#[derive(Debug, Clone)]
pub(crate) struct LinksForOthers {
    own: String,
    others: String,
}

impl LinksForOthers {
    /// As the service says it; its address as it is asked, if it says nothing.
    pub(crate) async fn ask(service: &ApiClient) -> Self {
        let asked = timeout(ASK_LIMIT, service.session()).await;
        let said = asked.ok().and_then(Result::ok);
        let said = said.and_then(|session| session.share_base);
        // What it says stands in a link: an address of a server and nothing else.
        let said = said.and_then(|base| base_of(&base).ok());
        let own = service.base().to_owned();
        let others = said.unwrap_or_else(|| own.clone());
        Self { own, others }
    }

    /// The page of a file.
    pub(crate) fn page_of(&self, file: Uuid) -> String {
        format!("{}/f/{file}", self.others)
    }

    /// A link of the service's, as others open it; any other as it is.
    pub(crate) fn named(&self, link: &str) -> String {
        let parts = PAGES.iter().find_map(|kind| {
            let (base, name) = link.rsplit_once(kind)?;
            Some((base, kind, name))
        });
        match parts {
            Some((base, kind, name)) if server_key(base) == server_key(&self.own) => {
                format!("{}{kind}{name}", self.others)
            }
            _ => link.to_owned(),
        }
    }

    /// Whether an address is the one by which others reach the service.
    pub(crate) fn leads_here(&self, base: &str) -> bool {
        let key = server_key(base);
        key == server_key(&self.own) || key == server_key(&self.others)
    }
}

/// What has to be said beside a link that nobody else can open.
pub(crate) fn only_here(link: &str) -> Option<String> {
    is_for_this_machine(link).then(|| format!("fshare: {ONLY_HERE}"))
}

/// Says so to whoever watches.
pub(crate) fn tell_watcher_if_only_here(link: &str, output: &Output) {
    if let Some(said) = only_here(link) {
        output.note_to_watcher(&said);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_of_the_service_is_named_as_others_open_it_and_any_other_as_it_is() {
        let links = LinksForOthers {
            own: "http://LOCALHOST:80".to_owned(),
            others: "https://files.example/p".to_owned(),
        };
        for (link, named) in [
            ("http://localhost/f/1", "https://files.example/p/f/1"),
            (
                "http://localhost:80/s/a-b_c",
                "https://files.example/p/s/a-b_c",
            ),
            ("http://localhost/b/x", "https://files.example/p/b/x"),
            ("https://files.example/p/b/x", "https://files.example/p/b/x"),
            ("http://localhost/x/f/1", "http://localhost/x/f/1"),
            ("http://localhost:8000/f/1", "http://localhost:8000/f/1"),
            ("http://localhost/v1/files", "http://localhost/v1/files"),
        ] {
            assert_eq!(links.named(link), named);
        }
        for (base, is_here) in [
            ("http://localhost", true),
            ("https://files.example:443/p/", true),
            ("https://files.example", false),
            ("http://files.example/p", false),
        ] {
            assert_eq!(links.leads_here(base), is_here, "{base}");
        }
    }
}
