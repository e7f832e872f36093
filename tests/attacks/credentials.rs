//! Access tokens that nobody gave out, and authorization servers that are none.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use super::Tally;
use super::sources::flood;
use crate::issuer::{encode, issuer, issuer_that, signed, token};
use crate::support::{Service, answer, client, site, start_program};

fn encoded(json: &Value) -> String {
    URL_SAFE_NO_PAD.encode(json.to_string())
}

fn claims(issuer: &str) -> Value {
    json!({"iss": issuer, "aud": "confluence-sync", "sub": "ada", "scope": "confluence:read", "exp": chrono::Utc::now().timestamp() + 300})
}

/// Signed by a secret that an attacker knows, with this header.
fn by_secret(algorithm: Algorithm, secret: &[u8], issuer: &str) -> String {
    let header = Header {
        kid: Some("one".to_owned()),
        ..Header::new(algorithm)
    };
    encode(&header, &claims(issuer), &EncodingKey::from_secret(secret))
}

/// Tokens that look like one of the issuer's, and what is wrong with each.
fn forged(issuer: &str) -> Vec<(&'static str, String)> {
    let good = token(issuer, |_| {});
    let parts: Vec<&str> = good.split('.').collect();
    let [header, body, signature] = parts[..] else {
        unreachable!()
    };
    let with_header = |header: Value| format!("{}.{body}.{signature}", encoded(&header));
    let unsigned = |algorithm: &str| {
        format!(
            "{}.{body}.",
            encoded(&json!({"alg": algorithm, "kid": "one", "typ": "JWT"}))
        )
    };
    let mut other = claims(issuer);
    other["sub"] = json!("administrator");
    let now = chrono::Utc::now().timestamp();
    vec![
        ("alg none", unsigned("none")),
        ("alg None", unsigned("None")),
        (
            "alg NONE with its signature",
            with_header(json!({"alg": "NONE", "kid": "one"})),
        ),
        ("no alg", with_header(json!({"kid": "one", "typ": "JWT"}))),
        (
            "the public key as a secret",
            by_secret(
                Algorithm::HS256,
                b"Wfm_29xLfgyc7IeyWw68be5ifEcZxDvDULsdmTD1mBo",
                issuer,
            ),
        ),
        ("an empty secret", by_secret(Algorithm::HS256, b"", issuer)),
        ("HS512", by_secret(Algorithm::HS512, b"secret", issuer)),
        (
            "RS256 named for an EC key",
            with_header(json!({"alg": "RS256", "kid": "one", "typ": "JWT"})),
        ),
        (
            "ES384 named",
            with_header(json!({"alg": "ES384", "kid": "one", "typ": "JWT"})),
        ),
        (
            "the body of another",
            format!("{header}.{}.{signature}", encoded(&other)),
        ),
        (
            "a signature of zeros",
            format!("{header}.{body}.{}", URL_SAFE_NO_PAD.encode([0_u8; 64])),
        ),
        ("no signature", format!("{header}.{body}.")),
        ("two parts", format!("{header}.{body}")),
        ("four parts", format!("{good}.{signature}")),
        (
            "a key of its own in the header",
            with_header(
                json!({"alg": "ES256", "typ": "JWT", "jwk": {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}}),
            ),
        ),
        (
            "keys at an address of its own",
            with_header(
                json!({"alg": "ES256", "kid": "one", "jku": "http://127.0.0.1:1/keys", "x5u": "http://127.0.0.1:1/"}),
            ),
        ),
        (
            "a path as key",
            signed(issuer, |header, _| {
                header.kid = Some("../../../../dev/null".into())
            }),
        ),
        (
            "a query as key",
            signed(issuer, |header, _| {
                header.kid = Some("one' OR '1'='1".into())
            }),
        ),
        (
            "no audience",
            token(issuer, |claims| {
                claims.as_object_mut().unwrap().remove("aud");
            }),
        ),
        (
            "no issuer",
            token(issuer, |claims| {
                claims.as_object_mut().unwrap().remove("iss");
            }),
        ),
        (
            "no end",
            token(issuer, |claims| {
                claims.as_object_mut().unwrap().remove("exp");
            }),
        ),
        (
            "an end in the past",
            token(issuer, |claims| claims["exp"] = json!(now - 60)),
        ),
        (
            "an end as text",
            token(issuer, |claims| claims["exp"] = json!("never")),
        ),
        (
            "a beginning in the future",
            token(issuer, |claims| claims["nbf"] = json!(now + 3_600)),
        ),
        (
            "an issuer with a slash more",
            token(issuer, |claims| {
                claims["iss"] = json!(format!("{issuer}/x"))
            }),
        ),
        (
            "an audience that begins like ours",
            token(issuer, |claims| {
                claims["aud"] = json!("confluence-sync.evil.example.com")
            }),
        ),
        (
            "no subject",
            token(issuer, |claims| {
                claims.as_object_mut().unwrap().remove("sub");
            }),
        ),
        (
            "standard base64",
            good.replace('_', "/").replace('-', "+") + "=",
        ),
        (
            "claims that are a list",
            format!("{header}.{}.{signature}", encoded(&json!([1]))),
        ),
    ]
}

async fn ask(service: &Service, path: &str, token: &str) -> u16 {
    loop {
        let status = service
            .http
            .get(format!("{}{path}", service.base))
            .bearer_auth(token)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16();
        if status != 429 {
            return status;
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
}

#[actix_web::test]
async fn access_tokens_that_nobody_gave_out() {
    let issuer = issuer();
    let settings = [
        ("OAUTH_ISSUER", issuer.as_str()),
        ("OAUTH_AUDIENCE", "confluence-sync"),
    ];
    let mut tally = Tally::of("D1");
    let forged = forged(&issuer);
    assert!(forged.len() >= 20);
    // A budget for failed credentials holds for each service; so few at once are within that of one.
    for some in forged.chunks(9) {
        let service = start_program(site(0), &settings).await;
        assert_eq!(
            ask(&service, "/api/indexes", &token(&issuer, |_| {})).await,
            200
        );
        for (what, token) in some {
            for path in ["/api/indexes", "/mcp/sse"] {
                let status = ask(&service, path, token).await;
                tally.held(status == 401, format_args!("{what} at {path}: {status}"));
            }
        }
        service.stop().await;
    }
    tally.end(None);
}

#[actix_web::test]
async fn authorization_servers_that_hand_over_too_much() {
    let mut tally = Tally::of("C14");
    let endless = flood("application/json", b"{\"keys\": [");
    let (keys, _) = issuer_that(
        |base| json!({"issuer": base, "jwks_uri": format!("{base}/elsewhere?{endless}/keys")}),
    );
    let (loops, _) = issuer_that(
        |base| json!({"issuer": base, "jwks_uri": format!("{base}/elsewhere?{base}/elsewhere")}),
    );
    let (large, _) = issuer_that(|base| {
        let many: Vec<Value> = (0..200_000)
            .map(|n| json!({"kty": "EC", "crv": "P-256", "kid": n.to_string()}))
            .collect();
        json!({"issuer": base, "jwks_uri": format!("{base}/keys"), "more": many})
    });
    let mut most = 0;
    for issuer in [endless.clone(), keys, loops, large] {
        let settings = [
            ("OAUTH_ISSUER", issuer.as_str()),
            ("OAUTH_AUDIENCE", "confluence-sync"),
            ("API_KEY", "administrator-key-of-tests"),
        ];
        let service = start_program(site(0), &settings).await;
        let token = token(&issuer, |_| {});
        let indexes = || {
            client()
                .get(format!("{}/api/indexes", service.base))
                .bearer_auth(&token)
        };
        let told = futures_util::future::join_all((0..8).map(|_| answer(indexes()))).await;
        for (status, body) in told {
            tally.held(
                matches!(status.as_u16(), 401 | 503),
                format_args!("{issuer}: {status} {body}"),
            );
        }
        assert_eq!(service.get("/api/indexes").await.0, 200);
        let peak = super::peak(service.pid());
        tally.held(peak < 150, format_args!("{issuer}: {peak} MB"));
        most = most.max(peak);
        service.stop().await;
    }
    println!("C14: {most} MB at most");
    tally.end(None);
}
