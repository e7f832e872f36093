//! The program itself: settings, exit codes, signals, two of them on one database.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use simulators::confluence::ConfluenceSim;

use crate::support::{Service, answer, id, pairs, prepared, site, start, until};

/// The program, in `folder`, with nothing of this environment.
pub fn program(folder: impl AsRef<Path>, arguments: &[&str], settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-confluence"));
    command
        .current_dir(folder)
        .env_clear()
        .args(arguments)
        .envs(settings.iter().copied());
    command
}

fn run(folder: impl AsRef<Path>, arguments: &[&str], settings: &[(&str, &str)]) -> Output {
    program(folder, arguments, settings).output().unwrap()
}

/// What the lock of a database says, once its service listens.
pub async fn listening(database: &str) -> serde_json::Value {
    until("the service says where it is", async || {
        let holder: serde_json::Value =
            serde_json::from_str(&test_database::holder(database)?).ok()?;
        holder["address"].is_string().then_some(holder)
    })
    .await
}

/// Asks a program to stop, and waits for its end.
pub async fn terminate(child: &mut Child) -> ExitStatus {
    let told = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(told.success());
    until("the process ended", async || child.try_wait().unwrap()).await
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What a program beside `service` is set to.
fn beside(service: &Service) -> Vec<(String, String)> {
    pairs(&service.sim, &service.folder, &[])
        .into_iter()
        .collect()
}

pub fn borrowed(settings: &[(String, String)]) -> Vec<(&str, &str)> {
    settings
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

#[test]
fn every_problem_of_the_settings_is_told_at_once_and_no_value() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join(".env"),
        "API_PORT=sesame\nCONFLUENCE_EMAIL=a@example.com\nLOG_FORMAT=xml\n",
    )
    .unwrap();
    let ended = run(
        &folder,
        &[],
        &[("LOG_FORMAT", "yaml"), ("API_HOST", "0.0.0.0")],
    );
    assert_eq!(ended.status.code(), Some(2));
    let said = text(&ended.stderr);
    for named in [
        "API_PORT",
        "LOG_FORMAT",
        "CONFLUENCE_BASE_URL",
        "CONFLUENCE_API_TOKEN",
        "API_HOST",
    ] {
        assert!(said.contains(named), "{named} in {said}");
    }
    assert!(
        !said.contains("CONFLUENCE_EMAIL") && !said.contains("sesame") && !said.contains("yaml"),
        "{said}"
    );
    assert_eq!(run(&folder, &["frobnicate"], &[]).status.code(), Some(2));
    assert_eq!(run(&folder, &["--version"], &[]).status.code(), Some(0));
}

#[test]
fn small_commands_need_no_account() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = program(&folder, &["convert", "-"], &[])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b"<h2>Hi</h2><p>A <strong>bold</strong> word.</p>")
        .unwrap();
    let ended = child.wait_with_output().unwrap();
    assert_eq!(
        (ended.status.code(), text(&ended.stdout).as_str()),
        (Some(0), "## Hi\n\nA **bold** word.\n")
    );
    std::fs::write(folder.path().join("page.html"), "<p>from <em>view</em></p>").unwrap();
    let ended = run(&folder, &["convert", "page.html", "--from", "view"], &[]);
    assert_eq!(text(&ended.stdout), "from *view*\n");
    assert_eq!(
        run(&folder, &["convert", "missing.html"], &[])
            .status
            .code(),
        Some(1)
    );

    let ended = run(
        &folder,
        &["openapi"],
        &[("PUBLIC_BASE_URL", "https://sync.example.com")],
    );
    let document: serde_json::Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(document["servers"][0]["url"], "https://sync.example.com");
    // Nobody listens there.
    assert_eq!(
        run(&folder, &["healthcheck"], &[("API_PORT", "1")])
            .status
            .code(),
        Some(1)
    );
}

#[actix_web::test]
async fn a_second_service_on_one_database_names_the_first() {
    let service = start(site(0), &[]).await;
    let port = service.base.rsplit(':').next().unwrap();
    // On a port of its own, and, as with the very same settings, on the first one's.
    for port in ["0", port] {
        let mut settings = beside(&service);
        settings.push(("API_PORT".to_owned(), port.to_owned()));
        let ended = run(&service.folder, &["serve"], &borrowed(&settings));
        let said = text(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{said}");
        assert!(
            said.contains(&std::process::id().to_string()) && said.contains(&service.base),
            "{said}"
        );
    }
    service.stop().await;
}

#[test]
fn a_wrong_database_is_named_and_nothing_is_made_in_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let account = [
        ("DATABASE_URL", "sqlite:///nowhere/wrong.db"),
        ("CONFLUENCE_BASE_URL", "http://127.0.0.1:9"),
        ("CONFLUENCE_EMAIL", "a@example.com"),
        ("CONFLUENCE_API_TOKEN", "token"),
    ];
    for arguments in [&["token", "list"][..], &["backup", "copy.db"], &["sync"]] {
        let ended = run(&folder, arguments, &account);
        let said = text(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(
            said.contains("nowhere/wrong.db") && said.contains("DATABASE_URL"),
            "{arguments:?}: {said}"
        );
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[actix_web::test]
async fn the_embedded_index_lies_where_it_is_told_to_and_else_its_setting_is_named() {
    let elsewhere = tempfile::tempdir().unwrap();
    let folder = elsewhere.path().join("not/there");
    let extra = [("EMBEDDED_INDEX_DIR", folder.to_str().unwrap())];
    let service = start(site(2), &extra).await;
    service.synced_index("a", &["OPS"]).await;
    let made = std::fs::read_dir(&folder).unwrap().flatten();
    let mut made = made.map(|file| file.file_name().into_string().unwrap());
    assert!(made.any(|name| name.ends_with("sync.index.db")));
    let (code, said, _) = crate::troubles::doctor(&service, &extra).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains(&format!("are free at {}", folder.display())),
        "{said}"
    );
    service.stop().await;

    std::fs::write(elsewhere.path().join("file"), "").unwrap();
    let folder = elsewhere.path().join("file/below");
    let extra = [("EMBEDDED_INDEX_DIR", folder.to_str().unwrap())];
    let (_sim, folder, settings) = prepared(site(0), &extra).await;
    let mut command = program(&folder, &["serve"], &borrowed(&settings));
    let ended = actix_web::web::block(move || command.output().unwrap());
    let ended = ended.await.unwrap();
    let said = text(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(
        said.contains("file/below") && said.contains("EMBEDDED_INDEX_DIR"),
        "{said}"
    );
}

#[actix_web::test]
async fn sync_beside_a_service_that_asks_for_oauth_shows_the_key_of_the_lock_file() {
    let settings = [
        ("OAUTH_ISSUER", "http://127.0.0.1:9"),
        ("OAUTH_AUDIENCE", "confluence-sync"),
    ];
    let service = start(site(4), &settings).await;
    let lock = test_database::holder(&service.folder.url::<String>()).unwrap();
    let lock: serde_json::Value = serde_json::from_str(&lock).unwrap();
    let key = lock["local_key"].as_str().unwrap();
    let index = serde_json::json!({"name": "A", "agent_id": "a", "confluence_spaces": ["OPS"]});
    let create = || {
        let request = service.http.post(format!("{}/api/indexes", service.base));
        request.json(&index)
    };
    assert_eq!(answer(create()).await.0, 401);
    assert_eq!(answer(create().bearer_auth(key)).await.0, 201);

    let settings = beside(&service);
    let folder = service.folder.path().to_owned();
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-confluence"));
    command
        .current_dir(folder)
        .env_clear()
        .envs(borrowed(&settings))
        .args(["sync", "--agent", "a"]);
    let ended = actix_web::web::block(move || command.output().unwrap())
        .await
        .unwrap();
    let said = format!("{}{}", text(&ended.stdout), text(&ended.stderr));
    assert_eq!(ended.status.code(), Some(0), "{said}");
    assert!(
        said.contains(&service.base) && !said.contains(key),
        "{said}"
    );
    service.stop().await;
}

#[actix_web::test]
async fn sync_beside_a_service_hands_its_order_over_and_follows_the_run() {
    let service = start(site(4), &[]).await;
    service.synced_index("a", &["OPS"]).await;
    let settings = beside(&service);
    let folder = service.folder.path().to_owned();
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-confluence"));
    command
        .current_dir(folder)
        .env_clear()
        .envs(borrowed(&settings))
        .args(["sync", "--agent", "a", "--full"]);
    let ended = actix_web::web::block(move || command.output().unwrap())
        .await
        .unwrap();
    assert_eq!(ended.status.code(), Some(0), "{}", text(&ended.stderr));
    assert!(
        text(&ended.stderr).contains(&service.base),
        "{}",
        text(&ended.stderr)
    );
    let table = text(&ended.stdout);
    assert!(
        table.contains("full") && table.contains("succeeded"),
        "{table}"
    );
    let (_, runs) = service.get("/api/runs?limit=1").await;
    assert_eq!(runs["items"][0]["kind"], "full", "the service made the run");
    service.stop().await;
}

#[actix_web::test]
async fn a_full_sync_ordered_beside_a_run_is_followed_and_not_the_run_before_it() {
    let service = start(site(4), &[]).await;
    let index = service.synced_index("a", &["OPS"]).await;
    let slow = Duration::from_millis(400);
    service
        .sim
        .site()
        .set_switches(|switches| switches.latency = slow);
    let order = service.post("/api/indexes/agent/a/sync", json!({})).await.1;
    let mut command = program(
        &service.folder,
        &["sync", "--agent", "a", "--full"],
        &borrowed(&beside(&service)),
    );
    let ended = actix_web::web::block(move || command.output().unwrap())
        .await
        .unwrap();
    assert_eq!(ended.status.code(), Some(0), "{}", text(&ended.stderr));
    let table = text(&ended.stdout);
    assert!(
        table.contains("full") && table.contains("succeeded") && !table.contains("sweep"),
        "{table}"
    );
    let (_, before) = service.get(&format!("/api/runs/{}", id(&order))).await;
    let (_, last) = service.get(&format!("/api/indexes/{}", id(&index))).await;
    assert_eq!(before["follow_up_run_id"], last["last_run"]["id"]);
    service.stop().await;
}

#[actix_web::test]
async fn alone_sync_works_tokens_are_made_and_a_backup_is_restored() {
    let service = start(site(3), &[]).await;
    service.index("a", &["OPS"]).await;
    let settings = beside(&service);
    let Service {
        app, sim, folder, ..
    } = service;
    app.unwrap().stop().await;
    let run = async |arguments: &[&str]| {
        let mut command = program(&folder, arguments, &borrowed(&settings));
        actix_web::web::block(move || command.output().unwrap())
            .await
            .unwrap()
    };
    let ended = run(&["sync"]).await;
    assert_eq!(
        ended.status.code(),
        Some(0),
        "{}{}",
        text(&ended.stdout),
        text(&ended.stderr)
    );
    assert!(
        text(&ended.stdout).contains("succeeded"),
        "{}",
        text(&ended.stdout)
    );
    assert_eq!(
        run(&["sync", "--agent", "nobody"]).await.status.code(),
        Some(1)
    );

    let ended = run(&["token", "create", "--agent", "a", "--name", "librechat"]).await;
    assert!(
        text(&ended.stdout).starts_with("mcs_"),
        "{}",
        text(&ended.stderr)
    );
    let listed = text(&run(&["token", "list"]).await.stdout);
    let token = listed
        .lines()
        .last()
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap()
        .to_owned();
    assert!(listed.contains("librechat"), "{listed}");
    assert_eq!(
        run(&["token", "revoke", &token]).await.status.code(),
        Some(0)
    );
    assert_eq!(
        run(&["token", "revoke", &token]).await.status.code(),
        Some(1)
    );

    // Keys of people: a role for all indexes names none, and a replaced one goes on beside the new one.
    for wrong in [
        &["token", "create", "--role", "reader", "--agent", "a"][..],
        &["token", "create", "--role", "root"],
        &["token", "create"],
    ] {
        assert_eq!(run(wrong).await.status.code(), Some(2), "{wrong:?}");
    }
    let ended = run(&["token", "create", "--role", "editor", "--name", "Ann"]).await;
    assert!(text(&ended.stdout).starts_with("mcs_"));
    let said = text(&ended.stderr);
    assert!(said.contains("(Ann) lets in as editor"), "{said}");
    let key = said.split_whitespace().nth(1).unwrap();
    let replaced = run(&["token", "replace", key]).await;
    let made = text(&replaced.stdout);
    assert!(made.starts_with("mcs_"), "{said}{}", text(&replaced.stderr));
    let listed = text(&run(&["token", "list"]).await.stdout);
    assert_eq!(listed.matches("Ann").count(), 2, "{listed}");

    if !folder.is_a_file() {
        return;
    }
    let backup = folder.path().join("backup.db");
    let backup = backup.to_str().unwrap();
    assert_eq!(run(&["backup", backup]).await.status.code(), Some(0));
    assert_eq!(
        run(&["backup", backup]).await.status.code(),
        Some(1),
        "a backup replaces nothing"
    );
    for kept in ["sync.db.before-restore", "sync.db.before-restore-2"] {
        let restored = run(&["restore", backup]).await;
        let said = text(&restored.stderr);
        assert_eq!(restored.status.code(), Some(0), "{said}");
        let kept = folder.path().join(kept);
        assert!(kept.is_file(), "{said}");
        for told in [kept.to_str().unwrap(), "revoked", "token list"] {
            assert!(said.contains(told), "{told}: {said}");
        }
    }
    let tokens = text(&run(&["token", "list"]).await.stdout);
    assert!(
        !tokens.contains("librechat"),
        "revoked before the backup: {tokens}"
    );
    let doctor = run(&["doctor"]).await;
    assert_eq!(doctor.status.code(), Some(0), "{}", text(&doctor.stdout));

    let questions = folder.path().join("questions.yaml");
    std::fs::write(
        &questions,
        "- question: which host is number 2?\n  pages: [\"Host 2\"]\n",
    )
    .unwrap();
    let ended = run(&["eval", questions.to_str().unwrap(), "--agent", "a"]).await;
    assert!(
        text(&ended.stdout).contains("recall@8 1.000"),
        "{}{}",
        text(&ended.stdout),
        text(&ended.stderr)
    );
    drop(sim);
}

#[actix_web::test]
async fn sigterm_ends_an_open_stream_and_the_process_in_order() {
    let extra = [
        ("RUST_LOG", "info"),
        ("LOG_FORMAT", "json"),
        ("API_KEY", "the-admin-key"),
    ];
    let (_sim, folder, settings) = prepared(site(0), &extra).await;
    let mut child = program(&folder, &[], &borrowed(&settings))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let holder = listening(&folder.url::<String>()).await;
    let address = holder["address"].as_str().unwrap();
    let http = crate::support::client();
    let stream = http
        .get(format!("{address}/api/events"))
        .bearer_auth("the-admin-key")
        .send()
        .await
        .unwrap();
    assert_eq!(stream.status(), 200);
    assert_eq!(
        http.post(format!("{address}/api/indexes"))
            .bearer_auth("wrong-key-4711")
            .json(&json!({}))
            .send()
            .await
            .unwrap()
            .status(),
        401
    );

    let began = Instant::now();
    assert_eq!(terminate(&mut child).await.code(), Some(0));
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "took {:?}",
        began.elapsed()
    );
    stream.bytes().await.ok();
    let log = text(&child.wait_with_output().unwrap().stderr);
    assert!(
        log.lines()
            .all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()),
        "{log}"
    );
    assert!(
        !log.contains("the-admin-key")
            && !log.contains("4711")
            && !log.contains(ConfluenceSim::TOKEN),
        "{log}"
    );
    assert!(
        log.contains("\"path\":\"/api/indexes\""),
        "requests are logged: {log}"
    );
}

#[actix_web::test]
async fn no_secret_is_logged_even_at_debug() {
    // A webhook's address is a secret: it goes to a port where nobody listens, so that its failure is logged.
    let extra = [
        ("RUST_LOG", "debug"),
        ("API_KEY", "the-admin-key-4711"),
        ("NOTIFY_WEBHOOK_URL", "http://127.0.0.1:9/hook-4712"),
    ];
    let (_sim, folder, settings) = prepared(site(3), &extra).await;
    let log = folder.path().join("log.txt");
    let mut child = program(&folder, &[], &borrowed(&settings))
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let holder = listening(&folder.url::<String>()).await;
    let address = holder["address"].as_str().unwrap();
    let http = crate::support::client();
    let ask = |method: reqwest::Method, path: &str, key: &str| {
        answer(
            http.request(method, format!("{address}{path}"))
                .bearer_auth(key)
                .json(&json!({"name": "A", "agent_id": "a", "confluence_spaces": ["OPS"]})),
        )
    };
    let (post, get) = (reqwest::Method::POST, reqwest::Method::GET);
    let (status, index) = ask(post.clone(), "/api/indexes", "the-admin-key-4711").await;
    assert_eq!(status, 201, "{index}");
    let token = http
        .post(format!(
            "{address}/api/indexes/{}/tokens",
            index["id"].as_str().unwrap()
        ))
        .bearer_auth("the-admin-key-4711")
        .json(&json!({"name": "one"}));
    let token = answer(token).await.1["token"].as_str().unwrap().to_owned();
    let path = format!("/api/indexes/{}", index["id"].as_str().unwrap());
    until("the first run is over", async || {
        let (_, index) = ask(get.clone(), &path, "the-admin-key-4711").await;
        (index["status"] == "ok").then_some(())
    })
    .await;
    assert_eq!(ask(get.clone(), &path, &token).await.0, 200);
    assert_eq!(ask(get.clone(), &path, "mcs_wrong-4713").await.0, 401);
    assert_eq!(ask(get.clone(), &path, "wrong-4713").await.0, 401);
    let session = http
        .post(format!("{address}/api/session"))
        .json(&json!({"key": "the-admin-key-4711"}))
        .send()
        .await
        .unwrap();
    let cookie = session.headers()["set-cookie"].to_str().unwrap();
    let cookie = cookie.split(['=', ';']).nth(1).unwrap();
    terminate(&mut child).await;
    let log = std::fs::read_to_string(&log).unwrap();
    assert!(log.contains("DEBUG"), "everything is logged: {log}");
    let account = format!("{}:{}", ConfluenceSim::EMAIL, ConfluenceSim::TOKEN);
    let basic = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, account);
    for secret in [
        "the-admin-key-4711",
        "hook-4712",
        "4713",
        ConfluenceSim::TOKEN,
        &basic,
        &token,
        cookie,
        holder["local_key"].as_str().unwrap(),
    ] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

#[actix_web::test]
async fn doctor_says_which_credentials_are_wrong() {
    let service = start(site(1), &[]).await;
    let Service {
        app, sim, folder, ..
    } = service;
    app.unwrap().stop().await;
    let llama = simulators::llamacloud::LlamaCloudSim::builder()
        .start()
        .await
        .unwrap();
    let run = async |extra: &[(&str, &str)]| {
        let settings: Vec<_> = pairs(&sim, &folder, extra).into_iter().collect();
        let mut command = program(&folder, &["doctor"], &borrowed(&settings));
        let ended = actix_web::web::block(move || command.output().unwrap())
            .await
            .unwrap();
        (ended.status.code(), text(&ended.stdout))
    };
    let store = ("LLAMA_CLOUD_BASE_URL", llama.base_url());
    let (code, said) = run(&[
        store,
        (
            "LLAMA_CLOUD_API_KEY",
            simulators::llamacloud::LlamaCloudSim::KEY,
        ),
    ])
    .await;
    assert_eq!(code, Some(0), "{said}");
    for good in [
        "ok    settings",
        "ok    database",
        "ok    Confluence",
        "ok    spaces",
        "ok    store llamacloud",
        "ok    store local",
    ] {
        assert!(said.contains(good), "{good}: {said}");
    }
    let (code, said) = run(&[
        store,
        ("LLAMA_CLOUD_API_KEY", "llx-wrong"),
        ("CONFLUENCE_API_TOKEN", "wrong-4711"),
    ])
    .await;
    assert_eq!(code, Some(1));
    assert!(
        said.contains("FAIL  store llamacloud") && said.contains("FAIL  Confluence"),
        "{said}"
    );
    let credentials = said.find("CONFLUENCE_API_TOKEN do not belong together");
    assert!(
        credentials.is_some() && credentials < said.find("give it the product"),
        "{said}"
    );
    assert!(
        !said.contains("4711") && !said.contains("llx-wrong"),
        "{said}"
    );
    llama.switches(|s| s.v1 = simulators::llamacloud::Serving::Refused);
    let key = simulators::llamacloud::LlamaCloudSim::KEY;
    let (code, said) = run(&[store, ("LLAMA_CLOUD_API_KEY", key)]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("offers directories and indexes (v2); pipelines (v1): ")
            && said.contains("(403)"),
        "{said}"
    );
    let (code, said) = run(&[("SYNC_RETENTION_DAYS", "never")]).await;
    assert_eq!(code, Some(2));
    assert!(said.contains("SYNC_RETENTION_DAYS"), "{said}");
}

/// Until the program has taken the signals over: one that comes before ends it in the usual way.
async fn has_taken_over(child: &Child) {
    let status = format!("/proc/{}/status", child.id());
    until("signals are taken over", async || {
        let status = std::fs::read_to_string(&status).ok()?;
        let caught = status
            .lines()
            .find_map(|line| line.strip_prefix("SigCgt:"))?;
        let caught = u64::from_str_radix(caught.trim(), 16).ok()?;
        // SIGTERM is signal 15.
        (caught >> 14 & 1 == 1).then_some(())
    })
    .await;
}

#[actix_web::test]
async fn a_command_that_waits_is_ended_by_a_signal() {
    // A site that takes connections and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let settings = [
        ("CONFLUENCE_BASE_URL", address.as_str()),
        ("CONFLUENCE_EMAIL", "ada@example.org"),
        ("CONFLUENCE_API_TOKEN", "token-of-tests"),
    ];
    let mut doctor = program(&folder, &["doctor"], &settings)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    actix_web::web::block(move || silent.accept())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(terminate(&mut doctor).await.code(), Some(143));
    let told = text(&doctor.wait_with_output().unwrap().stdout);
    assert!(told.contains("settings"), "what it knew at once: {told}");

    // Its text never comes.
    let mut convert = program(&folder, &["convert", "-"], &[])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    has_taken_over(&convert).await;
    assert_eq!(terminate(&mut convert).await.code(), Some(143));
}

#[actix_web::test]
async fn the_service_backs_its_database_up_and_keeps_as_many_copies_as_it_is_told() {
    let daily = [
        ("BACKUP_SCHEDULE", "03:00 Europe/Berlin"),
        ("BACKUP_KEEP", "2"),
    ];
    let (sim, folder, settings) = prepared(site(1), &daily).await;
    if !folder.is_a_file() {
        return;
    }
    let database: String = folder.url();
    let copies = || {
        let files = std::fs::read_dir(folder.path()).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut copies: Vec<String> = names
            .filter(|name| name.starts_with("sync.db.backup-"))
            .collect();
        copies.sort_unstable();
        copies
    };
    // Older ones, and files of others whose names begin so.
    for name in ["20260101T030000Z", "20260102T030000Z", "of-mine"] {
        std::fs::write(folder.path().join(format!("sync.db.backup-{name}")), "").unwrap();
    }
    let mut child = program(&folder, &["serve"], &borrowed(&settings))
        .spawn()
        .unwrap();
    listening(&database).await;
    // The one of last night was missed.
    until("it is backed up", async || {
        (copies().len() == 3 && !copies()[0].contains("20260101")).then_some(())
    })
    .await;
    let made = copies();
    assert_eq!(made[0], "sync.db.backup-20260102T030000Z");
    assert_eq!(made[2], "sync.db.backup-of-mine");
    terminate(&mut child).await;
    assert!(metastore::verify_backup(&folder.path().join(&made[1])).is_ok());

    // A restart makes no second one.
    let mut child = program(&folder, &["serve"], &borrowed(&settings))
        .spawn()
        .unwrap();
    listening(&database).await;
    terminate(&mut child).await;
    assert_eq!(copies(), made);
    drop(sim);
}
