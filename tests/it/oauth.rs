//! OAuth 2.1 as a resource server: tokens of the issuer, made out for us, may read; all others may not.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::access::{per_user, world};
use crate::attacks::all_held;
use crate::issuer::{Issuer, broken_issuer, issuer, issuer_that, signed, token};
use crate::support::{Service, answer, assert_problem, site, start, start_program, until};

#[actix_web::test]
async fn an_issuer_that_is_away_is_said_so_and_is_not_asked_by_every_request() {
    let (issuer, asked) = broken_issuer();
    let settings = [
        ("OAUTH_ISSUER", issuer.as_str()),
        ("OAUTH_AUDIENCE", "confluence-sync"),
    ];
    let service = start(site(0), &settings).await;
    let token = token(&issuer, |_| {});
    let answers = futures_util::future::join_all((0..8).map(|_| ask(&service, &token))).await;
    for refused in &answers {
        assert_problem(refused, 503, "issuer_unreachable");
    }
    let known = asked.load(Ordering::SeqCst);
    assert!(known <= 2, "one look at each of two addresses, not {known}");
    service.stop().await;
}

async fn ask(service: &Service, token: &str) -> (reqwest::StatusCode, Value) {
    answer(
        service
            .http
            .get(format!("{}/api/indexes", service.base))
            .bearer_auth(token),
    )
    .await
}

#[actix_web::test]
async fn good_tokens_read_and_change_nothing() {
    let issuer = issuer();
    let settings = [
        ("OAUTH_ISSUER", issuer.as_str()),
        ("OAUTH_AUDIENCE", "confluence-sync"),
        ("API_KEY", "administrator-key"),
    ];
    let service = start(site(1), &settings).await;
    let good = token(&issuer, |_| {});
    assert_eq!(ask(&service, &good).await.0, 200);
    let write = service
        .http
        .post(format!("{}/api/indexes", service.base))
        .bearer_auth(&good)
        .json(&json!({}));
    assert_problem(&answer(write).await, 403, "forbidden");
    assert_eq!(
        service.get("/api/indexes").await.0,
        200,
        "the key goes on to work"
    );

    for (what, bad) in [
        (
            "another issuer",
            token(&issuer, |claims| {
                claims["iss"] = json!("https://evil.example.com")
            }),
        ),
        (
            "another audience",
            token(&issuer, |claims| claims["aud"] = json!("another-service")),
        ),
        ("expired", token(&issuer, |claims| claims["exp"] = json!(1))),
        (
            "another scope",
            token(&issuer, |claims| claims["scope"] = json!("openid")),
        ),
        ("cut", good[..good.len() - 4].to_owned()),
        (
            "unsigned",
            format!("eyJhbGciOiJub25lIn0.{}.", good.split('.').nth(1).unwrap()),
        ),
    ] {
        let refused = ask(&service, &bad).await;
        assert_eq!(refused.0, 401, "{what}: {}", refused.1);
    }
    service.stop().await;
}

#[actix_web::test]
async fn a_token_names_its_bearer_its_kind_and_the_scope() {
    let issuer = issuer();
    let settings = |required| {
        [
            ("OAUTH_ISSUER", issuer.as_str()),
            ("OAUTH_AUDIENCE", "confluence-sync"),
            ("OAUTH_SCOPE_REQUIRED", required),
        ]
    };
    let scopes = |scope: Value, scp: Value| {
        token(&issuer, |claims| {
            claims["scope"] = scope;
            claims["scp"] = scp;
        })
    };
    let unscoped = token(&issuer, |claims| {
        claims.as_object_mut().unwrap().remove("scope");
    });
    let table = [
        ("no scope at all", unscoped, 401),
        ("null", scopes(json!(null), json!(null)), 401),
        ("an empty scope", scopes(json!(""), json!([])), 401),
        (
            "another in scp",
            scopes(json!(null), json!("User.Read")),
            401,
        ),
        (
            "a longer word",
            scopes(json!("xconfluence:read confluence:readx"), json!(null)),
            401,
        ),
        (
            "in scp as text",
            scopes(json!(null), json!("User.Read confluence:read")),
            200,
        ),
        (
            "in scp as a list",
            scopes(json!(null), json!(["openid", "confluence:read"])),
            200,
        ),
        (
            "in scope as a list",
            scopes(json!(["confluence:read"]), json!(null)),
            200,
        ),
    ];
    let service = start_program(site(0), &settings("true")).await;
    for (what, token, expected) in &table {
        assert_eq!(ask(&service, token).await.0, *expected, "{what}");
    }
    for (what, token, expected) in [
        (
            "an empty sub",
            token(&issuer, |claims| claims["sub"] = json!(" ")),
            401,
        ),
        (
            "no typ",
            signed(&issuer, |header, _| header.typ = None),
            200,
        ),
        (
            "at+jwt",
            signed(&issuer, |header, _| header.typ = Some("at+jwt".into())),
            200,
        ),
        (
            "application/at+JWT",
            signed(&issuer, |header, _| {
                header.typ = Some("application/at+JWT".into())
            }),
            200,
        ),
        (
            "a logout token",
            signed(&issuer, |header, _| header.typ = Some("logout+jwt".into())),
            401,
        ),
        (
            "crit",
            signed(&issuer, |header, _| header.crit = Some(vec!["exp".into()])),
            401,
        ),
        (
            "no crit",
            signed(&issuer, |header, _| header.crit = Some(Vec::new())),
            401,
        ),
    ] {
        assert_eq!(ask(&service, &token).await.0, expected, "{what}");
    }
    service.stop().await;

    // Where the operator says that the issuer knows no scopes, none is asked for.
    let service = start_program(site(0), &settings("false")).await;
    for (what, token, _) in &table {
        assert_eq!(ask(&service, token).await.0, 200, "{what}");
    }
    all_held("A5", 2 * table.len() + 7, Some(service.pid()));
    service.stop().await;
}

#[actix_web::test]
async fn known_keys_are_used_while_others_are_fetched() {
    let (issuer, delay) =
        issuer_that(|base| json!({"issuer": base, "jwks_uri": format!("{base}/keys")}));
    let settings = [
        ("OAUTH_ISSUER", issuer.as_str()),
        ("OAUTH_AUDIENCE", "confluence-sync"),
    ];
    let service = start(site(0), &settings).await;
    let strange = signed(&issuer, |header, _| header.kid = Some("two".into()));
    delay.store(3_000, Ordering::SeqCst);
    // Nobody knows a key yet: all wait for the same look.
    let good = token(&issuer, |_| {});
    let began = Instant::now();
    let (first, second) = futures_util::join!(ask(&service, &good), ask(&service, &strange));
    assert_eq!((first.0.as_u16(), second.0.as_u16()), (200, 401));
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    let began = Instant::now();
    let (strange, good) = futures_util::join!(ask(&service, &strange), ask(&service, &good));
    assert_eq!((strange.0.as_u16(), good.0.as_u16()), (401, 200));
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
    service.stop().await;
}

#[actix_web::test]
async fn only_the_issuer_itself_says_by_which_keys_it_signs() {
    let (other, _) =
        issuer_that(|base| json!({"issuer": base, "jwks_uri": format!("{base}/keys")}));
    let keys = format!("{other}/keys");
    let (renamed, _) = issuer_that(
        |base| json!({"issuer": "https://evil.example", "jwks_uri": format!("{base}/keys")}),
    );
    let (nameless, _) = issuer_that(|base| json!({"jwks_uri": format!("{base}/keys")}));
    let (elsewhere, _) = issuer_that(|base| json!({"issuer": base, "jwks_uri": keys}));
    let (redirecting, _) =
        issuer_that(|base| json!({"issuer": base, "jwks_uri": format!("{base}/elsewhere?{keys}")}));
    let (moved, _) =
        issuer_that(|base| json!({"issuer": base, "jwks_uri": format!("{base}/elsewhere?/keys")}));
    for (what, issuer, status) in [
        ("metadata of another issuer", renamed, 503),
        ("metadata of nobody", nameless, 503),
        ("keys without TLS at another host", elsewhere, 503),
        ("a redirect to another host", redirecting, 503),
        ("a redirect at the same host", moved, 200),
    ] {
        let settings = [
            ("OAUTH_ISSUER", issuer.as_str()),
            ("OAUTH_AUDIENCE", "confluence-sync"),
        ];
        let service = start(site(0), &settings).await;
        let told = ask(&service, &token(&issuer, |_| {})).await;
        assert_eq!(told.0, status, "{what}: {}", told.1);
        service.stop().await;
    }
}

#[actix_web::test]
async fn a_stream_ends_when_its_access_token_does() {
    let issuer = issuer();
    let settings = [
        ("OAUTH_ISSUER", issuer.as_str()),
        ("OAUTH_AUDIENCE", "confluence-sync"),
    ];
    let service = start(site(0), &settings).await;
    // A token that is over is good for another ten seconds, by the leeway for clocks that differ.
    let over = chrono::Utc::now().timestamp() - 7;
    let brief = token(&issuer, |claims| claims["exp"] = json!(over));
    let events = format!("{}/api/events", service.base);
    let began = Instant::now();
    let mut stream = service
        .http
        .get(events)
        .bearer_auth(brief)
        .send()
        .await
        .unwrap();
    assert_eq!(stream.status(), 200);
    while let Ok(Some(_)) = stream.chunk().await {}
    assert!(
        began.elapsed() < Duration::from_secs(6),
        "{:?}",
        began.elapsed()
    );
    service.stop().await;
}

/// A client whose token is over has to hear 401, and fetches another; who makes one up is a guesser.
#[actix_web::test]
async fn tokens_that_the_issuer_signed_are_no_guesses() {
    let issuer = issuer();
    let settings = [
        ("OAUTH_ISSUER", issuer.as_str()),
        ("OAUTH_AUDIENCE", "confluence-sync"),
    ];
    let service = start(site(0), &settings).await;
    let good = token(&issuer, |_| {});
    for n in 0..30 {
        let unfit = token(&issuer, |claims| match n % 3 {
            0 => claims["exp"] = json!(1),
            1 => claims["aud"] = json!("another-service"),
            _ => claims["scope"] = json!("openid"),
        });
        assert_problem(&ask(&service, &unfit).await, 401, "unauthorized");
    }
    let cut = &good[..good.len() - 4];
    let mut refused = Vec::new();
    for _ in 0..40 {
        refused.push(ask(&service, cut).await.0.as_u16());
    }
    assert_eq!(refused[..20], [401; 20]);
    assert!(refused.contains(&429), "{refused:?}");
    assert_eq!(ask(&service, &good).await.0, 200);
    service.stop().await;
}

#[actix_web::test]
async fn clients_learn_where_to_get_a_token_only_where_oauth_is_on() {
    let issuer = issuer();
    let path = "/.well-known/oauth-protected-resource";
    let service = start(
        site(0),
        &[
            ("OAUTH_ISSUER", &issuer),
            ("OAUTH_AUDIENCE", "confluence-sync"),
        ],
    )
    .await;
    let refused = service
        .http
        .get(format!("{}/mcp/sse", service.base))
        .send()
        .await
        .unwrap();
    assert_eq!(refused.status(), 401);
    let challenge = refused.headers()["www-authenticate"].to_str().unwrap();
    assert!(
        challenge.contains(&format!("resource_metadata=\"{}{path}\"", service.base)),
        "{challenge}"
    );
    for below in ["", "/mcp", "/mcp/sse"] {
        let (status, metadata) = answer(
            service
                .http
                .request(Method::GET, format!("{}{path}{below}", service.base)),
        )
        .await;
        assert_eq!(
            (status.as_u16(), &metadata["resource"]),
            (200, &json!(format!("{}{below}", service.base)))
        );
        assert_eq!(metadata["authorization_servers"], json!([issuer]));
    }
    service.stop().await;

    let service = start(site(0), &[("API_KEY", "administrator-key")]).await;
    assert_problem(&service.get(path).await, 404, "not_found");
    service.stop().await;
}

/// A person's access token, over Streamable HTTP: it is answered what that person may read, until it is over; the next one goes on in the
/// same session.
#[actix_web::test]
async fn a_session_answers_the_person_of_the_token_until_that_is_over() {
    let world = world();
    let issuer = issuer();
    let settings = [
        ("OAUTH_ISSUER", issuer.as_str()),
        ("OAUTH_AUDIENCE", "confluence-sync"),
        ("API_KEY", "administrator-key"),
    ];
    let service = start(world.site.clone(), &settings).await;
    per_user(&service, "per_user").await;
    let post = async |token: &str, session: Option<&str>, message: Value| {
        let request = service
            .http
            .post(format!("{}/mcp?agent_id=a", service.base))
            .bearer_auth(token)
            .header("Accept", "application/json, text/event-stream")
            .json(&message);
        let request = match session {
            Some(session) => request
                .header("Mcp-Session-Id", session)
                .header("MCP-Protocol-Version", "2025-06-18"),
            None => request,
        };
        let response = request.send().await.unwrap();
        let session = response.headers().get("mcp-session-id").cloned();
        let session = session.map(|session| session.to_str().unwrap().to_owned());
        (
            response.status().as_u16(),
            session,
            response.text().await.unwrap(),
        )
    };
    let of = |email: &str, left: i64| {
        token(&issuer, |claims| {
            claims["email"] = json!(email);
            claims["email_verified"] = json!(true);
            claims["exp"] = json!(chrono::Utc::now().timestamp() + left);
        })
    };
    let client = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    let hello = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": client});
    // Good for eight seconds more, by the leeway for clocks that differ.
    let brief = of("ann@example.org", -2);
    let (status, session, _) = post(&brief, None, hello).await;
    assert_eq!(status, 200);
    let session = session.unwrap();
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "recent_changes", "arguments": {}}});
    let (status, _, text) = post(&brief, Some(&session), call.clone()).await;
    assert_eq!(
        (status, world.titles_in(&text)),
        (200, world.readable("a:ann"))
    );
    until("the token is over", async || {
        let (status, ..) = post(&brief, Some(&session), call.clone()).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        (status == 401).then_some(())
    })
    .await;
    let foreign = token(&issuer, |claims| claims["aud"] = json!("another"));
    assert_eq!(post(&foreign, Some(&session), call.clone()).await.0, 401);
    let (status, _, text) = post(&of("bob@example.org", 300), Some(&session), call.clone()).await;
    assert_eq!(
        (status, world.titles_in(&text)),
        (200, world.readable("a:bob"))
    );
    // Only an address that the issuer says is verified names anybody.
    for (said, names_ann) in [
        (json!({}), false),
        (json!({"email_verified": false}), false),
        (json!({"email_verified": "no"}), false),
        (json!({"xms_edov": 0}), false),
        (json!({"email_verified": "true"}), true),
        (json!({"xms_edov": "1"}), true),
        (json!({"xms_edov": true}), true),
    ] {
        let told = token(&issuer, |claims| {
            claims["email"] = json!("ann@example.org");
            for (name, value) in said.as_object().unwrap() {
                claims[name] = value.clone();
            }
        });
        let (_, _, text) = post(&told, Some(&session), call.clone()).await;
        let may = match names_ann {
            true => world.readable("a:ann"),
            false => BTreeSet::new(),
        };
        assert_eq!(world.titles_in(&text), may, "{said}: {text}");
    }
    service.stop().await;
}

#[actix_web::test]
async fn a_new_key_of_the_issuer_is_looked_for() {
    let rotating = Issuer::of_people();
    let settings = [
        ("OAUTH_ISSUER", rotating.base.as_str()),
        ("OAUTH_AUDIENCE", "confluence-sync"),
    ];
    let service = start(site(0), &settings).await;
    rotating.rotate();
    let next = signed(&rotating.base, |header, _| header.kid = Some("next".into()));
    assert_eq!(ask(&service, &next).await.0, 200);
    // Nobody makes us ask the issuer again and again by naming keys.
    let old = token(&rotating.base, |_| {});
    assert_eq!(ask(&service, &old).await.0, 401);
    service.stop().await;
}
