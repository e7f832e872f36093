//! An issuer of tokens: an authorization server whose keys are those of these tests. It publishes metadata and keys, signs whatever a
//! test likes, and exchanges codes for it as OpenID Connect wants.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, HttpServer, web};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::Url;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// A key pair made for this test; it signs nothing else.
pub const PRIVATE: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgCrZqZ8IVJsCO1pyo5XmUcSVg4I1+RrEPCKMbmQQEkdShRANCAARZ+b/b3Et+\
                       DJzsh7JbDrxt7mJ8RxnEO8NQux2ZMPWYGsfZYV83jl5QQi2gTzqY0DuJzBXRpPSdFabTWRux6XQ9";
/// Another one, with which it signs after a rotation.
const NEXT: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgrFYYpQnYKnj8lFaZHXErOGtv5kQU/VNEVJmwOeh4M22hRANCAATUjlzKgDfL3VenJYaz\
                    bv1QYRy+v4uFlhFvcQA6NIlOMgZ0ePNOF5NqGO5nGF12LY+VaFhqRh8pIjAOXIwWKmmH";

fn public(id: &str) -> Value {
    let (x, y) = match id {
        "one" => (
            "Wfm_29xLfgyc7IeyWw68be5ifEcZxDvDULsdmTD1mBo",
            "x9lhXzeOXlBCLaBPOpjQO4nMFdGk9J0VptNZG7HpdD0",
        ),
        _ => (
            "1I5cyoA3y91XpyWGs279UGEcvr-LhZYRb3EAOjSJTjI",
            "BnR4804Xk2oY7mcYXXYtj5VoWGpGHykiMA5cjBYqaYc",
        ),
    };
    json!({"kty": "EC", "crv": "P-256", "kid": id, "alg": "ES256", "use": "sig", "x": x, "y": y})
}

/// As what a service of these tests is registered.
pub const CLIENT: &str = "confluence-sync";
pub const SECRET: &str = "a secret: of odd/characters~";

/// A running issuer. Clones are the same one.
#[derive(Clone)]
pub struct Issuer {
    pub base: String,
    inner: Arc<Inner>,
}

struct Inner {
    metadata: Mutex<Value>,
    keys: Mutex<Value>,
    /// How long it takes for its keys, in milliseconds.
    delay: Arc<AtomicU64>,
    codes: Mutex<HashMap<String, Code>>,
    next: AtomicUsize,
    /// What it answers to every code in place of what is right.
    answers: Mutex<Option<(u16, String)>>,
    exchanges: AtomicUsize,
    /// How long it takes for a token, in milliseconds.
    slow: AtomicU64,
}

/// What a code was given out for.
struct Code {
    challenge: String,
    redirect: String,
    token: String,
}

impl Issuer {
    /// One for people: with all addresses that OpenID Connect knows.
    pub fn of_people() -> Self {
        Self::start(|base| {
            json!({"issuer": base, "jwks_uri": format!("{base}/keys"), "authorization_endpoint": format!("{base}/authorize?realm=x"),
                "token_endpoint": format!("{base}/token"), "end_session_endpoint": format!("{base}/logout")})
        })
    }

    fn start(metadata: impl Fn(&str) -> Value) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let issuer = Self {
            inner: Arc::new(Inner {
                metadata: Mutex::new(metadata(&base)),
                keys: Mutex::new(json!({"keys": [public("one")]})),
                delay: Arc::default(),
                codes: Mutex::default(),
                next: AtomicUsize::new(0),
                answers: Mutex::default(),
                exchanges: AtomicUsize::new(0),
                slow: AtomicU64::new(0),
            }),
            base,
        };
        let shared = web::Data::new(issuer.clone());
        let server = HttpServer::new(move || {
            actix_web::App::new()
                .app_data(shared.clone())
                .route(
                    "/.well-known/openid-configuration",
                    web::get().to(show_metadata),
                )
                .route("/keys", web::get().to(show_keys))
                .route("/token", web::post().to(exchange))
                .route("/elsewhere", web::get().to(elsewhere))
        });
        actix_web::rt::spawn(server.workers(1).listen(listener).unwrap().run());
        issuer
    }

    /// Changes what it says of itself.
    pub fn says(&self, change: impl FnOnce(&mut Value)) {
        change(&mut self.inner.metadata.lock().unwrap());
    }

    /// From now on it publishes another key only.
    pub fn rotate(&self) {
        *self.inner.keys.lock().unwrap() = json!({"keys": [public("two")]});
    }

    /// Answers every code so; `None`: as is right.
    pub fn answers(&self, answer: Option<(u16, &str)>) {
        let answer = answer.map(|(status, body)| (status, body.to_owned()));
        *self.inner.answers.lock().unwrap() = answer;
    }

    /// From now on it takes so long for a token.
    pub fn takes(&self, time: Duration) {
        let millis = u64::try_from(time.as_millis()).unwrap();
        self.inner.slow.store(millis, Ordering::SeqCst);
    }

    /// How often it was asked for a token.
    pub fn exchanges(&self) -> usize {
        self.inner.exchanges.load(Ordering::SeqCst)
    }

    /// Somebody signs in who was sent to this address: where they are sent back to. The claims and the header of the ID token are
    /// those of an honest one before `change`.
    pub fn signs_in(&self, sent: &Url, change: impl FnOnce(&mut Header, &mut Value)) -> Url {
        let asked: HashMap<_, _> = sent.query_pairs().into_owned().collect();
        assert!(sent.as_str().starts_with(&self.base) && asked["realm"] == "x");
        assert_eq!(
            [
                &asked["response_type"],
                &asked["client_id"],
                &asked["code_challenge_method"]
            ],
            ["code", CLIENT, "S256"]
        );
        let token = signed(&self.base, |header, claims| {
            claims["aud"] = json!(CLIENT);
            claims["nonce"] = json!(asked["nonce"]);
            claims.as_object_mut().unwrap().remove("scope");
            change(header, claims);
        });
        let code = format!("code-{}", self.inner.next.fetch_add(1, Ordering::SeqCst));
        self.inner.codes.lock().unwrap().insert(
            code.clone(),
            Code {
                challenge: asked["code_challenge"].clone(),
                redirect: asked["redirect_uri"].clone(),
                token,
            },
        );
        let mut back: Url = asked["redirect_uri"].parse().unwrap();
        back.query_pairs_mut()
            .append_pair("code", &code)
            .append_pair("state", &asked["state"]);
        back
    }

    /// Gives out this text as the ID token of a code.
    pub fn gives(&self, back: &Url, token: &str) {
        let mut pairs = back.query_pairs();
        let (_, code) = pairs.find(|(name, _)| name == "code").unwrap();
        let mut codes = self.inner.codes.lock().unwrap();
        token.clone_into(&mut codes.get_mut(&*code).unwrap().token);
    }
}

async fn show_metadata(issuer: web::Data<Issuer>) -> HttpResponse {
    HttpResponse::Ok().json(&*issuer.inner.metadata.lock().unwrap())
}

async fn show_keys(issuer: web::Data<Issuer>) -> HttpResponse {
    let delay = Duration::from_millis(issuer.inner.delay.load(Ordering::SeqCst));
    actix_web::rt::time::sleep(delay).await;
    HttpResponse::Ok().json(&*issuer.inner.keys.lock().unwrap())
}

/// Leads to whoever the query names.
async fn elsewhere(request: HttpRequest) -> HttpResponse {
    HttpResponse::Found()
        .insert_header(("location", request.query_string().to_owned()))
        .finish()
}

async fn exchange(
    request: HttpRequest,
    form: web::Form<HashMap<String, String>>,
    issuer: web::Data<Issuer>,
) -> HttpResponse {
    let inner = &issuer.inner;
    let delay = Duration::from_millis(inner.slow.load(Ordering::SeqCst));
    inner.exchanges.fetch_add(1, Ordering::SeqCst);
    actix_web::rt::time::sleep(delay).await;
    if let Some((status, body)) = &*inner.answers.lock().unwrap() {
        let status = StatusCode::from_u16(*status).unwrap();
        return HttpResponse::build(status).body(body.clone());
    }
    let refused = |error: &str| HttpResponse::BadRequest().json(json!({"error": error}));
    let header = request.headers().get("authorization");
    let basic = header.map(|header| {
        let text = header.to_str().unwrap().strip_prefix("Basic ").unwrap();
        let both = String::from_utf8(STANDARD.decode(text).unwrap()).unwrap();
        let (id, secret) = both.split_once(':').unwrap();
        let decoded = |text: &str| {
            let query = format!("x={text}");
            let decoded = url_decoded(&query);
            decoded["x"].clone()
        };
        (decoded(id), decoded(secret))
    });
    let posted = || {
        Some((
            form.get("client_id")?.clone(),
            form.get("client_secret")?.clone(),
        ))
    };
    let public = form.get("client_id").is_some_and(|id| id == CLIENT) && header.is_none();
    let is_public = inner.metadata.lock().unwrap()["public"] == true;
    let known = basic.or_else(posted) == Some((CLIENT.to_owned(), SECRET.to_owned()));
    if !(known || (public && is_public)) {
        return refused("invalid_client");
    }
    let code = form
        .get("code")
        .and_then(|code| inner.codes.lock().unwrap().remove(code));
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    match code {
        Some(code)
            if code.redirect == field("redirect_uri")
                && code.challenge
                    == URL_SAFE_NO_PAD.encode(Sha256::digest(field("code_verifier")))
                && field("grant_type") == "authorization_code" =>
        {
            HttpResponse::Ok()
                .json(json!({"id_token": code.token, "access_token": "x", "token_type": "Bearer"}))
        }
        _ => refused("invalid_grant"),
    }
}

fn url_decoded(query: &str) -> HashMap<String, String> {
    let url = Url::parse(&format!("http://x/?{query}")).unwrap();
    url.query_pairs().into_owned().collect()
}

/// An authorization server that publishes the public half.
pub fn issuer() -> String {
    issuer_that(|base| json!({"issuer": base, "jwks_uri": format!("{base}/keys")})).0
}

/// An authorization server with these metadata, and how long it takes for its keys (in milliseconds). `/elsewhere` leads to whoever the
/// query names.
pub fn issuer_that(metadata: impl Fn(&str) -> Value) -> (String, Arc<AtomicU64>) {
    let issuer = Issuer::start(metadata);
    (issuer.base.clone(), Arc::clone(&issuer.inner.delay))
}

/// An authorization server that is out of order, and counts who asks.
pub fn broken_issuer() -> (String, Arc<AtomicUsize>) {
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

pub fn token(issuer: &str, change: impl FnOnce(&mut Value)) -> String {
    signed(issuer, |_, claims| change(claims))
}

/// A token as `issuer` signs it, by the key that its header names.
pub fn signed(issuer: &str, change: impl FnOnce(&mut Header, &mut Value)) -> String {
    let mut claims = json!({
        "iss": issuer, "aud": "confluence-sync", "sub": "ada", "scope": "openid confluence:read",
        "exp": chrono::Utc::now().timestamp() + 300,
    });
    let mut header = Header {
        kid: Some("one".to_owned()),
        ..Header::new(Algorithm::ES256)
    };
    change(&mut header, &mut claims);
    let private = match header.kid.as_deref() {
        Some("next") => NEXT,
        _ => PRIVATE,
    };
    if private == NEXT {
        header.kid = Some("two".to_owned());
    }
    let key = EncodingKey::from_ec_der(&STANDARD.decode(private).unwrap());
    encode(&header, &claims, &key)
}

/// A token, signed as issuers do it: the service's own library only checks.
pub fn encode(header: &Header, claims: &Value, key: &EncodingKey) -> String {
    let part = |json: &[u8]| URL_SAFE_NO_PAD.encode(json);
    let text = format!(
        "{}.{}",
        part(&serde_json::to_vec(header).unwrap()),
        part(&serde_json::to_vec(claims).unwrap())
    );
    let signer = (DEFAULT_PROVIDER.signer_factory)(&header.alg, key).unwrap();
    let signature = signer.try_sign(text.as_bytes()).unwrap();
    format!("{text}.{}", part(&signature))
}
