//! What it costs that the service asks who somebody is: creates and redirects by a session's cookie, by an API token
//! and by an access token of an issuer's (a JWT).
//!
//! The limit is the same program that asks nobody (`ACCESS=open`), in turns. Neither keeps an audit log, so that what
//! differs is the question alone; what the log costs beside it is two figures of their own. A service that only its own
//! machine reaches asks nobody either, and is held to the same.

use std::net::SocketAddr;
use std::path::Path;

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, COOKIE, LOCATION, SET_COOKIE};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::load::{CONNECTIONS, Load};
use crate::report::Figure;
use crate::requests::{
    Answering, UNLIMITED, address, cost, creating_as, figure, redirecting_as, shared_file_of,
};
use crate::support::issuer::{Issuer, client};
use crate::support::program::{Program, data_dir};

/// Whose limit it is.
const OPEN: &str = "with ACCESS=open";
/// Of what an open service does.
const LEAST: f64 = 0.95;
/// Who asks nobody, since only this machine reaches it, does what an open service does: what differs is noise.
const LEAST_UNASKED: f64 = 0.97;
/// The same where each call has its line in the audit log and its event, which are on the disk as records are.
const LEAST_AUDITED: f64 = 0.55;
/// A member: creates and sees files of their own.
const PERSON: &str = "bob";
const CALLBACK: &str = "/v1/session/callback";

/// How somebody shows who they are.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ProofBy {
    Session,
    ApiToken,
    Jwt,
}

/// A proof, and its figures' names.
const PROOFS: [(ProofBy, [&str; 2]); 3] = [
    (
        ProofBy::Session,
        ["creates by a session", "redirects by a session"],
    ),
    (
        ProofBy::ApiToken,
        ["creates by an API token", "redirects by an API token"],
    ),
    (ProofBy::Jwt, ["creates by a JWT", "redirects by a JWT"]),
];

/// A program, its data, and the header of whoever asks it.
pub(crate) struct Service {
    pub program: Program,
    dir: TempDir,
}

pub(crate) fn figures() -> Vec<Figure> {
    let runtime = Runtime::new().expect("a runtime");
    let issuer = Issuer::start();
    let open = Service::start(&[("AUDIT", "off")]);
    let asking = Service::asking(&issuer, &[("AUDIT", "off")]);
    let mut figures = Vec::new();
    for (by, [creates, redirects]) in PROOFS {
        let proof = || runtime.block_on(proof(asking.address(), &issuer, by));
        let loads = [
            (creates, asking.creates(&proof()), open.creates("")),
            (redirects, asking.redirects(&proof()), open.redirects("")),
        ];
        for (name, ours, limit) in &loads {
            let limit = open.answering(limit);
            figures.push(cost(name, asking.answering(ours), (limit, OPEN), LEAST));
        }
    }
    asking.program.discard();

    let unasked = Service::start(&[("AUDIT", "off"), ("ACCESS", "auto")]);
    let loads = [
        (
            "creates by this machine",
            unasked.creates(""),
            open.creates(""),
        ),
        (
            "redirects by this machine",
            unasked.redirects(""),
            open.redirects(""),
        ),
    ];
    for (name, ours, limit) in &loads {
        let limit = (open.answering(limit), OPEN);
        figures.push(cost(name, unasked.answering(ours), limit, LEAST_UNASKED));
    }
    unasked.program.discard();

    let audited = Service::asking(&issuer, &[]);
    let proof = runtime.block_on(proof(audited.address(), &issuer, ProofBy::Session));
    let name = "creates by a session, with the audit log";
    let ours = audited.creates(&proof);
    figures.push(figure(
        name,
        &ours,
        (&open.creates(""), OPEN),
        LEAST_AUDITED,
    ));
    let name = "redirects by a session, with the audit log";
    let ours = audited.redirects(&proof);
    figures.push(figure(
        name,
        &ours,
        (&open.redirects(""), OPEN),
        LEAST_AUDITED,
    ));
    audited.program.discard();
    open.program.discard();
    figures
}

impl Service {
    fn start(settings: &[(&str, &str)]) -> Self {
        let dir = data_dir();
        let settings = [&UNLIMITED, settings].concat();
        let program = Program::local(dir.path(), &settings);
        Self { program, dir }
    }

    /// One that asks who somebody is, whom the issuer vouches for.
    pub(crate) fn asking(issuer: &Issuer, more: &[(&str, &str)]) -> Self {
        let settings = [
            ("ACCESS", "oidc"),
            ("OIDC_ISSUER", issuer.url.as_str()),
            ("OIDC_CLIENT_ID", "files"),
            ("OIDC_CLIENT_SECRET", "files-secret"),
            ("OIDC_AUDIENCE", "file-share"),
        ];
        Self::start(&[&settings, more].concat())
    }

    pub(crate) fn answering<'a>(&'a self, load: &'a Load) -> Answering<'a> {
        Answering {
            load,
            program: &self.program,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        address(&self.program)
    }

    /// `proof`: a header's line, or nothing.
    pub(crate) fn creates(&self, proof: &str) -> Load {
        creating_as(self.address(), proof)
    }

    fn redirects(&self, proof: &str) -> Load {
        let dir: &Path = self.dir.path();
        let files: Vec<String> = (0..CONNECTIONS)
            .map(|_| shared_file_of(&self.program, dir, proof))
            .collect();
        redirecting_as(self.address(), &files, proof)
    }
}

/// The line of the header that shows who [`PERSON`] is.
pub(crate) async fn proof(service: SocketAddr, issuer: &Issuer, by: ProofBy) -> String {
    let bearer = |token: &str| format!("Authorization: Bearer {token}\r\n");
    match by {
        ProofBy::Session => {
            let cookie = session(service, issuer).await;
            format!("Cookie: {cookie}\r\n")
        }
        // Each lives for five minutes, which is longer than a figure takes.
        ProofBy::Jwt => bearer(&issuer.tokens_of(PERSON).await.access),
        ProofBy::ApiToken => {
            let jwt = issuer.tokens_of(PERSON).await.access;
            let wanted = json!({"label": "figures", "scopes": ["read", "write"]});
            let request = client()
                .post(format!("http://{service}/v1/tokens"))
                .header(AUTHORIZATION, format!("Bearer {jwt}"))
                .json(&wanted);
            let answer = request.send().await.expect("the service answers");
            let made: Value = answer.json().await.expect("an answer in JSON");
            let token = made["token"].as_str();
            bearer(token.unwrap_or_else(|| panic!("no token: {made}")))
        }
    }
}

/// The cookie of a browser in which [`PERSON`] has signed in.
async fn session(service: SocketAddr, issuer: &Issuer) -> String {
    let base = format!("http://{service}");
    let ask = async |path: String, cookies: String| {
        let request = client().request(Method::GET, format!("{base}{path}"));
        let request = request.header(COOKIE, cookies);
        request.send().await.expect("the service answers")
    };
    let cookies = |answer: &reqwest::Response| {
        let set = answer.headers().get_all(SET_COOKIE).iter();
        let pairs = set.filter_map(|it| it.to_str().ok()?.split(';').next());
        let kept = pairs.filter(|pair| !pair.ends_with('='));
        kept.map(str::to_owned).collect::<Vec<_>>().join("; ")
    };
    let start = ask("/v1/session/start".to_owned(), String::new()).await;
    let there = start
        .headers()
        .get(LOCATION)
        .and_then(|it| it.to_str().ok());
    let there = there.expect("a sign-in begins at the issuer");
    let query = issuer
        .sign_in(there, &format!("{base}{CALLBACK}"), PERSON)
        .await;
    let back = ask(format!("{CALLBACK}?{query}"), cookies(&start)).await;
    let session = cookies(&back);
    assert!(
        !session.is_empty(),
        "{PERSON} isn't signed in: {}",
        back.status()
    );
    session
}
