//! All calls of the contract, one after the other, of which each does what it is for as far as that may be.

use std::collections::BTreeSet;

use clap::Parser;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::way::{Answer, Asked, Way};
use super::{SECRET, TIME, calls_of_the_contract};
use crate::access::LocalKey;
use crate::api;
use crate::api::gateway_event::GatewayFunction;
use crate::app::App;
use crate::app::function::ApiFunction;
use crate::config::ApiArgs;
use crate::lambda_runtime::Function;

/// Where clients reach the service.
const HOST: &str = "files.example.org";

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    args: ApiArgs,
}

/// A service, and who goes through the contract.
pub(super) struct Story {
    way: Way,
    key: String,
    /// What was asked for, as in the contract, and what was answered.
    pub(super) seen: Vec<(String, Answer)>,
    /// What was handed out that is worth something to whoever reads it.
    pub(super) handed_out: BTreeSet<String>,
    _dir: TempDir,
}

impl Story {
    pub(super) async fn begins(over_http: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data_dir = format!("--data-dir={}", dir.path().join("data").display());
        let public_url = format!("--public-url=https://{HOST}");
        let flags = ["file-share", &data_dir, &public_url, "--audit=on"];
        let settings = Cli::parse_from(flags).args.judge().unwrap();
        let app = App::build(&settings).await.unwrap();
        let key = std::fs::read_to_string(dir.path().join("data").join(LocalKey::FILE_NAME));
        let key = key.unwrap().trim_end().to_owned();
        let way = match over_http {
            false => Way::Gateway(ApiFunction {
                gateway: GatewayFunction {
                    endpoint: app.endpoint,
                    path_prefix: String::new(),
                    knows_proxies: false,
                },
                event_writer: app.event_writer,
            }),
            true => {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let base = format!("http://{}", listener.local_addr().unwrap());
                let stop = CancellationToken::new();
                tokio::spawn(api::server::serve(listener, app.endpoint, stop.clone()));
                let client = reqwest::Client::builder()
                    .redirect(reqwest::redirect::Policy::none())
                    .timeout(TIME);
                let client = client.build().unwrap();
                Way::Http { client, base, stop }
            }
        };
        Self {
            handed_out: [key.clone()].into(),
            way,
            key,
            seen: Vec::new(),
            _dir: dir,
        }
    }

    /// The process is about to stand still.
    pub(super) async fn stands_still(&mut self) {
        match &mut self.way {
            Way::Gateway(function) => function.settle().await,
            Way::Http { .. } => panic!("it goes on"),
        }
    }

    /// Makes a call of the contract with the key. `at`: what stands in its path.
    pub(super) async fn call(
        &mut self,
        method: &str,
        path: &str,
        at: &[(&str, &str)],
        body: Option<Value>,
    ) -> Answer {
        let proof = ("authorization", format!("Bearer {}", self.key));
        self.call_with(method, path, at, body, vec![proof]).await
    }

    async fn call_with(
        &mut self,
        method: &str,
        path: &str,
        at: &[(&str, &str)],
        body: Option<Value>,
        mut headers: Vec<(&str, String)>,
    ) -> Answer {
        let mut filled = path.to_owned();
        for (name, value) in at {
            filled = filled.replace(&format!("{{{name}}}"), value);
        }
        assert!(!filled.contains('{'), "{filled}");
        headers.push(("host", HOST.into()));
        headers.push(("accept", "*/*".into()));
        headers.push(("x-request-id", "same".into()));
        if body.is_some() {
            headers.push(("content-type", "application/json".into()));
        }
        let asked = Asked {
            method,
            path: filled,
            query: "utm_source=secret-query",
            headers,
            body: body.map(|it| it.to_string().into()).unwrap_or_default(),
        };
        let answer = self.way.ask(asked).await;
        self.seen.push((format!("{method} {path}"), answer.clone()));
        self.remember(&answer);
        answer
    }

    fn remember(&mut self, answer: &Answer) {
        for cookie in &answer.cookies {
            let value = cookie.split([';', '=']).nth(1).unwrap_or_default();
            self.handed_out.insert(value.to_owned());
        }
        let body = answer.json();
        for name in ["token", "deviceCode", "userCode", "submissionToken"] {
            self.handed_out
                .extend(body[name].as_str().map(str::to_owned));
        }
        for url in [&body["url"], &body["upload"]["url"]] {
            let url = url.as_str().unwrap_or_default();
            let last = url.rsplit(['/', '=']).next().unwrap_or_default();
            self.handed_out.insert(last.to_owned());
        }
        self.handed_out.retain(|it| it.len() > 8);
    }

    /// Sends five bytes by what a create answered.
    async fn upload(&mut self, created: &Answer) {
        let upload = created.json()["upload"].clone();
        // Whatever a PUT brings along stays with the object: its headers, metadata and tags.
        let brought = upload.to_string();
        for kept_out in [SECRET, "x-amz-meta", "tagging"] {
            assert!(!brought.contains(kept_out), "{kept_out}: {brought}");
        }
        let url = upload["url"].as_str().unwrap();
        let path = url.strip_prefix(&format!("https://{HOST}")).unwrap();
        let (path, query) = path.split_once('?').unwrap();
        let signed = upload["headers"].as_object().unwrap();
        let mut headers: Vec<_> = signed
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str().unwrap().to_owned()))
            .collect();
        headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-length"));
        headers.retain(|(name, _)| !name.eq_ignore_ascii_case("host"));
        headers.push(("host", HOST.into()));
        let asked = Asked {
            method: "PUT",
            path: path.into(),
            query,
            headers,
            body: b"hello".into(),
        };
        let answer = self.way.ask(asked).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    /// Goes once through all calls of the contract, and does with each what it is for, as far as that may be.
    pub(super) async fn goes_through_the_contract(&mut self) {
        let file = json!({
            "filename": "secret-name.txt", "size": 5, "metadata": {"a": "secret-metadata"},
        });
        let created = self
            .call("POST", "/v1/files", &[], Some(file.clone()))
            .await;
        let id = created.text_of("id");
        let file_at = [("id", id.as_str())];
        self.call("POST", "/v1/files/{id}/upload", &file_at, None)
            .await;
        self.call("GET", "/v1/files/{id}", &file_at, None).await;
        self.upload(&created).await;
        let completed = self.call("POST", "/v1/files/{id}/complete", &file_at, None);
        assert_eq!(completed.await.text_of("status"), "available");
        for (method, path) in [
            ("GET", "/v1/files"),
            ("GET", "/v1/files/{id}"),
            ("HEAD", "/v1/files/{id}"),
            ("GET", "/v1/files/{id}/metadata"),
            ("GET", "/v1/files/{id}/receipt"),
            ("GET", "/v1/files/{id}/events"),
            ("GET", "/v1/receipts/keys"),
        ] {
            self.call(method, path, &file_at, None).await;
        }
        let reason = json!({"reason": "secret-reason"});
        self.call("PUT", "/v1/files/{id}/hold", &file_at, Some(reason))
            .await;
        self.call("DELETE", "/v1/files/{id}", &file_at, None).await;
        self.call("DELETE", "/v1/files/{id}/hold", &file_at, None)
            .await;

        let link = json!({"files": [id], "title": "secret-title", "password": "secret-password"});
        let link = self.call("POST", "/v1/links", &[], Some(link)).await;
        let url = link.text_of("url");
        let token = [("token", url.rsplit('/').next().unwrap()), file_at[0]];
        let link_at = [("id", link.text_of("id"))];
        let link_at = link_at.each_ref().map(|(name, id)| (*name, id.as_str()));
        self.call("GET", "/v1/links", &[], None).await;
        self.call("GET", "/v1/files/{id}/links", &file_at, None)
            .await;
        self.call_with("GET", "/v1/shared/{token}", &token, None, vec![])
            .await;
        for password in ["secret-password", "secret-guess"] {
            let body = Some(json!({"password": password}));
            let path = "/v1/shared/{token}/files/{id}/downloads";
            self.call_with("POST", path, &token, body, vec![]).await;
        }
        let change = json!({"title": "secret-other title"});
        self.call("PATCH", "/v1/links/{id}", &link_at, Some(change))
            .await;
        self.call("DELETE", "/v1/links/{id}", &link_at, None).await;

        let new_box = json!({"title": "secret-box", "password": "secret-password"});
        let new_box = self.call("POST", "/v1/boxes", &[], Some(new_box)).await;
        let url = new_box.text_of("url");
        let token = [("token", url.rsplit('/').next().unwrap())];
        let box_id = new_box.text_of("id");
        let box_at = [("id", box_id.as_str())];
        self.call_with("GET", "/v1/drop/{token}", &token, None, vec![])
            .await;
        let hand_in = json!({
            "filename": "secret-sheet.txt", "size": 5, "submitter": "secret-person",
            "password": "secret-password",
        });
        let path = "/v1/drop/{token}/files";
        self.call_with("POST", path, &token, Some(hand_in), vec![])
            .await;
        for path in [
            "/v1/boxes",
            "/v1/boxes/{id}",
            "/v1/boxes/{id}/files",
            "/v1/boxes/{id}/manifest",
        ] {
            self.call("GET", path, &box_at, None).await;
        }
        let change = json!({"title": "secret-other box"});
        self.call("PATCH", "/v1/boxes/{id}", &box_at, Some(change))
            .await;
        self.call("DELETE", "/v1/boxes/{id}", &box_at, None).await;

        self.who_calls().await;
        let keep = json!({"keepUntil": "2100-01-01T00:00:00Z"});
        self.call("PUT", "/v1/files/{id}/keep-until", &file_at, Some(keep))
            .await;
        let deleted = self.call("POST", "/v1/files", &[], Some(file)).await;
        let deleted = deleted.text_of("id");
        self.call("DELETE", "/v1/files/{id}", &[("id", &deleted)], None)
            .await;
        self.call("GET", "/v1/files/{id}", &[("id", &deleted)], None)
            .await;
    }

    async fn who_calls(&mut self) {
        let key = json!({"key": self.key});
        self.call_with(
            "POST",
            "/v1/session",
            &[],
            Some(json!({"key": "secret-key"})),
            vec![],
        )
        .await;
        let begun = self
            .call_with("POST", "/v1/session", &[], Some(key), vec![])
            .await;
        let cookie = begun.cookies[0].split(';').next().unwrap().to_owned();
        let cookie = vec![("cookie", cookie)];
        self.call_with("GET", "/v1/session", &[], None, cookie.clone())
            .await;
        self.call_with("GET", "/v1/session/start", &[], None, vec![])
            .await;
        self.call_with("GET", "/v1/session/callback", &[], None, vec![])
            .await;

        let pairing = json!({"client": "secret-machine"});
        let pairing = self
            .call_with("POST", "/v1/pairings", &[], Some(pairing), vec![])
            .await;
        let typed = json!({"userCode": pairing.text_of("userCode")});
        let same_origin = ("origin", format!("https://{HOST}"));
        for path in ["/v1/pairings/look", "/v1/pairings/approve"] {
            let proof = vec![cookie[0].clone(), same_origin.clone()];
            self.call_with("POST", path, &[], Some(typed.clone()), proof)
                .await;
        }
        let code = json!({"deviceCode": pairing.text_of("deviceCode")});
        self.call_with("POST", "/v1/pairings/redeem", &[], Some(code), vec![])
            .await;

        let token = json!({"label": "secret-label", "scopes": ["read"]});
        let made = self.call("POST", "/v1/tokens", &[], Some(token)).await;
        self.call("GET", "/v1/tokens", &[], None).await;
        let (id, token) = (made.text_of("id"), made.text_of("token"));
        let proof = vec![("authorization", format!("Bearer {token}"))];
        self.call_with("POST", "/v1/files", &[], Some(json!({})), proof.clone())
            .await;
        self.call("DELETE", "/v1/tokens/{id}", &[("id", &id)], None)
            .await;
        self.call_with("GET", "/v1/files", &[], None, proof).await;
        let nobody = [("user_id", "usr_aaaaaaaaaaaaaaaaaaaaaaaaaa")];
        self.call("DELETE", "/v1/users/{user_id}/tokens", &nobody, None)
            .await;
        let proof = vec![cookie[0].clone(), same_origin];
        self.call_with("POST", "/v1/session/end", &[], None, proof)
            .await;
    }

    pub(super) fn ends(&self) {
        let calls: BTreeSet<&str> = self.seen.iter().map(|(call, _)| call.as_str()).collect();
        for call in calls_of_the_contract() {
            assert!(calls.contains(&*call), "{call} wasn't made");
        }
        if let Way::Http { stop, .. } = &self.way {
            stop.cancel();
        }
    }
}
