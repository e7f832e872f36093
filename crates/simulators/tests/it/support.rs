//! A plain client with credentials.

use std::sync::OnceLock;

use reqwest::{Client, RequestBuilder, Response};
use serde_json::Value;
use simulators::confluence::{ConfluenceSim, Site};
use simulators::llamacloud::LlamaCloudSim;

/// One client for all tests. It keeps no connection: each test has a runtime of its own.
pub fn client() -> Client {
    static CLIENT: OnceLock<Client> = OnceLock::new();
    let build = || {
        rustls::crypto::ring::default_provider()
            .install_default()
            .ok();
        let none = reqwest::redirect::Policy::none();
        Client::builder()
            .redirect(none)
            .pool_max_idle_per_host(0)
            .build()
            .unwrap()
    };
    CLIENT.get_or_init(build).clone()
}

pub async fn confluence(site: Site) -> ConfluenceSim {
    ConfluenceSim::builder().site(site).start().await.unwrap()
}

pub fn get(sim: &ConfluenceSim, path: &str) -> RequestBuilder {
    client()
        .get(format!("{}{path}", sim.base_url()))
        .basic_auth(ConfluenceSim::EMAIL, Some(ConfluenceSim::TOKEN))
}

pub async fn json(sim: &ConfluenceSim, path: &str) -> Value {
    let response = get(sim, path).send().await.unwrap();
    let status = response.status();
    let text = response.text().await.unwrap();
    assert_eq!(status, 200, "{path}: {text}");
    serde_json::from_str(&text).unwrap()
}

pub async fn status_of(sim: &ConfluenceSim, path: &str) -> u16 {
    get(sim, path).send().await.unwrap().status().as_u16()
}

pub async fn llama() -> LlamaCloudSim {
    LlamaCloudSim::builder().start().await.unwrap()
}

pub async fn llama_call(
    sim: &LlamaCloudSim,
    method: &str,
    path: &str,
    body: Option<Value>,
) -> Response {
    let request = client()
        .request(method.parse().unwrap(), format!("{}{path}", sim.base_url()))
        .bearer_auth(LlamaCloudSim::KEY);
    let request = match body {
        Some(body) => request.json(&body),
        None => request,
    };
    request.send().await.unwrap()
}

pub async fn llama_json(
    sim: &LlamaCloudSim,
    method: &str,
    path: &str,
    body: Option<Value>,
) -> Value {
    let response = llama_call(sim, method, path, body).await;
    let status = response.status();
    let text = response.text().await.unwrap();
    assert!(status.is_success(), "{method} {path}: {status} {text}");
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

/// Values of a field over a list.
pub fn each(value: &Value, list: &str, field: &str) -> Vec<String> {
    let items = value[list].as_array().cloned().unwrap_or_default();
    items
        .iter()
        .map(|i| {
            i[field]
                .as_str()
                .map_or_else(|| i[field].to_string(), str::to_owned)
        })
        .collect()
}
