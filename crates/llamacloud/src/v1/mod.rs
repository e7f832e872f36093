//! Index v1: a pipeline per index of ours, a document per page (`/api/v1/pipelines/**`).
//!
//! Text goes in verbatim under our own ids, states are told per document. The vendor marks this generation deprecated;
//! it is still served.

mod documents;
mod ingestion;
mod pipelines;
mod progress;
mod retrieve;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use domain::index::Remote;
use domain::ports::retrieval::BackendError;
use reqwest::Method;
use secrecy::SecretString;

use crate::answer::Failure;
use crate::call::Call;
use crate::http::Http;
use ingestion::Ingestion;

/// `Remote::kind` of a pipeline.
pub(crate) const KIND: &str = "pipeline";

/// The pipelines of one account.
pub(crate) struct Pipelines {
    http: Http,
    openai_api_key: Option<SecretString>,
    /// What this process knows of ingestion under way, by pipeline id.
    ingestion: Mutex<HashMap<String, Ingestion>>,
}

impl Pipelines {
    pub(crate) fn new(http: Http, openai_api_key: Option<SecretString>) -> Self {
        Self {
            http,
            openai_api_key,
            ingestion: Mutex::default(),
        }
    }

    fn with_ingestion<T>(&self, remote: &Remote, use_it: impl FnOnce(&mut Ingestion) -> T) -> T {
        let mut all = self
            .ingestion
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        use_it(all.entry(remote.id.clone()).or_default())
    }

    /// A call below one pipeline.
    fn below<'s>(
        &self,
        method: Method,
        remote: &'s Remote,
        rest: impl IntoIterator<Item = &'s str>,
    ) -> Call {
        Call::new(
            method,
            ["v1", "pipelines", &remote.id].into_iter().chain(rest),
        )
    }

    /// A failure of a call below a pipeline, where 404 means that the pipeline is gone.
    fn told(&self, remote: &Remote, failure: Failure) -> BackendError {
        if failure.is_not_found() {
            BackendError::ObjectGone {
                id: remote.id.clone(),
            }
        } else {
            failure.at(self.http.host())
        }
    }
}
