//! One agent against another: everything that a token of one index could be made to say of another.

use std::collections::BTreeMap;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use simulators::confluence::Site;

use super::{Tally, in_full};
use crate::mcp_support::{Client, hello, http};
use crate::support::{Service, answer, id, start_program};

const KEY: &str = "administrator-key-of-tests";
/// Stands in everything of the other's that is told at all, and in no request.
const MARK: &str = "quartz";
const SETTINGS: &[(&str, &str)] = &[("API_KEY", KEY)];

/// Two agents: ann asks, and bob has what she may not read.
struct Two {
    service: Service,
    ann: Value,
    bob: Value,
    token: String,
    bobs_token: String,
    bobs_token_id: String,
    page: String,
}

async fn two() -> Two {
    let site = Site::new();
    site.add_space("OWN", "Own space");
    site.add_space("HIDE", "Quartz engineering");
    for n in 0..3 {
        site.create_page(
            "OWN",
            None,
            &format!("Own page {n}"),
            "<p>A zebra with plain margins.</p>",
        );
    }
    let page = site.create_page(
        "HIDE",
        None,
        "Quartz plan",
        "<h2>Quartz heading</h2><p>The margins of quartz are known.</p>",
    );
    site.label(page, "quartz-label");
    site.create_page(
        "HIDE",
        None,
        "Quartz budget",
        "<p>More margins of quartz.</p>",
    );
    let service = start_program(site, SETTINGS).await;
    let ann = service.synced_index("ann", &["OWN"]).await;
    let body = json!({"name": "Index of quartz", "agent_id": "bob", "confluence_spaces": ["HIDE"]});
    let (status, bob) = service.post("/api/indexes/", body).await;
    assert_eq!(status, 201, "{bob}");
    service.over(&bob).await;
    let (_, bob) = service.get("/api/indexes/agent/bob").await;
    let token = async |index: &Value| {
        let path = format!("/api/indexes/{}/tokens", id(index));
        let (_, token) = service.post(&path, json!({"name": "t"})).await;
        (
            token["token"].as_str().unwrap().to_owned(),
            id(&token).to_owned(),
        )
    };
    let (own, _) = token(&ann).await;
    let (bobs_token, bobs_token_id) = token(&bob).await;
    Two {
        token: own,
        bobs_token,
        bobs_token_id,
        page: page.to_string(),
        service,
        ann,
        bob,
    }
}

/// Sends it until it is answered by something else than that too much was asked for.
async fn patient(request: RequestBuilder) -> (u16, String) {
    loop {
        let sent = request.try_clone().unwrap().send().await.unwrap();
        let status = sent.status().as_u16();
        if status == 429 {
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            continue;
        }
        // A stream of events has no end.
        let kind = sent.headers().get("content-type").cloned();
        let is_events =
            kind.is_some_and(|kind| kind.to_str().unwrap().starts_with("text/event-stream"));
        if is_events && request.try_clone().unwrap().build().unwrap().method() == Method::GET {
            return (status, "a stream".to_owned());
        }
        return (status, sent.text().await.unwrap());
    }
}

fn tells(text: &str) -> bool {
    text.to_lowercase().contains(MARK)
}

/// Every operation of the API's own description: its method, and its path with the names filled in.
async fn operations(two: &Two, of: &Value) -> Vec<(Method, String)> {
    let (_, document) = two.service.get("/openapi.json").await;
    let mut found = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let about = if path.starts_with("/api/runs") {
            &of["last_run"]
        } else {
            of
        };
        let filled = path
            .replace("{id}", id(about))
            .replace("{agent_id}", of["agent_id"].as_str().unwrap())
            .replace("{page_id}", &two.page)
            .replace("{token_id}", &two.bobs_token_id);
        for method in methods.as_object().unwrap().keys() {
            found.push((method.to_uppercase().parse().unwrap(), filled.clone()));
        }
    }
    assert!(found.len() >= 28, "{}", found.len());
    found
}

fn body_of(path: &str) -> Value {
    if path.ends_with("/query") {
        json!({"query": "margins"})
    } else {
        json!({})
    }
}

/// Headers by which something before or in a service might be talked into another path, method or agent.
const DECORATIONS: &[&[(&str, &str)]] = &[
    &[],
    &[("x-agent-id", "bob")],
    &[
        ("x-agent-id", "bob"),
        ("x-original-url", "/api/indexes/agent/bob"),
        ("x-rewrite-url", "/api/indexes/agent/bob"),
    ],
    &[
        ("x-http-method-override", "GET"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-user", "admin"),
    ],
];

#[actix_web::test]
async fn a_token_on_every_rest_operation_with_the_ids_of_another() {
    let two = two().await;
    let http = &two.service.http;
    let base = &two.service.base;
    let mut tally = Tally::of("A8");
    let own = id(&two.ann);
    let mut asked = operations(&two, &two.bob).await;
    let by_query = [
        "?index_id=ID",
        "?index_id=ID&limit=1",
        "?status=succeeded&index_id=ID",
    ];
    for query in by_query {
        asked.push((
            Method::GET,
            format!("/api/runs{}", query.replace("ID", id(&two.bob))),
        ));
    }
    for query in [
        "",
        "?space=HIDE",
        "?title=plan",
        "?state=searchable&space=HIDE",
    ] {
        asked.push((Method::GET, format!("/api/indexes/{own}/pages{query}")));
    }
    asked.push((
        Method::GET,
        format!("/api/indexes/{own}/pages/{}", two.page),
    ));
    asked.push((
        Method::POST,
        format!("/api/indexes/{own}/pages/{}/retry", two.page),
    ));
    let decorations = if in_full() {
        DECORATIONS
    } else {
        &DECORATIONS[..2]
    };
    let with_key = async |request: RequestBuilder| patient(request.bearer_auth(KEY)).await;
    let mut told = 0;
    for (method, path) in &asked {
        let request = || {
            let request = http.request(method.clone(), format!("{base}{path}"));
            if *method == Method::GET {
                request
            } else {
                request.json(&body_of(path))
            }
        };
        // That the wall is what holds: the key finds what the token does not.
        if *method == Method::GET {
            told += usize::from(tells(&with_key(request()).await.1));
        }
        let closed = path.contains(id(&two.bob))
            || path.contains("/agent/bob")
            || path.contains(id(&two.bob["last_run"]));
        for decoration in decorations {
            for by_bearer in [true, false] {
                let mut request = if by_bearer {
                    request().bearer_auth(&two.token)
                } else {
                    request().header("x-api-key", &two.token)
                };
                for (name, value) in *decoration {
                    request = request.header(*name, *value);
                }
                let (status, body) = patient(request).await;
                let refused = matches!(status, 400 | 403 | 404 | 405 | 409 | 422) || !closed;
                let lists = path.starts_with("/api/runs?") && status == 200;
                tally.held(
                    !tells(&body) && (refused || lists) && status < 500,
                    format_args!("{method} {path} {decoration:?}: {status} {body}"),
                );
            }
        }
    }
    assert!(told >= 5, "the key sees what is hidden: {told}");
    let pid = two.service.pid();
    tally.end(Some(pid));
    two.service.stop().await;
}

#[actix_web::test]
async fn a_token_that_reads_on_everything_that_writes() {
    let two = two().await;
    let stands = async || {
        let mut all = BTreeMap::new();
        for index in [&two.ann, &two.bob] {
            for path in [
                format!("/api/indexes/{}", id(index)),
                format!("/api/indexes/{}/tokens", id(index)),
            ] {
                let (_, mut told) = two.service.get(&path).await;
                // When a token was used last is no change of anybody's.
                for token in told["items"].as_array_mut().into_iter().flatten() {
                    token["last_used_at"] = Value::Null;
                }
                all.insert(path, told);
            }
        }
        all.insert("runs".to_owned(), two.service.get("/api/runs").await.1);
        all
    };
    let before = stands().await;
    let mut tally = Tally::of("A11");
    for of in [&two.ann, &two.bob] {
        for (method, path) in operations(&two, of).await {
            if method == Method::GET || path.ends_with("/query") || path == "/api/session" {
                continue;
            }
            for body in [
                json!({}),
                json!({"name": "Mine", "agent_id": "mine", "confluence_spaces": ["HIDE"], "enabled": false}),
            ] {
                let request = two
                    .service
                    .http
                    .request(method.clone(), format!("{}{path}", two.service.base));
                let (status, told) = patient(request.json(&body).bearer_auth(&two.token)).await;
                tally.held(
                    matches!(status, 403 | 404),
                    format_args!("{method} {path}: {status} {told}"),
                );
            }
        }
    }
    assert_eq!(before, stands().await, "nothing has changed");
    let pid = two.service.pid();
    tally.end(Some(pid));
    two.service.stop().await;
}

#[actix_web::test]
async fn cursors_of_others_and_made_up() {
    let two = two().await;
    let (_, bobs) = two
        .service
        .get(&format!("/api/indexes/{}/pages?limit=1", id(&two.bob)))
        .await;
    let (_, runs) = two.service.get("/api/runs?limit=1").await;
    let (_, indexes) = two.service.get("/api/indexes?limit=1").await;
    let cursor = |list: &Value| list["next_cursor"].as_str().map(str::to_owned);
    assert!(cursor(&bobs).is_some(), "{bobs}");
    let mut cursors: Vec<String> = [&bobs, &runs, &indexes]
        .into_iter()
        .filter_map(cursor)
        .collect();
    cursors.extend(
        [
            "",
            "0",
            "-1",
            "AAAA",
            "%00",
            "{}",
            "null",
            "' OR 1=1 --",
            "WyIiLCIiXQ",
            "..",
            "1'; DROP TABLE tokens",
        ]
        .map(str::to_owned),
    );
    cursors.push(id(&two.bob).to_owned());
    cursors.push("A".repeat(4_000));
    let own = id(&two.ann);
    let mut tally = Tally::of("A10");
    for cursor in &cursors {
        for path in [
            format!("/api/indexes/{own}/pages"),
            "/api/runs".to_owned(),
            "/api/indexes".to_owned(),
        ] {
            let request = two.service.http.get(format!("{}{path}", two.service.base));
            let request = request
                .query(&[("limit", "50"), ("cursor", cursor)])
                .bearer_auth(&two.token);
            let (status, body) = patient(request).await;
            let right =
                matches!(status, 200 | 400 | 422) && !tells(&body) && !body.contains(id(&two.bob));
            tally.held(right, format_args!("{path} {cursor}: {status} {body}"));
        }
        for method in ["resources/list", "tools/list", "prompts/list"] {
            let session = Session::open(&two.service.base, "", &two.token, &[])
                .await
                .unwrap();
            let (_, body) = session.ask(method, json!({"cursor": cursor})).await;
            tally.held(!tells(&body), format_args!("{method} {cursor}: {body}"));
            session.close().await;
        }
    }
    let pid = two.service.pid();
    tally.end(Some(pid));
    two.service.stop().await;
}

/// A session of Streamable HTTP.
pub struct Session {
    base: String,
    query: String,
    bearer: String,
    headers: Vec<(String, String)>,
    pub id: String,
}

impl Session {
    fn request(&self, method: Method) -> RequestBuilder {
        let mut request = http()
            .request(method, format!("{}/mcp{}", self.base, self.query))
            .header("accept", "application/json, text/event-stream")
            .bearer_auth(&self.bearer);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if !self.id.is_empty() {
            request = request
                .header("mcp-session-id", &self.id)
                .header("mcp-protocol-version", "2025-06-18");
        }
        request
    }

    /// Opens one, or tells how that was refused.
    pub async fn open(
        base: &str,
        query: &str,
        bearer: &str,
        headers: &[(&str, &str)],
    ) -> Result<Self, (u16, String)> {
        let mut session = Self {
            base: base.to_owned(),
            query: query.to_owned(),
            bearer: bearer.to_owned(),
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            id: String::new(),
        };
        let message = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello("2025-06-18")});
        let told = session
            .request(Method::POST)
            .json(&message)
            .send()
            .await
            .unwrap();
        let status = told.status().as_u16();
        let given = told.headers().get("mcp-session-id").cloned();
        let text = told.text().await.unwrap();
        match given {
            Some(given) if status == 200 => {
                given.to_str().unwrap().clone_into(&mut session.id);
                let noted = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
                session
                    .request(Method::POST)
                    .json(&noted)
                    .send()
                    .await
                    .unwrap();
                Ok(session)
            }
            _ => Err((status, text)),
        }
    }

    pub async fn ask(&self, method: &str, params: Value) -> (u16, String) {
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        patient(self.request(Method::POST).json(&message)).await
    }

    pub async fn close(self) {
        self.request(Method::DELETE).send().await.unwrap();
    }
}

/// Everything that MCP can be asked for, about the pages of bob.
fn calls(two: &Two) -> Vec<(&'static str, Value)> {
    let page = &two.page;
    let site = two.service.sim.base_url();
    let tool = |name: &str, arguments: Value| {
        ("tools/call", json!({"name": name, "arguments": arguments}))
    };
    let mut calls = vec![
        tool("search_confluence", json!({"query": "margins"})),
        tool(
            "search_confluence",
            json!({"query": "plan budget", "space": "HIDE"}),
        ),
        tool(
            "search_confluence",
            json!({"query": "margins", "space": "hide"}),
        ),
        tool("get_page", json!({"page_id": page})),
        tool("get_page", json!({"title": "plan", "space": "HIDE"})),
        tool("list_spaces", json!({})),
        tool("recent_changes", json!({"since": "30d"})),
        tool("recent_changes", json!({"since": "30d", "space": "HIDE"})),
        ("resources/list", json!({})),
        ("resources/templates/list", json!({})),
        (
            "resources/read",
            json!({"uri": format!("confluence://page/{page}")}),
        ),
        ("tools/list", json!({})),
        ("prompts/list", json!({})),
        (
            "prompts/get",
            json!({"name": "summarize_topic", "arguments": {"topic": "margins"}}),
        ),
        (
            "prompts/get",
            json!({"name": "summarize_topic", "arguments": {"topic": "margins", "space": "HIDE"}}),
        ),
        (
            "prompts/get",
            json!({"name": "what_changed", "arguments": {"since": "30d"}}),
        ),
        (
            "prompts/get",
            json!({"name": "compare_pages", "arguments": {"first": page, "second": page}}),
        ),
        (
            "completion/complete",
            json!({"ref": {"type": "ref/resource", "uri": "confluence://page/{id}"}, "argument": {"name": "id", "value": &page[..1]}}),
        ),
    ];
    for spelled in [
        format!(" {page}"),
        format!("0{page}"),
        format!("{page}.0"),
        format!("{page}/../{page}"),
        format!("{site}/wiki/spaces/HIDE/pages/{page}"),
        format!("{site}/wiki/spaces/OWN/pages/{page}"),
        format!("{site}/wiki/pages/viewpage.action?pageId={page}"),
        format!("/wiki/spaces/HIDE/pages/{page}/x"),
        format!("confluence://page/{page}"),
    ] {
        calls.push(tool("get_page", json!({"page_id": spelled})));
        calls.push(tool("get_page", json!({"url": spelled})));
        calls.push(("resources/read", json!({"uri": spelled})));
    }
    calls
}

#[actix_web::test]
async fn every_tool_resource_and_prompt_by_every_name_of_another_index() {
    let two = two().await;
    let bob = id(&two.bob).to_owned();
    let queries = [
        "?agent_id=bob".to_owned(),
        "?agent_id=BOB".to_owned(),
        "?agent_id=%62ob".to_owned(),
        "?agent_id=bob%20".to_owned(),
        "?agent_id=bob%00".to_owned(),
        "?agent_id=ann&agent_id=bob".to_owned(),
        "?agent_id=bob&agent_id=ann".to_owned(),
        "?agent_id=ann,bob".to_owned(),
        "?agent_id=*".to_owned(),
        "?agent_id=".to_owned(),
        "?agent_id[]=bob".to_owned(),
        "?agentId=bob".to_owned(),
        "?AGENT_ID=bob".to_owned(),
        "?agent=bob".to_owned(),
        "?agent_id=../bob".to_owned(),
        format!("?agent_id={bob}"),
        format!("?index_id={bob}"),
        format!("?index={bob}"),
    ];
    let headers: [&[(&str, &str)]; 6] = [
        &[],
        &[("x-agent-id", "bob")],
        &[("x-agent-id", "ann, bob")],
        &[("x-agent-id", "ann"), ("x-agent-id", "bob")],
        &[("x-index-id", &bob), ("x-user-id", "bob")],
        &[
            ("x-librechat-user-id", "admin"),
            ("x-forwarded-user", "admin"),
        ],
    ];
    let mut ways: Vec<(String, Vec<(&str, &str)>)> = queries
        .iter()
        .map(|query| (query.clone(), Vec::new()))
        .collect();
    ways.extend(
        headers
            .iter()
            .map(|headers| (String::new(), headers.to_vec())),
    );
    if in_full() {
        // Both at once.
        let both = queries.iter().zip([1, 3, 4].into_iter().cycle());
        ways.extend(both.map(|(query, header)| (query.clone(), headers[header].to_vec())));
    } else {
        let some = ways
            .into_iter()
            .enumerate()
            .filter(|(n, _)| [0, 19].contains(n));
        ways = some.map(|(_, way)| way).collect();
    }
    let calls = calls(&two);
    // That the wall is what holds: the key finds by these calls what the token does not.
    let with_key = Session::open(&two.service.base, "?agent_id=bob", KEY, &[])
        .await
        .unwrap();
    let mut told = 0;
    for (method, params) in &calls {
        told += usize::from(tells(&with_key.ask(method, params.clone()).await.1));
    }
    with_key.close().await;
    assert!(
        told >= 12,
        "the key sees what is hidden: {told} of {}",
        calls.len()
    );

    let mut tally = Tally::of("A9");
    for (query, headers) in &ways {
        match Session::open(&two.service.base, query, &two.token, headers).await {
            Err((status, text)) => {
                let refused = (400..500).contains(&status) && !tells(&text);
                tally.held(
                    refused,
                    format_args!("{query} {headers:?}: {status} {text}"),
                );
            }
            Ok(session) => {
                for (method, params) in &calls {
                    let (status, text) = session.ask(method, params.clone()).await;
                    let held = status < 500 && !tells(&text);
                    tally.held(
                        held,
                        format_args!("{query} {headers:?} {method} {params}: {status} {text}"),
                    );
                }
                session.close().await;
            }
        }
        // The older transport knows no headers of ours but those of its requests.
        let probe = http()
            .get(format!("{}/mcp/sse{query}", two.service.base))
            .bearer_auth(&two.token);
        if probe.send().await.unwrap().status() != 200 {
            tally.held(true, query);
            continue;
        }
        let mut client = Client::open(&two.service.base, query, &two.token).await;
        client.initialize().await;
        for (number, (method, params)) in calls.iter().enumerate() {
            let told = client
                .ask(number as u64 + 1, method, params.clone())
                .await
                .to_string();
            tally.held(
                !tells(&told),
                format_args!("sse {query} {method} {params}: {told}"),
            );
        }
    }
    let pid = two.service.pid();
    tally.end(Some(pid));
    two.service.stop().await;
}

#[actix_web::test]
async fn sessions_of_another() {
    let two = two().await;
    let base = &two.service.base;
    let mut tally = Tally::of("A12");
    let mut bobs = Client::open(base, "", &two.bobs_token).await;
    bobs.initialize().await;
    let session = Session::open(base, "", &two.bobs_token, &[]).await.unwrap();
    let search = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "search_confluence", "arguments": {"query": "margins"}}});
    for credential in [two.token.as_str(), KEY, ""] {
        let with = |request: RequestBuilder| match credential {
            "" => request,
            credential => request.bearer_auth(credential),
        };
        let expected: &[u16] = if credential.is_empty() {
            &[401]
        } else {
            &[403, 404]
        };
        let (status, told) = patient(with(http().post(bobs.endpoint.clone())).json(&search)).await;
        tally.held(
            expected.contains(&status) && !tells(&told),
            format_args!("messages: {status} {told}"),
        );
        for version in ["2025-06-18", "2025-11-25", "2024-11-05"] {
            for method in [Method::POST, Method::GET, Method::DELETE] {
                let request = with(http().request(method.clone(), format!("{base}/mcp")))
                    .header("accept", "application/json, text/event-stream")
                    .header("mcp-protocol-version", version)
                    .header("mcp-session-id", &session.id);
                let request = if method == Method::POST {
                    request.json(&search)
                } else {
                    request
                };
                let (status, told) = patient(request).await;
                let refused = expected.contains(&status) || status == 400 && !credential.is_empty();
                tally.held(
                    refused && !tells(&told),
                    format_args!("{method} {version} {credential}: {status} {told}"),
                );
            }
        }
    }
    // Bob noticed nothing.
    assert!(tells(&bobs.search(9, "margins").await.to_string()));
    let (status, told) = session.ask("tools/call", search["params"].clone()).await;
    assert!(status == 200 && tells(&told), "{status} {told}");
    let pid = two.service.pid();
    tally.end(Some(pid));
    two.service.stop().await;
}

#[actix_web::test]
async fn revoked_tokens_before_and_after_a_restart() {
    let mut two = two().await;
    let mut tally = Tally::of("A13");
    let path = format!("/api/indexes/{}/tokens/{}", id(&two.bob), two.bobs_token_id);
    let session = Session::open(&two.service.base, "", &two.bobs_token, &[])
        .await
        .unwrap();
    assert_eq!(two.service.delete(&path).await.0, 204);
    for after in ["revoked", "restarted"] {
        let base = two.service.base.clone();
        let token = &two.bobs_token;
        let rest = format!("{base}/api/indexes/agent/bob");
        for request in [
            http().get(&rest).bearer_auth(token),
            http().get(&rest).header("x-api-key", token),
            http().get(format!("{base}/api/events")).bearer_auth(token),
            http().get(format!("{base}/mcp/sse")).bearer_auth(token),
            http()
                .post(format!("{base}/mcp"))
                .bearer_auth(token)
                .json(&json!({})),
            http()
                .post(format!("{base}/mcp"))
                .bearer_auth(token)
                .header("mcp-session-id", &session.id)
                .json(&json!({})),
            http()
                .post(format!("{base}/api/session"))
                .json(&json!({"key": token})),
            http().get(&rest).bearer_auth(token.to_uppercase()),
            http().get(&rest).bearer_auth(&token[..token.len() - 1]),
        ] {
            let (status, told) = answer(request).await;
            tally.held(status == 401, format_args!("{after}: {status} {told}"));
        }
        two.service.restart(SETTINGS).await;
    }
    let pid = two.service.pid();
    tally.end(Some(pid));
    two.service.stop().await;
}
