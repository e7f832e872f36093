//! Checks requests and answers against the official OpenAPI documents (feature `spec-check`).
//!
//! A suite that talks to the simulators gives its request log to [`Specs::check_requests`] and learns of every request
//! that the documents do not allow: unknown path, method or parameter, a value outside its enum or bounds, a JSON body
//! that does not fit. The documents are found by `CONFLUENCE_SPECS_DIR`; they are not part of this project.

mod document;
mod normalise;

use std::fmt;
use std::path::Path;

use serde_json::Value;

use crate::LoggedRequest;
use document::Document;

/// Something the documents do not allow.
#[derive(Clone, Debug, PartialEq)]
pub struct Violation {
    /// The request, as `METHOD path?query`.
    pub request: String,
    /// What is wrong with it.
    pub problem: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.request, self.problem)
    }
}

/// The three documents.
pub struct Specs {
    v2: Document,
    v1: Document,
    llamacloud: Document,
}

/// Paths that are real but in none of the documents.
const OUTSIDE: &[&str] = &["/_edge/tenant_info"];

impl Specs {
    /// Reads the documents of `CONFLUENCE_SPECS_DIR`. Without the variable: `None`, and a line on stderr that says
    /// what is skipped. With it, documents that cannot be read are an error.
    pub fn from_env(what_is_skipped: &str) -> Option<Result<Specs, String>> {
        match std::env::var("CONFLUENCE_SPECS_DIR") {
            Ok(folder) if !folder.is_empty() => Some(Specs::read(Path::new(&folder))),
            _ => {
                eprintln!(
                    "SKIPPED {what_is_skipped}: CONFLUENCE_SPECS_DIR (the official OpenAPI documents) is not set"
                );
                None
            }
        }
    }

    /// Reads the documents of a folder.
    pub fn read(folder: &Path) -> Result<Specs, String> {
        let read = |name: &str| {
            let path = folder.join(name);
            let text =
                std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
            let value: Value =
                serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?;
            Document::new(name, value)
        };
        Ok(Specs {
            v2: read("confluence-v2.openapi.json")?,
            v1: read("confluence-v1.openapi.json")?,
            llamacloud: read("llamacloud.openapi.json")?,
        })
    }

    /// The document a path belongs to, and the path as that document writes it.
    fn document<'s>(&'s self, path: &str) -> Option<(&'s Document, String)> {
        let path = match path.strip_prefix("/ex/confluence/") {
            Some(rest) => rest
                .split_once('/')
                .map(|(_, p)| format!("/{p}"))
                .unwrap_or_default(),
            None => path.to_owned(),
        };
        let path = path.strip_suffix('/').unwrap_or(&path);
        if let Some(rest) = path.strip_prefix("/wiki/api/v2") {
            Some((&self.v2, rest.to_owned()))
        } else if path.starts_with("/wiki/rest/api") {
            Some((&self.v1, path.to_owned()))
        } else if path.starts_with("/api/") {
            Some((&self.llamacloud, path.to_owned()))
        } else {
            None
        }
    }

    /// Every logged request that is not allowed, with the reason.
    pub fn check_requests<'r>(
        &self,
        log: impl IntoIterator<Item = &'r LoggedRequest>,
    ) -> Vec<Violation> {
        let mut out = Vec::new();
        for request in log {
            let problems = match self.document(&request.path) {
                Some((document, path)) => document.check_request(&path, request),
                None if OUTSIDE.contains(&request.path.as_str()) => Vec::new(),
                None => vec!["the path is in none of the documents".to_owned()],
            };
            let name = format!("{} {}", request.method, request.path_and_query());
            out.extend(problems.into_iter().map(|problem| Violation {
                request: name.clone(),
                problem,
            }));
        }
        out
    }

    /// What is wrong with an answer: its status or its JSON body.
    pub fn check_answer(
        &self,
        method: &str,
        path: &str,
        status: u16,
        body: Option<&Value>,
    ) -> Vec<Violation> {
        let path = path.split('?').next().unwrap_or(path);
        let problems = match self.document(path) {
            Some((document, path)) => document.check_answer(method, &path, status, body),
            None => vec!["the path is in none of the documents".to_owned()],
        };
        let request = format!("{method} {path}");
        problems
            .into_iter()
            .map(|problem| Violation {
                request: request.clone(),
                problem,
            })
            .collect()
    }
}
