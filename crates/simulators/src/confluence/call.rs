//! One request on its way through an endpoint: parameters, paging, envelopes.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use super::errors;
use super::model::{Content, ContentId, State};
use super::switches::{NextLinks, Switches};
use crate::server::{Reply, Request};

/// Both arms are answers: `?` ends a handler with an error answer.
pub(crate) type Answer = Result<Reply, Reply>;

pub(crate) type Handler = fn(&Call<'_>) -> Answer;

pub(crate) struct Call<'a> {
    pub request: &'a Request,
    pub params: Vec<String>,
    pub state: &'a State,
    pub switches: &'a Switches,
    /// Account id of the caller; empty for anonymous.
    pub account: &'a str,
    pub is_admin: bool,
    /// The site's public address, without `/wiki`.
    pub site_url: &'a str,
    pub media_url: &'a str,
    pub cloud_id: &'a str,
    pub now: DateTime<Utc>,
}

/// What a listing is sorted by.
#[derive(Clone, Debug)]
pub(crate) struct Sort {
    pub by: String,
    pub descending: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SortValue {
    Number(i64),
    Text(String),
}

pub(crate) fn when(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

impl Call<'_> {
    // ---- parameters ----

    pub(crate) fn limit(&self, default: u32) -> Result<usize, Reply> {
        let limit = match self.request.one("limit") {
            None => default,
            Some(text) => text.parse().map_err(|_| errors::v2_bad("limit", "int"))?,
        };
        if !(1..=250).contains(&limit) {
            return Err(errors::v2(
                400,
                "Provided value for 'limit' is out of range. It must be between 1 and 250.",
                None,
            ));
        }
        Ok(limit as usize)
    }

    pub(crate) fn ids(&self, name: &str, most: usize) -> Result<Option<Vec<u64>>, Reply> {
        let given = self.request.many(name);
        if given.is_empty() {
            return Ok(None);
        }
        if given.len() > most {
            return Err(errors::v2(
                400,
                &format!("Too many values for '{name}': at most {most} are allowed."),
                None,
            ));
        }
        given
            .iter()
            .map(|id| id.parse().map_err(|_| errors::v2_bad(name, "Long")))
            .collect::<Result<_, _>>()
            .map(Some)
    }

    /// Values of an enum array; the default when none is given.
    pub(crate) fn choice(
        &self,
        name: &str,
        allowed: &[&str],
        default: &[&str],
    ) -> Result<Vec<String>, Reply> {
        let given = self.request.many(name);
        if given.is_empty() {
            return Ok(default.iter().map(|d| (*d).to_owned()).collect());
        }
        if let Some(bad) = given.iter().find(|g| !allowed.contains(g)) {
            return Err(errors::v2(
                400,
                &format!("Provided value '{bad}' for '{name}' is not one of {allowed:?}."),
                None,
            ));
        }
        Ok(given.into_iter().map(str::to_owned).collect())
    }

    pub(crate) fn sort(&self, allowed: &[&str], default: &str) -> Result<Sort, Reply> {
        let given = self.request.one("sort").unwrap_or(default);
        let by = given.strip_prefix('-').unwrap_or(given);
        if !allowed.contains(&by) {
            return Err(errors::v2(
                400,
                &format!("Provided value '{given}' for 'sort' is not one of {allowed:?}."),
                None,
            ));
        }
        Ok(Sort {
            by: by.to_owned(),
            descending: given.starts_with('-'),
        })
    }

    /// The body format asked for, refused when this endpoint does not offer it.
    pub(crate) fn body_format(&self, allowed: &[&str]) -> Result<Option<String>, Reply> {
        match self.request.one("body-format") {
            None => Ok(None),
            Some(format) if allowed.contains(&format) => Ok(Some(format.to_owned())),
            Some(format) => Err(errors::v2(
                400,
                &format!("Provided value '{format}' for 'body-format' is not one of {allowed:?}."),
                None,
            )),
        }
    }

    pub(crate) fn param(&self, at: usize) -> &str {
        self.params.get(at).map(String::as_str).unwrap_or_default()
    }

    pub(crate) fn id(&self, at: usize) -> Result<ContentId, Reply> {
        self.param(at)
            .parse()
            .map(ContentId)
            .map_err(|_| errors::v2_bad("id", "Long"))
    }

    // ---- visibility ----

    pub(crate) fn sees(&self, content: &Content) -> bool {
        self.state.may_view(self.account, content)
    }

    /// Content the caller may view; else 404 as v2 says it.
    pub(crate) fn visible(&self, id: ContentId) -> Result<&Content, Reply> {
        self.state
            .contents
            .get(&id)
            .filter(|c| self.sees(c))
            .ok_or_else(errors::v2_not_found)
    }

    // ---- paging ----

    /// The page of a keyset walk the request's cursor asks for, and the cursor of the next one.
    pub(crate) fn page(
        &self,
        mut items: Vec<(SortValue, u64)>,
        sort: &Sort,
        limit: usize,
    ) -> Result<(Vec<u64>, Option<String>), Reply> {
        if let Some(text) = self.request.one("cursor") {
            let after = decode_cursor(text, &sort.by).ok_or_else(errors::bad_cursor)?;
            items.retain(|item| {
                if sort.descending {
                    *item < after
                } else {
                    *item > after
                }
            });
        }
        let order = |a: &(SortValue, u64), b: &(SortValue, u64)| {
            if sort.descending { b.cmp(a) } else { a.cmp(b) }
        };
        let more = items.len() > limit;
        if more {
            items.select_nth_unstable_by(limit, order);
            items.truncate(limit);
        }
        items.sort_unstable_by(order);
        let next = items
            .last()
            .filter(|_| more)
            .map(|last| encode_cursor(last, &sort.by));
        Ok((items.into_iter().map(|(_, id)| id).collect(), next))
    }

    /// A v2 list: envelope, `_links`, `Link` header.
    pub(crate) fn list(&self, results: Vec<Value>, next_cursor: Option<String>) -> Reply {
        let base = format!("{}/wiki", self.site_url);
        let next = next_cursor.map(|cursor| match self.switches.next_links {
            NextLinks::Offset => self.next_link("start", &results.len().to_string()),
            _ => self.next_link("cursor", &cursor),
        });
        let mut links = Map::new();
        let mut header = String::new();
        if let Some(next) = next {
            header = format!("<{next}>; rel=\"next\", ");
            if self.switches.next_links != NextLinks::HeaderOnly {
                links.insert("next".into(), json!(next));
            }
        }
        links.insert("base".into(), json!(base));
        let points = u32::try_from(results.len()).unwrap_or(u32::MAX);
        Reply::ok(json!({"results": results, "_links": links}))
            .with_header("Link", format!("{header}<{base}>; rel=\"base\""))
            .with_points(points)
    }

    /// The request again, going on from a cursor. As measured, the cursor stands first and its `=` are not escaped.
    fn next_link(&self, from: &str, cursor: &str) -> String {
        let mut rest = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in self
            .request
            .pairs()
            .iter()
            .filter(|(name, _)| name != "cursor")
        {
            rest.append_pair(name, value);
        }
        let rest = rest.finish();
        let joint = if rest.is_empty() { "" } else { "&" };
        format!("{}?{from}={cursor}{joint}{rest}", self.request.path)
    }
}

fn encode_cursor((value, id): &(SortValue, u64), order: &str) -> String {
    let value = match value {
        SortValue::Number(number) => json!(number),
        SortValue::Text(text) => json!(text),
    };
    URL_SAFE.encode(
        json!({"id": id.to_string(), "contentOrder": order, "contentOrderValue": value})
            .to_string(),
    )
}

pub(crate) fn decode_base64_json(text: &str) -> Option<Value> {
    let bare = text.trim_end_matches('=');
    let bytes = URL_SAFE_NO_PAD
        .decode(bare)
        .or_else(|_| STANDARD_NO_PAD.decode(bare))
        .ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn decode_cursor(text: &str, order: &str) -> Option<(SortValue, u64)> {
    let value = decode_base64_json(text)?;
    if value.get("contentOrder")?.as_str()? != order {
        return None;
    }
    let id = value.get("id")?.as_str()?.parse().ok()?;
    let key = match value.get("contentOrderValue")? {
        Value::Number(number) => SortValue::Number(number.as_i64()?),
        Value::String(text) => SortValue::Text(text.clone()),
        _ => return None,
    };
    Some((key, id))
}
