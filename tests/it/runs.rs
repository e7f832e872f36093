//! Runs: ordered, listed, canceled, confirmed.

use std::time::Duration;

use domain::ports::store::AdminStore;
use metastore::{Metastore, MetastoreOptions};
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::support::{assert_problem, id, site, start, start_program, until};

#[actix_web::test]
async fn a_run_asked_for_by_hand_compares_everything_and_uploads_nothing_again() {
    let service = start(site(4), &[]).await;
    let index = service.synced_index("a", &["OPS"]).await;
    let first = &index["last_run"];
    let (status, run) = service.post("/api/indexes/agent/a/sync", json!({})).await;
    assert_eq!(
        (status.as_u16(), run["kind"].as_str(), &run["index_id"]),
        (202, Some("sweep"), &index["id"])
    );
    assert_ne!(run["id"], first["id"]);
    let run = service.over(&index).await;
    assert_eq!(
        (run["status"].as_str(), run["counts"]["uploaded"].as_i64()),
        (Some("succeeded"), Some(0)),
        "{run}"
    );
    assert!(run["requests"]["confluence"].as_i64().unwrap() > 0 && run["error"].is_null());

    // Without a body, and by the index's id.
    let path = format!("/api/indexes/{}/sync", id(&index));
    let (status, run) = service.post(&path, json!({"full": true})).await;
    assert_eq!((status.as_u16(), run["kind"].as_str()), (202, Some("full")));
    service.over(&index).await;
    let (status, run) = service.post(&path, json!({"full": false})).await;
    assert_eq!(
        (status.as_u16(), run["kind"].as_str()),
        (202, Some("delta"))
    );
    service.over(&index).await;
    let bodiless = service
        .request(reqwest::Method::POST, &path)
        .send()
        .await
        .unwrap();
    assert_eq!(bodiless.status(), 202);
    service.over(&index).await;

    let (_, all) = service.get("/api/runs?limit=2").await;
    assert_eq!(all["items"].as_array().unwrap().len(), 2);
    let cursor = all["next_cursor"].as_str().unwrap();
    let (_, rest) = service.get(&format!("/api/runs?cursor={cursor}")).await;
    assert_eq!(rest["items"].as_array().unwrap().len(), 3);
    assert_eq!(rest["items"][2]["id"], first["id"], "newest first");
    let (_, of_kind) = service
        .get(&format!("/api/runs?index_id={}&status=failed", id(&index)))
        .await;
    assert_eq!(of_kind["items"], json!([]));

    assert_problem(
        &service.post(&path, json!({"full": "yes", "soon": 1})).await,
        422,
        "invalid_field",
    );
    assert_problem(
        &service
            .post("/api/indexes/agent/nobody/sync", json!({}))
            .await,
        404,
        "not_found",
    );
    service.stop().await;
}

#[actix_web::test]
async fn a_dry_run_says_what_it_would_do_and_does_not() {
    let site = site(4);
    let service = start(site.clone(), &[]).await;
    let index = service.synced_index("a", &["OPS"]).await;
    site.create_page("OPS", None, "New one", "<p>quokka</p>");
    let (status, run) = service
        .post("/api/indexes/agent/a/sync", json!({"dry_run": true}))
        .await;
    assert_eq!(
        (status.as_u16(), run["dry_run"].as_bool()),
        (202, Some(true))
    );
    let path = format!("/api/runs/{}", id(&run));
    let run = until("the dry run is over", async || {
        let (_, run) = service.get(&path).await;
        (!run["finished_at"].is_null()).then_some(run)
    })
    .await;
    assert_eq!(
        (run["status"].as_str(), run["plan"]["add"].as_i64()),
        (Some("succeeded"), Some(1)),
        "{run}"
    );
    let (_, found) = service
        .post("/api/indexes/agent/a/query", json!({"query": "quokka"}))
        .await;
    assert_eq!(found["results"], json!([]));
    let (_, after) = service.get(&format!("/api/indexes/{}", id(&index))).await;
    assert_eq!(after["document_count"], index["document_count"]);
    service.stop().await;
}

#[actix_web::test]
async fn a_run_under_way_is_answered_again_and_can_be_canceled() {
    let site = site(30);
    site.set_switches(|switches| switches.latency = Duration::from_millis(400));
    let service = start(site.clone(), &[]).await;
    let index = service.index("a", &["ENG", "OPS"]).await;
    let path = format!("/api/indexes/{}/sync", id(&index));
    let (_, running) = service.post(&path, json!({})).await;
    let (_, again) = service.post(&path, json!({})).await;
    assert_eq!(
        (&again["id"], &again["queued"]),
        (&running["id"], &json!(false))
    );
    let (_, queued) = service.post(&path, json!({"full": true})).await;
    assert_eq!(
        (&queued["id"], &queued["queued"]),
        (&running["id"], &json!(true)),
        "one follow-up is noted"
    );

    let cancel = format!("/api/runs/{}/cancel", id(&running));
    let (status, canceling) = service.post(&cancel, json!({})).await;
    assert_eq!(
        (status.as_u16(), canceling["status"].as_str()),
        (202, Some("canceling")),
        "{canceling}"
    );
    let run = format!("/api/runs/{}", id(&running));
    until("the run is canceled", async || {
        let (_, run) = service.get(&run).await;
        (run["status"] == "canceled").then_some(())
    })
    .await;
    assert_problem(&service.post(&cancel, json!({})).await, 409, "conflict");
    assert_problem(
        &service.post("/api/runs/none/cancel", json!({})).await,
        404,
        "not_found",
    );
    site.set_switches(|switches| switches.latency = Duration::ZERO);
    service.stop().await;
}

#[actix_web::test]
async fn a_mass_deletion_waits_for_the_administrator() {
    let site = site(0);
    let pages: Vec<_> = (0..30)
        .map(|n| site.create_page("OPS", None, &format!("P{n}"), "<p>zebra</p>"))
        .collect();
    let service = start(site.clone(), &[]).await;
    let index = service.synced_index("a", &["OPS"]).await;
    let ok = format!(
        "/api/runs/{}/confirm",
        index["last_run"]["id"].as_str().unwrap()
    );
    assert_problem(
        &service.post(&ok, json!({"decision": "accept"})).await,
        409,
        "conflict",
    );

    for page in &pages[..20] {
        site.trash(*page);
    }
    service.post("/api/indexes/agent/a/sync", json!({})).await;
    let waiting = service.over(&index).await;
    assert_eq!(waiting["status"], "needs_confirmation", "{waiting}");
    let index_path = format!("/api/indexes/{}", id(&index));
    assert_eq!(
        service.get(&index_path).await.1["status"],
        "needs_confirmation"
    );
    let confirm = format!("/api/runs/{}/confirm", id(&waiting));
    for body in [
        json!({}),
        json!({"decision": "maybe"}),
        json!({"decision": "accept", "now": true}),
    ] {
        assert_problem(&service.post(&confirm, body).await, 422, "invalid_field");
    }

    // Who is asked sees what about, and each answer can be taken back by the other one.
    let question_path = format!("{index_path}/question");
    let question = async || service.get(&question_path).await.1["question"].clone();
    let asked = question().await;
    assert_eq!(
        (&asked["state"], &asked["page_count"], &asked["run_id"]),
        (&json!("waiting"), &json!(20), &waiting["id"])
    );
    assert_eq!(asked["pages"].as_array().unwrap().len(), 20);
    assert_eq!(asked["pages"][0]["state"], "vanishing");
    assert!(
        asked["pages"][0]["reason"]
            .as_str()
            .unwrap()
            .contains("trash")
    );
    assert_eq!(asked["answered_by"], Value::Null);
    let refuse = || service.post(&confirm, json!({"decision": "refuse"}));
    assert_eq!(refuse().await.0, 200);
    assert_problem(&refuse().await, 409, "conflict");
    let refused = question().await;
    assert_eq!(refused["state"], "refused");
    assert_eq!(
        refused["answered_by"],
        "the administrator (no key is asked for) from 127.0.0.1"
    );
    assert_eq!(refused["pages"][0]["state"], "searchable", "quoted again");

    let (status, run) = service.post(&confirm, json!({"decision": "accept"})).await;
    assert_eq!(status, 202);
    assert_ne!(run["id"], waiting["id"]);
    let done = service.over(&index).await;
    assert_eq!(
        (done["status"].as_str(), done["counts"]["deleted"].as_i64()),
        (Some("succeeded"), Some(20)),
        "{done}"
    );
    assert_eq!(question().await, Value::Null, "it is carried out");
    assert_problem(&refuse().await, 409, "conflict");
    let removed = format!("/api/runs/{}/pages?change=removed&limit=15", id(&done));
    let (_, list) = service.get(&removed).await;
    assert_eq!(list["items"].as_array().unwrap().len(), 15);
    assert_eq!(list["items"][0]["state"], "removed");
    let rest = format!("{removed}&cursor={}", list["next_cursor"].as_str().unwrap());
    let (_, list) = service.get(&rest).await;
    assert_eq!(
        (
            list["items"].as_array().unwrap().len(),
            &list["next_cursor"]
        ),
        (5, &Value::Null)
    );
    service.stop().await;
}

#[actix_web::test]
async fn a_run_says_what_it_did_page_by_page_and_a_dry_run_what_it_would() {
    let site = site(0);
    let hosts =
        [0, 1, 2].map(|n| site.create_page("OPS", None, &format!("Host {n}"), "<p>zebra</p>"));
    let service = start(site.clone(), &[]).await;
    let index = service.synced_index("a", &["OPS"]).await;
    let pages = async |run: &Value| -> Vec<(String, String, Value)> {
        let (status, list) = service.get(&format!("/api/runs/{}/pages", id(run))).await;
        assert_eq!(status, 200, "{list}");
        let items = list["items"].as_array().unwrap().iter();
        let mut told: Vec<_> = items
            .map(|page| {
                let text = |field: &str| page[field].as_str().unwrap().to_owned();
                (text("change"), text("title"), page["state"].clone())
            })
            .collect();
        told.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
        told
    };
    let told =
        |change: &str, title: &str, state: Value| (change.to_owned(), title.to_owned(), state);
    let searchable = || json!("searchable");
    let first: Vec<_> = ["Host 0", "Host 1", "Host 2", "Operations Home"]
        .map(|title| told("added", title, searchable()))
        .into();
    assert_eq!(pages(&index["last_run"]).await, first);

    site.create_page("OPS", None, "Host 3", "<p>new</p>");
    site.edit(hosts[0], "<p>other words</p>");
    let (status, dry) = service
        .post("/api/indexes/agent/a/sync", json!({"dry_run": true}))
        .await;
    assert_eq!(status, 202, "{dry}");
    let run_path = format!("/api/runs/{}", id(&dry));
    let dry = until("the dry run is over", async || {
        let (_, run) = service.get(&run_path).await;
        (!run["finished_at"].is_null()).then_some(run)
    })
    .await;
    assert_eq!(
        (&dry["plan"]["add"], &dry["plan"]["update"]),
        (&json!(1), &json!(1))
    );
    let planned = [
        told("added", "Host 3", Value::Null),
        told("changed", "Host 0", searchable()),
    ];
    assert_eq!(pages(&dry).await, planned);

    let done = service.swept(&index).await;
    let did = [
        told("added", "Host 3", searchable()),
        told("changed", "Host 0", searchable()),
    ];
    assert_eq!(pages(&done).await, did);
    let wrong = format!("/api/runs/{}/pages?change=lost", id(&done));
    assert_problem(&service.get(&wrong).await, 422, "invalid_field");
    let none = format!("/api/runs/{}/pages", domain::RunId::generate());
    assert_problem(&service.get(&none).await, 404, "not_found");
    service.stop().await;
}

/// A webhook: its address, and what it is told. It answers each message after `wait`.
fn webhook(wait: Duration) -> (String, UnboundedReceiver<serde_json::Value>) {
    let (tell, told) = tokio::sync::mpsc::unbounded_channel::<serde_json::Value>();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let webhook = format!("http://{}/hook", listener.local_addr().unwrap());
    let server = actix_web::HttpServer::new(move || {
        let tell = tell.clone();
        let take = move |request: actix_web::HttpRequest,
                         body: actix_web::web::Json<serde_json::Value>| {
            let mut message = body.into_inner();
            let signature = request.headers().get("x-signature-256");
            message["signed"] = json!(signature.map(|header| header.to_str().unwrap()));
            tell.send(message).unwrap();
            async move {
                tokio::time::sleep(wait).await;
                actix_web::HttpResponse::NoContent().finish()
            }
        };
        actix_web::App::new().route("/hook", actix_web::web::post().to(take))
    });
    actix_web::rt::spawn(server.workers(1).listen(listener).unwrap().run());
    (webhook, told)
}

async fn next(told: &mut UnboundedReceiver<serde_json::Value>) -> serde_json::Value {
    let message = tokio::time::timeout(crate::support::TIMEOUT, told.recv());
    message.await.unwrap().unwrap()
}

#[actix_web::test]
async fn a_notice_outlives_the_process_and_is_delivered_once() {
    // It is asked, and has not answered when the process dies.
    let (silent, mut asked) = webhook(crate::support::TIMEOUT);
    let mut service = start_program(site(2), &[("NOTIFY_WEBHOOK_URL", &silent)]).await;
    let index = service.synced_index("a", &["OPS"]).await;
    service
        .sim
        .fail_always(simulators::Matcher::any(), simulators::Fault::Unauthorized);
    service.post("/api/indexes/agent/a/sync", json!({})).await;
    let run = service.over(&index).await;
    assert_eq!(next(&mut asked).await["run"]["id"], run["id"]);
    let mut dead = service.program.take().unwrap();
    dead.child.kill().unwrap();
    dead.child.wait().unwrap();

    service.sim.clear_faults();
    let (open, mut told) = webhook(Duration::ZERO);
    service.start_again(&[("NOTIFY_WEBHOOK_URL", &open)]).await;
    let message = next(&mut told).await;
    assert_eq!(
        (message["status"].as_str(), &message["run"]["id"]),
        (Some("failed"), &run["id"]),
        "{message}"
    );
    assert_eq!(message["index"]["agent_id"], "a");
    let database = service.folder.url();
    let rows = Metastore::open_existing(&database, MetastoreOptions::default()).unwrap();
    until("the row says so", async || {
        rows.next_notice().await.unwrap().is_none().then_some(())
    })
    .await;
    // The next start has nothing to tell.
    service.restart(&[("NOTIFY_WEBHOOK_URL", &open)]).await;
    service.over(&index).await;
    service.stop().await;
    assert!(told.try_recv().is_err() && asked.try_recv().is_err());
}

#[actix_web::test]
async fn trouble_is_told_to_the_webhook_and_success_is_not() {
    let (webhook, mut told) = webhook(Duration::ZERO);
    let service = start(site(2), &[("NOTIFY_WEBHOOK_URL", &webhook)]).await;
    let index = service.synced_index("a", &["OPS"]).await;
    service
        .sim
        .fail_always(simulators::Matcher::any(), simulators::Fault::Unauthorized);
    service.post("/api/indexes/agent/a/sync", json!({})).await;
    let run = service.over(&index).await;
    assert_eq!(run["status"], "failed", "{run}");
    assert_eq!(run["error"]["code"], "confluence_unauthorized");

    let message = next(&mut told).await;
    assert_eq!(
        (message["status"].as_str(), &message["run"]["id"]),
        (Some("failed"), &run["id"]),
        "{message}"
    );
    assert_eq!(
        (
            &message["index"]["id"],
            message["index"]["agent_id"].as_str()
        ),
        (&index["id"], Some("a"))
    );
    assert_eq!(
        (&message["event"], &message["signed"]),
        (&json!("trouble"), &Value::Null)
    );
    assert!(told.try_recv().is_err(), "the good run was not told");
    let (_, after) = service.get(&format!("/api/indexes/{}", id(&index))).await;
    assert_eq!(after["status"], "failed");
    assert!(
        after["status_reason"]
            .as_str()
            .unwrap()
            .contains("credentials"),
        "{after}"
    );

    // The same trouble is told once, and its end once, here signed.
    let signing = [
        ("NOTIFY_WEBHOOK_URL", webhook.as_str()),
        ("NOTIFY_SECRET", "a-secret-of-both"),
    ];
    let mut service = service;
    service.restart(&signing).await;
    service.post("/api/indexes/agent/a/sync", json!({})).await;
    let again = service.over(&index).await;
    assert_eq!(again["status"], "failed", "{again}");
    service.sim.clear_faults();
    service.swept(&index).await;
    let message = next(&mut told).await;
    assert_eq!(message["event"], "recovered", "{message}");
    let signed = message["signed"].as_str().unwrap();
    assert!(
        signed.starts_with("sha256=") && signed.len() == 71,
        "{signed}"
    );
    assert!(
        message["url"]
            .as_str()
            .unwrap()
            .ends_with(&format!("/#/index/{}", id(&index))),
        "{message}"
    );
    let (status, tested) = service.post("/api/notices/test", json!({})).await;
    assert_eq!(
        (status.as_u16(), tested),
        (200, json!({"delivered": true, "reason": null}))
    );
    assert_eq!(next(&mut told).await["event"], "test");
    assert!(told.try_recv().is_err());
    service.restart(&[]).await;
    let nobody = service.post("/api/notices/test", json!({})).await;
    assert_problem(&nobody, 422, "needs_settings");
    service.stop().await;
}
