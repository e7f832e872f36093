//! OAuth 2.1 as a resource server: tokens of the issuer, made out for us, may read; all others may not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix_web::{HttpResponse, HttpServer, web};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Service, answer, assert_problem, site, start};

/// A key pair made for this test; it signs nothing else.
const PRIVATE: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgCrZqZ8IVJsCO1pyo5XmUcSVg4I1+RrEPCKMbmQQEkdShRANCAARZ+b/b3Et+\
                       DJzsh7JbDrxt7mJ8RxnEO8NQux2ZMPWYGsfZYV83jl5QQi2gTzqY0DuJzBXRpPSdFabTWRux6XQ9";

/// An authorization server that publishes the public half.
fn issuer() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let metadata = json!({"issuer": base, "jwks_uri": format!("{base}/keys")});
    let keys = json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": "one", "alg": "ES256", "use": "sig",
        "x": "Wfm_29xLfgyc7IeyWw68be5ifEcZxDvDULsdmTD1mBo", "y": "x9lhXzeOXlBCLaBPOpjQO4nMFdGk9J0VptNZG7HpdD0"}]});
    let server = HttpServer::new(move || {
        let (metadata, keys) = (metadata.clone(), keys.clone());
        actix_web::App::new()
            .route(
                "/.well-known/openid-configuration",
                web::get().to(move || {
                    let body = metadata.clone();
                    async move { HttpResponse::Ok().json(body) }
                }),
            )
            .route(
                "/keys",
                web::get().to(move || {
                    let body = keys.clone();
                    async move { HttpResponse::Ok().json(body) }
                }),
            )
    });
    actix_web::rt::spawn(server.workers(1).listen(listener).unwrap().run());
    base
}

/// An authorization server that is out of order, and counts who asks.
fn broken_issuer() -> (String, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let server = HttpServer::new(move || {
        let counter = Arc::clone(&counter);
        actix_web::App::new().default_service(web::to(move || {
            counter.fetch_add(1, Ordering::SeqCst);
            async { HttpResponse::BadGateway().finish() }
        }))
    });
    actix_web::rt::spawn(server.workers(1).listen(listener).unwrap().run());
    (base, asked)
}

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

fn token(issuer: &str, change: impl FnOnce(&mut Value)) -> String {
    let key = EncodingKey::from_ec_der(&STANDARD.decode(PRIVATE).unwrap());
    let mut claims = json!({
        "iss": issuer, "aud": "confluence-sync", "sub": "ada", "scope": "openid confluence:read",
        "exp": chrono::Utc::now().timestamp() + 300,
    });
    change(&mut claims);
    let header = Header {
        kid: Some("one".to_owned()),
        ..Header::new(Algorithm::ES256)
    };
    jsonwebtoken::encode(&header, &claims, &key).unwrap()
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
