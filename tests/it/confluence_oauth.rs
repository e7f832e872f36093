//! Confluence by OAuth: an administrator connects, access tokens end and are replaced, restarts and kills change nothing, and a refusal
//! says what helps and deletes nothing.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use reqwest::{Method, Url};
use serde_json::{Value, json};
use simulators::atlassian::AtlassianSim;
use simulators::confluence::{ConfluenceSim, Site};

use crate::oidc::{Browser, Shown};
use crate::process::borrowed;
use crate::support::{
    Service, answer, assert_problem, id, site, start_over, start_program_over, until,
};
use crate::troubles::doctor;

const KEY: &str = "administrator-key";
const SECRETS: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const OAUTH: &str = "/api/confluence/oauth";
const BEGIN: &str = "/api/confluence/oauth/authorize";
const TOKEN: &str = "/oauth/token";
/// Of `site(n)`, beside the n: two with text, and the home pages of both spaces.
const OTHERS: usize = 4;

type Pairs = Vec<(String, String)>;

fn settings(sim: &ConfluenceSim, atlassian: &AtlassianSim) -> Pairs {
    [
        ("CONFLUENCE_EMAIL", ""),
        ("CONFLUENCE_API_TOKEN", ""),
        ("CONFLUENCE_OAUTH_CLIENT_ID", AtlassianSim::CLIENT_ID),
        (
            "CONFLUENCE_OAUTH_CLIENT_SECRET",
            AtlassianSim::CLIENT_SECRET,
        ),
        ("CONFLUENCE_OAUTH_URL", atlassian.base_url()),
        ("CONFLUENCE_GATEWAY_URL", sim.base_url()),
        ("SECRETS_KEY", SECRETS),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

fn and<'a>(settings: &'a Pairs, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let all = borrowed(settings).into_iter().chain(more.iter().copied());
    // The last of a name holds.
    all.collect::<BTreeMap<_, _>>().into_iter().collect()
}

/// An authorization server whose tokens reach another site before ours, and the site.
async fn simulated(site: Site) -> (AtlassianSim, ConfluenceSim) {
    let atlassian = AtlassianSim::builder().site("another", "https://another.atlassian.net");
    let atlassian = atlassian.start().await.unwrap();
    let sim = ConfluenceSim::builder()
        .site(site)
        .authorized_by(&atlassian)
        .start()
        .await
        .unwrap();
    (atlassian, sim)
}

/// Goes to Atlassian, consents, and comes back.
async fn connects(browser: &Browser) -> Shown {
    let sent = browser.go(BEGIN).await;
    assert_eq!(sent.status, 303, "{sent:?}");
    let consented = browser.go(&sent.location.unwrap()).await;
    assert_eq!(consented.status, 302, "{consented:?}");
    browser.go(&consented.location.unwrap()).await
}

async fn connected(service: &Service) {
    let shown = connects(&Browser::of(service)).await;
    assert_eq!(shown.status, 303, "{shown:?}");
    let home = format!("{}/#/checks", service.base);
    assert_eq!(shown.location, Some(home));
}

/// Whether a file of the folder, or of one below it, holds one of the texts.
fn holds(folder: &Path, texts: &[String]) -> Option<String> {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if let Some(found) = holds(&path, texts) {
                return Some(found);
            }
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let found = |text: &&String| {
            bytes
                .windows(text.len())
                .any(|part| part == text.as_bytes())
        };
        if let Some(text) = texts.iter().find(found) {
            return Some(format!("{} holds {text}", path.display()));
        }
    }
    None
}

#[actix_web::test]
async fn an_administrator_connects_and_a_restart_goes_on() {
    let (atlassian, sim) = simulated(site(5)).await;
    let settings = settings(&sim, &atlassian);
    let mut service = start_over(sim, &borrowed(&settings)).await;
    // Nobody has connected yet, and everything says what helps.
    let spaces = service.get("/api/spaces").await;
    assert_problem(&spaces, 503, "confluence_unauthorized");
    assert!(
        spaces.1["detail"].as_str().unwrap().contains(BEGIN),
        "{spaces:?}"
    );
    let (_, view) = service.get(OAUTH).await;
    assert_eq!(
        (&view["state"], &view["site"]),
        (&json!("missing"), &Value::Null)
    );
    let (_, health) = service.get("/health").await;
    assert!(
        health["reasons"]
            .to_string()
            .contains("Confluence is not connected"),
        "{health}"
    );
    assert_problem(&service.delete(OAUTH).await, 404, "not_found");
    let (code, said, _) = doctor(&service, &borrowed(&settings)).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("connection to Confluence: Confluence is not connected"),
        "{said}"
    );

    connected(&service).await;
    let (_, view) = service.get(OAUTH).await;
    assert_eq!(view["state"], "connected", "{view}");
    assert_eq!(view["site"], service.sim.base_url());
    assert_eq!(view["cloud_id"], service.sim.cloud_id());
    assert!(
        view["connected_by"]
            .as_str()
            .unwrap()
            .starts_with("the administrator"),
        "{view}"
    );
    assert!(view["scopes"].to_string().contains("read:page:confluence"));
    assert_eq!(view["trouble"], Value::Null);
    let text = view.to_string();
    assert!(atlassian.tokens().iter().all(|token| !text.contains(token)));

    service.sim.reset_log();
    let index = service.synced_index("all", &["ENG", "OPS"]).await;
    assert_eq!(index["document_count"], 5 + OTHERS, "{index}");
    let gateway = format!("/ex/confluence/{}/wiki/", service.sim.cloud_id());
    let requests = service.sim.requests();
    assert!(
        requests
            .iter()
            .all(|request| request.path.starts_with(&gateway))
    );
    // Neither token is in any file; not in the log of the database either.
    let tokens = atlassian.tokens();
    assert!(tokens.len() >= 2);
    assert_eq!(holds(service.folder.path(), &tokens), None);

    service.restart(&borrowed(&settings)).await;
    let run = service.swept(&index).await;
    assert_eq!(run["status"], "succeeded", "{run}");
    assert_eq!(atlassian.refreshes(), 0, "the access token was kept, too");
    assert_eq!(holds(service.folder.path(), &tokens), None);
    let (code, said, _) = doctor(&service, &borrowed(&settings)).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("connection to Confluence: http://127.0.0.1"),
        "{said}"
    );

    let (_, audit) = service.get("/api/audit?action=confluence_connected").await;
    let entry = &audit["items"][0];
    assert_eq!(
        (&entry["outcome"], &entry["subject"]),
        (&json!("done"), &json!(service.sim.base_url()))
    );
    let gone = service.request(Method::DELETE, OAUTH).send().await.unwrap();
    assert_eq!(gone.status(), 204);
    let (_, audit) = service.get("/api/audit?action=disconnect_confluence").await;
    assert_eq!(audit["items"].as_array().unwrap().len(), 1);
    assert_eq!(service.get(OAUTH).await.1["state"], "missing");
    assert_problem(
        &service.get("/api/spaces").await,
        503,
        "confluence_unauthorized",
    );
    service.stop().await;
}

#[actix_web::test]
async fn an_access_token_that_ends_in_a_run_is_replaced_once() {
    const PAGES: usize = 400;
    let (atlassian, sim) = simulated(site(PAGES)).await;
    atlassian.switches(|s| s.access_lives = Duration::from_secs(60));
    let settings = settings(&sim, &atlassian);
    let service = start_over(sim, &borrowed(&settings)).await;
    connected(&service).await;
    // Brand new, it would not be taken for an ended one.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    service
        .sim
        .switches(|s| s.latency = Duration::from_millis(40));
    atlassian.switches(|s| s.latency = Duration::from_millis(150));
    let index = service.index("all", &["ENG", "OPS"]).await;
    until("the run is at it", async || {
        let asked = service.sim.count_of("/wiki/api/v2/spaces/{id}/pages");
        (asked > 0).then_some(())
    })
    .await;
    atlassian.end_access_tokens();
    let run = service.over(&index).await;
    assert_eq!(run["status"], "succeeded", "{run}");
    assert_eq!(atlassian.refreshes(), 1);
    assert_eq!(atlassian.count_of(TOKEN), 2, "one for the code");
    let refused = service
        .sim
        .requests()
        .iter()
        .filter(|r| r.status == 401)
        .count();
    assert!(refused >= 1, "it ended in the run");
    let (_, index) = service.get(&format!("/api/indexes/{}", id(&index))).await;
    assert_eq!(index["document_count"], PAGES + OTHERS, "{index}");
    assert_eq!(holds(service.folder.path(), &atlassian.tokens()), None);
    service.stop().await;
}

#[actix_web::test]
async fn a_refused_refresh_says_what_helps_and_deletes_nothing() {
    let (atlassian, sim) = simulated(site(5)).await;
    atlassian.switches(|s| s.access_lives = Duration::from_secs(60));
    let settings = settings(&sim, &atlassian);
    let mut service = start_over(sim, &borrowed(&settings)).await;
    connected(&service).await;
    let index = service.synced_index("all", &["ENG", "OPS"]).await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    atlassian.withdraw();
    for _ in 0..2 {
        let run = service.swept(&index).await;
        assert_eq!(run["status"], "failed", "{run}");
        let why = run["error"]["detail"].as_str().unwrap();
        assert!(
            why.contains("invalid_grant") && why.contains(BEGIN),
            "{why}"
        );
    }
    assert_eq!(atlassian.count_of(TOKEN), 2, "asked once, and no more");
    let path = format!("/api/indexes/{}", id(&index));
    let (_, now) = service.get(&path).await;
    assert_eq!(now["document_count"], 5 + OTHERS, "{now}");
    let asked = json!({"query": "zebra"});
    let (status, found) = service.post("/api/indexes/agent/all/query", asked).await;
    assert_eq!(status, 200);
    assert!(!found["results"].as_array().unwrap().is_empty(), "{found}");
    let (_, view) = service.get(OAUTH).await;
    assert_eq!(view["state"], "refused");
    assert!(
        view["trouble"].as_str().unwrap().contains("invalid_grant"),
        "{view}"
    );
    let (_, health) = service.get("/health").await;
    assert!(
        health["reasons"].to_string().contains("invalid_grant"),
        "{health}"
    );

    service.restart(&borrowed(&settings)).await;
    assert_problem(
        &service.get("/api/spaces").await,
        503,
        "confluence_unauthorized",
    );
    assert_eq!(atlassian.count_of(TOKEN), 2);
    connected(&service).await;
    let run = service.swept(&index).await;
    assert_eq!(run["status"], "succeeded", "{run}");
    assert_eq!(
        (&run["counts"]["deleted"], &run["counts"]["uploaded"]),
        (&json!(0), &json!(0)),
        "{run}"
    );
    assert_eq!(service.get(OAUTH).await.1["trouble"], Value::Null);
    service.stop().await;
}

#[actix_web::test]
async fn consent_for_another_site_is_refused() {
    let atlassian = AtlassianSim::builder().start().await.unwrap();
    // As Atlassian names it, it is not the site of the settings.
    let sim = ConfluenceSim::builder()
        .public_url("https://another.atlassian.net")
        .authorized_by(&atlassian)
        .start()
        .await
        .unwrap();
    let settings = settings(&sim, &atlassian);
    let service = start_over(sim, &borrowed(&settings)).await;
    let shown = connects(&Browser::of(&service)).await;
    assert_eq!(shown.status, 403, "{shown:?}");
    for said in [
        "Confluence is not connected",
        service.sim.base_url(),
        "https://another.atlassian.net",
        BEGIN,
    ] {
        assert!(shown.text.contains(said), "{said}: {}", shown.text);
    }
    assert_eq!(service.get(OAUTH).await.1["state"], "missing");
    atlassian.switches(|s| s.denies = true);
    let shown = connects(&Browser::of(&service)).await;
    assert_eq!(shown.status, 403);
    assert!(shown.text.contains("access_denied"), "{}", shown.text);
    service.stop().await;
}

#[actix_web::test]
async fn only_an_administrators_own_browser_connects() {
    let (atlassian, sim) = simulated(site(0)).await;
    let settings = settings(&sim, &atlassian);
    let service = start_over(sim, &and(&settings, &[("API_KEY", KEY)])).await;
    let key = async |role: &str| {
        let (status, key) = service
            .post("/api/keys", json!({"name": role, "role": role}))
            .await;
        assert_eq!(status, 201, "{key}");
        (
            id(&key).to_owned(),
            key["token"].as_str().unwrap().to_owned(),
        )
    };
    let (_, editor) = key("editor").await;
    let (admin_id, admin) = key("administrator").await;
    let begin = async |browser: &Browser, key: Option<&str>| {
        let mut request = browser.request(Method::GET, BEGIN);
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        browser.sends(request).await
    };
    for (key, status) in [(None, 401), (Some(editor.as_str()), 403)] {
        assert_eq!(begin(&Browser::of(&service), key).await.status, status);
        for method in [Method::GET, Method::DELETE] {
            let request = service
                .http
                .request(method, format!("{}{OAUTH}", service.base));
            let request = match key {
                Some(key) => request.bearer_auth(key),
                None => request,
            };
            assert_eq!(answer(request).await.0.as_u16(), status);
        }
    }

    let browser = Browser::of(&service);
    let sent = begin(&browser, Some(KEY)).await;
    let to: Url = sent.location.unwrap().parse().unwrap();
    let asked: BTreeMap<_, _> = to.query_pairs().into_owned().collect();
    assert_eq!(asked["audience"], "api.atlassian.com");
    assert_eq!(asked["prompt"], "consent");
    assert_eq!(
        asked["redirect_uri"],
        format!("{}{OAUTH}/callback", service.base)
    );
    assert!(asked["scope"].ends_with(" offline_access"), "{asked:?}");
    assert!(sent.cookies[0].contains("HttpOnly") && sent.cookies[0].contains("SameSite=Lax"));
    let back = browser.go(to.as_str()).await.location.unwrap();
    // By another browser, with a state of another attempt, or with none: nothing is even asked of Atlassian.
    let other = Browser::of(&service);
    let others = begin(&other, Some(KEY)).await.location.unwrap();
    let others: Url = others.parse().unwrap();
    let others = others
        .query_pairs()
        .find(|(name, _)| name == "state")
        .unwrap()
        .1
        .into_owned();
    let mixed = back.replace(&asked["state"], &others);
    let without = back.split("&state=").next().unwrap().to_owned();
    for (browser, back) in [
        (&Browser::of(&service), &back),
        (&other, &back),
        (&browser, &mixed),
        (&browser, &without),
    ] {
        let shown = browser.go(back).await;
        assert_eq!(shown.status, 400, "{shown:?}");
        assert!(
            shown.text.contains("no such attempt to connect"),
            "{}",
            shown.text
        );
    }
    assert_eq!(atlassian.count_of(TOKEN), 0);
    assert_eq!(browser.go(&back).await.status, 303);
    assert_eq!(browser.go(&back).await.status, 400, "once");
    assert_eq!(atlassian.count_of(TOKEN), 1);

    // Who is no administrator any more when they come back connects nothing: the key revoked, or over.
    let (replaced_id, replaced) = key("administrator").await;
    let late = async |key: &str| {
        let browser = Browser::of(&service);
        let sent = begin(&browser, Some(key)).await.location.unwrap();
        let back = browser.go(&sent).await.location.unwrap();
        (browser, back)
    };
    let (of_revoked, of_replaced) = (late(&admin).await, late(&replaced).await);
    let revoked = service.request(Method::DELETE, &format!("/api/keys/{admin_id}"));
    assert!(revoked.send().await.unwrap().status().is_success());
    let replace = format!("/api/keys/{replaced_id}/replace");
    let (status, new) = service
        .post(&replace, json!({"old_ends_in_hours": 0}))
        .await;
    assert_eq!(status, 201, "{new}");
    for (browser, back) in [of_revoked, of_replaced] {
        let shown = browser.go(&back).await;
        assert_eq!(shown.status, 403, "{shown:?}");
    }
    assert_eq!(atlassian.count_of(TOKEN), 1);
    service.stop().await;
}

#[actix_web::test]
async fn another_secrets_key_is_named() {
    let (atlassian, sim) = simulated(site(1)).await;
    let settings = settings(&sim, &atlassian);
    let mut service = start_over(sim, &borrowed(&settings)).await;
    connected(&service).await;
    let other = "ff".repeat(32);
    service
        .restart(&and(&settings, &[("SECRETS_KEY", &other)]))
        .await;
    let spaces = service.get("/api/spaces").await;
    assert_problem(&spaces, 503, "confluence_unauthorized");
    let said = spaces.1["detail"].as_str().unwrap();
    assert!(said.contains("SECRETS_KEY is not the key"), "{said}");
    let (_, view) = service.get(OAUTH).await;
    assert_eq!(view["state"], "refused");
    assert!(
        view["trouble"].as_str().unwrap().contains("SECRETS_KEY"),
        "{view}"
    );
    let app = [("CONFLUENCE_OAUTH_CLIENT_ID", "another-app")];
    service.restart(&and(&settings, &app)).await;
    let (_, view) = service.get(OAUTH).await;
    assert!(
        view["trouble"].as_str().unwrap().contains("another app"),
        "{view}"
    );
    // With the right one again it goes on.
    service.restart(&borrowed(&settings)).await;
    assert_eq!(service.get("/api/spaces").await.0, 200);
    service.stop().await;
}

#[actix_web::test]
async fn killed_between_the_refresh_and_the_row_it_uses_the_old_token_again() {
    let (atlassian, sim) = simulated(site(3)).await;
    atlassian.switches(|s| s.access_lives = Duration::from_secs(60));
    let settings = settings(&sim, &atlassian);
    let mut service = start_program_over(sim, &borrowed(&settings)).await;
    connected(&service).await;
    let index = service.synced_index("all", &["ENG", "OPS"]).await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    atlassian.end_access_tokens();
    // Atlassian has made the next tokens, and the program dies before it hears of them.
    atlassian.switches(|s| s.answers_late = Duration::from_secs(600));
    let (status, run) = service
        .post(&format!("/api/indexes/{}/sync", id(&index)), json!({}))
        .await;
    assert_eq!(status, 202, "{run}");
    until("the next tokens are made", async || {
        (atlassian.refreshes() == 1).then_some(())
    })
    .await;
    let mut dead = service.program.take().unwrap();
    dead.child.kill().unwrap();
    dead.child.wait().unwrap();
    atlassian.switches(|s| s.answers_late = Duration::ZERO);
    service.start_again(&borrowed(&settings)).await;
    let run = service.swept(&index).await;
    assert_eq!(run["status"], "succeeded", "{run}");
    assert_eq!(atlassian.refreshes(), 2, "the old one was good still");
    assert_eq!(holds(service.folder.path(), &atlassian.tokens()), None);
    service.stop().await;
}
