//! A request as a simulator sees it.

use serde_json::Value;

/// One request, fully read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    /// Upper-case method.
    pub method: String,
    /// Path as sent, still percent-encoded.
    pub path: String,
    /// Query as sent, without the question mark.
    pub query: String,
    /// Header names in lower case.
    pub headers: Vec<(String, String)>,
    /// Whole body.
    pub body: Vec<u8>,
    pairs: Vec<(String, String)>,
}

impl Request {
    pub(crate) fn new(
        method: &str,
        path: &str,
        query: &str,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    ) -> Request {
        let pairs = url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        Request {
            method: method.to_ascii_uppercase(),
            path: path.into(),
            query: query.into(),
            headers,
            body,
            pairs,
        }
    }

    /// The same request for another path (a prefix taken off).
    pub(crate) fn at_path(&self, path: &str) -> Request {
        Request {
            path: path.into(),
            ..self.clone()
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }

    /// The first value of a query parameter.
    pub(crate) fn one(&self, name: &str) -> Option<&str> {
        self.pairs
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }

    /// All values of an array parameter: repeated, comma-separated, or both.
    pub(crate) fn many(&self, name: &str) -> Vec<&str> {
        self.pairs
            .iter()
            .filter(|(n, _)| n == name)
            .flat_map(|(_, v)| v.split(','))
            .map(str::trim)
            .filter(|v| !v.is_empty())
            .collect()
    }

    /// Whether a boolean parameter says `true`.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.one(name) == Some("true")
    }

    pub(crate) fn pairs(&self) -> &[(String, String)] {
        &self.pairs
    }

    /// The body as JSON, if it is JSON.
    pub(crate) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// Decodes one level of percent-encoding; bytes that are not UTF-8 become replacement characters.
pub(crate) fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes
            .get(at + 1..at + 3)
            .and_then(|h| std::str::from_utf8(h).ok());
        match (bytes[at], hex.and_then(|h| u8::from_str_radix(h, 16).ok())) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
