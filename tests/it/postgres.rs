//! The program on PostgreSQL: in a schema of the server that `TEST_POSTGRES_URL` names; without one this is skipped, and says so. Needs
//! `psql`.

use std::net::TcpListener;
use std::process::Command;

use serde_json::json;
use tempfile::TempDir;

use crate::process::{borrowed, program, text};
use crate::support::{TIMEOUT, pairs, site, start_program};

/// A schema that goes with the test.
struct Schema {
    server: String,
    name: String,
}

impl Schema {
    fn make() -> Option<Self> {
        let Ok(server) = std::env::var("TEST_POSTGRES_URL") else {
            println!("skipped: TEST_POSTGRES_URL names no server");
            return None;
        };
        let name = format!("service_{}", std::process::id());
        let schema = Self { server, name };
        schema.psql(&format!("CREATE SCHEMA {}", schema.name));
        Some(schema)
    }

    fn url(&self) -> String {
        let sign = if self.server.contains('?') { '&' } else { '?' };
        let name = &self.name;
        format!("{}{sign}options=-c%20search_path%3D{name}", self.server)
    }

    fn psql(&self, statement: &str) {
        let told = Command::new("psql")
            .args(["-q", "-v", "ON_ERROR_STOP=1", &self.server, "-c", statement])
            .output()
            .unwrap();
        assert!(told.status.success(), "{}", text(&told.stderr));
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        let drop = format!("DROP SCHEMA {} CASCADE", self.name);
        Command::new("psql")
            .args(["-q", &self.server, "-c", &drop])
            .output()
            .ok();
    }
}

#[actix_web::test]
async fn the_whole_service_works_on_postgresql() {
    let Some(schema) = Schema::make() else { return };
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
        .to_string();
    let url = schema.url();
    let extra = [("DATABASE_URL", url.as_str()), ("API_PORT", &port)];
    let mut service = start_program(site(40), &extra).await;
    let index = service.synced_index("agent", &["ENG", "OPS"]).await;
    assert_eq!(index["document_count"], 44, "{index}");
    let question = json!({"query": "which tool rolls back a deployment"});
    let asked = "/api/indexes/agent/agent/query";
    let found = async |service: &crate::support::Service| {
        let (status, answer) = service.post(asked, question.clone()).await;
        assert!(status.is_success(), "{status} {answer}");
        answer.to_string().contains("Rollback runbook")
    };
    assert!(found(&service).await);

    // Beside the service: a second one is told who has the database, commands work on it or ask the service.
    let settings: Vec<_> = pairs(&service.sim, &service.folder, &extra)
        .into_iter()
        .collect();
    let run = |folder: &TempDir, arguments: &[&str], settings: &[(String, String)]| {
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

    service.restart(&extra).await;
    assert!(found(&service).await);
    let again = service.swept(&index).await;
    assert_eq!(
        (&again["status"], &again["counts"]["uploaded"]),
        (&json!("succeeded"), &json!(0)),
        "{again}"
    );

    // Without the connection that holds its lock the service ends: another one may have the database by then.
    schema.psql(&format!(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted \
         AND classid = 1296254547 AND pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' \
         AND objid::bigint = hashtext('{}')::bigint & 4294967295)",
        schema.name
    ));
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
    let file = "sqlite:///./moved.db";
    let (code, said) = run(&service.folder, &["copy", "--to", file], &settings);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("compared one by one"), "{said}");
    let (code, said) = run(&service.folder, &["copy", "--to", file], &settings);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("holds something already"), "{said}");
    service
        .start_again(&[("DATABASE_URL", file), extra[1]])
        .await;
    let swept = service.swept(&index).await;
    assert_eq!(swept["status"], "succeeded", "{swept}");
    assert!(found(&service).await);
}
