//! Files of a directory: in, out and listed. The service finds a file by its own handle only, so the directory is listed
//! once and what we do to it is followed.

use std::collections::HashMap;

use domain::DocumentId;
use domain::document::{Document, keys};
use domain::index::Remote;
use domain::ports::retrieval::{BackendError, ItemOutcome, StoredDocument};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::Value;

use super::Directories;
use super::parts::{Part, document_of, parts};
use crate::answer::Failure;
use crate::call::{Repeat, Upload};

/// Files on one page of a list.
const LIST_PAGE: u64 = 500;

/// A file as the directory lists it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct File {
    pub id: String,
    pub unique_id: String,
    pub hash: Option<String>,
    pub index: Option<String>,
    /// The number of the sync that takes it in.
    pub since: u64,
}

/// The files of a directory by their documents; `None` until listed.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub by_document: Option<HashMap<DocumentId, Vec<File>>>,
    /// Documents taken out by this process, with the number of the sync that makes it true for searchers.
    pub removed: HashMap<DocumentId, u64>,
}

fn read(file: &Value, since: u64) -> Option<(DocumentId, File)> {
    let of = |name: &str| file.get(name).and_then(Value::as_str).map(str::to_owned);
    let metadata = |key: &str| file.get("metadata")?.get(key)?.as_str().map(str::to_owned);
    let id = of("id")?;
    let unique_id = of("unique_id").unwrap_or_else(|| id.clone());
    let document = DocumentId::from(document_of(&unique_id));
    Some((
        document,
        File {
            id,
            unique_id,
            hash: metadata(keys::HASH),
            index: metadata(keys::INDEX),
            since,
        },
    ))
}

impl Directories {
    /// Every file of a directory.
    async fn listing(
        &self,
        remote: &Remote,
        since: u64,
    ) -> Result<HashMap<DocumentId, Vec<File>>, BackendError> {
        let mut all: HashMap<DocumentId, Vec<File>> = HashMap::new();
        let mut token: Option<String> = None;
        loop {
            let mut call = self
                .below(Method::GET, &remote.id, ["files"])
                .query("page_size", LIST_PAGE);
            if let Some(token) = &token {
                call = call.query("page_token", token);
            }
            let page = self
                .http
                .send(&call)
                .await
                .map_err(|failure| self.told(remote, failure))?;
            let items = page.get("items").and_then(Value::as_array);
            let items = items.ok_or_else(|| BackendError::Unavailable {
                detail: "a list of files came without files".to_owned(),
            })?;
            for file in items
                .iter()
                .filter(|file| file.get("deleted_at").is_none_or(Value::is_null))
            {
                if let Some((document, file)) = read(file, since) {
                    all.entry(document).or_default().push(file);
                }
            }
            let next = page
                .get("next_page_token")
                .and_then(Value::as_str)
                .filter(|next| !next.is_empty())
                .map(str::to_owned);
            if next.is_none() || next == token {
                return Ok(all);
            }
            token = next;
        }
    }

    /// The directory's files, listed at the first use.
    pub(super) async fn files<'w>(
        &self,
        remote: &Remote,
        files: &'w mut Files,
        since: u64,
    ) -> Result<&'w mut HashMap<DocumentId, Vec<File>>, BackendError> {
        if files.by_document.is_none() {
            files.by_document = Some(self.listing(remote, since).await?);
        }
        Ok(files.by_document.get_or_insert_default())
    }

    /// Uploads new revisions, then deletes the old ones, as many at once as the rate limiter lets through.
    pub(crate) async fn upsert(
        &self,
        remote: &Remote,
        documents: &[Document],
    ) -> Result<Vec<ItemOutcome>, BackendError> {
        let known = self.known(remote);
        let mut work = known.work.lock().await;
        let since = work.syncing.next();
        let present = self.files(remote, &mut work.files, since).await?;
        let none = Vec::new();
        let replaced = documents.iter().map(|document| {
            let old = present.get(&document.id).unwrap_or(&none).clone();
            self.replace(remote, document, old, since)
        });
        let results = join_all(replaced).await;
        let mut outcomes = Vec::with_capacity(documents.len());
        let mut trouble = None;
        for (document, (files, result)) in documents.iter().zip(results) {
            present.insert(document.id.clone(), files);
            outcomes.push(match result {
                Ok(()) => ItemOutcome::Accepted,
                Err(Failure::Refused {
                    status: 400 | 413 | 422,
                    detail,
                    ..
                }) => ItemOutcome::Refused(format!("the store refuses it: {detail}")),
                Err(failure) => {
                    trouble.get_or_insert(failure);
                    ItemOutcome::Accepted
                }
            });
        }
        present.retain(|_, files| !files.is_empty());
        for document in documents {
            work.files.removed.remove(&document.id);
        }
        // What went through is known by its revision and not uploaded again when the caller tries again.
        trouble.map_or(Ok(outcomes), |failure| Err(self.told(remote, failure)))
    }

    /// Answers the files that the document has afterwards, whether all went well or not.
    async fn replace(
        &self,
        remote: &Remote,
        document: &Document,
        old: Vec<File>,
        since: u64,
    ) -> (Vec<File>, Result<(), Failure>) {
        let mut files = old;
        let wanted = parts(document);
        for part in &wanted {
            if files.iter().any(|file| file.unique_id == part.unique_id) {
                continue;
            }
            match self.upload(remote, document, part).await {
                Ok(answer) => files.extend(read(&answer, since).map(|(_, file)| file)),
                Err(failure) => return (files, Err(failure)),
            }
        }
        let (keep, stale): (Vec<File>, Vec<File>) = files
            .into_iter()
            .partition(|file| wanted.iter().any(|part| part.unique_id == file.unique_id));
        let (left, result) = self.delete_files(remote, stale).await;
        (keep.into_iter().chain(left).collect(), result)
    }

    async fn upload(
        &self,
        remote: &Remote,
        document: &Document,
        part: &Part,
    ) -> Result<Value, Failure> {
        let metadata = serde_json::to_string(&document.metadata).unwrap_or_default();
        let file_name = format!("{}.md", part.unique_id.replace('@', "-"));
        let fields = vec![
            ("unique_id", part.unique_id.clone()),
            ("display_name", file_name.clone()),
            ("metadata", metadata),
        ];
        let upload = Upload {
            fields,
            file_name,
            content: part.text.clone(),
        };
        let call = self
            .below(Method::POST, &remote.id, ["files", "upload"])
            .upload(upload)
            .repeat(Repeat::IfUnheard)
            .conflict_is_an_answer();
        let mut tries = self.http.timeouts().attempts;
        loop {
            match self.http.send(&call).await {
                // There already, or nobody knows: it is looked for by its unique id.
                Err(failure @ (Failure::Broken { .. } | Failure::Refused { status: 409, .. })) => {
                    let find = self
                        .below(Method::GET, &remote.id, ["files"])
                        .query("unique_id", &part.unique_id);
                    let list = self.http.send(&find).await?;
                    let found = list
                        .get("items")
                        .and_then(Value::as_array)
                        .and_then(|items| {
                            items.iter().find(|file| {
                                file.get("unique_id").and_then(Value::as_str)
                                    == Some(&part.unique_id)
                            })
                        });
                    tries = tries.saturating_sub(1);
                    match found {
                        Some(file) => return Ok(file.clone()),
                        None if tries == 0 => return Err(failure),
                        None => {}
                    }
                }
                other => return other,
            }
        }
    }

    /// Deletes files by their handles; answers those that are left.
    async fn delete_files(
        &self,
        remote: &Remote,
        files: Vec<File>,
    ) -> (Vec<File>, Result<(), Failure>) {
        let mut left = Vec::new();
        let mut result = Ok(());
        for file in files {
            match self
                .http
                .send(&self.below(Method::DELETE, &remote.id, ["files", &file.id]))
                .await
            {
                Err(failure) if !failure.is_not_found() => {
                    left.push(file);
                    result = Err(failure);
                }
                _ => {}
            }
        }
        (left, result)
    }

    /// Deletes every file of these documents.
    pub(crate) async fn delete(
        &self,
        remote: &Remote,
        ids: &[DocumentId],
    ) -> Result<Vec<ItemOutcome>, BackendError> {
        let known = self.known(remote);
        let mut work = known.work.lock().await;
        let since = work.syncing.next();
        let present = self.files(remote, &mut work.files, since).await?;
        let taken: Vec<(DocumentId, Vec<File>)> = ids
            .iter()
            .map(|id| (id.clone(), present.remove(id).unwrap_or_default()))
            .collect();
        let results = join_all(
            taken
                .into_iter()
                .map(|(id, files)| async { (id, self.delete_files(remote, files).await) }),
        )
        .await;
        let mut trouble = None;
        let mut removed = Vec::new();
        for (id, (left, result)) in results {
            if left.is_empty() {
                removed.push(id);
            } else {
                present.insert(id, left);
            }
            if let Err(failure) = result {
                trouble.get_or_insert(failure);
            }
        }
        work.files
            .removed
            .extend(removed.into_iter().map(|id| (id, since)));
        trouble.map_or_else(
            || Ok(vec![ItemOutcome::Accepted; ids.len()]),
            |failure| Err(self.told(remote, failure)),
        )
    }

    /// Everything in the directory, each document once. One of which several revisions are there is told without a
    /// hash, so that it is stored again and cleaned up.
    pub(crate) async fn list(
        &self,
        remote: &Remote,
    ) -> Result<(Vec<StoredDocument>, Option<String>), BackendError> {
        let known = self.known(remote);
        let mut work = known.work.lock().await;
        let since = work.syncing.next();
        let mut fresh = self.listing(remote, since).await?;
        // What was known before keeps its place in the order of syncs.
        let before: HashMap<String, u64> = work
            .files
            .by_document
            .iter()
            .flat_map(|documents| documents.values().flatten())
            .map(|file| (file.id.clone(), file.since))
            .collect();
        for file in fresh.values_mut().flatten() {
            file.since = before.get(&file.id).copied().unwrap_or(since);
        }
        let mut list: Vec<StoredDocument> = fresh
            .iter()
            .filter_map(|(id, files)| {
                let first = files.first()?;
                let one = files.iter().all(|file| file.hash == first.hash);
                Some(StoredDocument {
                    id: id.clone(),
                    hash: first.hash.clone().filter(|_| one),
                    index: first.index.as_deref().and_then(|index| index.parse().ok()),
                })
            })
            .collect();
        list.sort_by(|a, b| a.id.cmp(&b.id));
        work.files.by_document = Some(fresh);
        Ok((list, None))
    }
}
