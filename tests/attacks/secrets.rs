//! Every secret there is, and every place where one could be told.

use std::path::Path;

use reqwest::Method;
use serde_json::json;
use simulators::{Fault, Matcher};

use super::{Tally, in_full};
use crate::issuer::{issuer, token};
use crate::mcp_support::http;
use crate::process::{program, text};
use crate::support::{id, site, start_program};

const KEY: &str = "administrator-key-of-tests-e5c1";
const HOOK: &str = "hook-secret-77d2";
const STORE_KEY: &str = "llx-store-key-9b30";
const OPENAI_KEY: &str = "sk-openai-key-4ac8";

/// What is asked, by everybody.
const ASKED: [(Method, &str); 14] = [
    (Method::GET, "/api/indexes"),
    (Method::GET, "/api/doctor"),
    (Method::GET, "/api/spaces"),
    (Method::GET, "/api/runs"),
    (Method::GET, "/api/session"),
    (Method::GET, "/metrics"),
    (Method::GET, "/health"),
    (Method::GET, "/health/ready"),
    (Method::GET, "/openapi.json"),
    (Method::GET, "/nowhere"),
    (Method::POST, "/api/indexes"),
    (Method::POST, "/api/indexes/agent/a/query"),
    (Method::POST, "/api/indexes/agent/a/sync"),
    (Method::POST, "/mcp"),
];

/// What a file holds, as far as it is text.
fn read(file: &Path) -> String {
    text(&std::fs::read(file).unwrap_or_default())
}

#[actix_web::test]
async fn secrets_are_told_nowhere() {
    let issuer = issuer();
    let hook = format!("http://127.0.0.1:1/{HOOK}");
    let settings = [
        ("API_KEY", KEY),
        ("RUST_LOG", "trace"),
        ("NOTIFY_WEBHOOK_URL", hook.as_str()),
        ("LLAMA_CLOUD_API_KEY", STORE_KEY),
        ("LLAMA_CLOUD_BASE_URL", "http://127.0.0.1:1"),
        ("OPENAI_API_KEY", OPENAI_KEY),
        ("OAUTH_ISSUER", issuer.as_str()),
        ("OAUTH_AUDIENCE", "confluence-sync"),
        ("DEFAULT_BACKEND", "local"),
    ];
    let service = start_program(site(2), &settings).await;
    let made =
        json!({"name": "A", "agent_id": "a", "confluence_spaces": ["OPS"], "backend": "local"});
    let (status, index) = service.post("/api/indexes", made).await;
    assert_eq!(status, 201, "{index}");
    service.over(&index).await;
    let path = format!("/api/indexes/{}/tokens", id(&index));
    let (_, agent) = service.post(&path, json!({"name": "t"})).await;
    let agent = agent["token"].as_str().unwrap().to_owned();
    let access = token(&issuer, |_| {});
    let signed_in = http()
        .post(format!("{}/api/session", service.base))
        .json(&json!({"key": KEY}))
        .send()
        .await
        .unwrap();
    let cookie = signed_in.headers()["set-cookie"]
        .to_str()
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let session = cookie.split_once('=').unwrap().1.to_owned();
    let basic = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        format!(
            "{}:{}",
            simulators::confluence::ConfluenceSim::EMAIL,
            simulators::confluence::ConfluenceSim::TOKEN
        ),
    );
    let confluence = simulators::confluence::ConfluenceSim::TOKEN;
    let secrets = [
        ("the administrator's key", KEY),
        ("the key of the store", STORE_KEY),
        ("the key of OpenAI", OPENAI_KEY),
        ("the token of Confluence", confluence),
        ("the same as a header", basic.as_str()),
        ("an agent token", agent.as_str()),
        ("an access token", access.as_str()),
        ("a session", session.as_str()),
        ("the address of the webhook", HOOK),
    ];

    // Everything is used, rightly and wrongly, and everything that goes wrong does.
    let mut told = Vec::new();
    let mut faults = vec![None, Some(Fault::Unauthorized), Some(Fault::Reset)];
    if in_full() {
        faults.extend([Fault::Status(500), Fault::CutJson, Fault::Html200].map(Some));
    }
    for fault in faults {
        service.sim.clear_faults();
        let goes_wrong = fault.is_some();
        if let Some(fault) = fault {
            service.sim.fail_always(Matcher::any(), fault);
        }
        for credential in [KEY, agent.as_str(), access.as_str(), "wrong", ""] {
            // Who is refused does not come as far as to what goes wrong.
            if goes_wrong && matches!(credential, "wrong" | "") {
                continue;
            }
            let ask = async |(method, path): (Method, &str)| {
                let body = match path {
                    "/api/indexes" => {
                        json!({"name": "B", "agent_id": "b", "confluence_spaces": ["NO"], "backend": "llamacloud"})
                    }
                    _ => json!({"query": "zebra"}),
                };
                let mut request = http()
                    .request(method.clone(), format!("{}{path}", service.base))
                    .header("cookie", &cookie);
                if method == Method::POST {
                    request = request.json(&body);
                }
                if !credential.is_empty() {
                    request = request.bearer_auth(credential);
                }
                let answer = request.send().await.unwrap();
                let head = format!("{:?}", answer.headers());
                (
                    format!("{method} {path}"),
                    head + &answer.text().await.unwrap_or_default(),
                )
            };
            told.extend(futures_util::future::join_all(ASKED.map(ask)).await);
        }
    }
    service.sim.clear_faults();
    let folder = &service.folder;
    let own = [(
        "DATABASE_URL",
        format!("sqlite:///{}", folder.path().join("sync.db").display()),
    )];
    let account: Vec<(&str, &str)> = settings
        .iter()
        .copied()
        .chain(own.iter().map(|(name, value)| (*name, value.as_str())))
        .chain([
            ("CONFLUENCE_BASE_URL", service.sim.base_url()),
            (
                "CONFLUENCE_EMAIL",
                simulators::confluence::ConfluenceSim::EMAIL,
            ),
            ("CONFLUENCE_API_TOKEN", confluence),
        ])
        .collect();
    for arguments in [
        &["backup", "copy.db"][..],
        &["doctor"],
        &["token", "list"],
        &["openapi"],
        &["sync", "--help"],
    ] {
        let mut command = program(folder, arguments, &account);
        let ended = actix_web::web::block(move || command.output().unwrap())
            .await
            .unwrap();
        told.push((
            arguments.join(" "),
            text(&ended.stdout) + &text(&ended.stderr),
        ));
    }

    let mut tally = Tally::of("D11");
    let files = [
        "log",
        "sync.db",
        "sync.db-wal",
        "sync.index.db",
        "sync.index.db-wal",
        "copy.db",
    ];
    let files = files.map(|file| (file, read(&folder.path().join(file))));
    let arguments = read(Path::new(&format!("/proc/{}/cmdline", service.pid())));
    for (what, secret) in secrets {
        for (place, text) in &told {
            tally.held(
                !text.contains(secret),
                format_args!("{what} in the answer of {place}"),
            );
        }
        for (file, text) in &files {
            tally.held(!text.contains(secret), format_args!("{what} in {file}"));
        }
        tally.held(
            !arguments.contains(secret),
            format_args!("{what} in the command line"),
        );
    }
    let size = std::fs::metadata(folder.path().join("log")).unwrap().len();
    assert!(size > 10_000, "the log is talkative: {size}");
    assert!(
        std::fs::metadata(folder.path().join("copy.db"))
            .unwrap()
            .len()
            > 10_000
    );
    let pid = service.pid();
    tally.end(Some(pid));
    service.stop().await;
}

#[actix_web::test]
async fn what_health_tells_strangers() {
    let site = site(2);
    let service = start_program(site, &[("API_KEY", KEY)]).await;
    service.synced_index("falcon-agent", &["OPS"]).await;
    let host = service
        .sim
        .base_url()
        .trim_start_matches("http://")
        .to_owned();
    let mut tally = Tally::of("D10");
    for fault in [None, Some(Fault::Unauthorized), Some(Fault::Reset)] {
        if let Some(fault) = fault {
            service.sim.fail_always(Matcher::any(), fault);
            service
                .post("/api/indexes/agent/falcon-agent/sync", json!({}))
                .await;
        }
        for path in ["/health", "/health/ready", "/health/live"] {
            let told = http()
                .get(format!("{}{path}", service.base))
                .send()
                .await
                .unwrap()
                .text()
                .await
                .unwrap();
            for word in [
                "falcon-agent",
                "Index of",
                "OPS",
                "Operations",
                "sync.db",
                "sqlite",
                host.as_str(),
                "127.0.0.1",
                simulators::confluence::ConfluenceSim::EMAIL,
            ] {
                tally.held(
                    !told.contains(word),
                    format_args!("{word} in {path}: {told}"),
                );
            }
        }
    }
    let pid = service.pid();
    tally.end(Some(pid));
    service.stop().await;
}
