//! How far the service has come: one question for the counts, single reads only where they disagree.

use domain::DocumentId;
use domain::index::Remote;
use domain::ports::retrieval::{BackendError, IngestionReport};
use reqwest::Method;
use serde_json::Value;

use super::Pipelines;
use super::ingestion::{Counts, Stage, Verdict, reason};
use crate::answer::Failure;
use crate::call::id_segment;

/// Single reads of one look at most; the next look goes on.
const MAX_READS: usize = 50;
/// Documents that one job of a retry holds.
const RETRY_BATCH: u32 = 50;

impl Pipelines {
    /// Tells the service that a run's uploads are complete.
    pub(crate) async fn commit(&self, remote: &Remote) -> Result<(), BackendError> {
        self.with_ingestion(remote, |ingestion| ingestion.committed());
        let sync = self.below(Method::POST, remote, ["sync"]);
        self.http
            .send(&sync)
            .await
            .map(drop)
            .map_err(|failure| self.told(remote, failure))
    }

    /// How far these uploads and deletions are.
    pub(crate) async fn progress(
        &self,
        remote: &Remote,
        uploads: &[DocumentId],
        deletes: &[DocumentId],
    ) -> Result<IngestionReport, BackendError> {
        let mut report = IngestionReport::default();
        if uploads.is_empty() && deletes.is_empty() {
            return Ok(report);
        }
        let counts = self.counts(remote).await?;
        // The whole pipeline's state, as the vendor's own client asks for it last, is needed only near the end.
        let at_work = match counts {
            Some(counts) if counts.working > 0 => true,
            _ => self.is_at_work(remote).await?,
        };
        self.uploads(remote, uploads, counts, at_work, &mut report)
            .await?;
        self.deletions(remote, deletes, at_work, &mut report)
            .await?;
        Ok(report)
    }

    async fn counts(&self, remote: &Remote) -> Result<Option<Counts>, BackendError> {
        if self.with_ingestion(remote, |ingestion| ingestion.no_counts) {
            return Ok(None);
        }
        match self
            .http
            .send(&self.below(Method::GET, remote, ["documents", "status-counts"]))
            .await
        {
            Ok(answer) => Ok(Counts::read(&answer)),
            Err(Failure::Refused {
                status: 404 | 405 | 422,
                ..
            }) => {
                // An older service, or no such pipeline: the question for its state that follows tells.
                self.with_ingestion(remote, |ingestion| ingestion.no_counts = true);
                Ok(None)
            }
            Err(failure) => Err(failure.at(self.http.host())),
        }
    }

    async fn is_at_work(&self, remote: &Remote) -> Result<bool, BackendError> {
        let status = self
            .http
            .send(&self.below(Method::GET, remote, ["status"]))
            .await;
        let status = status.map_err(|failure| self.told(remote, failure))?;
        let word = status.get("status").and_then(Value::as_str);
        let not_started = self.http.timeouts().not_started;
        Ok(self.with_ingestion(remote, |ingestion| {
            ingestion.is_at_work(word.unwrap_or_default(), not_started)
        }))
    }

    async fn uploads(
        &self,
        remote: &Remote,
        uploads: &[DocumentId],
        counts: Option<Counts>,
        at_work: bool,
        report: &mut IngestionReport,
    ) -> Result<(), BackendError> {
        if uploads.is_empty() {
            return Ok(());
        }
        let verdict = self.with_ingestion(remote, |ingestion| match counts {
            // Counts say nothing about what another process uploaded.
            Some(counts) if uploads.iter().all(|id| ingestion.has_accepted(id)) => {
                ingestion.judge(counts, uploads)
            }
            _ => Verdict::Read {
                working: u64::MAX,
                failed: u64::MAX,
            },
        });
        match verdict {
            Verdict::AllDone if at_work => report.working.extend_from_slice(uploads),
            Verdict::AllDone => self.searchable(remote, uploads, report),
            Verdict::Wait => report.working.extend_from_slice(uploads),
            Verdict::Read { working, failed } => {
                self.read(remote, uploads, working, failed, report).await?
            }
        }
        Ok(())
    }

    fn searchable(&self, remote: &Remote, ids: &[DocumentId], report: &mut IngestionReport) {
        self.with_ingestion(remote, |ingestion| {
            ids.iter().for_each(|id| ingestion.settled(id, false))
        });
        report.searchable.extend_from_slice(ids);
    }

    /// Reads one by one until as many working and failed documents are found as the counts know of.
    async fn read(
        &self,
        remote: &Remote,
        uploads: &[DocumentId],
        mut working: u64,
        mut failed: u64,
        report: &mut IngestionReport,
    ) -> Result<(), BackendError> {
        let known = working != u64::MAX;
        let mut failures = Vec::new();
        let mut rest = &uploads[..uploads.len().min(MAX_READS)];
        while !rest.is_empty() {
            let (some, others) = rest.split_at(rest.len().min(8));
            for (id, status) in self.statuses(remote, some).await? {
                match status.as_ref().map(Stage::read) {
                    None => failures.push((id, "it is not in the store".to_owned(), false)),
                    Some(Stage::Done) => self.searchable(remote, &[id], report),
                    Some(Stage::Working) => {
                        working = working.saturating_sub(1);
                        report.working.push(id);
                    }
                    Some(Stage::Failed) => {
                        failed = failed.saturating_sub(1);
                        failures.push((id, status.as_ref().map(reason).unwrap_or_default(), true));
                    }
                }
            }
            rest = others;
            if known
                && working == 0
                && failed == 0
                && failures.iter().all(|(.., retriable)| *retriable)
            {
                // All that is not searchable was found.
                let read = uploads.len().min(MAX_READS) - rest.len();
                self.searchable(remote, &uploads[read..], report);
                return self.failures(remote, failures, report).await;
            }
        }
        report
            .working
            .extend_from_slice(&uploads[uploads.len().min(MAX_READS)..]);
        self.failures(remote, failures, report).await
    }

    /// Failed documents are asked to be ingested again once between two commits; then they are told as failed.
    async fn failures(
        &self,
        remote: &Remote,
        failures: Vec<(DocumentId, String, bool)>,
        report: &mut IngestionReport,
    ) -> Result<(), BackendError> {
        let retriable: Vec<DocumentId> = failures
            .iter()
            .filter(|(.., retriable)| *retriable)
            .map(|(id, ..)| id.clone())
            .collect();
        let retry =
            !retriable.is_empty() && self.with_ingestion(remote, |ingestion| ingestion.may_retry());
        if retry {
            self.ingest_again(remote, &retriable).await?;
        }
        let grace = self.http.timeouts().retry_grace;
        self.with_ingestion(remote, |ingestion| {
            for (id, reason, retriable) in failures {
                if retriable && (retry || ingestion.in_grace(grace)) {
                    report.working.push(id);
                } else {
                    ingestion.settled(&id, retriable);
                    report.failed.push((id, reason));
                }
            }
        });
        Ok(())
    }

    async fn ingest_again(&self, remote: &Remote, ids: &[DocumentId]) -> Result<(), BackendError> {
        tracing::info!(
            pipeline = remote.name,
            documents = ids.len(),
            "asking LlamaCloud to ingest failed documents again"
        );
        let all = self
            .below(Method::POST, remote, ["documents", "force-sync-all"])
            .query("batch_size", RETRY_BATCH)
            .query("only_failed", true)
            .without_project();
        match self.http.send(&all).await {
            Ok(_) => Ok(()),
            // Newer clients do not have that call any more; each document's own is left.
            Err(Failure::Refused {
                status: 404 | 405 | 410,
                ..
            }) => {
                for id in ids {
                    let segment = id_segment(id.as_str());
                    let one = self.below(
                        Method::POST,
                        remote,
                        ["documents", segment.as_str(), "sync"],
                    );
                    match self.http.send(&one).await {
                        Err(failure) if !failure.is_not_found() => {
                            return Err(failure.at(self.http.host()));
                        }
                        _ => {}
                    }
                }
                Ok(())
            }
            Err(failure) => Err(failure.at(self.http.host())),
        }
    }

    /// A deleted document has no status any more at once, its passages go with a job of the pipeline: it is gone when
    /// both are over.
    async fn deletions(
        &self,
        remote: &Remote,
        deletes: &[DocumentId],
        at_work: bool,
        report: &mut IngestionReport,
    ) -> Result<(), BackendError> {
        let unread: Vec<DocumentId> = self.with_ingestion(remote, |ingestion| {
            deletes
                .iter()
                .filter(|id| !ingestion.has_vanished(id))
                .take(MAX_READS)
                .cloned()
                .collect()
        });
        let read = self.statuses(remote, &unread).await?;
        self.with_ingestion(remote, |ingestion| {
            for (id, status) in read {
                ingestion.vanished(&id, status.is_none());
            }
            for id in deletes {
                if !at_work && ingestion.has_vanished(id) {
                    ingestion.vanished(id, false);
                    report.gone.push(id.clone());
                } else {
                    report.working.push(id.clone());
                }
            }
        });
        Ok(())
    }
}
