//! What every implementation of [`RetrievalBackend`] promises, as tests that each backend's crate runs against its own
//! store: [`suite!`] makes one test of each promise.
//!
//! For tests only. It knows the port and nothing of any store; what a test needs from behind the port (an object made by
//! somebody else, a document that the store fails on) it asks of the [`Subject`].
#![warn(missing_docs)]

use std::future::Future;
use std::time::Duration;

use domain::DocumentId;
use domain::index::Remote;
use domain::ports::retrieval::{IngestionReport, RetrievalBackend};

pub mod promises;
pub mod samples;

/// A fresh, empty store with a backend in front of it; one per test.
pub trait Subject: Sync {
    /// The backend under test.
    type Backend: RetrievalBackend;

    /// The backend under test.
    fn backend(&self) -> &Self::Backend;

    /// Puts an object of that name into the store as somebody else would.
    fn plant_foreign(&self, name: &str) -> impl Future<Output = ()> + Send;

    /// Makes the store fail on ingesting this document from now on; `false` when this store cannot fail so.
    fn fail_on(&self, id: &DocumentId) -> impl Future<Output = bool> + Send;

    /// How many objects of that name the store holds.
    fn objects_named(&self, name: &str) -> impl Future<Output = usize> + Send;
}

/// How long a store of a test may take to settle.
const DEADLINE: Duration = Duration::from_secs(20);

/// Asks for progress until nothing is at work any more; what is left when the time is over stays in `working`.
pub async fn settle<B: RetrievalBackend>(
    backend: &B,
    remote: &Remote,
    uploads: &[DocumentId],
    deletes: &[DocumentId],
) -> IngestionReport {
    let begun = tokio::time::Instant::now();
    let mut settled = IngestionReport {
        working: [uploads, deletes].concat(),
        ..IngestionReport::default()
    };
    loop {
        let open = |ids: &[DocumentId]| {
            ids.iter()
                .filter(|id| settled.working.contains(id))
                .cloned()
                .collect::<Vec<_>>()
        };
        let report = backend
            .progress(remote, &open(uploads), &open(deletes))
            .await
            .expect("progress");
        settled.searchable.extend(report.searchable);
        settled.failed.extend(report.failed);
        settled.gone.extend(report.gone);
        settled.working = report.working;
        if settled.working.is_empty() || begun.elapsed() > DEADLINE {
            return settled;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// One test per promise. The argument is an async function that makes a [`Subject`].
#[macro_export]
macro_rules! suite {
    ($subject:path) => {
        $crate::suite!($subject;
            ensure_finds_its_own_object_again,
            ensure_makes_a_lost_object_anew,
            ensure_follows_a_new_agent_id,
            a_foreign_object_is_neither_adopted_nor_removed,
            removing_twice_is_a_success,
            a_removed_object_is_told_as_gone,
            what_is_stored_is_found,
            a_replaced_document_is_found_by_its_new_text_only,
            storing_the_same_again_changes_nothing,
            deleted_documents_are_gone,
            unknown_ids_can_be_deleted,
            the_list_names_every_document_once,
            indexes_do_not_mix,
            answers_keep_to_the_space,
            answers_keep_to_the_time,
            answers_keep_to_the_label_where_the_store_filters,
            answers_keep_to_what_is_under_a_page,
            answers_are_the_best_first_and_no_more_than_asked_for,
            any_script_and_any_punctuation_can_be_searched,
            a_page_without_text_is_found_by_its_title,
            the_largest_batch_is_taken,
            nothing_is_searchable_that_was_never_stored,
            a_failure_is_told_with_its_document,
        );
    };
    ($subject:path; $($promise:ident),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                $crate::promises::$promise(&$subject().await).await;
            }
        )+
    };
}
