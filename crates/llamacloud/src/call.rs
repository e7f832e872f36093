//! A request as data.

use reqwest::Method;
use serde_json::Value;
use upstream::Target;

/// Whether a request may be sent again when nobody knows what became of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Repeat {
    /// Twice is as good as once.
    Always,
    /// Only when it surely did nothing: no connection, 429, 503.
    IfUnheard,
}

/// A file to upload, with its form fields.
#[derive(Clone, Debug)]
pub(crate) struct Upload {
    pub fields: Vec<(&'static str, String)>,
    pub file_name: String,
    pub content: String,
}

#[derive(Clone, Debug)]
pub(crate) enum Body {
    None,
    Json(Vec<u8>),
    Upload(Box<Upload>),
}

/// A request as data.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: Vec<String>,
    pub(crate) query: Vec<(&'static str, String)>,
    pub(crate) body: Body,
    pub(crate) repeat: Repeat,
    pub(crate) retries_conflict: bool,
    pub(crate) retries_limit: bool,
    pub(crate) takes_project: bool,
    /// Somebody waits for the answer: it goes before uploads, and gives up soon.
    pub(crate) urgent: bool,
}

impl Call {
    /// A request to `/api` and these segments, each encoded as one.
    pub(crate) fn new<'s>(method: Method, path: impl IntoIterator<Item = &'s str>) -> Self {
        Self {
            method,
            path: path.into_iter().map(str::to_owned).collect(),
            query: Vec::new(),
            body: Body::None,
            repeat: Repeat::Always,
            retries_conflict: true,
            retries_limit: true,
            takes_project: true,
            urgent: false,
        }
    }

    /// As the numbers name it: `POST v1/pipelines/{id}/retrieve`. Words hold no digit, and ids do.
    pub(crate) fn target(&self) -> Target {
        let is_id = |segment: &str| {
            segment.contains(|c: char| c.is_ascii_digit() || c.is_ascii_uppercase())
                && !matches!(segment, "v1" | "v2")
        };
        let segments: Vec<&str> = self
            .path
            .iter()
            .map(|segment| if is_id(segment) { "{id}" } else { segment })
            .collect();
        Target::new(
            "llamacloud",
            format!("{} {}", self.method, segments.join("/")),
        )
    }

    pub(crate) fn query(mut self, name: &'static str, value: impl ToString) -> Self {
        self.query.push((name, value.to_string()));
        self
    }

    pub(crate) fn json(mut self, body: &Value) -> Self {
        self.body = Body::Json(body.to_string().into_bytes());
        self
    }

    pub(crate) fn upload(mut self, upload: Upload) -> Self {
        self.body = Body::Upload(Box::new(upload));
        self
    }

    pub(crate) fn repeat(mut self, repeat: Repeat) -> Self {
        self.repeat = repeat;
        self
    }

    /// 409 is an answer here, not passing trouble.
    pub(crate) fn conflict_is_an_answer(mut self) -> Self {
        self.retries_conflict = false;
        self
    }

    /// So is 429: it is said of a busy object, too.
    pub(crate) fn busy_is_an_answer(mut self) -> Self {
        self.retries_limit = false;
        self.conflict_is_an_answer()
    }

    /// Somebody waits for the answer.
    pub(crate) fn urgent(mut self) -> Self {
        self.urgent = true;
        self
    }

    /// The official document lists no `project_id` for this call.
    pub(crate) fn without_project(mut self) -> Self {
        self.takes_project = false;
        self
    }
}

/// A document id as one segment of a path. Beyond letters, digits, `_` and `-` it is encoded once here and once more
/// with the address: the service decodes twice.
pub(crate) fn id_segment(id: &str) -> String {
    if id
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    {
        return id.to_owned();
    }
    url::form_urlencoded::byte_serialize(id.as_bytes())
        .collect::<String>()
        .replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_name_no_id() {
        let id = "0b1f5b4e-8c1c-4e62-a7ee-5f1d3f3f1a77";
        let call = Call::new(Method::POST, ["v1", "pipelines", id, "retrieve"]);
        assert_eq!(call.target().endpoint, "POST v1/pipelines/{id}/retrieve");
        let call = Call::new(Method::GET, ["v1", "files", "abcDEF"]);
        assert_eq!(call.target().endpoint, "GET v1/files/{id}");
    }
}
