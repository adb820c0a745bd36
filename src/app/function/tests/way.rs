//! How a request gets to the service, and what of its answer whoever asked can see.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::TIME;
use crate::app::function::ApiFunction;
use crate::lambda_runtime::{Function, Invocation};

/// Of the connection, or of the moment.
const NOT_OF_THE_ANSWER: [&str; 4] = ["connection", "content-length", "date", "transfer-encoding"];

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) cookies: Vec<String>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub(super) fn text_of(&self, name: &str) -> String {
        let body = self.json();
        let text = body[name].as_str();
        text.unwrap_or_else(|| panic!("no {name} in {self:?}"))
            .to_owned()
    }
}

/// How requests get to the service.
pub(super) enum Way {
    Http {
        client: reqwest::Client,
        base: String,
        stop: CancellationToken,
    },
    Gateway(ApiFunction),
}

pub(super) struct Asked<'a> {
    pub(super) method: &'a str,
    pub(super) path: String,
    pub(super) query: &'a str,
    pub(super) headers: Vec<(&'a str, String)>,
    pub(super) body: Vec<u8>,
}

impl Way {
    pub(super) async fn ask(&mut self, asked: Asked<'_>) -> Answer {
        match self {
            Self::Http { client, base, .. } => over_http(client, base, asked).await,
            Self::Gateway(function) => as_event(function, asked).await,
        }
    }
}

async fn over_http(client: &reqwest::Client, base: &str, asked: Asked<'_>) -> Answer {
    let mut url = format!("{base}{}", asked.path);
    if !asked.query.is_empty() {
        url = format!("{url}?{}", asked.query);
    }
    let mut request = client.request(asked.method.parse().unwrap(), url);
    for (name, value) in &asked.headers {
        request = request.header(*name, value);
    }
    let response = request.body(asked.body).send().await.unwrap();
    let status = response.status().as_u16();
    let (mut headers, mut cookies) = (BTreeMap::<String, String>::new(), Vec::new());
    for (name, value) in response.headers() {
        let value = value.to_str().unwrap();
        match name.as_str() {
            "set-cookie" => cookies.push(value.to_owned()),
            name if NOT_OF_THE_ANSWER.contains(&name) => {}
            name => {
                let values = headers.entry(name.to_owned());
                let more = |values: &mut String| *values += &format!(", {value}");
                values.and_modify(more).or_insert_with(|| value.to_owned());
            }
        }
    }
    Answer {
        status,
        headers,
        cookies,
        body: response.bytes().await.unwrap().into(),
    }
}

async fn as_event(function: &mut ApiFunction, asked: Asked<'_>) -> Answer {
    let headers = asked.headers.iter().filter(|(name, _)| *name != "cookie");
    let headers: BTreeMap<_, _> = headers.map(|(name, value)| (*name, value)).collect();
    let cookies = asked.headers.iter().filter(|(name, _)| *name == "cookie");
    let cookies: Vec<_> = cookies.map(|(_, value)| value).collect();
    let event = json!({
        "version": "2.0",
        "rawPath": asked.path,
        "rawQueryString": asked.query,
        "cookies": cookies,
        "headers": headers,
        "requestContext": {"stage": "$default", "http": {"method": asked.method, "sourceIp": "127.0.0.1"}},
        "body": (!asked.body.is_empty()).then(|| STANDARD.encode(&asked.body)),
        "isBase64Encoded": true,
    });
    let invocation = Invocation {
        request_id: "8476a536-e9f4-11e8-9739-2dfe598c3fcd".into(),
        answer_by: Instant::now() + TIME,
        event: event.to_string().into(),
    };
    let answer = function.answer(&invocation).await.unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    let body = answer["body"].as_str().unwrap();
    Answer {
        status: u16::try_from(answer["statusCode"].as_u64().unwrap()).unwrap(),
        headers: serde_json::from_value(answer["headers"].clone()).unwrap(),
        cookies: serde_json::from_value(answer["cookies"].clone()).unwrap(),
        body: match answer["isBase64Encoded"] == true {
            true => STANDARD.decode(body).unwrap(),
            false => body.into(),
        },
    }
}
