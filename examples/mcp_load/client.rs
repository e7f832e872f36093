//! The two clients: one of Streamable HTTP, one of HTTP with SSE, both as LibreChat's SDK behaves on the wire.

use std::sync::Arc;

use futures_util::StreamExt;
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue};
use serde_json::{Value, json};

use crate::Outcome;

const VERSION: &str = "2025-06-18";

fn hello() -> Value {
    json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": VERSION, "capabilities": {}, "clientInfo": {"name": "load", "version": "1"}}})
}

fn call(tool: &str, arguments: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}})
}

/// The answer to a call, or why it is none. Peers also tell errors inside of a text.
fn answered(tool: &str, arguments: &Value, answer: Value) -> Outcome<Value> {
    let told = answer["result"]["content"][0]["text"].as_str();
    let wrong = answer["result"]["isError"] == true
        || answer.get("error").is_some()
        || told.is_none_or(|text| text.trim_start().starts_with("{\n  \"error\""));
    if wrong {
        return Err(format!("{tool} {arguments}: {answer}").into());
    }
    Ok(answer)
}

/// One client of Streamable HTTP with a session of its own.
pub struct Client {
    http: reqwest::Client,
    url: Arc<str>,
}

impl Client {
    pub async fn open(url: &Arc<str>) -> Outcome<Self> {
        let mut headers = HeaderMap::new();
        headers.insert(
            ACCEPT,
            HeaderValue::from_static("application/json, text/event-stream"),
        );
        let plain = reqwest::Client::builder()
            .no_proxy()
            .default_headers(headers.clone())
            .build()?;
        let response = plain
            .post(&**url)
            .json(&hello())
            .send()
            .await?
            .error_for_status()?;
        if let Some(session) = response.headers().get("mcp-session-id") {
            headers.insert("mcp-session-id", session.clone());
        }
        headers.insert("mcp-protocol-version", HeaderValue::from_static(VERSION));
        message(response, 0).await?;
        let client = Self {
            http: reqwest::Client::builder()
                .no_proxy()
                .default_headers(headers)
                .tcp_nodelay(true)
                .build()?,
            url: url.clone(),
        };
        let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        client
            .http
            .post(&*client.url)
            .json(&ready)
            .send()
            .await?
            .error_for_status()?;
        Ok(client)
    }

    pub async fn call(&self, tool: &str, arguments: &Value) -> Outcome<Value> {
        let response = self
            .http
            .post(&*self.url)
            .json(&call(tool, arguments))
            .send()
            .await?
            .error_for_status()?;
        answered(tool, arguments, message(response, 1).await?)
    }
}

/// Reads lines of an event stream until `wanted` takes the data of one.
async fn data<T>(
    body: &mut (impl futures_util::Stream<Item = reqwest::Result<impl AsRef<[u8]>>> + Unpin),
    text: &mut String,
    mut wanted: impl FnMut(&str) -> Option<T>,
) -> Outcome<T> {
    loop {
        while let Some(end) = text.find('\n') {
            let line: String = text.drain(..=end).collect();
            if let Some(found) = line.strip_prefix("data:").and_then(|d| wanted(d.trim())) {
                return Ok(found);
            }
        }
        let part = body.next().await.ok_or("the stream ended")??;
        text.push_str(&String::from_utf8_lossy(part.as_ref()));
    }
}

fn with_id(id: u64) -> impl FnMut(&str) -> Option<Value> {
    move |data| {
        serde_json::from_str::<Value>(data)
            .ok()
            .filter(|message| message["id"] == id)
    }
}

/// The answer with this id, whether it comes as JSON or on a stream.
async fn message(response: reqwest::Response, id: u64) -> Outcome<Value> {
    let kind = response.headers().get("content-type");
    if kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream")) {
        let mut body = response.bytes_stream();
        return data(&mut body, &mut String::new(), with_id(id)).await;
    }
    Ok(response.json().await?)
}

/// One client of HTTP with SSE, which reconnects as event sources do: a new stream, and no new `initialize`.
pub struct SseClient {
    http: reqwest::Client,
    base: String,
}

impl SseClient {
    pub fn new(base: &str) -> Outcome<Self> {
        Ok(Self {
            http: reqwest::Client::builder().no_proxy().build()?,
            base: base.to_owned(),
        })
    }

    /// Opens a stream, says hello on it, and answers it.
    pub async fn open(&self) -> Outcome<reqwest::Response> {
        let response = self
            .http
            .get(format!("{}/mcp/sse", self.base))
            .header(ACCEPT, "text/event-stream")
            .send()
            .await?;
        Ok(response.error_for_status()?)
    }

    /// Opens a stream and makes one call on it.
    pub async fn call(&self, tool: &str, arguments: &Value) -> Outcome<Value> {
        let mut body = self.open().await?.bytes_stream();
        let mut text = String::new();
        let endpoint = data(&mut body, &mut text, |data| Some(data.to_owned())).await?;
        self.http
            .post(format!("{}/mcp/{endpoint}", self.base))
            .json(&call(tool, arguments))
            .send()
            .await?
            .error_for_status()?;
        answered(
            tool,
            arguments,
            data(&mut body, &mut text, with_id(1)).await?,
        )
    }
}
