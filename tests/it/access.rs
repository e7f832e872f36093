//! Answers that differ by person: over every route each person is shown what Confluence itself would show that person, and nothing that
//! tells of the rest.

use std::collections::BTreeSet;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use simulators::confluence::{Account, ConfluenceSim, ContentId, Principal, Site};
use simulators::{Fault, LoggedRequest};

use crate::mcp_support::Client;
use crate::support::{
    Service, answer, assert_problem, fields, id, start, start_over, start_program, until,
};

pub const KEY: &str = "administrator-key";
pub const SYNC: &str = "557058:51b7c0de-sync";
/// Account, address. What Confluence shows of Cat's is nothing, and two people have the last one.
const PEOPLE: [(&str, &str); 5] = [
    ("a:ann", "ann@example.org"),
    ("a:bob", "bob@example.org"),
    ("a:cat", ""),
    ("a:dan", "twin@example.org"),
    ("a:eve", "twin@example.org"),
];

/// Spaces, groups and pages; every page tells of a zebra, and of a word of its own.
pub struct World {
    pub site: Site,
    pub eng: String,
    pub pages: Vec<(String, ContentId)>,
}

pub fn user(account: &str) -> Principal {
    Principal::User(account.to_owned())
}

pub fn world() -> World {
    let site = Site::new();
    for (account, email) in PEOPLE {
        site.add_user(account, &account[2..], email);
    }
    let eng = site.add_group("engineers", &["a:ann", "a:bob"]);
    let ops = site.add_group("operators", &["a:bob", "a:cat"]);
    let group = |id: &String| Principal::Group(id.clone());
    site.add_space("ENG", "Engineering");
    site.add_space("OPS", "Operations");
    site.limit_space_to("ENG", &[group(&eng), user(SYNC)]);
    let mut pages = Vec::new();
    let mut add = |space: &str, parent: Option<ContentId>, title: &str| {
        let body = format!("<h2>About {title}</h2><p>A zebra and a {title}.</p>");
        let page = site.create_page(space, parent, title, &body);
        pages.push((title.to_owned(), page));
        page
    };
    let guide = add("ENG", None, "Guidebook");
    let payroll = add("ENG", Some(guide), "Payrollplan");
    let bonus = add("ENG", Some(payroll), "Bonusrule");
    add("ENG", Some(bonus), "Bonustable");
    add("ENG", Some(guide), "Openletter");
    let runbook = add("OPS", None, "Runbookhome");
    add("OPS", Some(runbook), "Pagerlist");
    let keys = add("OPS", Some(runbook), "Keyholder");
    // Who may read the plan need not be allowed to read what is below it, and the other way round.
    site.restrict(payroll, &[user("a:ann"), user("a:cat"), user(SYNC)]);
    site.restrict(bonus, &[group(&eng), user(SYNC)]);
    site.restrict(keys, &[group(&ops), user(SYNC)]);
    World { site, eng, pages }
}

impl World {
    /// The titles that a person may read, by the simulated site's own rule.
    pub fn readable(&self, account: &str) -> BTreeSet<&str> {
        let pages = self.pages.iter();
        let may = pages.filter(|(_, page)| self.site.may_read(account, *page));
        may.map(|(title, _)| title.as_str()).collect()
    }

    pub fn titles_in(&self, text: &str) -> BTreeSet<&str> {
        let titles = self.pages.iter().map(|(title, _)| title.as_str());
        titles.filter(|title| text.contains(title)).collect()
    }
}

pub async fn per_user(service: &Service, access: &str) -> Value {
    let body = json!({"name": "A", "agent_id": "a", "confluence_spaces": ["ENG", "OPS"], "access": access});
    let (status, index) = service.post("/api/indexes", body).await;
    assert_eq!(status, 201, "{index}");
    service.over(&index).await;
    service.get(&format!("/api/indexes/{}", id(&index))).await.1
}

/// A token that may speak for others, or not.
pub async fn token(service: &Service, index: &Value, speaks: bool) -> String {
    let path = format!("/api/indexes/{}/tokens", id(index));
    let (status, made) = service
        .post(&path, json!({"speaks_for_others": speaks}))
        .await;
    assert_eq!(
        (status.as_u16(), &made["speaks_for_others"]),
        (201, &json!(speaks))
    );
    made["token"].as_str().unwrap().to_owned()
}

/// Somebody at the chat.
pub struct Person<'a> {
    pub service: &'a Service,
    pub token: &'a str,
    pub email: &'a str,
}

impl Person<'_> {
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let address = format!("{}{path}", self.service.base);
        let request = self
            .service
            .http
            .request(method, address)
            .bearer_auth(self.token);
        match self.email {
            "" => request,
            email => request.header("X-User-Email", email),
        }
    }

    async fn get(&self, path: &str) -> (reqwest::StatusCode, Value) {
        answer(self.request(Method::GET, path)).await
    }

    pub async fn asks(&self, query: Value) -> Value {
        let asked = self
            .request(Method::POST, "/api/indexes/agent/a/query")
            .json(&query);
        let (status, found) = answer(asked).await;
        assert_eq!(status, 200, "{found}");
        found
    }

    /// What a tool says in the session, as one text.
    pub async fn tool(&self, session: &str, name: &str, arguments: Value) -> String {
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": arguments}});
        let sent = self
            .request(Method::POST, "/mcp")
            .header("Accept", "application/json, text/event-stream")
            .header("MCP-Protocol-Version", "2025-06-18")
            .header("Mcp-Session-Id", session)
            .json(&call)
            .send();
        sent.await.unwrap().text().await.unwrap()
    }

    pub async fn session(&self) -> String {
        let client = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
        let hello = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": client});
        let sent = self
            .request(Method::POST, "/mcp")
            .header("Accept", "application/json, text/event-stream")
            .json(&hello)
            .send();
        let response = sent.await.unwrap();
        response.headers()["mcp-session-id"]
            .to_str()
            .unwrap()
            .to_owned()
    }
}

/// Compares all that a person is told with what that person may read.
pub async fn assert_sees(
    world: &World,
    index: &Value,
    session: &str,
    person: &Person<'_>,
    may: &BTreeSet<&str>,
) {
    let who = person.email;
    let base = format!("/api/indexes/{}", id(index));
    let found = person.asks(json!({"query": "zebra", "top_k": 50})).await;
    let of_pages = found["results"].as_array().unwrap().iter();
    let told: BTreeSet<&str> = of_pages
        .filter_map(|result| result["page"]["title"].as_str())
        .filter(|title| !title.ends_with("Home"))
        .collect();
    assert_eq!(&told, may, "{who}: {found}");
    let (_, list) = person.get(&format!("{base}/pages")).await;
    assert_eq!(&world.titles_in(&list.to_string()), may, "{who}");
    let (_, changes) = person.get(&format!("{base}/changes")).await;
    assert_eq!(&world.titles_in(&changes.to_string()), may, "{who}");
    let (_, shown) = person.get(&base).await;
    assert_eq!(shown["last_run"], Value::Null);
    let spaces: Vec<i64> = shown["spaces"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["pages"].as_i64().unwrap())
        .collect();
    let counted: i64 = spaces.iter().sum();
    let homes = i64::try_from(spaces.len()).unwrap();
    assert_eq!(
        counted - homes,
        i64::try_from(may.len()).unwrap(),
        "{who}: {shown}"
    );
    for (title, page) in &world.pages {
        let expected = if may.contains(title.as_str()) {
            200
        } else {
            404
        };
        for path in [
            format!("{base}/pages/{page}"),
            format!("{base}/pages/{page}/markdown"),
            format!("{base}/pages/{page}/passages"),
        ] {
            let (status, body) = person.get(&path).await;
            assert_eq!(status, expected, "{who} {path}: {body}");
        }
        let text = person
            .tool(session, "get_page", json!({"page_id": page.to_string()}))
            .await;
        let told = world.titles_in(&text);
        assert!(told.is_subset(may), "{who} {title}: {text}");
        assert_eq!(
            told.contains(title.as_str()),
            expected == 200,
            "{who} {title}: {text}"
        );
        // A word that only this page has.
        let found = person.asks(json!({"query": title.to_lowercase()})).await;
        let all = found["diagnostics"].to_string();
        assert!(!all.contains("unknown_words\":[{"), "{who}: {found}");
        assert!(
            world.titles_in(&found.to_string()).is_subset(may),
            "{who} {title}: {found}"
        );
    }
    for (tool, arguments) in [
        ("search_confluence", json!({"query": "zebra", "limit": 30})),
        ("recent_changes", json!({"since": "2020-01-01"})),
        ("list_spaces", json!({})),
    ] {
        let text = person.tool(session, tool, arguments).await;
        assert!(
            world.titles_in(&text).is_subset(may),
            "{who} {tool}: {text}"
        );
        if tool == "recent_changes" {
            assert_eq!(&world.titles_in(&text), may, "{who} {tool}: {text}");
        }
    }
}

#[actix_web::test]
async fn each_person_is_shown_what_confluence_would_show() {
    let world = world();
    let service = start(world.site.clone(), &[("API_KEY", KEY)]).await;
    let index = per_user(&service, "per_user").await;
    assert_eq!(
        (&index["access"], &index["status"]),
        (&json!("per_user"), &json!("ok")),
        "{index}"
    );
    let token = token(&service, &index, true).await;
    let as_person = |email| Person {
        service: &service,
        token: &token,
        email,
    };
    let session = as_person("ann@example.org").session().await;
    let nothing = BTreeSet::new();
    for (email, may) in [
        ("ann@example.org", world.readable("a:ann")),
        (" Bob@Example.org", world.readable("a:bob")),
        ("", nothing.clone()),
        ("nobody@example.org", nothing.clone()),
        ("twin@example.org", nothing.clone()),
        ("{{LIBRECHAT_USER_EMAIL}}", nothing.clone()),
    ] {
        assert_sees(&world, &index, &session, &as_person(email), &may).await;
    }
    assert_eq!(
        world.readable("a:ann").len(),
        7,
        "{:?}",
        world.readable("a:ann")
    );
    assert_eq!(
        world.readable("a:bob").len(),
        5,
        "{:?}",
        world.readable("a:bob")
    );

    let (_, people) = service.get("/api/people").await;
    let strangers = people["unknown"].as_array().unwrap();
    assert_eq!(strangers.len(), 1, "{people}");
    assert_eq!(strangers[0]["email"], "nobody@example.org");

    // What the administrator says counts, also where Confluence shows nothing or too much.
    let mapped = json!({"mapped": {"cat@example.org": "a:cat", "twin@example.org": "a:eve"}});
    let (status, people) = answer(service.request(Method::PUT, "/api/people").json(&mapped)).await;
    assert_eq!(status, 200, "{people}");
    assert_eq!(
        (&people["ambiguous"], &people["shown"]),
        (&json!({}), &json!(6)),
        "{people}"
    );
    for (email, account) in [("cat@example.org", "a:cat"), ("twin@example.org", "a:eve")] {
        let may = world.readable(account);
        assert_sees(&world, &index, &session, &as_person(email), &may).await;
    }

    // Who may not speak for others, does not.
    let other = self::token(&service, &index, false).await;
    let forged = Person {
        service: &service,
        token: &other,
        email: "ann@example.org",
    };
    let session = forged.session().await;
    assert_sees(&world, &index, &session, &forged, &nothing).await;
}

/// However many pages somebody may not read, and however well they would answer: they take no places of what may be read.
#[actix_web::test]
async fn what_is_hidden_takes_no_places_of_what_may_be_read() {
    let world = world();
    let open = "<p>Of many things, at last also of a walrus.</p>".to_owned()
        + &"<p>Other words.</p>".repeat(40);
    world.site.create_page("OPS", None, "Openpage", &open);
    for n in 0..60 {
        let title = format!("Walrus {n}");
        // Pages of one text count as one.
        let body = format!("<p>Walrus, walrus of the {n}th sea.</p>");
        let page = world.site.create_page("OPS", None, &title, &body);
        world.site.restrict(page, &[user("a:bob"), user(SYNC)]);
    }
    let service = start(world.site.clone(), &[("API_KEY", KEY)]).await;
    let index = per_user(&service, "per_user").await;
    let token = token(&service, &index, true).await;
    let titles = async |email, query: Value| {
        let (service, token) = (&service, &token);
        let found = Person {
            service,
            token,
            email,
        }
        .asks(query)
        .await;
        let results = found["results"].as_array().unwrap().clone();
        let titles = results
            .iter()
            .map(|result| result["page"]["title"].as_str().unwrap().to_owned());
        (
            titles.collect::<Vec<_>>(),
            found["diagnostics"]["emptied_by"].clone(),
        )
    };
    let (told, _) = titles("ann@example.org", json!({"query": "walrus", "top_k": 1})).await;
    assert_eq!(told, ["Openpage"]);
    let (told, _) = titles("bob@example.org", json!({"query": "walrus", "top_k": 50})).await;
    assert_eq!(told.len(), 50);
    // A filter is not said to have emptied what there is only for others.
    let of_eng = json!({"query": "walrus", "top_k": 1, "filters": {"space": "ENG"}});
    assert_eq!(titles("ann@example.org", of_eng).await.0, [""; 0]);
}

/// The older transport: whoever opened the stream, each message is for the person whom its own request names.
#[actix_web::test]
async fn who_shares_a_stream_of_others_gets_no_answer_of_theirs() {
    let world = world();
    let service = start(world.site.clone(), &[("API_KEY", KEY)]).await;
    let index = per_user(&service, "per_user").await;
    let token = token(&service, &index, true).await;
    let named = |email: &str| {
        let mut headers = reqwest::header::HeaderMap::new();
        if !email.is_empty() {
            headers.insert("X-User-Email", email.parse().unwrap());
        }
        let client = reqwest::Client::builder().default_headers(headers);
        client.build().unwrap()
    };
    let mut stream = Client::open(&service.base, "", &token).await;
    stream.initialize().await;
    let people = [
        ("ann@example.org", "a:ann"),
        ("bob@example.org", "a:bob"),
        ("", "nobody"),
    ];
    for (turn, (email, account)) in people.iter().cycle().take(6).enumerate() {
        stream.http = named(email);
        let question =
            json!({"name": "search_confluence", "arguments": {"query": "zebra", "limit": 30}});
        let told = stream
            .ask(turn as u64 + 1, "tools/call", question)
            .await
            .to_string();
        let may = match *account {
            "nobody" => BTreeSet::new(),
            account => world.readable(account),
        };
        assert_eq!(world.titles_in(&told), may, "{email}: {told}");
    }
}

#[actix_web::test]
async fn what_changes_in_confluence_changes_answers_with_the_next_sweep() {
    let world = world();
    let service = start(world.site.clone(), &[("API_KEY", KEY)]).await;
    let index = per_user(&service, "per_user").await;
    let token = token(&service, &index, true).await;
    let ann = Person {
        service: &service,
        token: &token,
        email: "ann@example.org",
    };
    let session = ann.session().await;
    let page = |title: &str| world.pages.iter().find(|(t, _)| t == title).unwrap().1;
    let changes: [&dyn Fn(); 5] = [
        &|| {
            world
                .site
                .restrict(page("Openletter"), &[user("a:bob"), user(SYNC)])
        },
        &|| world.site.set_members(&world.eng, &["a:bob"]),
        &|| world.site.set_members(&world.eng, &["a:ann", "a:bob"]),
        &|| {
            world
                .site
                .move_under(page("Bonustable"), Some(page("Guidebook")))
        },
        &|| {
            world
                .site
                .limit_space_to("OPS", &[user("a:bob"), user(SYNC)])
        },
    ];
    for change in changes {
        change();
        service.swept(&index).await;
        assert_sees(&world, &index, &session, &ann, &world.readable("a:ann")).await;
    }

    // On its way back to everyone, nothing that is restricted is shown to anybody, before and after the next sync.
    let patch = json!({"access": "everyone"});
    service
        .patch(&format!("/api/indexes/{}", id(&index)), patch)
        .await;
    let open = |found: Value| {
        world
            .titles_in(&found.to_string())
            .into_iter()
            .map(str::to_owned)
            .collect::<BTreeSet<_>>()
    };
    let before = open(ann.asks(json!({"query": "zebra", "top_k": 50})).await);
    service.swept(&index).await;
    let after = open(ann.asks(json!({"query": "zebra", "top_k": 50})).await);
    let unrestricted = ["Guidebook", "Bonustable", "Runbookhome", "Pagerlist"].map(str::to_owned);
    assert_eq!(
        (&before, &after),
        (
            &BTreeSet::from(unrestricted.clone()),
            &BTreeSet::from(unrestricted)
        )
    );
    // And back again: until it is known who may read what, nobody is shown anything.
    service
        .patch(
            &format!("/api/indexes/{}", id(&index)),
            json!({"access": "per_user"}),
        )
        .await;
    assert_eq!(
        ann.asks(json!({"query": "zebra"})).await["results"],
        json!([])
    );
    service.swept(&index).await;
    assert_sees(&world, &index, &session, &ann, &world.readable("a:ann")).await;
}

#[actix_web::test]
async fn permissions_that_cannot_be_read_widen_nothing() {
    let world = world();
    let service = start(world.site.clone(), &[("API_KEY", KEY)]).await;
    service.sim.fail_always("/permissions", Fault::Status(403));
    let index = per_user(&service, "per_user").await;
    let token = token(&service, &index, true).await;
    let ann = Person {
        service: &service,
        token: &token,
        email: "ann@example.org",
    };
    assert_eq!(
        ann.asks(json!({"query": "zebra"})).await["results"],
        json!([])
    );
    let run = service.swept(&index).await;
    assert_eq!(run["status"], "partial", "{run}");
    assert!(
        run["error"]["detail"]
            .as_str()
            .unwrap_or_default()
            .contains("permissions are not complete"),
        "{run}"
    );
}

#[actix_web::test]
async fn each_page_of_an_answer_is_checked_where_that_is_asked_for() {
    let world = world();
    let sim = ConfluenceSim::builder()
        .site(world.site.clone())
        .account(Account::classic(ConfluenceSim::EMAIL, ConfluenceSim::TOKEN).admin());
    let sim = sim.start().await.unwrap();
    let service = start_over(sim, &[("API_KEY", KEY)]).await;
    let index = per_user(&service, "per_user_checked").await;
    let token = token(&service, &index, true).await;
    let as_person = |email| Person {
        service: &service,
        token: &token,
        email,
    };
    let (ann, bob) = (as_person("ann@example.org"), as_person("bob@example.org"));
    let checks = || {
        let requests = service.sim.requests();
        let of_checks = |r: &&LoggedRequest| r.path.ends_with("/permission/check");
        requests.iter().filter(of_checks).count()
    };
    let zebra = json!({"query": "zebra", "top_k": 50});
    let told = ann.asks(zebra.clone()).await;
    assert_eq!(world.titles_in(&told.to_string()), world.readable("a:ann"));
    assert_eq!(checks(), world.readable("a:ann").len(), "one for each page");
    ann.asks(zebra.clone()).await;
    assert_eq!(checks(), world.readable("a:ann").len(), "kept for a minute");

    // A restriction that no sync has seen.
    let letter = world.pages.iter().find(|(title, _)| title == "Openletter");
    world
        .site
        .restrict(letter.unwrap().1, &[user("a:ann"), user(SYNC)]);
    let told = bob.asks(zebra.clone()).await;
    assert_eq!(world.titles_in(&told.to_string()), world.readable("a:bob"));
    assert!(!world.readable("a:bob").contains("Openletter"));

    // What cannot be asked does not leave; whom the sync does not let in is not even asked about.
    service
        .sim
        .fail_always("/permission/check", Fault::Status(403));
    let cat = json!({"mapped": {"cat@example.org": "a:cat"}});
    let put = service.request(Method::PUT, "/api/people").json(&cat);
    assert_eq!(answer(put).await.0, 200);
    let told = as_person("cat@example.org").asks(zebra.clone()).await;
    assert_eq!(told["results"], json!([]), "{told}");
    let before = checks();
    as_person("nobody@example.org").asks(zebra).await;
    assert_eq!(checks(), before);
}

#[actix_web::test]
async fn it_is_explained_who_may_read_what_and_bad_input_is_named() {
    let world = world();
    let service = start_program(world.site.clone(), &[("API_KEY", KEY)]).await;
    let index = per_user(&service, "per_user").await;
    let base = format!("/api/indexes/{}/access", id(&index));
    let page = |title: &str| world.pages.iter().find(|(t, _)| t == title).unwrap().1;
    let explained = async |email: &str, title: &str| {
        let path = format!("{base}?user={email}&page={}", page(title));
        let (status, told) = service.get(&path).await;
        assert_eq!(status, 200, "{told}");
        told
    };
    for (account, email) in &PEOPLE[..2] {
        for (title, page) in &world.pages {
            let told = explained(email, title).await;
            assert_eq!(
                told["allowed"],
                world.site.may_read(account, *page),
                "{email} {title}: {told}"
            );
        }
    }
    let told = explained("bob@example.org", "Bonusrule").await;
    let reasons = told["reasons"].to_string();
    for part in [
        "that of the account a:bob",
        "its own restriction lets in the group",
        "above it names neither the person nor a group",
    ] {
        assert!(reasons.contains(part), "{part}: {reasons}");
    }
    assert!(told["as_of"].is_string());
    let told = explained("twin@example.org", "Guidebook").await;
    assert!(
        told["reasons"][0]
            .as_str()
            .unwrap()
            .contains("2 accounts show this address"),
        "{told}"
    );
    let (_, people) = service.get("/api/people").await;
    assert_eq!(
        people["ambiguous"],
        json!({"twin@example.org": ["a:dan", "a:eve"]})
    );

    let missing = service.get(&format!("{base}?user=ann&page=")).await;
    assert_eq!(
        (missing.0.as_u16(), fields(&missing.1)),
        (422, vec!["user", "page"]),
        "{}",
        missing.1
    );
    assert_problem(
        &service
            .get(&format!("{base}?user=ann@example.org&page=1"))
            .await,
        404,
        "not_found",
    );
    for wrong in [
        json!({"mapped": {"ann": "a:ann"}}),
        json!({"mapped": {"a@x.org": "1", "A@x.org": "2"}}),
        json!({}),
    ] {
        let put = service.request(Method::PUT, "/api/people").json(&wrong);
        assert_eq!(answer(put).await.0, 422, "{wrong}");
    }
    let odd = service
        .patch(
            &format!("/api/indexes/{}", id(&index)),
            json!({"access": "some"}),
        )
        .await;
    assert_eq!((odd.0.as_u16(), fields(&odd.1)), (422, vec!["access"]));
}

#[actix_web::test]
async fn a_file_says_whose_addresses_are_and_no_mistake_in_it_shows_more() {
    let world = world();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("people.yaml");
    let write = |text: &str| std::fs::write(&file, text).unwrap();
    write("# Cat hides her address.\nCat@example.org: a:cat\n");
    let extra = [("API_KEY", KEY), ("PEOPLE_FILE", file.to_str().unwrap())];
    let mut service = start(world.site.clone(), &extra).await;
    let index = per_user(&service, "per_user").await;
    let token = token(&service, &index, true).await;
    let sees = async |service: &Service, email: &str| {
        let person = Person {
            service,
            token: &token,
            email,
        };
        let found = person.asks(json!({"query": "zebra", "top_k": 50})).await;
        let told = world.titles_in(&found["results"].to_string());
        told.into_iter().map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let may = |account: &str| {
        let may = world.readable(account).into_iter();
        may.map(str::to_owned).collect::<BTreeSet<_>>()
    };
    assert_eq!(sees(&service, "cat@example.org").await, may("a:cat"));

    let put = async |service: &Service, mapped: Value| {
        let put = service.request(Method::PUT, "/api/people");
        answer(put.json(&json!({"mapped": mapped}))).await
    };
    let (status, people) = put(&service, json!({"twin@example.org": "a:dan"})).await;
    assert_eq!(status, 200, "{people}");
    assert_eq!(
        (&people["mapped"], &people["from_file"]),
        (
            &json!({"cat@example.org": "a:cat", "twin@example.org": "a:dan"}),
            &json!(["cat@example.org"])
        )
    );
    let refused = put(&service, json!({"cat@example.org": "a:bob"})).await;
    assert_problem(&refused, 409, "conflict");
    assert!(refused.1.to_string().contains("PEOPLE_FILE"), "{refused:?}");

    // A mistake, and nothing of the file is done: neither what is right in it nor what it takes back. So it is after a restart.
    write("cat@example.org: a:cat\ntwin@example.org: a:eve\nCAT@example.org: a:bob\n");
    let told = async |service: &Service| {
        let (_, health) = service.get("/health").await;
        let reasons = health["reasons"].to_string();
        (health["status"] == "degraded" && reasons.contains("people.yaml:3")).then_some(reasons)
    };
    let reasons = until("it is told", async || told(&service).await).await;
    assert!(
        reasons.contains("cat@example.org stands there twice"),
        "{reasons}"
    );
    service.restart(&extra).await;
    until("it is told again", async || told(&service).await).await;
    assert_eq!(sees(&service, "cat@example.org").await, may("a:cat"));
    assert_eq!(sees(&service, "twin@example.org").await, may("a:dan"));

    // The file counts before what was set by hand; of whom it no longer names, it says nothing.
    write("twin@example.org,a:eve\n");
    until("it is carried out", async || {
        let (_, people) = service.get("/api/people").await;
        (people["from_file"] == json!(["twin@example.org"])).then_some(())
    })
    .await;
    assert_eq!(sees(&service, "twin@example.org").await, may("a:eve"));
    assert!(sees(&service, "cat@example.org").await.is_empty());
    let (_, audit) = service.get("/api/audit?action=map_people").await;
    let entry = &audit["items"][0];
    assert_eq!(
        (&entry["actor"], &entry["detail"]),
        (
            &json!("the file of people"),
            &json!({"addresses": 1, "changed": 2})
        )
    );
    let (_, health) = service.get("/health").await;
    assert!(!health.to_string().contains("people.yaml"), "{health}");

    // Without the setting, what the file said is forgotten.
    service.restart(&[("API_KEY", KEY)]).await;
    until("it is forgotten", async || {
        let (_, people) = service.get("/api/people").await;
        (people["mapped"] == json!({})).then_some(())
    })
    .await;
    assert!(sees(&service, "twin@example.org").await.is_empty());
    service.stop().await;
}
