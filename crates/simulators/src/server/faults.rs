//! Faults on demand: what should go wrong, where, and how often.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use super::limits::RetryAfter;
use super::reply::{Body, Delivery, Reply};
use super::request::Request;

/// Something that goes wrong with one answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// This status with the service's own JSON error body.
    Status(u16),
    /// This status with an HTML page as body.
    HtmlStatus(u16),
    /// This status with an empty body.
    EmptyStatus(u16),
    /// 429 with, without or with a useless `Retry-After`.
    RateLimited(RetryAfter),
    /// 503 with `Retry-After` in seconds.
    Unavailable(u64),
    /// Status 200, but an HTML page (a login or maintenance page).
    Html200,
    /// Status 200 and a JSON body that stops in the middle; the HTTP message itself is complete.
    CutJson,
    /// The connection ends in the middle of the body.
    CutBody,
    /// The connection is dropped before an answer.
    Reset,
    /// The true answer, this much later.
    Slow(Duration),
    /// A 404 that is not true, as seen under load behind the CDN.
    TransientNotFound,
    /// A 403 that is not true, as seen under load behind the CDN.
    TransientForbidden,
    /// 401 as for an expired token.
    Unauthorized,
    /// 402, out of credits (LlamaCloud).
    PaymentRequired,
    /// A request that carries a cursor is told that the cursor is invalid; others pass.
    InvalidCursor,
    /// `next` leads to this same page again.
    RepeatNext,
    /// A listing that suddenly has nothing, without an error.
    EmptyListing,
    /// An empty page that still carries its `next`.
    EmptyPage,
    /// The true answer without the fields of these names, wherever they stand.
    Lacks(&'static [&'static str]),
    /// The true answer with one header more: name and value.
    Header(&'static str, &'static str),
}

/// Which requests a fault is for.
#[derive(Clone, Debug, Default)]
pub struct Matcher {
    method: Option<String>,
    endpoint: Option<String>,
    containing: Vec<String>,
}

impl Matcher {
    /// Every request.
    pub fn any() -> Matcher {
        Matcher::default()
    }

    /// Requests whose endpoint template is, or ends with, this: `/wiki/api/v2/pages`, `/pages/{id}`, `/content/search`.
    pub fn endpoint(template: &str) -> Matcher {
        Matcher {
            endpoint: Some(template.into()),
            ..Matcher::default()
        }
    }

    /// Requests whose decoded path and query contain this text.
    pub fn containing(text: &str) -> Matcher {
        Matcher {
            containing: vec![text.into()],
            ..Matcher::default()
        }
    }

    /// Also require this method.
    pub fn method(mut self, method: &str) -> Matcher {
        self.method = Some(method.to_ascii_uppercase());
        self
    }

    /// Also require this text in the decoded path and query, e.g. `body-format=storage`.
    pub fn and_containing(mut self, text: &str) -> Matcher {
        self.containing.push(text.into());
        self
    }

    pub(crate) fn matches(&self, request: &Request, template: &str) -> bool {
        let method = self.method.as_ref().is_none_or(|m| *m == request.method);
        let endpoint = self
            .endpoint
            .as_ref()
            .is_none_or(|e| template.ends_with(e.as_str()));
        method && endpoint && {
            let whole =
                super::request::percent_decode(&format!("{}?{}", request.path, request.query));
            self.containing
                .iter()
                .all(|text| whole.contains(text.as_str()))
        }
    }
}

impl From<&str> for Matcher {
    /// `"*"` is every request; text with `=` or `?` is looked for in path and query; anything else is an endpoint.
    fn from(text: &str) -> Matcher {
        match text {
            "*" => Matcher::any(),
            t if t.contains('=') || t.contains('?') => Matcher::containing(t),
            t => Matcher::endpoint(t),
        }
    }
}

/// How often a rule strikes.
#[derive(Clone, Debug, PartialEq)]
pub enum Times {
    /// The next n matching requests.
    Next(u32),
    /// Every matching request until the faults are cleared.
    Always,
    /// Every n-th matching request (1 = each).
    Every(u32),
    /// This share of matching requests, 0.0 to 1.0, from a seeded generator.
    Share(f64),
}

/// One entry of the fault plan.
#[derive(Clone, Debug)]
pub struct FaultRule {
    /// Which requests.
    pub matcher: Matcher,
    /// Let this many matching requests through first.
    pub skip: u32,
    /// How often.
    pub times: Times,
    /// What goes wrong.
    pub fault: Fault,
}

#[derive(Debug)]
pub(crate) struct FaultPlan {
    rules: Vec<(FaultRule, u32)>,
    rng: StdRng,
}

impl Default for FaultPlan {
    fn default() -> Self {
        FaultPlan {
            rules: Vec::new(),
            rng: StdRng::seed_from_u64(7),
        }
    }
}

impl FaultPlan {
    pub(crate) fn add(&mut self, rule: FaultRule) {
        self.rules.push((rule, 0));
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    pub(crate) fn seed(&mut self, seed: u64) {
        self.rng = StdRng::seed_from_u64(seed);
    }

    pub(crate) fn pending(&self) -> usize {
        self.rules.len()
    }

    /// The fault for this request, if the plan has one; used-up rules leave the plan.
    pub(crate) fn strike(&mut self, request: &Request, template: &str) -> Option<Fault> {
        let mut struck = None;
        for (rule, seen) in &mut self.rules {
            if !rule.matcher.matches(request, template) {
                continue;
            }
            if rule.fault == Fault::InvalidCursor && request.one("cursor").is_none() {
                continue;
            }
            *seen += 1;
            if *seen <= rule.skip {
                continue;
            }
            let nth = *seen - rule.skip;
            let hit = match rule.times {
                Times::Next(n) => nth <= n,
                Times::Always => true,
                Times::Every(n) => n > 0 && nth % n == 0,
                Times::Share(share) => self.rng.random_bool(share.clamp(0.0, 1.0)),
            };
            if hit {
                struck = Some(rule.fault.clone());
                break;
            }
        }
        self.rules.retain(|(rule, seen)| match rule.times {
            Times::Next(n) => seen.saturating_sub(rule.skip) < n,
            _ => true,
        });
        struck
    }
}

/// How a service words its errors: status and template in, reply out.
pub(crate) type ErrorStyle<'a> = &'a dyn Fn(u16) -> Reply;

/// Faults that answer without asking the service.
pub(crate) fn early(fault: &Fault, error: ErrorStyle<'_>) -> Option<Reply> {
    Some(match fault {
        Fault::Status(status) => error(*status),
        Fault::HtmlStatus(status) => Reply::html(*status, "Temporary problem"),
        Fault::EmptyStatus(status) => Reply::empty(*status),
        Fault::RateLimited(retry_after) => retry_after.apply(error(429)),
        Fault::Unavailable(seconds) => error(503).with_header("Retry-After", seconds.to_string()),
        Fault::Html200 => Reply::html(200, "Log in to continue"),
        Fault::Reset => Reply {
            delivery: Delivery::Reset,
            ..Reply::empty(200)
        },
        Fault::TransientNotFound => error(404).with_header("x-cache", "Error from cloudfront"),
        Fault::TransientForbidden => error(403).with_header("x-cache", "Error from cloudfront"),
        Fault::Unauthorized => error(401),
        Fault::PaymentRequired => error(402),
        Fault::InvalidCursor => error(400),
        Fault::CutJson | Fault::CutBody | Fault::Slow(_) => return None,
        Fault::RepeatNext | Fault::EmptyListing | Fault::EmptyPage => return None,
        Fault::Lacks(_) | Fault::Header(..) => return None,
    })
}

/// Faults that spoil the true answer.
pub(crate) fn spoil(fault: &Fault, request: &Request, mut reply: Reply) -> Reply {
    match fault {
        Fault::CutJson => {
            let (kind, mut data) = reply.rendered();
            data.truncate(data.len() / 2);
            reply.body = Body::Bytes {
                kind: kind.unwrap_or_else(|| "application/json".into()),
                data,
            };
        }
        Fault::CutBody => reply.delivery = Delivery::CutBody,
        Fault::Slow(by) => reply.delay += *by,
        Fault::RepeatNext => {
            let own = format!("{}?{}", request.path, request.query);
            if let Body::Json(value) = &mut reply.body
                && let Some(next) = value.pointer_mut("/_links/next")
            {
                let shown = if next.as_str().is_some_and(|n| n.starts_with("/rest/")) {
                    own.trim_start_matches("/wiki").to_owned()
                } else {
                    own
                };
                reply.headers.retain(|(name, _)| name != "Link");
                reply
                    .headers
                    .push(("Link".into(), format!("<{shown}>; rel=\"next\"")));
                *next = Value::String(shown);
            }
        }
        Fault::EmptyListing => {
            if let Body::Json(value) = &mut reply.body {
                empty_results(value);
                if let Some(links) = value.get_mut("_links").and_then(Value::as_object_mut) {
                    links.remove("next");
                }
            }
            reply
                .headers
                .retain(|(name, value)| name != "Link" || !value.contains("rel=\"next\""));
        }
        Fault::EmptyPage => {
            if let Body::Json(value) = &mut reply.body {
                empty_results(value);
            }
        }
        Fault::Lacks(names) => {
            if let Body::Json(value) = &mut reply.body {
                take_out(value, names);
            }
        }
        Fault::Header(name, value) => reply = reply.with_header(name, *value),
        _ => {}
    }
    reply
}

fn take_out(value: &mut Value, names: &[&str]) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !names.contains(&name.as_str()));
            fields.values_mut().for_each(|field| take_out(field, names));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| take_out(item, names)),
        _ => {}
    }
}

fn empty_results(value: &mut Value) {
    for key in ["results", "documents", "items"] {
        if let Some(list) = value.get_mut(key) {
            *list = json!([]);
        }
    }
    for key in ["size", "totalSize", "total_count"] {
        if let Some(count) = value.get_mut(key) {
            *count = json!(0);
        }
    }
}
