//! The endpoints.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::grants::{Code, Grants, RESOURCES, State};
use crate::server::{Reply, Request, Service};

const AUTHORIZE: &str = "/authorize";
const TOKEN: &str = "/oauth/token";

pub(crate) struct AtlassianService {
    pub client_id: String,
    pub client_secret: String,
    pub grants: Grants,
}

fn refusal(status: u16, error: &str, description: &str) -> Reply {
    Reply::json(
        status,
        json!({"error": error, "error_description": description}),
    )
}

impl AtlassianService {
    /// Consents at once.
    fn authorize(&self, request: &Request) -> Reply {
        let one = |name| request.one(name).unwrap_or_default();
        let wrong = [
            ("audience", "api.atlassian.com"),
            ("client_id", &self.client_id),
            ("response_type", "code"),
            ("prompt", "consent"),
        ]
        .into_iter()
        .find(|(name, wanted)| one(name) != *wanted);
        if let Some((name, _)) = wrong {
            return Reply::html(400, &format!("Something went wrong: {name}"));
        }
        let (to, state) = (one("redirect_uri"), one("state"));
        let (Ok(mut back), false) = (url::Url::parse(to), state.is_empty()) else {
            return Reply::html(400, "Something went wrong: redirect_uri or state");
        };
        self.grants.with(|grants| {
            if grants.switches.denies {
                back.query_pairs_mut()
                    .append_pair("error", "access_denied")
                    .append_pair("error_description", "User did not authorize the request");
            } else {
                let scopes = one("scope").split_whitespace().map(str::to_owned);
                let code = Code {
                    redirect_uri: to.to_owned(),
                    scopes: scopes.collect(),
                };
                let text = grants.new_text("code");
                back.query_pairs_mut().append_pair("code", &text);
                grants.codes.insert(text, code);
            }
        });
        back.query_pairs_mut().append_pair("state", state);
        Reply::empty(302).with_header("Location", back.as_str())
    }

    fn token(&self, request: &Request) -> Reply {
        let Some(body) = request.json() else {
            return refusal(400, "invalid_request", "JSON is wanted");
        };
        let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
        if text("client_id") != self.client_id || text("client_secret") != self.client_secret {
            return refusal(401, "access_denied", "Unauthorized");
        }
        self.grants.with(|grants| {
            let given = match text("grant_type") {
                "authorization_code" => code(grants, text("code"), text("redirect_uri")),
                "refresh_token" => refresh(grants, text("refresh_token")),
                _ => return refusal(400, "unsupported_grant_type", "No such grant"),
            };
            match given {
                Ok(given) => {
                    let mut reply = Reply::ok(given);
                    reply.delay = grants.switches.answers_late;
                    reply
                }
                Err(reply) => reply,
            }
        })
    }
}

/// A code is good once, and for the address that it was made for.
fn code(grants: &mut State, text: &str, redirect_uri: &str) -> Result<Value, Reply> {
    let code = grants.codes.remove(text);
    let code = code.filter(|code| code.redirect_uri == redirect_uri);
    let code = code.ok_or_else(|| refusal(403, "invalid_grant", "Invalid authorization code"))?;
    let scopes: BTreeSet<String> = code.scopes;
    Ok(grants.give(&scopes))
}

fn refresh(grants: &mut State, text: &str) -> Result<Value, Reply> {
    if grants.switches.refuses_as_unauthorized_client {
        let said = "refresh_token is invalid";
        return Err(refusal(403, "unauthorized_client", said));
    }
    let is_refused = grants.switches.refuses_grants;
    let given = (!is_refused).then(|| grants.refresh(text)).flatten();
    given.ok_or_else(|| {
        let said = "Unknown or invalid refresh token.";
        refusal(403, "invalid_grant", said)
    })
}

impl Service for AtlassianService {
    fn template(&self, request: &Request) -> String {
        request.path.clone()
    }

    fn respond(&self, request: &Request, template: &str) -> Reply {
        match (request.method.as_str(), template) {
            ("GET", AUTHORIZE) => self.authorize(request),
            ("POST", TOKEN) => self.token(request),
            ("GET", RESOURCES) => self.grants.resources(request),
            _ => Reply::html(404, "Not found"),
        }
    }

    fn error(&self, status: u16, _: &Request, _: &str) -> Reply {
        refusal(
            status,
            "server_error",
            "The server had an error processing your request.",
        )
    }

    fn latency(&self) -> Duration {
        self.grants.with(|grants| grants.switches.latency)
    }
}
