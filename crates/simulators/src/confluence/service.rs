//! From a request to an answer: address form, credentials, limits, endpoint, odd data.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use base64::Engine;
use chrono::{DateTime, SecondsFormat, Timelike, Utc};
use serde_json::{Value, json};

use super::call::Call;
use super::errors::{self, Dialect, dialect_of};
use super::routes::{Endpoint, ROUTES};
use super::site::Site;
use super::switches::{BadCredentials, ScopedAtSite, Switches};
use crate::atlassian::{Grants, RESOURCES};
use crate::server::{
    Body, Buckets, Reply, Request, RetryAfter, Service, find_route, locked, over_rate,
};

/// Credentials, and the user they act as.
#[derive(Clone, Debug)]
pub struct Account {
    /// Email, the user part of Basic.
    pub email: String,
    /// API token, or access token when `oauth`.
    pub token: String,
    /// Who it acts as.
    pub account_id: String,
    /// None: a classic token, for the site. Some: a scoped token, for the gateway, with these scopes.
    pub scopes: Option<BTreeSet<String>>,
    /// `Authorization: Bearer` instead of Basic; gateway only.
    pub oauth: bool,
    /// May ask permission questions about others.
    pub is_admin: bool,
}

impl Account {
    /// A classic API token: Basic at the site, every scope.
    pub fn classic(email: &str, token: &str) -> Account {
        Account {
            email: email.into(),
            token: token.into(),
            account_id: "557058:51b7c0de-sync".into(),
            scopes: None,
            oauth: false,
            is_admin: false,
        }
    }

    /// A scoped API token: Basic at the gateway, only these scopes.
    pub fn scoped(email: &str, token: &str, scopes: &[&str]) -> Account {
        let scopes = scopes.iter().map(|s| (*s).to_owned()).collect();
        Account {
            scopes: Some(scopes),
            ..Account::classic(email, token)
        }
    }

    /// An OAuth access token: Bearer at the gateway, only these scopes.
    pub fn oauth(token: &str, scopes: &[&str]) -> Account {
        Account {
            oauth: true,
            ..Account::scoped("", token, scopes)
        }
    }

    /// Acting as this account id.
    pub fn acting_as(mut self, account_id: &str) -> Account {
        self.account_id = account_id.into();
        self
    }

    /// A Confluence administrator: may ask for the permissions of others, and read the audit log.
    pub fn admin(mut self) -> Account {
        self.is_admin = true;
        self
    }
}

#[derive(Debug, Default)]
pub(crate) struct Meters {
    pub buckets: Buckets,
    pub points: u64,
    pub points_hour: Option<DateTime<Utc>>,
    pub points_total: u64,
    pub authenticated: u64,
}

impl Meters {
    /// Forgets the points of an hour that is over.
    fn roll(&mut self, now: DateTime<Utc>) {
        let (hour, _) = hour_of(now);
        if self.points_hour != Some(hour) {
            self.points_hour = Some(hour);
            self.points = 0;
        }
    }
}

pub(crate) struct ConfluenceService {
    pub site: Site,
    pub accounts: Mutex<Vec<Account>>,
    pub site_url: String,
    pub media_url: String,
    pub cloud_id: String,
    /// Access tokens of an authorization server.
    pub grants: Option<Grants>,
    pub meters: Mutex<Meters>,
}

/// The path below the site, and whether it came through the gateway of this cloud id.
fn unprefixed<'r>(path: &'r str, cloud_id: &str) -> (&'r str, Via) {
    match path.strip_prefix("/ex/confluence/") {
        None => (path, Via::Site),
        Some(rest) => match rest.split_once('/') {
            Some((cloud, _)) if cloud == cloud_id => (&rest[cloud.len()..], Via::Gateway),
            _ => (path, Via::OtherCloud),
        },
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Via {
    Site,
    Gateway,
    OtherCloud,
}

struct Caller {
    account_id: String,
    is_admin: bool,
}

impl ConfluenceService {
    fn who(
        &self,
        request: &Request,
        endpoint: &Endpoint,
        via: Via,
        dialect: Dialect,
        sw: &Switches,
    ) -> Result<Caller, Reply> {
        let anonymous = Caller {
            account_id: String::new(),
            is_admin: false,
        };
        if endpoint.open {
            return Ok(anonymous);
        }
        let header = request.header("authorization").unwrap_or_default();
        if let (Some(grants), Some(token)) = (&self.grants, header.strip_prefix("Bearer ")) {
            return self.granted(grants, token, endpoint, via);
        }
        let accounts = locked(&self.accounts);
        let basic = header.strip_prefix("Basic ").and_then(|b| {
            let bytes = base64::engine::general_purpose::STANDARD
                .decode(b.trim())
                .ok()?;
            String::from_utf8(bytes).ok()
        });
        let found = accounts.iter().find(|a| match &basic {
            Some(pair) => !a.oauth && *pair == format!("{}:{}", a.email, a.token),
            None => a.oauth && header.strip_prefix("Bearer ") == Some(a.token.as_str()),
        });
        let expired = sw
            .token_expires_after
            .is_some_and(|n| locked(&self.meters).authenticated >= n);
        let Some(account) = found.filter(|_| !expired) else {
            return if via == Via::Gateway {
                Err(errors::gateway(401, "Unauthorized"))
            } else {
                self.refused(sw, dialect, anonymous)
            };
        };
        locked(&self.meters).authenticated += 1;
        match (&account.scopes, via) {
            (Some(_), Via::Site) => {
                return Err(match sw.scoped_at_site {
                    ScopedAtSite::TomcatPage => errors::tomcat_unauthorized(),
                    ScopedAtSite::AuthMismatch => errors::auth_mismatch(),
                });
            }
            (Some(scopes), _)
                if !endpoint.scopes.is_empty()
                    && !endpoint.scopes.iter().any(|s| scopes.contains(*s)) =>
            {
                return Err(errors::scope_mismatch());
            }
            _ => {}
        }
        Ok(Caller {
            account_id: account.account_id.clone(),
            is_admin: account.is_admin,
        })
    }

    /// Who an access token of the authorization server acts as: the first account.
    fn granted(
        &self,
        grants: &Grants,
        token: &str,
        endpoint: &Endpoint,
        via: Via,
    ) -> Result<Caller, Reply> {
        let scopes = grants.scopes_of(token).filter(|_| via == Via::Gateway);
        let Some(scopes) = scopes else {
            return Err(errors::gateway(401, "Unauthorized"));
        };
        let fits = |scope: &&str| scopes.contains(*scope);
        if !endpoint.scopes.is_empty() && !endpoint.scopes.iter().any(fits) {
            return Err(errors::scope_mismatch());
        }
        locked(&self.meters).authenticated += 1;
        let accounts = locked(&self.accounts);
        let first = accounts.first();
        Ok(Caller {
            account_id: first.map(|a| a.account_id.clone()).unwrap_or_default(),
            is_admin: first.is_some_and(|a| a.is_admin),
        })
    }

    fn refused(&self, sw: &Switches, dialect: Dialect, anonymous: Caller) -> Result<Caller, Reply> {
        match (sw.bad_credentials, dialect) {
            (BadCredentials::ForbiddenAndNotFound, Dialect::V2) => Err(errors::v2_not_found()),
            (BadCredentials::ForbiddenAndNotFound, _) => Err(errors::v1(
                403,
                "Current user not permitted to use Confluence",
            )),
            (BadCredentials::Unauthorized, _) => Err(errors::auth_mismatch()),
            (BadCredentials::HtmlUnauthorized, _) => Err(Reply::html(
                401,
                "Basic Authentication Failure - Reason : AUTHENTICATED_FAILED",
            )),
            (BadCredentials::Anonymous, _) => Ok(anonymous),
        }
    }

    /// Burst limit, then points quota.
    fn limits(
        &self,
        sw: &Switches,
        method: &str,
        template: &str,
        dialect: Dialect,
    ) -> Option<Reply> {
        let mut meters = locked(&self.meters);
        if let Some(limit) = &sw.rate_limit
            && let Some(seconds) = over_rate(
                &mut meters.buckets,
                limit,
                &format!("{method} {template}"),
                self.site.clock().now(),
            )
        {
            let reset = Utc::now() + chrono::Duration::seconds(i64::try_from(seconds).unwrap_or(1));
            let reply = errors::in_dialect(429, dialect)
                .with_header("X-RateLimit-Limit", limit.burst.to_string())
                .with_header("X-RateLimit-Remaining", "0")
                .with_header(
                    "X-RateLimit-Reset",
                    reset.to_rfc3339_opts(SecondsFormat::Secs, true),
                );
            let reply = if limit.retry_after == RetryAfter::Missing {
                reply
            } else {
                reply.with_header("RateLimit-Reason", "confluence-burst-based")
            };
            return Some(limit.retry_after.apply_with(reply, seconds));
        }
        let quota = sw.points_per_hour.filter(|_| !sw.quota_is_beta)?;
        let (_, reset) = hour_of(self.site.clock().now());
        meters.roll(self.site.clock().now());
        if meters.points < u64::from(quota) {
            return None;
        }
        let wait = (reset - self.site.clock().now()).num_seconds().max(1);
        Some(
            quota_headers(
                errors::in_dialect(429, dialect),
                quota,
                meters.points,
                reset,
                false,
            )
            .with_header("Retry-After", wait.to_string())
            .with_header("RateLimit-Reason", "confluence-quota-global-based"),
        )
    }

    fn charge(&self, sw: &Switches, reply: Reply) -> Reply {
        let mut meters = locked(&self.meters);
        let cost = 1 + u64::from(reply.points);
        meters.roll(self.site.clock().now());
        meters.points += cost;
        meters.points_total += cost;
        match sw.points_per_hour.filter(|_| sw.quota_headers) {
            Some(quota) => {
                let (_, reset) = hour_of(self.site.clock().now());
                quota_headers(reply, quota, meters.points, reset, sw.quota_is_beta)
            }
            None => reply,
        }
    }
}

fn hour_of(now: DateTime<Utc>) -> (DateTime<Utc>, DateTime<Utc>) {
    let past = i64::from(now.minute()) * 60_000
        + i64::from(now.second()) * 1000
        + i64::from(now.timestamp_subsec_millis());
    let start = now - chrono::Duration::milliseconds(past);
    (start, start + chrono::Duration::hours(1))
}

fn quota_headers(reply: Reply, quota: u32, used: u64, reset: DateTime<Utc>, beta: bool) -> Reply {
    let left = u64::from(quota).saturating_sub(used);
    let near = left * 5 < u64::from(quota);
    let prefix = if beta { "Beta-" } else { "" };
    let legacy = if beta {
        "X-Beta-RateLimit"
    } else {
        "X-RateLimit"
    };
    let mut reply = reply
        .with_header(&format!("{legacy}-Limit"), quota.to_string())
        .with_header(&format!("{legacy}-Remaining"), left.to_string())
        .with_header(
            &format!("{legacy}-Reset"),
            reset.format("%Y-%m-%dT%H:%MZ").to_string(),
        )
        .with_header(
            &format!("{prefix}RateLimit-Policy"),
            format!("\"global-app-quota\";q={quota};w=3600"),
        );
    if near {
        reply = reply
            .with_header(&format!("{legacy}-NearLimit"), "true")
            .with_header(
                &format!("{prefix}RateLimit"),
                format!("\"global-app-quota\";r={left}"),
            );
    }
    reply
}

impl Service for ConfluenceService {
    fn template(&self, request: &Request) -> String {
        let (path, _) = unprefixed(&request.path, &self.cloud_id);
        match find_route(ROUTES, &request.method, path) {
            Ok((route, _)) => route.template.to_owned(),
            Err(Some(template)) => template.to_owned(),
            Err(None) => path.to_owned(),
        }
    }

    fn respond(&self, request: &Request, template: &str) -> Reply {
        let switches = self.site.switches();
        if let Some(grants) = self.grants.as_ref().filter(|_| request.path == RESOURCES) {
            // The gateway's host answers this, too.
            return grants.resources(request);
        }
        let (path, via) = unprefixed(&request.path, &self.cloud_id);
        let dialect = dialect_of(template);
        if via == Via::OtherCloud {
            return errors::gateway(404, "Not Found");
        }
        let (route, params) = match find_route(ROUTES, &request.method, path) {
            Ok(found) => found,
            Err(Some(_)) => {
                return match dialect {
                    Dialect::V2 => errors::v2(405, "Method Not Allowed", None),
                    _ => errors::v1(405, "Method Not Allowed"),
                };
            }
            Err(None) => return unknown_route(dialect),
        };
        let request = &request.at_path(path);
        let caller = match self.who(request, &route.handler, via, dialect, &switches) {
            Ok(caller) => caller,
            Err(reply) => return reply,
        };
        if let Some(reply) = self.limits(&switches, &request.method, template, dialect) {
            return reply;
        }
        if let Some(status) = too_large(&switches, request) {
            return Reply::html(status, "Upstream timed out");
        }
        let state = self.site.read();
        let anonymous_wall = caller.account_id.is_empty() && !route.handler.open;
        let switches = Switches {
            sees_nothing: switches.sees_nothing || anonymous_wall,
            ..switches
        };
        let call = Call {
            request,
            params,
            state: &state,
            switches: &switches,
            account: &caller.account_id,
            is_admin: caller.is_admin,
            site_url: &self.site_url,
            media_url: &self.media_url,
            cloud_id: &self.cloud_id,
            now: self.site.clock().now(),
        };
        let mut reply = (route.handler.run)(&call).unwrap_or_else(|reply| reply);
        drop(state);
        if switches.unknown_fields
            && let Body::Json(value) = &mut reply.body
        {
            sprinkle(value);
        }
        self.charge(&switches, reply)
    }

    fn error(&self, status: u16, _: &Request, template: &str) -> Reply {
        errors::in_dialect(status, dialect_of(template))
    }

    fn latency(&self) -> Duration {
        self.site.switches().latency
    }
}

fn unknown_route(dialect: Dialect) -> Reply {
    match dialect {
        Dialect::V2 => errors::v2_not_found(),
        Dialect::V1 => Reply::text(
            404,
            "application/xml",
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><status><status-code>404</status-code>\
             <message>null for uri</message></status>",
        ),
        Dialect::Gateway => Reply::html(404, "Page not found"),
    }
}

fn too_large(sw: &Switches, request: &Request) -> Option<u16> {
    let limit: u32 = request.one("limit")?.parse().ok()?;
    let with_body = request.one("body-format").is_some()
        || request.one("expand").is_some_and(|e| e.contains("body."));
    [
        sw.fails_above_limit,
        sw.fails_above_limit_with_body.filter(|_| with_body),
    ]
    .into_iter()
    .flatten()
    .find(|(most, _)| limit > *most)
    .map(|(_, status)| status)
}

/// Unknown fields in every object.
fn sprinkle(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.values_mut().for_each(sprinkle);
            map.insert(
                "futureField".into(),
                json!({"since": "2027", "values": [1, null]}),
            );
        }
        Value::Array(list) => list.iter_mut().for_each(sprinkle),
        _ => {}
    }
}
