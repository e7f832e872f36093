//! Asks a live service whether what its client assumes of it holds: the form of a table of assumptions, the notes that are taken,
//! and their *shapes*, from which every text, name, id and address is gone, fit for a public report.

use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use reqwest::header::HeaderMap;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// What became of an assumption.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is as assumed.
    Held,
    /// It is not.
    Broken,
    /// It could not be seen here: nothing of the kind is there, or the request was refused.
    Unknown,
}

impl Verdict {
    /// In words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Broken => "NOT HELD",
            Self::Unknown => "not seen",
        }
    }
}

/// What a check found, and in which words.
pub type Seen = (Verdict, String);

/// What was seen, be it by way of an early end.
#[must_use]
pub fn seen(result: Result<Seen, Seen>) -> Seen {
    result.unwrap_or_else(|seen| seen)
}

/// Held or not, and in which words.
#[must_use]
pub fn held_if(holds: bool, said: impl Into<String>) -> Seen {
    let verdict = if holds {
        Verdict::Held
    } else {
        Verdict::Broken
    };
    (verdict, said.into())
}

/// Said where no answer came. Why is not said: causes (of TLS above all) name the service's host, and this is for a public report.
pub const NO_ANSWER: &str = "no whole answer came; `doctor` says why";

/// A check under way.
pub type Checking<'a> = Pin<Box<dyn Future<Output = Seen> + Send + 'a>>;

/// One thing that a client takes for granted.
pub struct Assumption<P: 'static> {
    /// What is assumed.
    pub name: &'static str,
    /// What rests on it.
    pub rests: &'static str,
    /// What to do where it does not hold.
    pub remedy: &'static str,
    /// Looks whether it holds.
    pub check: for<'a> fn(&'a P) -> Checking<'a>,
}

/// An assumption with what was found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Finding {
    /// What is assumed.
    pub assumption: &'static str,
    /// What rests on it.
    pub rests: &'static str,
    /// Whether it holds.
    pub verdict: Verdict,
    /// What was seen; holds no text of the service's.
    pub said: String,
    /// What to do; empty where it holds.
    pub remedy: &'static str,
}

/// Goes through a table, in its order.
pub async fn go_through<P>(table: &'static [Assumption<P>], prober: &P) -> Vec<Finding> {
    let mut findings = Vec::with_capacity(table.len());
    for assumption in table {
        let (verdict, said) = (assumption.check)(prober).await;
        findings.push(Finding {
            assumption: assumption.name,
            rests: assumption.rests,
            verdict,
            said,
            remedy: if verdict == Verdict::Held {
                ""
            } else {
                assumption.remedy
            },
        });
    }
    findings
}

/// Counts requests, and notes the shapes of their answers.
#[derive(Debug)]
pub struct Notebook {
    budget: u32,
    asked: AtomicU32,
    notes: Mutex<Vec<Value>>,
}

impl Notebook {
    /// For so many requests at most.
    #[must_use]
    pub const fn new(budget: u32) -> Self {
        Self {
            budget,
            asked: AtomicU32::new(0),
            notes: Mutex::new(Vec::new()),
        }
    }

    /// Takes one request from the budget.
    ///
    /// # Errors
    /// When none is left.
    pub fn take(&self) -> Result<(), Seen> {
        let taken = self
            .asked
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |asked| {
                (asked < self.budget).then_some(asked + 1)
            });
        taken.map(drop).map_err(|_| {
            let said = format!("all {} requests were used up before", self.budget);
            (Verdict::Unknown, said)
        })
    }

    /// Requests that were made.
    #[must_use]
    pub fn asked(&self) -> u32 {
        self.asked.load(Ordering::Relaxed)
    }

    /// Notes an answer. `request` is method and path template, `parameters` the names of its parameters: none of their values.
    pub fn note(
        &self,
        request: &str,
        parameters: &[&str],
        status: u16,
        headers: &HeaderMap,
        body: &[u8],
    ) {
        let body = if body.is_empty() {
            Value::Null
        } else if crate::is_html(body) {
            json!("a page of HTML")
        } else {
            serde_json::from_slice::<Value>(body)
                .map_or_else(|_| json!("neither JSON nor HTML"), |body| shape(&body))
        };
        let named: Map<String, Value> = headers
            .iter()
            .filter(|(name, _)| is_telling(name.as_str()))
            .map(|(name, value)| {
                let value = value.to_str().unwrap_or_default();
                (name.to_string(), shape_of_text(value))
            })
            .collect();
        let note = json!({
            "request": request,
            "parameters": parameters,
            "status": status,
            "headers": named,
            "body": body,
        });
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.push(note);
    }

    /// All notes.
    #[must_use]
    pub fn shapes(&self) -> Value {
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        Value::Array(notes.clone())
    }
}

/// Headers that say how a service limits, moves and deprecates.
fn is_telling(name: &str) -> bool {
    name.contains("ratelimit")
        || matches!(
            name,
            "retry-after"
                | "content-type"
                | "deprecation"
                | "link"
                | "location"
                | "x-failure-category"
                | "www-authenticate"
        )
}

/// Words of the interfaces themselves; every other text is somebody's.
const WORDS: &[&str] = &[
    "",
    "GET",
    "PUT",
    "POST",
    "page",
    "blogpost",
    "comment",
    "attachment",
    "folder",
    "whiteboard",
    "database",
    "embed",
    "slide",
    "space",
    "current",
    "archived",
    "draft",
    "trashed",
    "deleted",
    "global",
    "personal",
    "collaboration",
    "knowledge_base",
    "system",
    "storage",
    "known",
    "anonymous",
    "atlassian",
    "app",
    "read",
    "update",
    "user",
    "group",
    "open",
    "resolved",
    "reopened",
    "dangling",
    "live",
    "MANAGED",
    "PLAYGROUND",
    "ready",
    "failed",
    "pending",
    "manual",
    "SUCCESS",
    "ERROR",
    "IN_PROGRESS",
    "NOT_STARTED",
    "PARTIAL_SUCCESS",
    "CANCELLED",
    "application/json",
    "application/problem+json",
    "text/html",
    "true",
    "false",
];

/// Objects whose keys are somebody's, too.
const FREE_KEYS: &[&str] = &[
    "metadata",
    "extra_info",
    "custom_metadata",
    "extensions",
    "detail",
];

/// Field names beyond this are nobody's interface.
const MAX_KEY: usize = 40;

/// A value without anything of its owner: kinds and forms in the place of texts, one item in the place of many.
#[must_use]
pub fn shape(value: &Value) -> Value {
    shaped(value, false)
}

fn shaped(value: &Value, keys_are_free: bool) -> Value {
    match value {
        Value::Null | Value::Bool(_) => value.clone(),
        Value::Number(number) => json!(if number.is_f64() {
            "<fraction>"
        } else {
            "<number>"
        }),
        Value::String(text) => shape_of_text(text),
        Value::Array(items) => match items.first() {
            None => json!([]),
            Some(first) => json!([
                shaped(first, keys_are_free),
                format!("<{} items>", items.len())
            ]),
        },
        Value::Object(fields) => {
            let is_name = |key: &str| {
                key.len() <= MAX_KEY
                    && key
                        .bytes()
                        .all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-'))
            };
            let mut shaped_fields = Map::new();
            let mut renamed = 0;
            for (key, field) in fields {
                let name = if !keys_are_free && is_name(key) {
                    key.clone()
                } else {
                    renamed += 1;
                    format!("<key {renamed}>")
                };
                let free = keys_are_free || FREE_KEYS.contains(&key.as_str());
                shaped_fields.insert(name, shaped(field, free));
            }
            Value::Object(shaped_fields)
        }
    }
}

fn shape_of_text(text: &str) -> Value {
    let kind = text.split(';').next().unwrap_or_default().trim();
    if WORDS.contains(&text) {
        return json!(text);
    }
    if WORDS.contains(&kind) {
        return json!(kind);
    }
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let form = if digits {
        format!("<{} digits>", text.len())
    } else if chrono::DateTime::parse_from_rfc3339(text).is_ok() {
        "<time>".to_owned()
    } else if text.contains("cursor=") {
        "<link with a cursor>".to_owned()
    } else if text.contains("://") {
        "<address>".to_owned()
    } else if text.starts_with('/') {
        "<path>".to_owned()
    } else {
        // How long, to the next power of two: enough to tell a word from a body.
        format!("<text up to {}>", text.len().next_power_of_two())
    };
    json!(form)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_its_owner_is_left_in_a_shape() {
        let value = json!({
            "id": "98312", "status": "current", "title": "Salaries of 2026", "createdAt": "2026-01-15T10:30:00.000Z",
            "body": {"storage": {"value": "<p>secret</p>", "representation": "storage"}}, "position": 57, "score": 0.5,
            "_links": {"webui": "/spaces/HR/pages/98312/Salaries", "base": "https://secret.atlassian.net/wiki"},
            "metadata": {"Ada Lovelace": {"wage": 1}}, "Ada's key": true, "labels": ["hr", "pay"], "parentId": null,
        });
        let told = shape(&value).to_string();
        for secret in [
            "98312", "Salaries", "secret", "Ada", "wage", "hr", "HR", "57",
        ] {
            assert!(!told.contains(secret), "{secret}: {told}");
        }
        assert_eq!(
            shape(&value),
            json!({
                "id": "<5 digits>", "status": "current", "title": "<text up to 16>", "createdAt": "<time>",
                "body": {"storage": {"value": "<text up to 16>", "representation": "storage"}}, "position": "<number>",
                "score": "<fraction>", "_links": {"webui": "<path>", "base": "<address>"},
                "metadata": {"<key 1>": {"<key 1>": "<number>"}}, "<key 1>": true,
                "labels": ["<text up to 2>", "<2 items>"], "parentId": null,
            })
        );
    }

    #[test]
    fn of_a_link_the_cursor_is_told_and_not_its_value() {
        for link in [
            "/wiki/api/v2/pages?cursor=hush",
            "https://secret.atlassian.net/wiki/api/v2/pages?limit=1&cursor=hush",
            "</wiki/api/v2/pages?cursor=hush>; rel=\"next\"",
        ] {
            assert_eq!(shape(&json!(link)), json!("<link with a cursor>"));
        }
    }

    #[test]
    fn the_budget_ends() {
        let notebook = Notebook::new(2);
        assert!(notebook.take().is_ok() && notebook.take().is_ok());
        assert_eq!(notebook.take().unwrap_err().0, Verdict::Unknown);
        assert_eq!(notebook.asked(), 2);
    }
}
