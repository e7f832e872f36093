//! What the program does on PostgreSQL alone: in a schema of the server that `TEST_POSTGRES_URL` names; without one this is skipped, and
//! says so. With one all that the other tests here do is done on it too.

use serde_json::json;
use test_database::Database;

use crate::process::{borrowed, program, text};
use crate::support::{Service, TIMEOUT, pairs, site, start_program};

#[actix_web::test]
async fn the_whole_service_works_on_postgresql() {
    if !test_database::are_on_a_server() {
        return;
    }
    let mut service = start_program(site(40), &[]).await;
    let index = service.synced_index("agent", &["ENG", "OPS"]).await;
    assert_eq!(index["document_count"], 44, "{index}");
    let question = json!({"query": "which tool rolls back a deployment"});
    let asked = "/api/indexes/agent/agent/query";
    let found = async |service: &Service| {
        let (status, answer) = service.post(asked, question.clone()).await;
        assert!(status.is_success(), "{status} {answer}");
        answer.to_string().contains("Rollback runbook")
    };
    assert!(found(&service).await);

    // Beside the service: a second one is told who has the database, commands work on it or ask the service.
    let settings: Vec<_> = pairs(&service.sim, &service.folder, &[])
        .into_iter()
        .collect();
    let run = |folder: &Database, arguments: &[&str], settings: &[(String, String)]| {
        let ended = program(folder, arguments, &borrowed(settings)).output();
        let ended = ended.unwrap();
        let said = text(&ended.stdout) + &text(&ended.stderr);
        (ended.status.code(), said)
    };
    let (code, said) = run(&service.folder, &["serve"], &settings);
    let pid = service.pid();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(&format!("in use by process {pid}")), "{said}");
    let (code, said) = run(
        &service.folder,
        &["token", "create", "--agent", "agent"],
        &settings,
    );
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("mcs_"), "{said}");
    let (code, said) = run(
        &service.folder,
        &["sync", "--agent", "agent", "--dry-run"],
        &settings,
    );
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("takes the order"), "{said}");
    let (code, said) = run(&service.folder, &["backup", "copy.db"], &settings);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("pg_dump"), "{said}");

    service.restart(&[]).await;
    assert!(found(&service).await);
    let again = service.swept(&index).await;
    assert_eq!(
        (&again["status"], &again["counts"]["uploaded"]),
        (&json!("succeeded"), &json!(0)),
        "{again}"
    );

    // Without the connection that holds its lock the service ends: another one may have the database by then.
    service.folder.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted \
         AND classid = 1296254547 AND pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' \
         AND objid::bigint = hashtext(current_schema()::text)::bigint & 4294967295)",
    );
    let mut ended = service.program.take().unwrap();
    let deadline = std::time::Instant::now() + TIMEOUT;
    let status = loop {
        if let Some(status) = ended.child.try_wait().unwrap() {
            break status;
        }
        assert!(std::time::Instant::now() < deadline, "it goes on");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    assert_eq!(status.code(), Some(1), "{}", service.log());
    assert!(service.log().contains("lock is lost"), "{}", service.log());

    // What it held goes into a file, and is there.
    let file = service.folder.path().join("moved.db");
    let file = format!("sqlite:///{}", file.display());
    let (code, said) = run(&service.folder, &["copy", "--to", &file], &settings);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("compared one by one"), "{said}");
    let (code, said) = run(&service.folder, &["copy", "--to", &file], &settings);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("holds something already"), "{said}");
    service.start_again(&[("DATABASE_URL", &file)]).await;
    let swept = service.swept(&index).await;
    assert_eq!(swept["status"], "succeeded", "{swept}");
    assert!(found(&service).await);
}
