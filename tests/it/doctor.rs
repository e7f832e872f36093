//! `doctor` looks at the machine and the network too, waits for nobody longer than ten seconds, and changes nothing.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use simulators::llamacloud::LlamaCloudSim;
use simulators::{Fault, Matcher};
use test_database::Database;

use crate::issuer::Issuer;
use crate::process::{borrowed, program};
use crate::support::{pairs, prepared, site, start, until};
use crate::troubles::doctor;

/// Every file below a folder with its bytes.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap());
    files
        .map(|file| {
            let name = file.file_name().into_string().unwrap();
            (name, std::fs::read(file.path()).unwrap())
        })
        .collect()
}

#[actix_web::test]
async fn it_makes_and_changes_nothing() {
    let mut service = start(site(2), &[]).await;
    service.synced_index("ops", &["OPS"]).await;
    service.app.take().unwrap().stop().await;
    let llama = LlamaCloudSim::builder().start().await.unwrap();
    let account = [
        ("LLAMA_CLOUD_API_KEY", LlamaCloudSim::KEY),
        ("LLAMA_CLOUD_BASE_URL", llama.base_url()),
        // A change of which the service would ask.
        ("SEARCH_LANGUAGE", "german"),
    ];
    let before = files(service.folder.path());
    let index = before.keys().find(|name| name.ends_with("sync.index.db"));
    assert!(index.is_some(), "{:?}", before.keys());
    let (code, said, _) = doctor(&service, &account).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("ok    store local: embedded index"), "{said}");
    assert!(said.contains("ok    store llamacloud: "), "{said}");
    let after = files(service.folder.path());
    let changed: Vec<_> = before
        .iter()
        .filter(|(name, bytes)| after.get(*name) != Some(*bytes))
        .map(|(name, _)| name)
        .collect();
    assert!(changed.is_empty(), "{changed:?}");
    assert_eq!(
        before.keys().collect::<Vec<_>>(),
        after.keys().collect::<Vec<_>>()
    );

    // Where nothing is yet, nothing is made.
    service.folder = Database::in_a_file();
    let (code, said, _) = doctor(&service, &account).await;
    assert_eq!(code, Some(0), "{said}");
    for told in [
        "ok    database: there is none yet",
        "ok    store local: there is no embedded index",
    ] {
        assert!(said.contains(told), "{said}");
    }
    assert!(files(service.folder.path()).is_empty());
}

/// A listener that takes connections and never answers; it lives as long as it is held.
fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    (listener, address)
}

#[actix_web::test]
async fn it_says_something_at_once_and_waits_for_nobody_longer_than_ten_seconds() {
    let (_sim, folder, _) = prepared(site(0), &[]).await;
    let (_held, nobody) = silent();
    let settings = [
        ("CONFLUENCE_BASE_URL", nobody.as_str()),
        ("CONFLUENCE_EMAIL", "ada@example.org"),
        ("CONFLUENCE_API_TOKEN", "token-of-tests"),
        ("LLAMA_CLOUD_API_KEY", LlamaCloudSim::KEY),
        ("LLAMA_CLOUD_BASE_URL", &nobody),
        ("EMBEDDINGS_URL", &nobody),
        ("EMBEDDINGS_MODEL", "none"),
        ("NOTIFY_WEBHOOK_URL", &nobody),
        ("API_PORT", "0"),
    ];
    let began = Instant::now();
    let mut child = program(&folder, &["doctor"], &settings)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let (lines, told) = mpsc::channel();
    std::thread::spawn(move || {
        for line in stdout.lines() {
            lines.send((line.unwrap(), began.elapsed())).unwrap();
        }
    });
    let ended = until("doctor ends", async || child.try_wait().unwrap()).await;
    let told: Vec<(String, Duration)> = told.into_iter().collect();
    assert_eq!(ended.code(), Some(1), "{told:?}");
    assert!(
        told[0].0.starts_with("ok    settings") && told[0].1 < Duration::from_secs(3),
        "{told:?}"
    );
    for failed in ["Confluence", "store llamacloud", "embeddings", "webhook"] {
        let line = told
            .iter()
            .find(|(line, _)| line.starts_with(&format!("FAIL  {failed}: ")));
        assert!(line.is_some(), "{failed}: {told:?}");
    }
    let took = told.last().unwrap().1;
    assert!(took < Duration::from_secs(14), "all at once: {took:?}");
}

#[actix_web::test]
async fn it_looks_at_the_issuer_where_people_sign_in() {
    let service = start(site(0), &[]).await;
    let issuer = Issuer::of_people();
    let look = async |address: &str| {
        let settings = [
            ("OIDC_ISSUER", address),
            ("OIDC_CLIENT_ID", "us"),
            ("OIDC_READERS", "staff"),
        ];
        let (_, said, took) = doctor(&service, &settings).await;
        assert!(took < Duration::from_secs(14), "{took:?}");
        of(&said, "sign-in").to_owned()
    };
    let good = look(&issuer.base).await;
    let told =
        "names itself so; people sign in at 127.0.0.1, codes are exchanged at 127.0.0.1, keys: 1";
    assert!(good.starts_with("ok") && good.contains(told), "{good}");
    for (change, words) in [
        (
            ("token_endpoint", json!("http://evil.example/")),
            "name no usable token_endpoint",
        ),
        (
            ("authorization_endpoint", Value::Null),
            "name no usable authorization_endpoint",
        ),
        (("jwks_uri", Value::Null), "name no usable jwks_uri"),
        (
            ("issuer", json!("https://other.example")),
            "name another issuer; OIDC_ISSUER",
        ),
    ] {
        let broken = Issuer::of_people();
        broken.says(|metadata| metadata[change.0] = change.1);
        let said = look(&broken.base).await;
        assert!(said.starts_with("FAIL") && said.contains(words), "{said}");
    }
    let (_held, nobody) = silent();
    for (address, words) in [
        (nobody.as_str(), "does not answer within 10 s"),
        ("http://127.0.0.1:9", "cannot be fetched"),
    ] {
        let said = look(address).await;
        assert!(said.starts_with("FAIL") && said.contains(words), "{said}");
    }
    service.stop().await;
}

/// What is said of one thing, and how it stands.
fn of<'a>(said: &'a str, what: &str) -> &'a str {
    said.lines()
        .find(|line| line[6..].starts_with(&format!("{what}: ")))
        .unwrap_or_else(|| panic!("nothing of {what}: {said}"))
}

#[actix_web::test]
async fn it_looks_at_the_machine_and_the_network() {
    let mut service = start(site(0), &[]).await;
    service.app.take().unwrap().stop().await;

    // A webhook that notes what it is asked.
    let webhook = TcpListener::bind("127.0.0.1:0").unwrap();
    let hook = format!("http://{}/secret-4711", webhook.local_addr().unwrap());
    let (asks, asked) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in webhook.incoming() {
            let mut stream = stream.unwrap();
            let mut read = [0; 1024];
            let length = stream.read(&mut read).unwrap();
            asks.send(String::from_utf8_lossy(&read[..length]).into_owned())
                .unwrap();
            let answer = b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n";
            stream.write_all(answer).unwrap();
        }
    });
    let free = SocketAddr::from(([127, 0, 0, 1], 0));
    let taken = TcpListener::bind(free).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let authorities = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/authorities.pem");
    let (code, said, _) = doctor(
        &service,
        &[
            ("NOTIFY_WEBHOOK_URL", &hook),
            ("API_PORT", &port),
            ("EXTRA_CA_FILE", authorities),
            ("OAUTH_ISSUER", "http://localhost:9"),
            ("OAUTH_AUDIENCE", "us"),
        ],
    )
    .await;
    assert_eq!(code, Some(1), "{said}");
    let line = of(&said, "port");
    assert!(
        line.starts_with("FAIL") && line.contains(&port) && line.contains("API_PORT"),
        "{line}"
    );
    for good in ["disk", "names", "certificates", "clock", "webhook"] {
        let line = of(&said, good);
        assert!(line.starts_with("ok"), "{line}");
    }
    assert!(of(&said, "names").contains("localhost"), "{said}");
    assert!(of(&said, "certificates").contains("2036-11-26"), "{said}");
    assert!(!said.contains("4711"), "{said}");
    let asked: Vec<String> = asked.try_iter().collect();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(asked[0].starts_with("HEAD / HTTP/1.1\r\n"), "{asked:?}");
    drop(taken);

    let dead = "http://127.0.0.1:9";
    let clock = Fault::Header("date", "Sat, 28 Nov 2015 10:00:00 GMT");
    service.sim.fail_always(Matcher::any(), clock);
    let (code, said, _) = doctor(
        &service,
        &[
            ("NOTIFY_WEBHOOK_URL", "http://nowhere.invalid/secret-4711"),
            ("API_PORT", &port),
            ("HTTPS_PROXY", dead),
        ],
    )
    .await;
    assert_eq!(code, Some(1), "{said}");
    assert!(of(&said, "port").starts_with("ok"), "{said}");
    for (what, start, words) in [
        ("names", "FAIL", "nowhere.invalid (NOTIFY_WEBHOOK_URL)"),
        ("proxy", "FAIL", "check HTTPS_PROXY"),
        ("webhook", "FAIL", "check NOTIFY_WEBHOOK_URL"),
        ("clock", "warn", "s ahead of Confluence's"),
    ] {
        let line = of(&said, what);
        assert!(line.starts_with(start) && line.contains(words), "{line}");
    }
    assert!(!said.contains("4711"), "{said}");
}

#[actix_web::test]
async fn the_port_of_the_service_is_its_own_and_only_failures_fail() {
    let (sim, folder, settings) = prepared(site(0), &[]).await;
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    let port = port.unwrap().port().to_string();
    let settings: Vec<(String, String)> = pairs(&sim, &folder, &[("API_PORT", &port)])
        .into_iter()
        .chain(settings.into_iter().filter(|(name, _)| name != "API_PORT"))
        .collect();
    let mut child = program(&folder, &["serve"], &borrowed(&settings))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    crate::process::listening(&folder.url::<String>()).await;
    // Its clock is that of this machine, which the site takes to be ten years ahead: a warning.
    let clock = Fault::Header("date", "Sat, 28 Nov 2015 10:00:00 GMT");
    sim.fail_always(Matcher::any(), clock);
    let mut command = program(&folder, &["doctor", "--json"], &borrowed(&settings));
    let ended = actix_web::web::block(move || command.output().unwrap())
        .await
        .unwrap();
    let found: Value = serde_json::from_slice(&ended.stdout).unwrap();
    let of = |what: &str| {
        let items = found["items"].as_array().unwrap();
        let found = items.iter().find(|item| item["what"] == what);
        found.unwrap_or_else(|| panic!("{what}: {items:?}")).clone()
    };
    assert_eq!(ended.status.code(), Some(0), "{found}");
    assert_eq!(of("clock")["outcome"], "warning");
    let said = format!("127.0.0.1:{port} is the service's own");
    assert_eq!(of("port")["said"], said, "{found}");
    assert!(
        of("service")["said"]
            .as_str()
            .unwrap()
            .starts_with("runs: "),
        "{found}"
    );
    child.kill().unwrap();
    child.wait().unwrap();
}
