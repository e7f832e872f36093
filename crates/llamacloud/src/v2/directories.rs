//! Making, finding and removing the directory and the index of an index of ours.

use domain::index::Remote;
use domain::ports::retrieval::{BackendError, StoreSpec};
use reqwest::Method;
use serde_json::{Value, json};

use super::index_id::{IndexIds, Operation};
use super::{Directories, KIND};
use crate::answer::Failure;
use crate::call::{Call, Repeat};
use crate::mark;

pub(crate) const DIRECTORIES: [&str; 3] = ["v1", "beta", "directories"];

fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value.get(name).and_then(Value::as_str)
}

fn items(answer: &Value) -> Vec<Value> {
    answer
        .get("items")
        .and_then(Value::as_array)
        .or_else(|| answer.as_array())
        .cloned()
        .unwrap_or_default()
}

fn incomplete(what: &str) -> BackendError {
    BackendError::Unavailable {
        detail: format!("an answer about {what} names no id"),
    }
}

impl Directories {
    /// A call about one directory.
    pub(super) fn below<'s>(
        &self,
        method: Method,
        id: &'s str,
        rest: impl IntoIterator<Item = &'s str>,
    ) -> Call {
        Call::new(method, DIRECTORIES.into_iter().chain([id]).chain(rest))
    }

    /// Whether this generation is served to this account.
    pub(crate) async fn is_offered(&self) -> Result<bool, BackendError> {
        match self
            .http
            .send(&Call::new(Method::GET, ["v1", "indexes"]).query("page_size", 1))
            .await
        {
            Ok(_) => Ok(true),
            Err(Failure::Refused {
                status: 404 | 405 | 410 | 501,
                ..
            }) => Ok(false),
            Err(failure) => Err(failure.at(self.http.host())),
        }
    }

    /// Finds the directory by the id we remember, else by its name and our mark; makes it where there is none; then
    /// the same for the index over it.
    pub(crate) async fn ensure(
        &self,
        spec: &StoreSpec,
        known: Option<&Remote>,
    ) -> Result<Remote, BackendError> {
        let name = spec.name();
        let known = known.filter(|remote| remote.kind == KIND);
        let mut found = None;
        if let Some(known) = known
            && let Some(directory) = self.directory(&known.id).await?
        {
            // Our own memory is proof enough where the mark was lost; another index's mark is proof of the contrary.
            if mark::of_directory(&directory).is_some_and(|other| other != spec.index) {
                return Err(BackendError::NotOurs {
                    name: known.name.clone(),
                });
            }
            found = Some(self.named(&name, directory).await?);
        }
        let directory = match found {
            Some(directory) => directory,
            None => self.by_mark_or_new(spec).await?,
        };
        let id = text(&directory, "id")
            .ok_or_else(|| incomplete("a directory"))?
            .to_owned();
        let ids = match self.index_over(&id).await? {
            Some(ids) => ids,
            None => self.make_index(&id, spec).await?,
        };
        Ok(Remote {
            kind: KIND.to_owned(),
            id,
            name,
            extra: ids.to_extra(),
        })
    }

    async fn directory(&self, id: &str) -> Result<Option<Value>, BackendError> {
        match self.http.send(&self.below(Method::GET, id, [])).await {
            Ok(directory) if directory.get("deleted_at").is_some_and(|at| !at.is_null()) => {
                Ok(None)
            }
            Ok(directory) => Ok(Some(directory)),
            Err(failure) if failure.is_not_found() => Ok(None),
            Err(failure) => Err(failure.at(self.http.host())),
        }
    }

    async fn all_named(&self, name: &str) -> Result<Vec<Value>, BackendError> {
        let list = self
            .http
            .send_plain(&Call::new(Method::GET, DIRECTORIES).query("name", name))
            .await?;
        let mut all = items(&list);
        all.retain(|directory| {
            text(directory, "name") == Some(name)
                && text(directory, "type") != Some("index")
                && directory.get("deleted_at").is_none_or(Value::is_null)
        });
        Ok(all)
    }

    async fn by_mark_or_new(&self, spec: &StoreSpec) -> Result<Value, BackendError> {
        let name = spec.name();
        let body =
            json!({"name": name, "description": mark::description(spec.index), "type": "user"});
        let make = Call::new(Method::POST, DIRECTORIES)
            .json(&body)
            .repeat(Repeat::IfUnheard)
            .conflict_is_an_answer();
        // Names are not unique there. When nobody knows whether a directory was made, it is looked for again.
        let mut failure = None;
        for _ in 0..3 {
            let all = self.all_named(&name).await?;
            if let Some(ours) = all
                .iter()
                .find(|directory| mark::of_directory(directory) == Some(spec.index))
            {
                return Ok(ours.clone());
            }
            if !all.is_empty() {
                return Err(BackendError::NotOurs { name });
            }
            match self.http.send(&make).await {
                Ok(directory) => {
                    tracing::info!(name, "made a LlamaCloud directory");
                    return Ok(directory);
                }
                Err(broken @ Failure::Broken { .. }) => failure = Some(broken),
                Err(other) => return Err(other.at(self.http.host())),
            }
        }
        Err(failure.map_or(BackendError::NotOurs { name }, |failure| {
            failure.at(self.http.host())
        }))
    }

    /// Follows a new agent id with the directory's name, unless somebody else has that name.
    async fn named(&self, name: &str, directory: Value) -> Result<Value, BackendError> {
        if text(&directory, "name") == Some(name) {
            return Ok(directory);
        }
        if !self.all_named(name).await?.is_empty() {
            return Err(BackendError::NotOurs {
                name: name.to_owned(),
            });
        }
        let id = text(&directory, "id").ok_or_else(|| incomplete("a directory"))?;
        self.http
            .send_plain(
                &self
                    .below(Method::PATCH, id, [])
                    .json(&json!({"name": name})),
            )
            .await
    }

    /// The index over a directory; there is one at most.
    pub(super) async fn index_over(
        &self,
        directory: &str,
    ) -> Result<Option<IndexIds>, BackendError> {
        let call =
            Call::new(Method::GET, ["v1", "indexes"]).query("source_directory_id", directory);
        let list = self.http.send_plain(&call).await?;
        let ours = items(&list)
            .into_iter()
            .find(|index| text(index, "source_directory_id") == Some(directory));
        Ok(ours.as_ref().and_then(IndexIds::read))
    }

    async fn make_index(
        &self,
        directory: &str,
        spec: &StoreSpec,
    ) -> Result<IndexIds, BackendError> {
        // Syncs are asked for by us: no other frequency than `manual` is carried out by the service.
        let body = json!({
            "source_directory_id": directory,
            "name": spec.name(),
            "description": mark::description(spec.index),
            "sync_frequency": "manual",
        });
        let make = Call::new(Method::POST, ["v1", "indexes"])
            .json(&body)
            .repeat(Repeat::IfUnheard)
            .conflict_is_an_answer();
        match self.http.send(&make).await {
            Ok(index) => IndexIds::read(&index).ok_or_else(|| incomplete("an index")),
            // It may have been made all the same, by this very request.
            Err(failure @ (Failure::Broken { .. } | Failure::Refused { status: 409, .. })) => self
                .index_over(directory)
                .await?
                .ok_or_else(|| failure.at(self.http.host())),
            Err(failure) => Err(failure.at(self.http.host())),
        }
    }

    /// Removes the index and the directory, if they are ours.
    pub(crate) async fn remove(
        &self,
        spec: &StoreSpec,
        remote: &Remote,
    ) -> Result<(), BackendError> {
        let Some(directory) = self.directory(&remote.id).await? else {
            return Ok(());
        };
        if mark::of_directory(&directory).is_some_and(|other| other != spec.index) {
            return Err(BackendError::NotOurs {
                name: remote.name.clone(),
            });
        }
        let delete = |id: &str| Call::new(Method::DELETE, ["v1", "indexes", id]);
        match self.with_index(remote, Operation::Delete, delete).await {
            Ok(_) | Err(BackendError::ObjectGone { .. }) => {}
            Err(error) => return Err(error),
        }
        self.forget(remote);
        match self
            .http
            .send(&self.below(Method::DELETE, &remote.id, []))
            .await
        {
            Err(failure) if !failure.is_not_found() => Err(failure.at(self.http.host())),
            _ => Ok(()),
        }
    }

    /// Does something with the index, by the id that the operation takes; see [`super::index_id`].
    pub(super) async fn with_index(
        &self,
        remote: &Remote,
        operation: Operation,
        call: impl Fn(&str) -> Call,
    ) -> Result<Value, BackendError> {
        self.try_index(remote, operation, call)
            .await
            .map_err(|failure| self.told(remote, failure))
    }

    /// [`with_index`](Self::with_index), with the failure as the service gave it; 404 when no id is known there.
    pub(super) async fn try_index(
        &self,
        remote: &Remote,
        operation: Operation,
        call: impl Fn(&str) -> Call,
    ) -> Result<Value, Failure> {
        let known = self.known(remote);
        let mut tried: Vec<String> = Vec::new();
        let mut last = Failure::Refused {
            status: 404,
            detail: "the index has no id yet".to_owned(),
            body: Value::Null,
        };
        for look_again in [false, true] {
            let ids = if look_again {
                // The ids we remember are refused: the index may be younger than they are.
                self.index_over(&remote.id).await.ok().flatten()
            } else {
                IndexIds::of(remote)
            };
            let Some(ids) = ids else { continue };
            let candidates = {
                let accepted = known
                    .accepted
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
                accepted.candidates(operation, &ids)
            };
            for id in candidates {
                if tried.contains(&id) {
                    continue;
                }
                match self.http.send(&call(&id)).await {
                    Ok(answer) => {
                        let mut accepted = known
                            .accepted
                            .lock()
                            .unwrap_or_else(std::sync::PoisonError::into_inner);
                        accepted.remember(operation, &id);
                        return Ok(answer);
                    }
                    Err(failure) if failure.is_not_found() => {
                        last = failure;
                        tried.push(id);
                    }
                    Err(failure) => return Err(failure),
                }
            }
        }
        Err(last)
    }
}
