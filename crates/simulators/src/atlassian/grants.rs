//! What was given to whom: codes, tokens and the sites that they reach.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::switches::Switches;
use crate::server::{Reply, Request, locked};

/// Where the gateway's host says which sites a token reaches.
pub(crate) const RESOURCES: &str = "/oauth/token/accessible-resources";

/// Shared by the authorization server and the sites that take its tokens.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grants(Arc<Mutex<State>>);

#[derive(Debug, Default)]
pub(crate) struct State {
    pub switches: Switches,
    /// Cloud id and address, in the order in which they are told.
    pub sites: Vec<(String, String)>,
    pub codes: BTreeMap<String, Code>,
    pub access: BTreeMap<String, Access>,
    pub refresh: BTreeMap<String, Refresh>,
    pub made: u64,
    /// Refresh tokens that were exchanged.
    pub refreshes: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Code {
    pub redirect_uri: String,
    pub scopes: BTreeSet<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Access {
    scopes: BTreeSet<String>,
    ends_at: DateTime<Utc>,
}

#[derive(Clone, Debug)]
pub(crate) struct Refresh {
    scopes: BTreeSet<String>,
    /// When it was used first.
    used_at: Option<DateTime<Utc>>,
}

fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

impl Grants {
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut locked(&self.0))
    }

    pub(crate) fn add_site(&self, cloud_id: &str, url: &str) {
        self.with(|state| state.sites.push((cloud_id.into(), url.into())));
    }

    /// What a living access token is good for.
    pub(crate) fn scopes_of(&self, token: &str) -> Option<BTreeSet<String>> {
        self.with(|state| {
            let access = state.access.get(token)?;
            (Utc::now() < access.ends_at).then(|| access.scopes.clone())
        })
    }

    /// Which sites the token of a request reaches.
    pub(crate) fn resources(&self, request: &Request) -> Reply {
        let header = request.header("authorization").unwrap_or_default();
        let token = header.strip_prefix("Bearer ").unwrap_or_default();
        let Some(scopes) = self.scopes_of(token) else {
            return Reply::json(401, json!({"code": 401, "message": "Unauthorized"}));
        };
        let scopes: Vec<&String> = scopes
            .iter()
            .filter(|scope| *scope != "offline_access")
            .collect();
        let sites = self.with(|state| state.sites.clone());
        let one = |(id, url): &(String, String)| {
            json!({"id": id, "url": url, "name": "site", "scopes": scopes,
                "avatarUrl": format!("{url}/avatar.png")})
        };
        Reply::ok(Value::Array(sites.iter().map(one).collect()))
    }
}

impl State {
    /// A text that nobody can mistake for another.
    pub(crate) fn new_text(&mut self, what: &str) -> String {
        self.made += 1;
        format!("sim-{what}-{:04}-{:016x}", self.made, rand::random::<u64>())
    }

    /// Tokens for these scopes.
    pub(crate) fn give(&mut self, scopes: &BTreeSet<String>) -> Value {
        let (access, refresh) = (self.new_text("access"), self.new_text("refresh"));
        let lives = self.switches.access_lives;
        let ends_at = Utc::now() + lives;
        let is_offline = scopes.contains("offline_access") && !self.switches.no_refresh_token;
        let mut given = json!({
            "access_token": access,
            "expires_in": seconds(lives).ceil() as u64,
            "token_type": "Bearer",
            "scope": scopes.iter().cloned().collect::<Vec<_>>().join(" "),
        });
        let scopes = scopes.clone();
        if is_offline {
            given["refresh_token"] = json!(refresh);
            let scopes = scopes.clone();
            let used_at = None;
            self.refresh.insert(refresh, Refresh { scopes, used_at });
        }
        self.access.insert(access, Access { scopes, ends_at });
        given
    }

    /// Tokens for a refresh token, if it is one that goes on.
    pub(crate) fn refresh(&mut self, token: &str) -> Option<Value> {
        let (now, leeway) = (Utc::now(), self.switches.leeway);
        let refresh = self.refresh.get_mut(token)?;
        let used_at = *refresh.used_at.get_or_insert(now);
        if (now - used_at).to_std().unwrap_or_default() > leeway {
            return None;
        }
        let scopes = refresh.scopes.clone();
        self.refreshes += 1;
        Some(self.give(&scopes))
    }

    pub(crate) fn end_access(&mut self) {
        self.access.clear();
    }
}
