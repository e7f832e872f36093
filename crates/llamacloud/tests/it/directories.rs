//! What only the second generation knows: files and their revisions, syncs one at a time, an index's two ids.

use std::collections::BTreeSet;

use backend_conformance::samples::{Sample, question};
use backend_conformance::settle;
use domain::ports::retrieval::{BackendError, RetrievalBackend, StoreSpec};
use domain::{DocumentId, IndexId};
use llamacloud::{IndexApi, LlamaCloud};
use simulators::llamacloud::{DuplicateId, IndexIds, Serving, Switches};
use simulators::{Fault, Matcher};

use crate::subject::{Account, MS, account, config, ids, index, pages};

async fn quick() -> Account {
    account(IndexApi::V2, Switches::default()).await
}

#[tokio::test]
async fn auto_takes_what_the_account_offers_and_asks_once() {
    for (v1, v2, kind) in [
        (Serving::Full, Serving::Full, Some("pipeline")),
        (Serving::Full, Serving::Refused, Some("pipeline")),
        (Serving::Absent, Serving::Full, Some("directory_index")),
        (Serving::Refused, Serving::Full, Some("directory_index")),
        (Serving::Absent, Serving::Absent, None),
    ] {
        let switches = Switches {
            v1,
            v2,
            ..Switches::default()
        };
        let account = account(IndexApi::Auto, switches).await;
        let spec = |agent: &str| StoreSpec {
            index: IndexId::generate(),
            agent: agent.parse().unwrap(),
        };
        let made = account.backend.ensure(&spec("one"), None).await;
        match kind {
            Some(kind) => {
                assert_eq!(made.unwrap().kind, kind);
                let asked = account.sim.request_count();
                account.backend.ensure(&spec("two"), None).await.unwrap();
                assert!(
                    account.sim.request_count() - asked < asked,
                    "the offer is remembered"
                );
                let told = account.backend.health().description;
                let name = if v1 == Serving::Full { "v1" } else { "v2" };
                assert!(told.contains(name), "{told}");
            }
            None => assert!(
                matches!(made, Err(BackendError::Rejected { .. })),
                "{made:?}"
            ),
        }
    }
}

#[tokio::test]
async fn what_each_generation_says_is_told() {
    let told = async |v1, v2| {
        let switches = Switches {
            v1,
            v2,
            ..Switches::default()
        };
        let account = account(IndexApi::Auto, switches).await;
        account.backend.probe().await
    };
    let said = told(Serving::Refused, Serving::Full).await.unwrap();
    let refused = "pipelines (v1): Your plan does not include this API (403)";
    assert!(
        said.contains("offers directories and indexes (v2); ") && said.contains(refused),
        "{said}"
    );
    let Err(BackendError::Unauthorized { detail, .. }) =
        told(Serving::Refused, Serving::Absent).await
    else {
        panic!("nothing is offered");
    };
    assert!(
        detail.starts_with(refused) && detail.contains("directories and indexes (v2): not served"),
        "{detail}"
    );
    let Err(BackendError::Unauthorized { detail, .. }) =
        told(Serving::Refused, Serving::Refused).await
    else {
        panic!("nothing is offered");
    };
    assert_eq!(detail.matches("Your plan").count(), 1, "{detail}");
}

#[tokio::test]
async fn a_bad_moment_decides_for_no_generation() {
    let account = account(IndexApi::Auto, Switches::default()).await;
    account
        .sim
        .fail_always("/api/v1/pipelines", Fault::Status(503));
    let spec = StoreSpec {
        index: IndexId::generate(),
        agent: "one".parse().unwrap(),
    };
    let error = account.backend.ensure(&spec, None).await.unwrap_err();
    assert!(
        matches!(error, BackendError::Unavailable { .. }),
        "{error:?}"
    );
    account.sim.clear_faults();
    let made = account.backend.ensure(&spec, None).await.unwrap();
    assert_eq!(made.kind, "pipeline");
}

#[tokio::test]
async fn a_generation_that_an_earlier_process_found_may_be_refused_by_now() {
    let switches = Switches {
        v1: Serving::Refused,
        ..Switches::default()
    };
    let account = account(IndexApi::Auto, switches).await;
    let backend = LlamaCloud::new(config(&account.sim, IndexApi::Auto)).unwrap();
    let backend = backend.remembering(Some(IndexApi::V1), std::sync::Arc::new(|_| {}));
    let spec = StoreSpec {
        index: IndexId::generate(),
        agent: "one".parse().unwrap(),
    };
    let made = backend.ensure(&spec, None).await.unwrap();
    assert_eq!(made.kind, "directory_index");
}

#[tokio::test]
async fn an_account_that_lists_pipelines_and_may_make_none_is_told_so() {
    let switches = Switches {
        v1: Serving::ReadOnly,
        ..Switches::default()
    };
    let account = account(IndexApi::Auto, switches).await;
    let spec = StoreSpec {
        index: IndexId::generate(),
        agent: "one".parse().unwrap(),
    };
    let error = account.backend.ensure(&spec, None).await.unwrap_err();
    let told = error.to_string();
    assert!(
        told.contains("lists pipelines (v1) and may not make one")
            && told.contains("LLAMA_CLOUD_INDEX_API=v2"),
        "{told}"
    );
}

#[tokio::test]
async fn either_id_of_the_index_is_found_out_and_remembered() {
    for accepted in [
        IndexIds::Both,
        IndexIds::IdOnly,
        IndexIds::ExportOnly,
        IndexIds::ByOperation,
    ] {
        let account = account(
            IndexApi::V2,
            Switches {
                index_ids: accepted,
                ..Switches::default()
            },
        )
        .await;
        let (spec, remote) = index(&account).await;
        let documents = pages(&spec, 2);
        account.backend.upsert(&remote, &documents).await.unwrap();
        account.backend.commit(&remote).await.unwrap();
        let report = settle(&account.backend, &remote, &ids(&documents), &[]).await;
        assert_eq!(report.searchable.len(), 2, "{accepted:?}");
        account
            .backend
            .search(&remote, &question("lantern"))
            .await
            .unwrap();
        account.sim.reset_log();
        assert_eq!(
            account
                .backend
                .search(&remote, &question("lantern"))
                .await
                .unwrap()
                .passages
                .len(),
            2,
            "{accepted:?}"
        );
        assert_eq!(
            account.sim.request_count(),
            1,
            "{accepted:?}: what worked is remembered"
        );
        account.backend.remove(&spec, &remote).await.unwrap();
        assert_eq!(
            account
                .sim
                .directories()
                .iter()
                .filter(|name| *name == "confluence-tester")
                .count(),
            0
        );
    }
}

#[tokio::test]
async fn a_new_revision_is_there_before_the_old_one_goes() {
    let account = quick().await;
    let (spec, remote) = index(&account).await;
    let old = Sample::new("1", "Lantern", "Old text.");
    let new = Sample {
        markdown: "New text.",
        version: 2,
        ..old.clone()
    };
    account
        .backend
        .upsert(&remote, &[old.document(spec.index)])
        .await
        .unwrap();
    account.sim.reset_log();
    // The old revision cannot be deleted: the new one is there all the same, and asking again finishes the work.
    account
        .sim
        .fail_always(Matcher::any().method("DELETE"), Fault::Status(500));
    account
        .backend
        .upsert(&remote, &[new.document(spec.index)])
        .await
        .unwrap_err();
    assert_eq!(account.sim.directory_files(&remote.id).len(), 2);
    let (list, _) = account.backend.list(&remote, None).await.unwrap();
    assert_eq!(
        (list.len(), &list[0].hash),
        (1, &None),
        "two revisions: told once, and as unknown"
    );
    account.sim.clear_faults();
    account
        .backend
        .upsert(&remote, &[new.document(spec.index)])
        .await
        .unwrap();
    let files = account.sim.directory_files(&remote.id);
    assert!(
        files.len() == 1 && files[0].text.contains("New text."),
        "{files:?}"
    );
    assert_eq!(
        account.sim.count_of("/files/upload"),
        1,
        "nothing is uploaded twice"
    );
}

#[tokio::test]
async fn an_upload_whose_answer_is_lost_is_not_made_twice() {
    for duplicates in [DuplicateId::Conflict, DuplicateId::SecondEntry] {
        let account = account(
            IndexApi::V2,
            Switches {
                duplicate_unique_id: duplicates,
                ..Switches::default()
            },
        )
        .await;
        let (spec, remote) = index(&account).await;
        account.sim.fail_next("/files/upload", 2, Fault::CutBody);
        account
            .backend
            .upsert(&remote, &pages(&spec, 3))
            .await
            .unwrap();
        assert_eq!(
            account.sim.directory_files(&remote.id).len(),
            3,
            "{duplicates:?}"
        );
    }
}

#[tokio::test]
async fn a_long_page_is_cut_so_that_the_parser_drops_nothing() {
    let account = account(
        IndexApi::V2,
        Switches {
            parser_page_bytes: Some(64 << 10),
            ..Switches::default()
        },
    )
    .await;
    let (spec, remote) = index(&account).await;
    let text = (0..2000)
        .map(|n| format!("Sentence number{n} of a very long page about harbours.\n\n"))
        .collect::<String>()
        + "The last word is zephyr.";
    assert!(text.len() > 100_000);
    let long = Sample::new("1", "Harbours", &text);
    account
        .backend
        .upsert(&remote, &[long.document(spec.index)])
        .await
        .unwrap();
    account.backend.commit(&remote).await.unwrap();
    let report = settle(&account.backend, &remote, &[long.document_id()], &[]).await;
    assert_eq!(report.searchable, [long.document_id()]);
    let passages = account
        .backend
        .search(&remote, &question("zephyr"))
        .await
        .unwrap()
        .passages;
    assert!(
        passages[0].text.contains("zephyr") && passages[0].document == long.document_id(),
        "{passages:?}"
    );
    assert_eq!(
        account.backend.list(&remote, None).await.unwrap().0.len(),
        1,
        "several files, one document"
    );
    // A shorter revision takes all of them away.
    let short = Sample {
        markdown: "Short.",
        version: 2,
        ..long.clone()
    };
    account
        .backend
        .upsert(&remote, &[short.document(spec.index)])
        .await
        .unwrap();
    assert_eq!(account.sim.directory_files(&remote.id).len(), 1);
    account
        .backend
        .delete(&remote, &[short.document_id()])
        .await
        .unwrap();
    assert_eq!(account.sim.directory_files(&remote.id).len(), 0);
}

#[tokio::test]
async fn a_running_sync_is_waited_for_and_ours_follows() {
    for status in [409, 429] {
        let switches = Switches {
            index_sync_takes: 150 * MS,
            sync_running_status: status,
            ..Switches::default()
        };
        let account = account(IndexApi::V2, switches).await;
        // Making the index began a sync, which knows nothing of these.
        let (spec, remote) = index(&account).await;
        let documents = pages(&spec, 2);
        account.backend.upsert(&remote, &documents).await.unwrap();
        account.backend.commit(&remote).await.unwrap();
        let report = settle(&account.backend, &remote, &ids(&documents), &[]).await;
        assert_eq!(report.searchable.len(), 2, "{report:?}");
        assert_eq!(
            account.sim.indexed_files(&remote.name).len(),
            2,
            "searchable was not said too early"
        );
        // What changes while a sync runs needs the next one.
        account.backend.commit(&remote).await.unwrap();
        let late = [Sample::new("9", "Late", "Late.").document(spec.index)];
        account.backend.upsert(&remote, &late).await.unwrap();
        account.backend.commit(&remote).await.unwrap();
        let report = settle(&account.backend, &remote, &ids(&late), &[]).await;
        assert_eq!(report.searchable.len(), 1);
        assert_eq!(account.sim.indexed_files(&remote.name).len(), 3);
    }
}

#[tokio::test]
async fn a_failed_sync_is_begun_again_once_and_then_told() {
    let account = quick().await;
    let (spec, remote) = index(&account).await;
    let documents = pages(&spec, 2);
    account.backend.upsert(&remote, &documents).await.unwrap();
    account
        .sim
        .switches(|switches| switches.index_sync_fails = true);
    account.sim.reset_log();
    account.backend.commit(&remote).await.unwrap();
    let report = settle(&account.backend, &remote, &ids(&documents), &[]).await;
    assert_eq!(report.failed.len(), 2, "{report:?}");
    assert!(report.failed[0].1.contains("Export failed"), "{report:?}");
    assert_eq!(account.sim.count_of("/indexes/{index_id}/sync"), 2);
    account
        .sim
        .switches(|switches| switches.index_sync_fails = false);
    account.backend.commit(&remote).await.unwrap();
    let report = settle(&account.backend, &remote, &ids(&documents), &[]).await;
    assert_eq!(report.searchable.len(), 2, "{report:?}");
}

#[tokio::test]
async fn another_process_finishes_what_the_first_began() {
    let account = quick().await;
    let (spec, remote) = index(&account).await;
    let documents = pages(&spec, 3);
    account.backend.upsert(&remote, &documents).await.unwrap();
    account
        .backend
        .delete(&remote, &ids(&documents)[..1])
        .await
        .unwrap();
    // No commit: the process died here.
    let second = LlamaCloud::new(config(&account.sim, IndexApi::V2)).unwrap();
    let remembered = second.ensure(&spec, Some(&remote)).await.unwrap();
    assert_eq!(remembered, remote);
    let report = settle(
        &second,
        &remote,
        &ids(&documents)[1..],
        &ids(&documents)[..1],
    )
    .await;
    assert_eq!(
        (report.searchable.len(), report.gone.len()),
        (2, 1),
        "{report:?}"
    );
    let indexed: BTreeSet<String> = account
        .sim
        .indexed_files(&remote.name)
        .into_iter()
        .map(|file| file.display_name)
        .collect();
    assert_eq!(indexed.len(), 2);
    let never = DocumentId::from("confluence-page-never");
    let report = settle(&second, &remote, std::slice::from_ref(&never), &[]).await;
    assert_eq!(report.failed.len(), 1, "{report:?}");
}
