//! Faults, refusals and drift: what is tried again, what is told, and in which words.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use backend_conformance::samples::{Sample, question};
use backend_conformance::settle;
use domain::index::Remote;
use domain::ports::retrieval::{BackendError, ItemOutcome, RetrievalBackend, StoreSpec};
use domain::{Disposition, DocumentId, IndexId};
use llamacloud::{IndexApi, LlamaCloud, LlamaCloudConfig, Timeouts};
use simulators::llamacloud::{LlamaCloudSim, Switches};
use simulators::{Clock, Fault, Matcher, RateLimit, RetryAfter};

use crate::subject::{Account, MS, account, config, ids, index, pages};

async fn quick() -> Account {
    account(IndexApi::V1, Switches::default()).await
}

/// Everything that a run and a search do, once.
async fn whole_life(account: &Account, spec: &StoreSpec) -> Result<(), BackendError> {
    let backend = &account.backend;
    let remote = backend.ensure(spec, None).await?;
    let documents = pages(spec, 3);
    backend.upsert(&remote, &documents).await?;
    backend.commit(&remote).await?;
    let report = settle(backend, &remote, &ids(&documents), &[]).await;
    assert_eq!(report.searchable.len(), 3, "{report:?}");
    // A question does not wait for a limit: another source answers it meanwhile.
    let found = loop {
        match backend.search(&remote, &question("lantern")).await {
            Err(BackendError::RateLimited { retry_after }) => tokio::time::sleep(retry_after).await,
            answer => break answer?,
        }
    };
    assert!(!found.passages.is_empty());
    assert_eq!(backend.list(&remote, None).await?.0.len(), 3);
    backend.delete(&remote, &ids(&documents)[..1]).await?;
    let report = settle(backend, &remote, &[], &ids(&documents)[..1]).await;
    assert_eq!(report.gone.len(), 1, "{report:?}");
    assert_eq!(backend.list(&remote, None).await?.0.len(), 2);
    backend.remove(spec, &remote).await
}

fn spec() -> StoreSpec {
    StoreSpec {
        index: IndexId::generate(),
        agent: "tester".parse().unwrap(),
    }
}

#[tokio::test]
async fn a_key_of_another_region_is_told_with_the_host_and_not_tried_again() {
    let account = quick().await;
    account
        .sim
        .switches(|switches| switches.wrong_region = true);
    let error = account.backend.ensure(&spec(), None).await.unwrap_err();
    let host = account
        .sim
        .base_url()
        .trim_start_matches("http://")
        .to_owned();
    assert!(
        matches!(&error, BackendError::Unauthorized { host: told, detail } if *told == host && detail.contains("region")),
        "{error}"
    );
    assert_eq!(error.disposition(), Disposition::FailRun);
    assert_eq!(account.sim.request_count(), 1);
    assert!(account.backend.health().trouble.unwrap().contains(&host));
    account
        .sim
        .switches(|switches| switches.wrong_region = false);
    account.backend.ensure(&spec(), None).await.unwrap();
    assert_eq!(
        account.backend.health().trouble,
        None,
        "a success clears it"
    );
}

#[tokio::test]
async fn no_credits_end_the_run_at_once() {
    let account = quick().await;
    let (spec, remote) = index(&account).await;
    account.sim.reset_log();
    account
        .sim
        .switches(|switches| switches.out_of_credits = true);
    let error = account
        .backend
        .upsert(&remote, &pages(&spec, 2))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, BackendError::NoCredits { detail } if detail.contains("credits")),
        "{error}"
    );
    assert_eq!(account.sim.request_count(), 1);
}

#[tokio::test]
async fn a_project_is_sent_when_named_and_never_empty() {
    let account = quick().await;
    whole_life(&account, &spec()).await.unwrap();
    assert!(
        account
            .sim
            .requests()
            .iter()
            .all(|request| !request.query.contains("project_id"))
    );
    for (project, allowed) in [
        (String::new(), true),
        (account.sim.project_id(), true),
        (IndexId::generate().to_string(), false),
    ] {
        let named = LlamaCloudConfig {
            project_id: Some(project.clone()),
            ..config(&account.sim, IndexApi::V1)
        };
        let made = LlamaCloud::new(named).unwrap().ensure(&spec(), None).await;
        match made {
            Err(BackendError::NotOurs { .. }) | Ok(_) => assert!(allowed, "{project}"),
            Err(BackendError::Unauthorized { .. }) => assert!(!allowed, "{project}"),
            Err(other) => panic!("{project}: {other}"),
        }
    }
    assert!(
        account
            .sim
            .requests()
            .iter()
            .any(|request| request.query.contains("project_id="))
    );
}

#[tokio::test]
async fn every_call_outlives_passing_faults() {
    // What may not be sent blindly again is looked for in between: a fault at every second request would always meet
    // the same one of the two.
    for (api, every) in [(IndexApi::V1, 2), (IndexApi::V2, 3)] {
        outlives_passing_faults(api, every).await;
    }
}

async fn outlives_passing_faults(api: IndexApi, every: u32) {
    for fault in [
        Fault::Status(500),
        Fault::HtmlStatus(502),
        Fault::EmptyStatus(504),
        Fault::Unavailable(0),
        Fault::Html200,
        Fault::CutJson,
        Fault::CutBody,
        Fault::Reset,
        Fault::RateLimited(RetryAfter::Zero),
        Fault::RateLimited(RetryAfter::Missing),
        Fault::Status(408),
    ] {
        let account = account(api, Switches::default()).await;
        // Every so many requests one fails, whichever it is.
        account.sim.fail(simulators::FaultRule {
            matcher: Matcher::any(),
            skip: 0,
            times: simulators::Times::Every(every),
            fault: fault.clone(),
        });
        whole_life(&account, &spec())
            .await
            .unwrap_or_else(|error| panic!("{api:?}, {fault:?}: {error}"));
        assert!(
            account
                .sim
                .requests()
                .iter()
                .any(|request| request.fault.is_some()),
            "{fault:?} never struck"
        );
    }
}

#[tokio::test]
async fn a_wait_asked_for_is_kept_and_one_too_long_is_told() {
    let account = quick().await;
    let (_, remote) = index(&account).await;
    account
        .sim
        .fail_next("*", 1, Fault::RateLimited(RetryAfter::Seconds(1)));
    let begun = std::time::Instant::now();
    account.backend.commit(&remote).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1));
    account
        .sim
        .fail_next("*", 1, Fault::RateLimited(RetryAfter::Seconds(3600)));
    let error = account.backend.commit(&remote).await.unwrap_err();
    assert_eq!(
        error,
        BackendError::RateLimited {
            retry_after: Duration::from_secs(3600)
        }
    );
}

#[tokio::test]
async fn endless_trouble_is_told_after_bounded_tries() {
    let account = quick().await;
    let (_, remote) = index(&account).await;
    for (fault, expected) in [
        (Fault::HtmlStatus(503), "store_unreachable"),
        (Fault::Reset, "store_unreachable"),
    ] {
        account.sim.reset_log();
        account.sim.fail_always("*", fault.clone());
        let error = account.backend.commit(&remote).await.unwrap_err();
        assert!(error.disposition().is_passing(), "{fault:?}: {error}");
        assert_eq!(error.code(), expected);
        assert_eq!(
            account.sim.request_count(),
            u64::from(Timeouts::default().attempts),
            "{fault:?}"
        );
        account.sim.clear_faults();
    }
}

#[tokio::test]
async fn a_limit_is_waited_for_as_long_as_patience_lasts_and_by_a_question_not_at_all() {
    let account = quick().await;
    let (_, remote) = index(&account).await;
    let limit = Fault::RateLimited(RetryAfter::Missing);
    // Many more than a request has tries.
    account.sim.fail_next("*", 12, limit.clone());
    account.backend.commit(&remote).await.unwrap();
    account.sim.fail_always("*", limit);
    let begun = std::time::Instant::now();
    let error = account
        .backend
        .search(&remote, &question("lantern"))
        .await
        .unwrap_err();
    assert!(matches!(error, BackendError::RateLimited { .. }), "{error}");
    assert!(begun.elapsed() < Duration::from_millis(1500));
    let error = account.backend.commit(&remote).await.unwrap_err();
    assert!(matches!(error, BackendError::RateLimited { .. }), "{error}");
    assert!(begun.elapsed() >= Duration::from_millis(1900));
}

/// How far time goes on at once.
const STEP: Duration = Duration::from_millis(250);
/// Looks at the network before time goes on, after the last answer is out.
const LOOKS: u32 = 40;

/// Does some work in a time that passes for the client and for the service alike, and only while no request is on its way: so a
/// minute takes no minute, and a busy machine costs none.
async fn in_their_time<T>(
    sim: &LlamaCloudSim,
    client: &LlamaCloud,
    work: impl Future<Output = T>,
) -> T {
    let mut work = std::pin::pin!(work);
    loop {
        let mut looks = 0;
        // An answer that nobody has read yet is on its way as well, but not for ever.
        while looks < LOOKS || (client.in_flight() > 0 && looks < 50 * LOOKS) {
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = tokio::task::yield_now() => {}
            }
            let on_its_way = client.health().requests > sim.request_count();
            looks = if on_its_way { 0 } else { looks + 1 };
        }
        sim.clock().advance(STEP);
        tokio::time::advance(STEP).await;
    }
}

/// The smallest plan: 20 requests a minute, and a bare 429 beyond.
const SMALL_PLAN: RateLimit = RateLimit {
    per_second: 20.0 / 60.0,
    burst: 20,
    shared: true,
    retry_after: RetryAfter::Missing,
};

#[tokio::test(start_paused = true)]
async fn a_small_plan_is_learned_and_few_requests_are_in_vain() {
    let sim = LlamaCloudSim::builder()
        .clock(Clock::manual(chrono::DateTime::UNIX_EPOCH))
        .switches(Switches {
            rate_limit: Some(SMALL_PLAN),
            ..Switches::default()
        })
        .start()
        .await
        .unwrap();
    // All else as the service has it.
    let usual = config(&sim, IndexApi::V2);
    let backend = LlamaCloud::new(LlamaCloudConfig {
        base_url: usual.base_url,
        index_api: usual.index_api,
        ..LlamaCloudConfig::new(usual.api_key)
    });
    let backend = Arc::new(backend.unwrap());
    let spec = spec();
    let remote = in_their_time(&sim, &backend, backend.ensure(&spec, None));
    let remote = remote.await.unwrap();
    let begun = tokio::time::Instant::now();
    let asking = tokio::spawn({
        let (backend, remote) = (Arc::clone(&backend), remote.clone());
        async move {
            loop {
                tokio::time::sleep(Duration::from_secs(10)).await;
                let begun = tokio::time::Instant::now();
                let answer = backend.search(&remote, &question("lantern")).await;
                assert!(
                    matches!(answer, Ok(_) | Err(BackendError::RateLimited { .. })),
                    "{answer:?}"
                );
                // Nobody who asks waits for a pause; the fallback answers meanwhile.
                assert!(begun.elapsed() <= Duration::from_secs(1) + STEP);
            }
        }
    });
    for batch in pages(&spec, 300).chunks(50) {
        let outcomes = in_their_time(&sim, &backend, backend.upsert(&remote, batch));
        let outcomes = outcomes.await.unwrap();
        assert_eq!(outcomes, vec![ItemOutcome::Accepted; batch.len()]);
    }
    assert!(!asking.is_finished(), "a question was not answered");
    asking.abort();
    let requests = sim.requests();
    let of = |status: u16| requests.iter().filter(move |r| r.status == status);
    let refused = of(429).count();
    let needed = requests.len() - refused;
    let uploads = |template: &str| template.ends_with("/files/upload");
    assert_eq!(of(201).filter(|r| uploads(&r.template)).count(), 300);
    assert!(
        requests.len() * 10 <= needed * 11,
        "{refused} refused beside {needed}"
    );
    // Not much slower than the plan allows either.
    let least = Duration::from_secs(3) * u32::try_from(needed).unwrap();
    assert!(begun.elapsed() < least * 5 / 4, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_store_that_is_down_is_not_waited_for_again_and_again() {
    let account = quick().await;
    let (spec, remote) = index(&account).await;
    account
        .backend
        .upsert(&remote, &pages(&spec, 1))
        .await
        .unwrap();
    account.backend.commit(&remote).await.unwrap();
    let ask = async || account.backend.search(&remote, &question("lantern")).await;
    account.sim.fail_always("*", Fault::Reset);
    account.sim.reset_log();
    for _ in 0..3 {
        ask().await.unwrap_err();
    }
    assert_eq!(account.sim.request_count(), 6, "two tries of each question");
    // From now on nobody waits, and one probe is on its way beside.
    let begun = std::time::Instant::now();
    for _ in 0..20 {
        let error = ask().await.unwrap_err().to_string();
        assert!(
            error.contains("asking again now changes nothing"),
            "{error}"
        );
    }
    assert!(begun.elapsed() < Duration::from_millis(500));
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(account.sim.request_count(), 8);
    account.sim.clear_faults();
    tokio::time::sleep(Duration::from_secs(2)).await;
    ask().await.unwrap_err();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(account.sim.request_count(), 9);
    ask().await.unwrap();
}

#[tokio::test]
async fn a_deletion_whose_job_has_not_started_is_not_over() {
    let switches = Switches {
        deletion_takes: Duration::from_millis(400),
        deletions_not_started: true,
        ..Switches::default()
    };
    let account = account(IndexApi::V1, switches).await;
    let (spec, remote) = index(&account).await;
    let documents = pages(&spec, 1);
    let ids = ids(&documents);
    account.backend.upsert(&remote, &documents).await.unwrap();
    account.backend.commit(&remote).await.unwrap();
    account.backend.delete(&remote, &ids).await.unwrap();
    let begun = std::time::Instant::now();
    loop {
        let report = account.backend.progress(&remote, &[], &ids).await.unwrap();
        if !report.gone.is_empty() {
            break;
        }
        tokio::time::sleep(20 * MS).await;
    }
    assert!(
        begun.elapsed() >= Duration::from_millis(300),
        "{:?}",
        begun.elapsed()
    );
    let found = account.backend.search(&remote, &question("lantern")).await;
    assert_eq!(found.unwrap().passages, []);
}

#[tokio::test]
async fn too_large_batches_are_told_as_such() {
    let account = quick().await;
    let (spec, remote) = index(&account).await;
    account
        .sim
        .switches(|switches| switches.max_documents = Some(3));
    let error = account
        .backend
        .upsert(&remote, &pages(&spec, 5))
        .await
        .unwrap_err();
    assert_eq!(error.disposition(), Disposition::Split, "{error}");
    account
        .backend
        .upsert(&remote, &pages(&spec, 3))
        .await
        .unwrap();
    // 5xx again and again: the batch may be the reason, a single document is not.
    account.sim.fail_always(
        Matcher::endpoint("/documents").method("PUT"),
        Fault::HtmlStatus(502),
    );
    let error = account
        .backend
        .upsert(&remote, &pages(&spec, 3))
        .await
        .unwrap_err();
    assert_eq!(error.disposition(), Disposition::Split, "{error}");
    let error = account
        .backend
        .upsert(&remote, &pages(&spec, 1))
        .await
        .unwrap_err();
    assert!(matches!(error, BackendError::Unavailable { .. }), "{error}");
}

#[tokio::test]
async fn a_quiet_run_of_two_hundred_pages_needs_few_requests() {
    let account = quick().await;
    let (spec, remote) = index(&account).await;
    account.sim.reset_log();
    let documents = pages(&spec, 200);
    for batch in documents.chunks(account.backend.capabilities().max_batch_documents) {
        account.backend.upsert(&remote, batch).await.unwrap();
    }
    account.backend.commit(&remote).await.unwrap();
    let report = settle(&account.backend, &remote, &ids(&documents), &[]).await;
    assert_eq!(report.searchable.len(), 200);
    // Four batches, one sync, and for the end one look at the counts and one at the pipeline.
    let counts = account.sim.counts();
    assert_eq!(account.sim.request_count(), 7, "{counts:?}");
}

#[tokio::test]
async fn failed_documents_are_ingested_again_once_a_run() {
    let account = quick().await;
    let (spec, remote) = index(&account).await;
    let documents = pages(&spec, 30);
    let bad = documents[7].id.clone();
    account.sim.switches(|switches| {
        switches.failing_documents.insert(bad.as_str().to_owned());
    });
    account.backend.upsert(&remote, &documents).await.unwrap();
    account.backend.commit(&remote).await.unwrap();
    let report = settle(&account.backend, &remote, &ids(&documents), &[]).await;
    assert_eq!(
        (report.searchable.len(), report.failed.len()),
        (29, 1),
        "{report:?}"
    );
    assert!(
        report.failed[0].0 == bad && report.failed[0].1.contains("Failed to embed"),
        "{report:?}"
    );
    assert_eq!(account.sim.count_of("/documents/force-sync-all"), 1);

    // The next run: its failure stays in the counts and disturbs nobody else's confirmation.
    account.sim.reset_log();
    let others = &documents[20..];
    account.backend.upsert(&remote, others).await.unwrap();
    account.backend.commit(&remote).await.unwrap();
    settle(&account.backend, &remote, &ids(others), &[]).await;
    assert_eq!(
        account.sim.count_of("/documents/{document_id}/status"),
        0,
        "{:?}",
        account.sim.counts()
    );

    // A passing failure is healed by the retry.
    account
        .backend
        .upsert(&remote, &documents[7..8])
        .await
        .unwrap();
    account.backend.commit(&remote).await.unwrap();
    let first = account
        .backend
        .progress(&remote, std::slice::from_ref(&bad), &[])
        .await
        .unwrap();
    assert_eq!(first.working, std::slice::from_ref(&bad));
    account
        .sim
        .switches(|switches| switches.failing_documents.clear());
    account.backend.commit(&remote).await.unwrap();
    let report = settle(&account.backend, &remote, std::slice::from_ref(&bad), &[]).await;
    assert_eq!(report.searchable, [bad]);
}

#[tokio::test]
async fn without_the_newer_calls_single_reads_and_syncs_do() {
    let account = quick().await;
    let (spec, remote) = index(&account).await;
    account
        .sim
        .fail_always("/documents/status-counts", Fault::Status(404));
    account
        .sim
        .fail_always("/documents/force-sync-all", Fault::Status(404));
    let documents = pages(&spec, 4);
    account.sim.switches(|switches| {
        switches
            .failing_documents
            .insert(documents[1].id.to_string());
    });
    account.backend.upsert(&remote, &documents).await.unwrap();
    account.backend.commit(&remote).await.unwrap();
    let report = settle(&account.backend, &remote, &ids(&documents), &[]).await;
    assert_eq!(
        (report.searchable.len(), report.failed.len()),
        (3, 1),
        "{report:?}"
    );
    assert_eq!(account.sim.count_of("/documents/{document_id}/sync"), 1);
    assert_eq!(
        account.sim.count_of("/documents/status-counts"),
        1,
        "asked once, then known"
    );
}

#[tokio::test]
async fn one_stuck_document_holds_up_nobody_else() {
    let account = quick().await;
    let (spec, remote) = index(&account).await;
    let documents = pages(&spec, 40);
    account.sim.switches(|switches| {
        switches.stuck_documents.insert(documents[3].id.to_string());
    });
    account.backend.upsert(&remote, &documents).await.unwrap();
    account.backend.commit(&remote).await.unwrap();
    let mut searchable = BTreeSet::new();
    let mut open = ids(&documents);
    for _ in 0..4 {
        let report = account.backend.progress(&remote, &open, &[]).await.unwrap();
        assert_eq!(report.failed, []);
        searchable.extend(report.searchable);
        open = report.working;
    }
    assert_eq!(
        (searchable.len(), open),
        (39, vec![documents[3].id.clone()])
    );
    let singles = account.sim.count_of("/documents/{document_id}/status");
    assert!(singles < 40, "{singles} single reads");
}

#[tokio::test]
async fn another_process_confirms_what_the_first_uploaded() {
    let account = quick().await;
    let (spec, remote) = index(&account).await;
    let documents = pages(&spec, 3);
    account.backend.upsert(&remote, &documents).await.unwrap();
    account.backend.commit(&remote).await.unwrap();
    let second = LlamaCloud::new(config(&account.sim, IndexApi::V1)).unwrap();
    let mut uploads = ids(&documents);
    uploads.push(DocumentId::from("confluence-page-never"));
    let report = settle(&second, &remote, &uploads, &[]).await;
    assert_eq!(report.searchable, ids(&documents));
    assert_eq!(report.failed.len(), 1, "{report:?}");
}

#[tokio::test]
async fn documents_that_vanish_between_two_pages_of_the_list_hide_no_others() {
    let account = quick().await;
    let (spec, remote) = index(&account).await;
    let documents = pages(&spec, 230);
    account.backend.upsert(&remote, &documents).await.unwrap();
    let (first, cursor) = account.backend.list(&remote, None).await.unwrap();
    let gone = &ids(&first
        .iter()
        .map(|stored| {
            documents
                .iter()
                .find(|d| d.id == stored.id)
                .unwrap()
                .clone()
        })
        .collect::<Vec<_>>())[..20];
    account.backend.delete(&remote, gone).await.unwrap();
    let mut seen: BTreeSet<DocumentId> = first.into_iter().map(|stored| stored.id).collect();
    let mut cursor = cursor;
    while let Some(at) = cursor {
        let (page, next) = account.backend.list(&remote, Some(&at)).await.unwrap();
        seen.extend(page.into_iter().map(|stored| stored.id));
        cursor = next;
    }
    assert_eq!(seen, ids(&documents).into_iter().collect());
}

#[tokio::test]
async fn what_others_put_into_our_pipeline_is_listed_not_answered_and_can_be_deleted() {
    let account = quick().await;
    let (spec, remote) = index(&account).await;
    let odd = "notes of/ärger 1+1";
    let path = format!("/api/v1/pipelines/{}/documents", remote.id);
    let foreign = serde_json::json!([{"id": odd, "text": "The lantern of somebody else.", "metadata": {"source": "elsewhere"}}]);
    crate::subject::post(&account.sim, &path, foreign).await;
    account
        .backend
        .upsert(&remote, &pages(&spec, 1))
        .await
        .unwrap();
    account.backend.commit(&remote).await.unwrap();
    settle(&account.backend, &remote, &ids(&pages(&spec, 1)), &[]).await;
    let passages = account
        .backend
        .search(&remote, &question("lantern"))
        .await
        .unwrap()
        .passages;
    assert_eq!(passages.len(), 1, "{passages:?}");
    let (list, _) = account.backend.list(&remote, None).await.unwrap();
    let stranger = list
        .iter()
        .find(|stored| stored.id.as_str() == odd)
        .unwrap();
    assert_eq!((&stranger.hash, &stranger.index), (&None, &None));
    account
        .backend
        .delete(&remote, std::slice::from_ref(&stranger.id))
        .await
        .unwrap();
    let report = settle(
        &account.backend,
        &remote,
        &[],
        std::slice::from_ref(&stranger.id),
    )
    .await;
    assert_eq!(report.gone, std::slice::from_ref(&stranger.id));
    assert_eq!(
        account.backend.list(&remote, None).await.unwrap().0.len(),
        1
    );
}

#[tokio::test]
async fn a_lost_mark_is_made_good_by_memory_and_never_guessed() {
    let account = quick().await;
    let (spec, remote) = index(&account).await;
    let path = format!("{}/api/v1/pipelines/{}", account.sim.base_url(), remote.id);
    reqwest::Client::new()
        .put(path)
        .bearer_auth(simulators::llamacloud::LlamaCloudSim::KEY)
        .header("content-type", "application/json")
        .body(r#"{"preset_retrieval_parameters": {"search_filters": null}}"#)
        .send()
        .await
        .unwrap()
        .error_for_status()
        .unwrap();
    assert_eq!(
        account.backend.ensure(&spec, Some(&remote)).await.unwrap(),
        remote
    );
    assert!(matches!(
        account.backend.ensure(&spec, None).await,
        Err(BackendError::NotOurs { .. })
    ));
}

#[tokio::test]
async fn an_own_embedding_key_is_used_and_a_bad_one_named() {
    let account = quick().await;
    let with = |key: &str| LlamaCloudConfig {
        openai_api_key: Some(key.to_owned().into()),
        ..config(&account.sim, IndexApi::V1)
    };
    let error = LlamaCloud::new(with("wrong"))
        .unwrap()
        .ensure(&spec(), None)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("OPENAI_API_KEY") && !error.contains("wrong"),
        "{error}"
    );
    LlamaCloud::new(with("sk-right"))
        .unwrap()
        .ensure(&spec(), None)
        .await
        .unwrap();
    let made = account
        .sim
        .requests()
        .into_iter()
        .rfind(|request| request.method == "PUT")
        .unwrap()
        .body
        .unwrap();
    assert_eq!(made["embedding_config"]["type"], "OPENAI_EMBEDDING");
}

#[tokio::test]
async fn an_answer_beyond_its_bound_is_refused_and_not_asked_for_again() {
    let account = quick().await;
    let (spec, remote) = index(&account).await;
    account
        .backend
        .upsert(&remote, &pages(&spec, 3))
        .await
        .unwrap();
    let small = LlamaCloudConfig {
        max_answer_bytes: 100,
        ..config(&account.sim, IndexApi::V1)
    };
    account.sim.reset_log();
    let error = LlamaCloud::new(small)
        .unwrap()
        .list(&remote, None)
        .await
        .unwrap_err();
    assert!(
        matches!(&error, BackendError::Unavailable { detail } if detail.contains("more than 100 bytes")),
        "{error}"
    );
    assert_eq!(account.sim.request_count(), 1);
}

mod refusals {
    //! Refusals of single documents, worded as the service words them.

    use super::*;
    use serde_json::{Value, json};
    use wiremock::matchers::{method, path};
    use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

    /// Refuses batches that hold a document with the word `poison`; says which only when asked to.
    struct Picky {
        names_it: bool,
    }

    impl Respond for Picky {
        fn respond(&self, request: &Request) -> ResponseTemplate {
            let batch: Vec<Value> = serde_json::from_slice(&request.body).unwrap();
            let bad = batch
                .iter()
                .position(|document| document["text"].as_str().unwrap().contains("poison"));
            match bad {
                None => ResponseTemplate::new(200).set_body_json(batch),
                Some(at) if self.names_it => ResponseTemplate::new(422).set_body_json(
                    json!({"detail": [{"loc": ["body", at, "text"], "msg": "not to our taste", "type": "value_error"}]}),
                ),
                Some(_) => ResponseTemplate::new(400).set_body_json(json!({"detail": "something is wrong"})),
            }
        }
    }

    #[tokio::test]
    async fn one_refused_document_stops_no_other() {
        for (names_it, most_requests) in [(true, 3), (false, 20)] {
            let server = MockServer::start().await;
            Mock::given(method("PUT"))
                .and(path("/api/v1/pipelines/p1/documents"))
                .respond_with(Picky { names_it })
                .mount(&server)
                .await;
            let account = quick().await;
            let at_mock = LlamaCloudConfig {
                base_url: server.uri().parse().unwrap(),
                ..config(&account.sim, IndexApi::V1)
            };
            let backend = LlamaCloud::new(at_mock).unwrap();
            let remote = Remote {
                kind: "pipeline".into(),
                id: "p1".into(),
                name: "confluence-x".into(),
                extra: None,
            };
            let mut documents = pages(&spec(), 16);
            for bad in [4, 11] {
                documents[bad] = Sample::new(&format!("9{bad}"), "Bad", "This is poison.")
                    .document(IndexId::generate());
            }
            let outcomes = backend.upsert(&remote, &documents).await.unwrap();
            let refused: Vec<usize> =
                (0..16).filter(|at| matches!(&outcomes[*at], ItemOutcome::Refused(reason) if !reason.is_empty())).collect();
            assert_eq!(refused, [4, 11]);
            assert_eq!(
                outcomes
                    .iter()
                    .filter(|outcome| **outcome == ItemOutcome::Accepted)
                    .count(),
                14
            );
            let requests = server.received_requests().await.unwrap().len();
            assert!(requests <= most_requests, "{requests} requests");
        }
    }

    #[tokio::test]
    async fn a_document_that_the_answer_leaves_out_is_not_believed_in() {
        let server = MockServer::start().await;
        let answer =
            ResponseTemplate::new(200).set_body_json(json!([{"id": "confluence-page-500"}]));
        Mock::given(method("PUT"))
            .respond_with(answer)
            .mount(&server)
            .await;
        let account = quick().await;
        let at_mock = LlamaCloudConfig {
            base_url: server.uri().parse().unwrap(),
            ..config(&account.sim, IndexApi::V1)
        };
        let remote = Remote {
            kind: "pipeline".into(),
            id: "p1".into(),
            name: "confluence-x".into(),
            extra: None,
        };
        let outcomes = LlamaCloud::new(at_mock)
            .unwrap()
            .upsert(&remote, &pages(&spec(), 2))
            .await
            .unwrap();
        assert!(
            matches!(
                &outcomes[..],
                [ItemOutcome::Accepted, ItemOutcome::Refused(_)]
            ),
            "{outcomes:?}"
        );
    }
}
