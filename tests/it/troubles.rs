//! What people are told when Confluence does not answer as it should: each state has its own title and remedy, and what is known at
//! once is told at once.

use std::time::{Duration, Instant};

use domain::failure::FailureCause;
use serde_json::{Value, json};
use simulators::confluence::{Account, BadCredentials, ConfluenceSim};
use simulators::llamacloud::LlamaCloudSim;
use simulators::{Fault, Matcher, RetryAfter};

use crate::process::{borrowed, program, text};
use crate::support::{Service, assert_problem, pairs, site, start, start_program};

/// Nobody waits longer for what is known at once: one more try, half a second later, on a slow machine.
const AT_ONCE: Duration = Duration::from_secs(5);

fn index() -> Value {
    json!({"name": "N", "agent_id": "n", "confluence_spaces": ["ENG"]})
}

#[actix_web::test]
async fn each_state_of_confluence_has_its_own_words_at_once() {
    let service = start(site(0), &[]).await;
    let states = [
        (Fault::Status(410), "confluence_withdrawn"),
        (Fault::Html200, "not_confluence"),
        (Fault::Reset, "confluence_unreachable"),
        (Fault::Unauthorized, "confluence_unauthorized"),
        // Last, since every request has to wait from then on.
        (
            Fault::RateLimited(RetryAfter::Seconds(30)),
            "confluence_rate_limited",
        ),
    ];
    let mut titles = std::collections::BTreeSet::new();
    for (fault, code) in states {
        service.sim.fail_always(Matcher::any(), fault);
        let began = Instant::now();
        let spaces = service.get("/api/spaces").await;
        assert_problem(&spaces, 503, code);
        assert_problem(&service.post("/api/indexes/", index()).await, 503, code);
        assert!(began.elapsed() < AT_ONCE, "{code}: {:?}", began.elapsed());
        titles.insert(spaces.1["title"].to_string());
        service.sim.clear_faults();
    }
    assert_eq!(titles.len(), 5);
    let (_, indexes) = service.get("/api/indexes").await;
    assert_eq!(indexes["items"], json!([]));
    service.stop().await;
}

#[actix_web::test]
async fn no_index_is_made_for_nobody() {
    let service = start(site(0), &[]).await;
    service
        .sim
        .switches(|s| s.bad_credentials = BadCredentials::Anonymous);
    service.sim.revoke_token(ConfluenceSim::TOKEN);
    let answer = service.post("/api/indexes/", index()).await;
    assert_problem(&answer, 503, "confluence_unauthorized");
    let (_, indexes) = service.get("/api/indexes").await;
    assert_eq!(indexes["items"], json!([]));
    service.stop().await;
}

/// What `doctor` prints, its exit code, and how long it takes.
pub async fn doctor(service: &Service, extra: &[(&str, &str)]) -> (Option<i32>, String, Duration) {
    let settings: Vec<_> = pairs(&service.sim, &service.folder, extra)
        .into_iter()
        .collect();
    let mut command = program(&service.folder, &["doctor"], &borrowed(&settings));
    let began = Instant::now();
    let ended = actix_web::web::block(move || command.output().unwrap())
        .await
        .unwrap();
    (ended.status.code(), text(&ended.stdout), began.elapsed())
}

#[actix_web::test]
async fn doctor_names_what_is_wrong_with_a_models_folder() {
    let service = start(site(0), &[]).await;
    let empty = tempfile::tempdir().unwrap();
    let folder = empty.path().to_str().unwrap();
    let (code, said, _) = doctor(&service, &[("EMBEDDINGS_MODEL_DIR", folder)]).await;
    let (expected, cause) = if cfg!(feature = "local-model") {
        (
            1,
            "config.json: cannot be read: No such file or directory (os error 2); copy the model's folder again",
        )
    } else {
        (
            2,
            "needs a program that was built with --features local-model",
        )
    };
    assert_eq!(code, Some(expected), "{said}");
    assert!(
        said.contains("EMBEDDINGS_MODEL_DIR") && said.contains(cause),
        "{said}"
    );
    service.stop().await;
}

#[actix_web::test]
async fn doctor_names_all_missing_scopes_at_once() {
    let mut service = start(site(0), &[]).await;
    let runbook = service
        .sim
        .truth()
        .into_iter()
        .find(|page| page.title == "Rollback runbook")
        .unwrap();
    service
        .sim
        .site()
        .attach(runbook.id, "plan.txt", "text/plain", b"the plan");
    let body = json!({"name": "N", "agent_id": "n", "confluence_spaces": ["ENG"],
        "include_comments": true, "include_attachments": true});
    let (status, made) = service.post("/api/indexes/", body).await;
    assert_eq!(status, 201, "{made}");
    service.over(&made).await;
    let (status, found) = service.get("/api/doctor").await;
    assert_eq!(status, 200);
    let access = found["items"].as_array().unwrap().iter();
    let access: Vec<_> = access.filter(|item| item["what"] == "access").collect();
    assert_eq!(
        access,
        [
            &json!({"what": "access", "outcome": "ok", "said": "spaces, pages, search, labels and restrictions, comments, \
            inline comments, files, download of a file, names of people can be read"})
        ]
    );
    service.app.take().unwrap().stop().await;

    // The gateway's address alone tells the site.
    let gateway = service.sim.gateway_url();
    let scoped = async |scopes: &[&str]| {
        let account = Account::scoped("s@example.com", "scoped", scopes);
        service.sim.revoke_token("scoped");
        service.sim.add_account(account);
        let extra = [
            ("CONFLUENCE_BASE_URL", gateway.as_str()),
            ("CONFLUENCE_EMAIL", "s@example.com"),
            ("CONFLUENCE_API_TOKEN", "scoped"),
        ];
        doctor(&service, &extra).await
    };
    let (code, said, _) = scoped(&["read:space:confluence"]).await;
    assert_eq!(code, Some(1), "{said}");
    let missing = "FAIL  scopes: the token lacks read:content-details:confluence (the account itself, search, labels and \
                   restrictions), read:page:confluence (pages), read:comment:confluence (comments, inline comments), \
                   read:attachment:confluence (files).";
    assert!(said.contains(missing), "{said}");
    assert!(said.contains("ok    spaces: 2 can be seen"), "{said}");
    let mut scopes = vec![
        "read:space:confluence",
        "read:page:confluence",
        "read:content-details:confluence",
        "read:comment:confluence",
        "read:attachment:confluence",
    ];
    let (code, said, _) = scoped(&scopes).await;
    assert_eq!(code, Some(1), "{said}");
    let missing = "FAIL  scopes: the token lacks read:user:confluence (names of people).";
    assert!(said.contains(missing), "{said}");
    scopes.push("read:user:confluence");
    let (code, said, _) = scoped(&scopes).await;
    assert_eq!(code, Some(0), "{said}");
}

/// Failures of pages that the numbers tell, by reason; those that never happened are told as 0.
async fn failures(service: &Service) -> Vec<(String, u64)> {
    let (_, metrics) = service.get("/metrics").await;
    let lines = metrics.as_str().unwrap().lines();
    let prefix = "mcp_confluence_page_failures_total{reason=\"";
    let told = lines.filter_map(|line| line.strip_prefix(prefix)?.split_once("\"} "));
    told.map(|(reason, count)| (reason.to_owned(), count.parse().unwrap()))
        .collect()
}

#[actix_web::test]
async fn failures_are_counted_by_their_reason() {
    let llama = LlamaCloudSim::builder().start().await.unwrap();
    let account = [
        ("LLAMA_CLOUD_API_KEY", LlamaCloudSim::KEY),
        ("LLAMA_CLOUD_BASE_URL", llama.base_url()),
        ("LLAMA_CLOUD_INDEX_API", "v1"),
    ];
    let service = start_program(site(10), &account).await;
    let before = failures(&service).await;
    assert!(
        before.len() == FailureCause::ALL.len() && before.iter().all(|(_, count)| *count == 0),
        "{before:?}"
    );
    let truth = service.sim.truth();
    let host = |n: usize| {
        let title = format!("Host {n}");
        truth.iter().find(|page| page.title == title).unwrap().id
    };
    let site = service.sim.site();
    site.attach(host(1), "plan.txt", "text/plain", b"the plan");
    let download = "/content/{id}/child/attachment/{attachmentId}/download";
    service.sim.fail_always(download, Fault::Unauthorized);
    llama.switches(|switches| {
        for n in [2, 3] {
            let id = format!("confluence-page-{}", host(n).0);
            switches.failing_documents.insert(id);
        }
    });
    let body = json!({"name": "N", "agent_id": "n", "confluence_spaces": ["OPS"], "include_attachments": true});
    let (_, index) = service.post("/api/indexes/", body).await;
    let run = service.over(&index).await;
    assert_eq!(
        (&run["status"], &run["counts"]["failed"]),
        (&json!("partial"), &json!(3)),
        "{run}"
    );
    let mut counted = failures(&service).await;
    counted.retain(|(_, count)| *count > 0);
    counted.sort_unstable();
    let expected = [("confluence_refused", 1), ("store_failed", 2)];
    assert_eq!(
        counted,
        expected.map(|(reason, count)| (reason.to_owned(), count))
    );
    service.stop().await;
}

#[actix_web::test]
async fn doctor_says_at_once_that_nobody_is_there() {
    let mut service = start(site(0), &[]).await;
    service.app.take().unwrap().stop().await;
    // The port of discard: nothing listens there.
    let (code, said, took) =
        doctor(&service, &[("CONFLUENCE_BASE_URL", "http://127.0.0.1:9")]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("FAIL  Confluence: ") && said.contains("no connection"),
        "{said}"
    );
    assert!(took < AT_ONCE, "{took:?}");
}
