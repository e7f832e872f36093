//! Signing in to the web page at an OpenID Connect issuer: who is let in, as what, until when, and who is not.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use jsonwebtoken::Header;
use reqwest::{Client, Method, Url};
use serde_json::{Value, json};

use crate::access::{per_user, world};
use crate::issuer::{CLIENT, Issuer, SECRET, broken_issuer};
use crate::support::{Service, TIMEOUT, answer, assert_problem, client, id, site, start, until};

const KEY: &str = "administrator-key";
const SESSION: &str = "mcp_confluence_session";
const BEGIN: &str = "/api/session/oidc";
const CALLBACK: &str = "/api/session/oidc/callback";

fn settings(issuer: &str) -> Vec<(&str, &str)> {
    vec![
        ("API_KEY", KEY),
        ("OIDC_ISSUER", issuer),
        ("OIDC_NAME", "Example & Co"),
        ("OIDC_CLIENT_ID", CLIENT),
        ("OIDC_CLIENT_SECRET", SECRET),
        ("OIDC_ADMINISTRATORS", "ops"),
        ("OIDC_EDITORS", "writers"),
        ("OIDC_READERS", "staff, cleo@example.org"),
    ]
}

/// Somebody's browser: it keeps cookies, and tells where it is sent.
pub struct Browser {
    base: String,
    http: Client,
    cookies: Mutex<BTreeMap<String, String>>,
}

/// What a browser is answered.
#[derive(Debug)]
pub struct Shown {
    pub status: u16,
    pub location: Option<String>,
    pub cookies: Vec<String>,
    pub text: String,
}

impl Browser {
    pub fn of(service: &Service) -> Self {
        client();
        let http = Client::builder()
            .no_proxy()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none());
        Self {
            base: service.base.clone(),
            http: http.build().unwrap(),
            cookies: Mutex::default(),
        }
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let address = if path.starts_with('/') {
            format!("{}{path}", self.base)
        } else {
            path.to_owned()
        };
        let cookies = self.cookies.lock().unwrap();
        let all: Vec<String> = cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let request = self.http.request(method, address);
        if all.is_empty() {
            request
        } else {
            request.header("cookie", all.join("; "))
        }
    }

    pub async fn go(&self, path: &str) -> Shown {
        self.sends(self.request(Method::GET, path)).await
    }

    /// Sends a request, and keeps the cookies that come back.
    pub async fn sends(&self, request: reqwest::RequestBuilder) -> Shown {
        let response = request.send().await.unwrap();
        let header = |name: &str| {
            let all = response.headers().get_all(name).iter();
            all.map(|value| value.to_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        let (cookies, location) = (header("set-cookie"), header("location").pop());
        for cookie in &cookies {
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            let mut kept = self.cookies.lock().unwrap();
            if cookie.contains("Max-Age=0") {
                kept.remove(name);
            } else {
                kept.insert(name.to_owned(), value.to_owned());
            }
        }
        Shown {
            status: response.status().as_u16(),
            location,
            cookies,
            text: response.text().await.unwrap(),
        }
    }

    /// Begins; answers where the issuer is.
    async fn begins(&self, to: &str) -> Url {
        let sent = self.go(&format!("{BEGIN}{to}")).await;
        assert_eq!(sent.status, 303, "{sent:?}");
        sent.location.unwrap().parse().unwrap()
    }

    /// Signs in as whoever the claims name.
    async fn signs_in(&self, issuer: &Issuer, claims: Value) -> Shown {
        self.comes_back(issuer, |_, all| with(all, &claims)).await
    }

    async fn comes_back(
        &self,
        issuer: &Issuer,
        change: impl FnOnce(&mut Header, &mut Value),
    ) -> Shown {
        let sent = self.begins("").await;
        self.go(issuer.signs_in(&sent, change).as_str()).await
    }

    async fn asks(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let (status, body) = answer(self.request(method, path).json(&body)).await;
        (status.as_u16(), body)
    }

    async fn gets(&self, path: &str) -> (u16, Value) {
        self.asks(Method::GET, path, json!({})).await
    }

    /// What the page is told of its session.
    async fn session(&self) -> Value {
        self.gets("/api/session").await.1
    }

    fn is_signed_in(&self) -> bool {
        self.cookies.lock().unwrap().contains_key(SESSION)
    }
}

fn with(all: &mut Value, claims: &Value) {
    let claims = claims.as_object().unwrap().clone();
    all.as_object_mut().unwrap().extend(claims);
}

fn ann(groups: &str) -> Value {
    json!({"sub": "ann", "name": "Ann Example", "groups": [groups, "other"], "email": "ann@example.org", "email_verified": true})
}

#[actix_web::test]
async fn people_sign_in_at_the_issuer_and_come_back_to_where_they_wanted_to_go() {
    let issuer = Issuer::of_people();
    let mut service = start(site(0), &settings(&issuer.base)).await;
    let browser = Browser::of(&service);
    let offered = json!({"name": "Example & Co", "used": false, "signs_out": true});
    until("the page knows where one signs out", async || {
        (browser.session().await["oidc"] == offered).then_some(())
    })
    .await;

    let sent = browser.begins("?to=%2Findex%2F1%3Ftab%3Dpages").await;
    let asked: BTreeMap<_, _> = sent.query_pairs().into_owned().collect();
    assert_eq!(asked["scope"], "openid email profile");
    assert_eq!(asked["redirect_uri"], format!("{}{CALLBACK}", service.base));
    let (name, value) = browser
        .cookies
        .lock()
        .unwrap()
        .first_key_value()
        .map(|(n, v)| (n.clone(), v.clone()))
        .unwrap();
    assert!(name.starts_with("mcp_confluence_oidc_") && !value.contains(&asked["nonce"]));
    let back = issuer.signs_in(&sent, |_, all| with(all, &ann("staff")));
    let shown = browser.go(back.as_str()).await;
    assert_eq!(shown.status, 303, "{shown:?}");
    let home = format!("{}/#/index/1?tab=pages", service.base);
    assert_eq!(shown.location.as_ref(), Some(&home));
    let session = shown
        .cookies
        .iter()
        .find(|text| text.starts_with(SESSION))
        .unwrap();
    assert!(
        session.contains("HttpOnly") && session.contains("SameSite=Strict"),
        "{session}"
    );
    assert!(
        !browser.cookies.lock().unwrap().contains_key(&name),
        "its cookie is over"
    );

    let told = json!({"name": "Example & Co", "used": true, "signs_out": true});
    let stands = json!({"required": true, "signed_in": true, "role": "reader", "name": "Ann Example", "oidc": told});
    assert_eq!(browser.session().await, stands);
    assert_eq!(browser.gets("/api/indexes").await.0, 200);
    assert_eq!(
        browser
            .asks(Method::POST, "/api/indexes", json!({}))
            .await
            .0,
        403
    );
    let (_, keys) = service.get("/api/keys").await;
    let row = &keys["items"][0];
    assert_eq!(row["subject"], format!("{}|ann", issuer.base));
    assert_eq!(
        (&row["email"], &row["role"]),
        (&json!("ann@example.org"), &json!("reader"))
    );
    let (_, audit) = service.get("/api/audit?action=sign_in_by_oidc").await;
    let entry = &audit["items"][0];
    assert_eq!(
        (&entry["outcome"], &entry["token_id"]),
        (&json!("done"), &row["id"])
    );

    // The same person is the same row, and a restart signs nobody out.
    let other = Browser::of(&service);
    other.signs_in(&issuer, ann("staff")).await;
    assert_eq!(
        service.get("/api/keys").await.1["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    service.restart(&settings(&issuer.base)).await;
    let moved = Browser {
        base: service.base.clone(),
        ..browser
    };
    assert_eq!(moved.session().await["name"], "Ann Example");

    assert_eq!(
        answer(moved.request(Method::DELETE, "/api/session"))
            .await
            .0,
        204
    );
    assert_eq!(moved.session().await["signed_in"], false);
    let there = moved.go("/api/session/oidc/logout").await;
    let there: Url = there.location.unwrap().parse().unwrap();
    let asked: BTreeMap<_, _> = there.query_pairs().into_owned().collect();
    assert!(
        there
            .as_str()
            .starts_with(&format!("{}/logout?", issuer.base))
    );
    assert_eq!(
        asked["post_logout_redirect_uri"],
        format!("{}/", service.base)
    );

    // Without the issuer in the settings nobody of it is let in.
    service.restart(&[("API_KEY", KEY)]).await;
    let other = Browser {
        base: service.base.clone(),
        ..other
    };
    assert_eq!(other.session().await["signed_in"], false);
    assert_eq!(other.gets("/api/indexes").await.0, 401);
    assert_problem(
        &answer(other.request(Method::GET, BEGIN)).await,
        404,
        "not_found",
    );
    service.stop().await;
}

#[actix_web::test]
async fn the_issuer_says_at_each_sign_in_what_somebody_may() {
    let issuer = Issuer::of_people();
    let service = start(site(1), &settings(&issuer.base)).await;
    let foreign = service.index("ops", &["OPS"]).await;
    let (first, second) = (Browser::of(&service), Browser::of(&service));
    assert_eq!(first.signs_in(&issuer, ann("writers")).await.status, 303);
    let body = json!({"name": "Mine", "agent_id": "mine", "confluence_spaces": ["ENG"]});
    let (status, mine) = first.asks(Method::POST, "/api/indexes", body).await;
    assert_eq!(status, 201, "{mine}");
    let seen = async |browser: &Browser| {
        let (_, list) = browser.gets("/api/indexes").await;
        let all = list["items"].as_array().unwrap().iter();
        all.map(|index| index["agent_id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(seen(&first).await, "mine");
    let path = format!("/api/indexes/{}", id(&foreign));
    assert_eq!(
        first
            .asks(Method::PATCH, &path, json!({"name": "x"}))
            .await
            .0,
        404
    );

    // The same rights leave what is open; others end it.
    second.signs_in(&issuer, ann("writers")).await;
    assert_eq!(seen(&first).await, "mine");
    second.signs_in(&issuer, ann("staff")).await;
    assert_eq!(first.gets("/api/indexes").await.0, 401);
    assert_eq!(seen(&second).await, "ops mine");
    assert_eq!(
        second
            .asks(Method::PATCH, &path, json!({"name": "x"}))
            .await
            .0,
        403
    );
    let (_, keys) = service.get("/api/keys").await;
    assert_eq!(keys["items"][0]["indexes"], json!([]), "{keys}");
    second.signs_in(&issuer, ann("ops")).await;
    assert_eq!(
        second
            .asks(Method::PATCH, &path, json!({"name": "x"}))
            .await
            .0,
        200
    );
    // Whom the issuer calls an editor again has those of before.
    second.signs_in(&issuer, ann("writers")).await;
    assert_eq!(seen(&second).await, "mine");

    let shown = first.signs_in(&issuer, ann("nobody")).await;
    assert_eq!(shown.status, 403);
    assert!(
        shown.text.contains("Ann Example has no role here") && shown.text.contains("OIDC_READERS"),
        "{}",
        shown.text
    );
    assert!(shown.text.contains("Example &amp; Co"));
    assert_eq!(
        second.gets("/api/indexes").await.0,
        401,
        "what they were they are no longer"
    );
    let (_, audit) = service.get("/api/audit?action=sign_in_by_oidc").await;
    assert_eq!(audit["items"][0]["outcome"], "refused");

    // By an address, if it is verified.
    let cleo = |verified: Value| json!({"sub": "cleo", "email": "Cleo@example.org", "email_verified": verified});
    assert_eq!(first.signs_in(&issuer, cleo(json!(true))).await.status, 303);
    for unverified in [json!(false), json!(null)] {
        let shown = Browser::of(&service)
            .signs_in(&issuer, cleo(unverified))
            .await;
        assert_eq!(shown.status, 403);
        assert!(shown.text.contains("is verified"), "{}", shown.text);
    }
    service.stop().await;
}

#[actix_web::test]
async fn who_is_revoked_is_kept_out_until_an_administrator_lets_them_in() {
    let issuer = Issuer::of_people();
    let service = start(site(0), &settings(&issuer.base)).await;
    let browser = Browser::of(&service);
    browser.signs_in(&issuer, ann("writers")).await;
    let (_, keys) = service.get("/api/keys").await;
    let path = format!("/api/keys/{}", id(&keys["items"][0]));
    let replaced = service.post(&format!("{path}/replace"), json!({})).await;
    assert_problem(&replaced, 409, "conflict");
    let mut events = browser
        .request(Method::GET, "/api/events")
        .send()
        .await
        .unwrap();
    assert_eq!(events.status(), 200);
    // A second order does nothing more: it lets nobody in.
    for _ in 0..2 {
        assert_eq!(service.delete(&path).await.0, 204);
        assert_eq!(browser.gets("/api/indexes").await.0, 401);
        let shown = browser.signs_in(&issuer, ann("ops")).await;
        assert_eq!(shown.status, 403);
        assert!(
            shown.text.contains("Ann Example is kept out"),
            "{}",
            shown.text
        );
    }
    let began = Instant::now();
    while let Ok(Some(_)) = events.chunk().await {}
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "what was open ends"
    );
    let (status, admitted) = service.post(&format!("{path}/admit"), json!({})).await;
    assert_eq!(
        (status.as_u16(), &admitted["expires_at"]),
        (200, &Value::Null)
    );
    assert_eq!(browser.signs_in(&issuer, ann("staff")).await.status, 303);
    assert_eq!(browser.session().await["role"], "reader");

    let (_, key) = service
        .post("/api/keys", json!({"name": "Rae", "role": "reader"}))
        .await;
    let path = format!("/api/keys/{}/admit", id(&key));
    assert_problem(&service.post(&path, json!({})).await, 409, "conflict");
    service.stop().await;
}

#[actix_web::test]
async fn who_is_forgotten_is_gone_from_the_database_and_new_when_they_come_again() {
    let issuer = Issuer::of_people();
    let mut service = start(site(0), &settings(&issuer.base)).await;
    let browser = Browser::of(&service);
    browser.signs_in(&issuer, ann("writers")).await;
    let row = async |service: &Service| {
        let (_, keys) = service.get("/api/keys").await;
        keys["items"][0].clone()
    };
    let first = row(&service).await;
    // Also somebody who is kept out.
    assert_eq!(
        service.delete(&format!("/api/keys/{}", id(&first))).await.0,
        204
    );
    let path = format!("/api/keys/{}/person", id(&first));
    let own = browser.asks(Method::DELETE, &path, json!({})).await;
    assert_eq!(own.0, 401);
    assert_eq!(service.delete(&path).await.0, 204);
    assert_eq!(row(&service).await, Value::Null);
    assert_problem(&service.delete(&path).await, 404, "not_found");
    assert_eq!(browser.gets("/api/indexes").await.0, 401);
    // Whoever the issuer gives a role begins anew.
    assert_eq!(browser.signs_in(&issuer, ann("staff")).await.status, 303);
    let second = row(&service).await;
    assert_ne!(first["id"], second["id"]);
    assert_eq!(second["role"], "reader");
    let sessions = async |browser: &Browser| browser.session().await["signed_in"].clone();
    assert_eq!(sessions(&browser).await, true);
    let path = format!("/api/keys/{}/person", id(&second));
    assert_eq!(browser.asks(Method::DELETE, &path, json!({})).await.0, 403);
    assert_eq!(service.delete(&path).await.0, 204);
    until("what is open ends", async || {
        (browser.gets("/api/indexes").await.0 == 401).then_some(())
    })
    .await;
    service.restart(&settings(&issuer.base)).await;
    assert_eq!(row(&service).await, Value::Null);

    let (_, key) = service
        .post("/api/keys", json!({"name": "Rae", "role": "reader"}))
        .await;
    let path = format!("/api/keys/{}/person", id(&key));
    assert_problem(&service.delete(&path).await, 409, "conflict");
    service.stop().await;
}

/// A token endpoint that hangs costs whoever signs in ten seconds, and nobody else anything.
#[actix_web::test]
async fn a_slow_token_endpoint_ends_one_sign_in_and_holds_up_nobody_else() {
    let issuer = Issuer::of_people();
    let service = start(site(0), &settings(&issuer.base)).await;
    let (slow, other) = (Browser::of(&service), Browser::of(&service));
    let sent = slow.begins("").await;
    let back = issuer.signs_in(&sent, |_, all| with(all, &ann("staff")));
    issuer.takes(Duration::from_secs(60));
    let began = Instant::now();
    let waiting = async {
        let shown = slow.go(back.as_str()).await;
        (shown, began.elapsed())
    };
    let meanwhile = async {
        until("it was asked", async || {
            (issuer.exchanges() == 1).then_some(())
        })
        .await;
        issuer.takes(Duration::ZERO);
        let asked = Instant::now();
        assert_eq!(other.signs_in(&issuer, ann("ops")).await.status, 303);
        assert_eq!(other.gets("/api/indexes").await.0, 200);
        assert_eq!(service.get("/health").await.0, 200);
        asked.elapsed()
    };
    let ((shown, took), others) = futures_util::future::join(waiting, meanwhile).await;
    assert!(others < Duration::from_secs(5), "{others:?}");
    assert_eq!(shown.status, 503, "{shown:?}");
    assert!(
        shown.text.contains("gave no ID token for the code") && shown.text.contains("API_KEY"),
        "{}",
        shown.text
    );
    assert!(!slow.is_signed_in());
    let expected = Duration::from_secs(9)..Duration::from_secs(15);
    assert!(expected.contains(&took), "{took:?}");
    // That code is used up; a new sign-in works.
    assert_eq!(slow.signs_in(&issuer, ann("staff")).await.status, 303);
    service.stop().await;
}

#[actix_web::test]
async fn what_is_not_of_this_sign_in_lets_nobody_in() {
    let issuer = Issuer::of_people();
    let service = start(site(0), &settings(&issuer.base)).await;
    let refused = |shown: &Shown, browser: &Browser, status: u16, words: &str| {
        assert_eq!(shown.status, status, "{words}: {shown:?}");
        let said = shown.text.contains(words) && shown.text.contains("You are not signed in");
        assert!(said, "{words}: {}", shown.text);
        assert!(
            !browser.is_signed_in() && shown.location.is_none(),
            "{words}"
        );
    };
    type Change = fn(&mut Header, &mut Value);
    let wrong: [(&str, Change); 9] = [
        ("`nonce`", |_, all| all["nonce"] = json!("another")),
        ("`nonce`", |_, all| all["nonce"] = json!(null)),
        ("InvalidAudience", |_, all| all["aud"] = json!("another")),
        ("`azp`", |_, all| all["azp"] = json!("another")),
        ("`azp`", |_, all| all["aud"] = json!([CLIENT, "another"])),
        ("ExpiredSignature", |_, all| all["exp"] = json!(1)),
        ("InvalidIssuer", |_, all| {
            all["iss"] = json!("https://evil.example")
        }),
        ("`typ`", |header, _| header.typ = Some("at+jwt".into())),
        ("its key is not one of the issuer", |header, _| {
            header.kid = Some("next".into())
        }),
    ];
    for (words, change) in wrong {
        let browser = Browser::of(&service);
        let shown = browser
            .comes_back(&issuer, |header, all| {
                with(all, &ann("ops"));
                change(header, all);
            })
            .await;
        refused(&shown, &browser, 401, words);
    }
    // Not signed by the issuer at all.
    for forged in ["none", "cut", "rubbish"] {
        let browser = Browser::of(&service);
        let sent = browser.begins("").await;
        let mut honest = String::new();
        let back = issuer.signs_in(&sent, |_, all| {
            with(all, &ann("ops"));
            honest = crate::issuer::token(&issuer.base, |claims| *claims = all.clone());
        });
        let claims = honest.split('.').nth(1).unwrap();
        let token = match forged {
            "none" => format!("eyJhbGciOiJub25lIn0.{claims}."),
            "cut" => honest[..honest.len() - 4].to_owned(),
            _ => "<html>".to_owned(),
        };
        issuer.gives(&back, &token);
        let shown = browser.go(back.as_str()).await;
        refused(&shown, &browser, 401, "The ID token is refused");
    }

    // Another browser, another state, a second time.
    let (browser, other) = (Browser::of(&service), Browser::of(&service));
    let sent = browser.begins("").await;
    let back = issuer.signs_in(&sent, |_, all| with(all, &ann("ops")));
    let before = issuer.exchanges();
    let none = "no such sign-in under way";
    refused(&other.go(back.as_str()).await, &other, 400, none);
    other.begins("").await;
    refused(&other.go(back.as_str()).await, &other, 400, none);
    let changed = back.as_str().replace("state=", "state=x");
    refused(&other.go(&changed).await, &other, 400, none);
    refused(&other.go(CALLBACK).await, &other, 400, none);
    assert_eq!(issuer.exchanges(), before, "the issuer was not asked");
    let cookies = browser.cookies.lock().unwrap().clone();
    assert_eq!(browser.go(back.as_str()).await.status, 303);
    assert_eq!(issuer.exchanges(), before + 1);
    let thief = Browser::of(&service);
    *thief.cookies.lock().unwrap() = cookies;
    refused(&thief.go(back.as_str()).await, &thief, 400, none);
    assert_eq!(issuer.exchanges(), before + 1);

    // A code that another sign-in got: the issuer refuses it for its PKCE.
    let browser = Browser::of(&service);
    let (one, two) = (browser.begins("").await, browser.begins("").await);
    let (one, two) = [one, two]
        .map(|sent| issuer.signs_in(&sent, |_, all| with(all, &ann("ops"))))
        .into();
    let code = |back: &Url| {
        back.query_pairs()
            .find(|(name, _)| name == "code")
            .unwrap()
            .1
            .into_owned()
    };
    let swapped = one.as_str().replace(&code(&one), &code(&two));
    refused(&browser.go(&swapped).await, &browser, 401, "invalid_grant");

    // RFC 9207.
    let browser = Browser::of(&service);
    let back = |issuer: &Issuer, sent: &Url, iss: Option<&str>| {
        let mut back = issuer.signs_in(sent, |_, all| with(all, &ann("ops")));
        if let Some(iss) = iss {
            back.query_pairs_mut().append_pair("iss", iss);
        }
        back
    };
    let sent = browser.begins("").await;
    let evil = back(&issuer, &sent, Some("https://evil.example"));
    refused(
        &browser.go(evil.as_str()).await,
        &browser,
        401,
        "Another issuer",
    );

    // The issuer says no; its words are only text.
    let sent = browser.begins("").await;
    let asked: BTreeMap<_, _> = sent.query_pairs().into_owned().collect();
    let denied = format!(
        "{CALLBACK}?error=access_denied&error_description=%3Cb%3Enot%20you&state={}",
        asked["state"]
    );
    let shown = browser.go(&denied).await;
    refused(&shown, &browser, 403, "(access_denied): &lt;b&gt;not you.");
    let sent = browser.begins("").await;
    let asked: BTreeMap<_, _> = sent.query_pairs().into_owned().collect();
    let empty = format!("{CALLBACK}?state={}", asked["state"]);
    refused(
        &browser.go(&empty).await,
        &browser,
        401,
        "neither a code nor a reason",
    );
    assert_eq!(
        service.get("/api/keys").await.1["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    service.stop().await;

    issuer
        .says(|metadata| metadata["authorization_response_iss_parameter_supported"] = json!(true));
    let service = start(site(0), &settings(&issuer.base)).await;
    let browser = Browser::of(&service);
    let sent = browser.begins("").await;
    let silent = back(&issuer, &sent, None);
    refused(
        &browser.go(silent.as_str()).await,
        &browser,
        401,
        "has not said that it was it",
    );
    let sent = browser.begins("").await;
    let named = back(&issuer, &sent, Some(&issuer.base));
    assert_eq!(browser.go(named.as_str()).await.status, 303);
    service.stop().await;
}

#[actix_web::test]
async fn an_issuer_that_is_away_or_answers_rubbish_is_said_so() {
    let issuer = Issuer::of_people();
    let service = start(site(0), &settings(&issuer.base)).await;
    let browser = Browser::of(&service);
    for (status, body, code, words) in [
        (500, "{}", 503, "status 500"),
        (200, "<html>", 503, "HTML instead of JSON"),
        (200, "{\"id_token\": 1}", 503, "broken JSON"),
        (
            200,
            "{\"access_token\": \"x\"}",
            503,
            "none is in its answer",
        ),
        (200, "{\"id_token\": \"x\"}", 401, "The ID token is refused"),
        (
            400,
            "{\"error\": \"invalid_client\"}",
            503,
            "OIDC_CLIENT_SECRET",
        ),
        (400, "{\"error\": \"<b>Odd\"}", 503, "status 400"),
        (302, "", 503, "status 302"),
    ] {
        issuer.answers(Some((status, body)));
        let shown = browser.signs_in(&issuer, ann("ops")).await;
        assert_eq!(shown.status, code, "{words}: {shown:?}");
        assert!(shown.text.contains(words), "{words}: {}", shown.text);
        assert!(!browser.is_signed_in());
    }
    issuer.answers(Some((200, &format!("\"{}\"", "x".repeat(300_000)))));
    let shown = browser.signs_in(&issuer, ann("ops")).await;
    assert!(
        shown.status == 503 && shown.text.contains("more than"),
        "{shown:?}"
    );
    issuer.answers(None);
    assert_eq!(browser.signs_in(&issuer, ann("ops")).await.status, 303);
    service.stop().await;

    let (broken, _) = broken_issuer();
    let service = start(site(0), &settings(&broken)).await;
    let browser = Browser::of(&service);
    let shown = browser.go(BEGIN).await;
    assert_eq!((shown.status, shown.location), (503, None));
    assert!(
        shown.text.contains("cannot be fetched") && shown.text.contains("API_KEY"),
        "{}",
        shown.text
    );
    assert!(browser.cookies.lock().unwrap().is_empty());
    let opened = service
        .http
        .post(format!("{}/api/session", service.base))
        .json(&json!({"key": KEY}));
    assert_eq!(answer(opened).await.0, 200, "the key goes on to sign in");
    service.stop().await;

    let issuer = Issuer::of_people();
    issuer.says(|metadata| {
        metadata["authorization_endpoint"] = json!("http://evil.example/authorize")
    });
    let service = start(site(0), &settings(&issuer.base)).await;
    let shown = Browser::of(&service).go(BEGIN).await;
    assert_eq!((shown.status, shown.location), (503, None));
    assert!(
        shown.text.contains("authorization_endpoint"),
        "{}",
        shown.text
    );
    service.stop().await;
}

#[actix_web::test]
async fn a_new_key_of_the_issuer_is_looked_for_at_once() {
    let issuer = Issuer::of_people();
    let service = start(site(0), &settings(&issuer.base)).await;
    let browser = Browser::of(&service);
    assert_eq!(browser.signs_in(&issuer, ann("staff")).await.status, 303);
    issuer.rotate();
    let rotated = browser.comes_back(&issuer, |header, all| {
        header.kid = Some("next".to_owned());
        with(all, &ann("staff"));
    });
    assert_eq!(rotated.await.status, 303);
    // The key of before is none of the issuer's any more.
    let browser = Browser::of(&service);
    let old = browser.signs_in(&issuer, ann("staff")).await;
    assert!(
        old.status == 401 && old.text.contains("its key is not one of the issuer"),
        "{old:?}"
    );
    service.stop().await;
}

#[actix_web::test]
async fn a_client_says_who_it_is_as_the_issuer_wants_it() {
    for methods in [
        json!(["client_secret_post", "private_key_jwt"]),
        json!(["client_secret_basic"]),
        json!(null),
    ] {
        let issuer = Issuer::of_people();
        issuer.says(|metadata| metadata["token_endpoint_auth_methods_supported"] = methods.clone());
        let service = start(site(0), &settings(&issuer.base)).await;
        let shown = Browser::of(&service).signs_in(&issuer, ann("staff")).await;
        assert_eq!(shown.status, 303, "{methods}: {shown:?}");
        service.stop().await;
    }
    let issuer = Issuer::of_people();
    issuer.says(|metadata| metadata["public"] = json!(true));
    let all = settings(&issuer.base);
    let public: Vec<_> = all
        .into_iter()
        .filter(|(name, _)| *name != "OIDC_CLIENT_SECRET")
        .collect();
    let service = start(site(0), &public).await;
    let shown = Browser::of(&service).signs_in(&issuer, ann("staff")).await;
    assert_eq!(shown.status, 303, "{shown:?}");
    service.stop().await;
}

#[actix_web::test]
async fn several_tabs_and_a_prefix_are_no_trouble() {
    let issuer = Issuer::of_people();
    let mut all = settings(&issuer.base);
    all.push(("PUBLIC_BASE_URL", "https://sync.example.com/confluence/"));
    let service = start(site(0), &all).await;
    let browser = Browser::of(&service);
    let first = browser.begins("?to=%2Fask").await;
    let mut tabs = Vec::new();
    for _ in 0..5 {
        tabs.push(browser.begins("?to=%2F%2Fevil.example%2F").await);
    }
    let kept = browser.cookies.lock().unwrap().clone();
    assert_eq!(kept.len(), 5, "the oldest goes");
    assert!(
        kept.keys()
            .all(|name| name.starts_with("__Host-mcp_confluence_oidc_")),
        "{kept:?}"
    );
    let at_home = |sent: &Url| {
        let back = issuer.signs_in(sent, |_, all| with(all, &ann("staff")));
        let public = "https://sync.example.com/confluence/";
        let path = back.as_str().strip_prefix(public).unwrap();
        // The proxy takes the prefix away.
        format!("/{path}")
    };
    assert_eq!(browser.go(&at_home(&first)).await.status, 400);
    for sent in tabs {
        let shown = browser.go(&at_home(&sent)).await;
        assert_eq!(shown.status, 303, "{shown:?}");
        // Whatever it is, it stands behind the `#` of our own page.
        let home = "https://sync.example.com/confluence/#//evil.example/";
        assert_eq!(shown.location.as_deref(), Some(home));
        assert!(shown.cookies.iter().all(|cookie| cookie.contains("Secure")));
    }
    service.stop().await;
}

#[actix_web::test]
async fn whoever_signed_in_is_answered_what_they_may_read() {
    let world = world();
    let issuer = Issuer::of_people();
    let service = start(world.site.clone(), &settings(&issuer.base)).await;
    let index = per_user(&service, "per_user").await;
    for (account, email, role) in [
        ("a:ann", "ann@example.org", "staff"),
        ("a:bob", "bob@example.org", "staff"),
        ("a:bob", "bob@example.org", "ops"),
    ] {
        let browser = Browser::of(&service);
        let claims =
            json!({"sub": account, "groups": role, "email": email, "email_verified": true});
        assert_eq!(browser.signs_in(&issuer, claims).await.status, 303);
        let query = json!({"query": "zebra", "top_k": 50});
        let (status, found) = browser
            .asks(Method::POST, "/api/indexes/agent/a/query", query)
            .await;
        assert_eq!(status, 200, "{found}");
        let titles = found["results"].as_array().unwrap().iter();
        let titles = titles.filter_map(|result| result["page"]["title"].as_str());
        let told = titles.filter(|title| !title.ends_with("Home")).collect();
        assert_eq!(world.readable(account), told, "{account} as {role}");
        // Who looks after the index sees how all of it stands.
        let (_, list) = browser
            .gets(&format!("/api/indexes/{}/pages?limit=500", id(&index)))
            .await;
        let listed = world.titles_in(&list.to_string()).len();
        let expected = if role == "ops" {
            8
        } else {
            world.readable(account).len()
        };
        assert_eq!(listed, expected, "{account} as {role}");
    }
    // Nobody vouches for this address.
    let browser = Browser::of(&service);
    let claims =
        json!({"sub": "x", "groups": "staff", "email": "ann@example.org", "email_verified": false});
    browser.signs_in(&issuer, claims).await;
    let query = json!({"query": "zebra", "top_k": 50});
    let (_, found) = browser
        .asks(Method::POST, "/api/indexes/agent/a/query", query)
        .await;
    assert!(!found.to_string().contains("Payrollplan"), "{found}");
    service.stop().await;
}
