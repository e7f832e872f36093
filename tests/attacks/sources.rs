//! Confluence and the retrieval store, in the hands of an attacker: pages, downloads and answers.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde_json::{Value, json};
use simulators::confluence::{ConfluenceSim, Site};
use simulators::llamacloud::LlamaCloudSim;

use super::{Tally, in_full, peak};
use crate::support::{answer, client, id, site, start_program, until};

const KEY: &str = "administrator-key-of-tests";

/// A server that answers everything with hundreds of megabytes that begin like this; its address.
pub fn flood(kind: &str, beginning: &[u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let megabytes = if in_full() { 600 } else { 300 };
    let length = beginning.len() + (megabytes << 20);
    let mut head =
        format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n")
            .into_bytes();
    head.extend(beginning);
    std::thread::spawn(move || {
        for peer in listener.incoming() {
            let (Ok(mut peer), head) = (peer, head.clone()) else {
                continue;
            };
            std::thread::spawn(move || {
                let mut part = [0; 8192];
                let _ = peer.read(&mut part);
                // It is ended by who has enough of it.
                let mut sent = peer.write_all(&head);
                for _ in 0..megabytes {
                    if sent.is_err() {
                        return;
                    }
                    sent = peer.write_all(&vec![b'1'; 1 << 20]);
                }
            });
        }
    });
    address
}

/// What a proxy answers instead of the service behind it.
#[derive(Clone)]
pub enum Evil {
    /// To look elsewhere.
    Redirect(String),
    /// Everything that comes.
    Body(String),
}

/// Stands before a service and answers what `evil` says for a path; all else is the service's.
async fn proxy(
    behind: &str,
    evil: impl Fn(&str) -> Option<Evil> + Clone + Send + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let behind = behind.to_owned();
    // It installs the TLS provider.
    client();
    let server = HttpServer::new(move || {
        let (evil, behind) = (evil.clone(), behind.clone());
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        App::new()
            .app_data(web::PayloadConfig::new(64 << 20))
            .default_service(web::to(move |request: HttpRequest, body: web::Bytes| {
                let (evil, behind, http) = (evil.clone(), behind.clone(), http.clone());
                async move {
                    match evil(request.path()) {
                        Some(Evil::Redirect(to)) => {
                            return HttpResponse::Found()
                                .insert_header(("location", to))
                                .finish();
                        }
                        Some(Evil::Body(text)) => {
                            return HttpResponse::Ok()
                                .content_type("application/json")
                                .body(text);
                        }
                        None => {}
                    }
                    let method = request.method().as_str().parse().unwrap();
                    let mut asked = http
                        .request(method, format!("{behind}{}", request.uri()))
                        .body(body.to_vec());
                    for (name, value) in request.headers() {
                        if name != "host" && name != "content-length" {
                            asked = asked.header(name.as_str(), value.as_bytes());
                        }
                    }
                    let told = asked.send().await.unwrap();
                    let status =
                        actix_web::http::StatusCode::from_u16(told.status().as_u16()).unwrap();
                    let mut answer = HttpResponse::build(status);
                    for (name, value) in told.headers() {
                        if !matches!(
                            name.as_str(),
                            "content-length"
                                | "transfer-encoding"
                                | "connection"
                                | "content-encoding"
                        ) {
                            let name = HeaderName::try_from(name.as_str()).unwrap();
                            answer.append_header((
                                name,
                                HeaderValue::from_bytes(value.as_bytes()).unwrap(),
                            ));
                        }
                    }
                    answer.body(told.bytes().await.unwrap())
                }
            }))
    });
    actix_web::rt::spawn(server.workers(1).listen(listener).unwrap().run());
    base
}

/// A listener that no download may reach: its port, and how many did.
fn trap() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let reached = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&reached);
    std::thread::spawn(move || {
        for peer in listener.incoming() {
            counter.fetch_add(1, Ordering::SeqCst);
            let mut peer = peer.unwrap();
            let mut part = [0; 8192];
            let _ = peer.read(&mut part);
            let _ = peer.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 12\r\n\r\nstolen words");
        }
    });
    (port, reached)
}

#[actix_web::test]
async fn downloads_that_lead_elsewhere() {
    let (port, reached) = trap();
    // Of this machine as well, and none of the names under which it may be asked where it plays Confluence.
    let trap = format!("0.0.0.0:{port}");
    let targets = [
        format!("http://{trap}/file"),
        format!("//{trap}/file"),
        format!("https://{trap}/file"),
        format!("http://[::]:{port}/file"),
        format!("http://0:{port}/file"),
        format!("http://api.media.atlassian.com@{trap}/file"),
        format!("http://api.media.atlassian.com:80@{trap}/file"),
        format!("http://{trap}/api.media.atlassian.com/file"),
        format!("http://{trap}#api.media.atlassian.com"),
        format!("http://api.media.atlassian.com.localhost:{port}/file"),
        format!("http://127.0.0.1.evil.example.com:{port}/file"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "file:///etc/passwd".to_owned(),
        "gopher://127.0.0.1:1/x".to_owned(),
        String::new(),
    ];
    let site = Site::new();
    site.add_space("ENG", "Engineering");
    let page = site.create_page("ENG", None, "Guide", "<p>Begin here.</p>");
    let lead: Vec<(String, String)> = targets
        .iter()
        .enumerate()
        .map(|(n, target)| {
            let file = site.attach(page, &format!("{n}.txt"), "text/plain", b"wholesome words");
            (format!("att{file}/download"), target.clone())
        })
        .collect();
    site.attach(page, "good.txt", "text/plain", b"wholesome words");
    let sim = ConfluenceSim::builder().site(site).start().await.unwrap();
    let base = proxy(sim.base_url(), move |path| {
        let found = lead.iter().find(|(file, _)| path.ends_with(file));
        found.map(|(_, target)| Evil::Redirect(target.clone()))
    })
    .await;
    let service = start_program(
        Site::new(),
        &[("API_KEY", KEY), ("CONFLUENCE_BASE_URL", &base)],
    )
    .await;
    let index = json!({"name": "A", "agent_id": "a", "confluence_spaces": ["ENG"], "include_attachments": true});
    let (status, index) = service.post("/api/indexes", index).await;
    assert_eq!(status, 201, "{index}");
    let pages = format!("/api/indexes/{}/pages", id(&index));
    let list = until("every file was tried", async || {
        let (_, list) = service.get(&pages).await;
        let files = list["items"]
            .as_array()?
            .iter()
            .filter(|item| item["kind"] == "attachment")
            .cloned();
        let files: Vec<Value> = files
            .filter(|file| {
                matches!(
                    file["state"].as_str(),
                    Some("failed" | "skipped" | "searchable")
                )
            })
            .collect();
        (files.len() == targets.len() + 1).then_some(files)
    })
    .await;
    let stands = |name: &str| list.iter().find(|file| file["title"] == name).unwrap();
    assert_eq!(
        stands("good.txt")["state"],
        "searchable",
        "what leads nowhere else is read"
    );
    let mut tally = Tally::of("C16");
    for (n, target) in targets.iter().enumerate() {
        let file = stands(&format!("{n}.txt"));
        tally.held(
            file["state"] != "searchable",
            format_args!("{target}: {file}"),
        );
    }
    tally.held(
        reached.load(Ordering::SeqCst) == 0,
        format_args!("{} reached it", reached.load(Ordering::SeqCst)),
    );
    let pid = service.pid();
    tally.end(Some(pid));
    service.stop().await;
}

/// Bodies that break what is careless with them.
fn hostile_bodies() -> Vec<(&'static str, String)> {
    let nested = |tag: &str, count: usize| {
        format!(
            "{}x{}",
            format!("<{tag}>").repeat(count),
            format!("</{tag}>").repeat(count)
        )
    };
    vec![
        ("deep lists", nested("ul><li", 5_000).replace("</ul><li>", "</li></ul>")),
        ("deep tables", nested("table><tr><td", 3_000)),
        ("deep quotes", nested("blockquote", 20_000)),
        ("deep macros", "<ac:structured-macro ac:name=\"panel\"><ac:rich-text-body>".repeat(5_000)),
        ("never closed", "<p><b><i>".repeat(20_000)),
        ("entities that unfold", "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;\">]><p>&c;&c;&c;</p>".to_owned()),
        ("an entity from outside", "<!DOCTYPE x [<!ENTITY a SYSTEM \"file:///etc/passwd\">]><p>&a;</p>".to_owned()),
        ("one long word", format!("<p>{}</p>", "w".repeat(1 << 20))),
        ("many cells", format!("<table><tr>{}</tr></table>", "<td colspan=\"1000000\" rowspan=\"1000000\">x</td>".repeat(200))),
        ("bidirectional", format!("<p>{}</p>", "\u{202e}\u{2066}abc\u{202c}".repeat(10_000))),
        ("marks without end", format!("<p>a{}</p>", "\u{301}".repeat(100_000))),
        ("numbers that are no characters", "<p>&#0;&#xD800;&#x110000;&#99999999999;</p>".to_owned()),
        ("forged ends", "<ac:plain-text-body><![CDATA[ ]]]]><![CDATA[> </page-content> ]]></ac:plain-text-body>".to_owned()),
        ("a very long attribute", format!("<a href=\"javascript:{}\">x</a>", "a".repeat(500_000))),
        ("backticks", format!("<pre>{}</pre><code>{}</code>", "`".repeat(50_000), "`".repeat(50_000))),
        ("pipes", format!("<table><tr><td>{}</td></tr></table>", "|\\".repeat(50_000))),
    ]
}

#[actix_web::test]
async fn pages_that_break_converters() {
    let site = Site::new();
    site.add_space("ENG", "Engineering");
    let bodies = hostile_bodies();
    for (title, body) in &bodies {
        site.create_page("ENG", None, title, body);
    }
    for n in 0..5 {
        site.create_page("ENG", None, &format!("Good {n}"), "<p>wholesome words</p>");
    }
    let service = start_program(site, &[("API_KEY", KEY)]).await;
    let index = service.synced_index("a", &["ENG"]).await;
    let (_, list) = service
        .get(&format!("/api/indexes/{}/pages?limit=100", id(&index)))
        .await;
    let mut tally = Tally::of("B3");
    let stands = |title: &str| {
        list["items"]
            .as_array()
            .unwrap()
            .iter()
            .find(|page| page["title"] == title)
            .cloned()
            .unwrap_or_default()
    };
    for (title, _) in &bodies {
        let page = stands(title);
        let reasoned = page["state"] == "searchable"
            || (matches!(page["state"].as_str(), Some("failed" | "skipped"))
                && page["reason"].is_string());
        tally.held(reasoned, format_args!("{title}: {page}"));
        let (status, told) = service
            .post(
                "/api/indexes/agent/a/query",
                json!({"query": title, "top_k": 5}),
            )
            .await;
        tally.held(
            status == 200 && !told.to_string().contains("root:"),
            format_args!("{title}: {status}"),
        );
    }
    for n in 0..5 {
        let page = stands(&format!("Good {n}"));
        assert_eq!(page["state"], "searchable", "{page}");
    }
    let pid = service.pid();
    tally.end(Some(pid));
    service.stop().await;
}

#[actix_web::test]
async fn stores_that_answer_too_much_or_rubbish() {
    let llama = LlamaCloudSim::builder().start().await.unwrap();
    let account = |base: &str| {
        [
            ("API_KEY", KEY.to_owned()),
            ("LLAMA_CLOUD_API_KEY", LlamaCloudSim::KEY.to_owned()),
            ("LLAMA_CLOUD_BASE_URL", base.to_owned()),
            ("LLAMA_CLOUD_MAX_REQUESTS_PER_SECOND", "1000".to_owned()),
            ("LLAMA_CLOUD_INDEX_API", "v1".to_owned()),
        ]
    };
    let settings = account(llama.base_url());
    let pairs: Vec<(&str, &str)> = settings
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let mut service = start_program(site(3), &pairs).await;
    let made = json!({"name": "A", "agent_id": "a", "confluence_spaces": ["OPS"], "backend": "llamacloud"});
    let (status, index) = service.post("/api/indexes", made).await;
    assert_eq!(status, 201, "{index}");
    let run = service.over(&index).await;
    assert_eq!(run["status"], "succeeded", "{run}");
    let query = json!({"query": "zebra host"});
    let (_, told) = service
        .post("/api/indexes/agent/a/query", query.clone())
        .await;
    assert!(told.to_string().contains("zebra"), "{told}");

    let passage = |text: &str, id: &str| {
        json!({"retrieval_nodes": [{"score": 1e308, "node": {"text": text, "extra_info": {"cf_page_id": id, "cf_index": "x", "cf_url": "javascript:alert(1)"}, "id_": "x"}}]}).to_string()
    };
    let answers = [
        ("hundreds of megabytes", None),
        ("no JSON", Some("<html>maintenance</html>".to_owned())),
        ("another shape", Some("[1, 2, {\"a\": null}]".to_owned())),
        ("a page of nobody", Some(passage("quartz words", "999999"))),
        (
            "a page whose id is a path",
            Some(passage("quartz words", "../../etc/passwd")),
        ),
        (
            "a passage of 8 MB",
            Some(passage(&"quartz ".repeat(1 << 20), "999999")),
        ),
        ("deep", Some("[".repeat(200_000))),
        (
            "nodes without end",
            Some(
                json!({"retrieval_nodes": vec![json!({"score": 1, "node": {}}); 200_000]})
                    .to_string(),
            ),
        ),
        ("null", Some("null".to_owned())),
    ];
    let mut tally = Tally::of("C15");
    let mut most = 0;
    for (what, body) in answers {
        let endless = flood("application/json", b"{\"retrieval_nodes\": [");
        let body = body.clone();
        let base = proxy(llama.base_url(), move |path| {
            if !path.contains("retrieve") {
                return None;
            }
            Some(
                body.clone()
                    .map_or_else(|| Evil::Redirect(endless.clone()), Evil::Body),
            )
        })
        .await;
        // What is not followed is not read, so hundreds of megabytes come from the store itself.
        let base = if what == "hundreds of megabytes" {
            flood("application/json", b"{\"retrieval_nodes\": [")
        } else {
            base
        };
        let settings = account(&base);
        let pairs: Vec<(&str, &str)> = settings
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        service.restart(&pairs).await;
        let asked = service
            .http
            .post(format!("{}/api/indexes/agent/a/query", service.base))
            .bearer_auth(KEY)
            .json(&query);
        let (status, told): (_, Value) = answer(asked).await;
        let text = told.to_string();
        let held = status.as_u16() != 500
            && !text.contains("quartz")
            && !text.contains("javascript:")
            && text.len() < 200_000;
        tally.held(
            held,
            format_args!("{what}: {status} {}", &text[..text.len().min(300)]),
        );
        let memory = peak(service.pid());
        tally.held(memory < 150, format_args!("{what}: {memory} MB"));
        most = most.max(memory);
    }
    println!("C15: {most} MB at most");
    tally.end(None);
    service.stop().await;
}
