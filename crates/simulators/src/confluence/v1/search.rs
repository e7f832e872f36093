//! `/content/search` and `/search`: CQL.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use serde_json::{Map, Value, json};

use super::content::{Expand, content_json, other_json};
use crate::confluence::call::{Answer, Call, decode_base64_json, when};
use crate::confluence::cql::{self, Hit, Search, SortKey};
use crate::confluence::errors;
use crate::confluence::model::{ContentId, Status};
use crate::confluence::render::plain_text;
use crate::confluence::shapes::status_named;
use crate::server::Reply;

/// One page of hits, and what the envelope says about it.
struct Found {
    hits: Vec<Hit>,
    total: usize,
    start: usize,
    limit: usize,
    next: Option<String>,
}

fn find(call: &Call<'_>, cap: u32, archived_spaces: bool) -> Result<Found, Reply> {
    let text = call
        .request
        .one("cql")
        .ok_or_else(|| errors::v1(400, "cql query is required"))?;
    let fault = |message: String| errors::v1(400, &format!("Could not parse cql : {message}"));
    let query = cql::parse(text).map_err(fault)?;
    let refuses = |word: &str| call.switches.cql_refuses.contains(word);
    if let Some(word) = query.words().into_iter().find(|word| refuses(word)) {
        return Err(fault(format!("no field or type with the name '{word}'")));
    }
    let asked = match call.request.one("limit") {
        None => 25,
        Some(limit) => limit
            .parse::<u32>()
            .map_err(|_| errors::v1(400, "limit must be a number"))?,
    };
    let limit = asked.clamp(1, cap.max(1)) as usize;
    let statuses: Vec<Status> = call
        .request
        .one("cqlcontext")
        .and_then(|c| serde_json::from_str::<Value>(c).ok())
        .and_then(|c| c.get("contentStatuses").cloned())
        .and_then(|s| serde_json::from_value::<Vec<String>>(s).ok())
        .map(|names| names.iter().filter_map(|n| status_named(n)).collect())
        .unwrap_or_else(|| vec![Status::Current]);
    let search = Search {
        state: call.state,
        account: call.account,
        now: call.now,
        lag: chrono::Duration::from_std(call.switches.search_lag).unwrap_or_default(),
        zone_minutes: call.switches.cql_zone_minutes,
        archived_spaces,
        space_keys: call.switches.cql_space_keys,
        statuses: &statuses,
        ranks: !call.switches.cql_ranks_site_search_only || query.words().contains(&"sitesearch"),
    };
    let all = if call.switches.sees_nothing {
        Vec::new()
    } else {
        search.run(&query).map_err(fault)?
    };
    let descending: Vec<bool> = query.order.iter().map(|o| o.descending).collect();
    let mut start = 0;
    if let Some(text) = call.request.one("cursor") {
        let after =
            decode(text).ok_or_else(|| errors::v1(400, "The provided cursor is not valid"))?;
        start = all.partition_point(|hit| Hit::compare(hit, &after, &descending).is_le());
    }
    let total = all.len();
    let hits: Vec<Hit> = all.into_iter().skip(start).take(limit).collect();
    let more = start + hits.len() < total;
    let empty_tail = call.switches.cql_empty_last_page && !hits.is_empty();
    let next = match hits.last() {
        Some(last) if more || empty_tail => Some(encode(last)),
        None if call.switches.cql_empty_last_page => call.request.one("cursor").map(str::to_owned),
        _ => None,
    };
    Ok(Found {
        hits,
        total,
        start,
        limit,
        next,
    })
}

fn encode(hit: &Hit) -> String {
    URL_SAFE.encode(json!({"id": hit.id.to_string(), "sort": hit.keys}).to_string())
}

fn decode(text: &str) -> Option<Hit> {
    let value = decode_base64_json(text)?;
    let id = ContentId(value.get("id")?.as_str()?.parse().ok()?);
    let keys: Vec<SortKey> = serde_json::from_value(value.get("sort")?.clone()).ok()?;
    Some(Hit {
        id,
        kind: "",
        keys,
        score: 0,
    })
}

/// The v1 envelope: `next` begins with `/rest/api`, without `/wiki`.
fn envelope(call: &Call<'_>, found: &Found, results: Vec<Value>) -> Map<String, Value> {
    let path = call.request.path.trim_start_matches("/wiki");
    let mut links = json!({
        "base": format!("{}/wiki", call.site_url), "context": "/wiki",
        "self": format!("{}{}?{}", call.site_url, call.request.path, call.request.query),
    });
    if let Some(cursor) = &found.next {
        let mut rest = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in call.request.pairs() {
            if !matches!(
                name.as_str(),
                "cursor" | "limit" | "start" | "next" | "prev"
            ) {
                rest.append_pair(name, value);
            }
        }
        let (limit, start) = (found.limit, found.start + found.hits.len());
        links["next"] = json!(format!(
            "{path}?next=true&cursor={cursor}&limit={limit}&start={start}&{}",
            rest.finish()
        ));
    }
    let size = results.len();
    let mut map = Map::new();
    map.insert("results".into(), json!(results));
    map.insert("start".into(), json!(found.start));
    map.insert("limit".into(), json!(found.limit));
    map.insert("size".into(), json!(size));
    map.insert("_links".into(), links);
    map
}

fn cap_for(call: &Call<'_>, expand: &Expand) -> u32 {
    if !expand.bodies().is_empty() {
        call.switches.cql_body_cap
    } else if expand.any() {
        call.switches.cql_cap
    } else {
        1000
    }
}

fn hit_json(call: &Call<'_>, hit: &Hit, expand: &Expand) -> Result<Option<Value>, Reply> {
    match call.state.contents.get(&hit.id) {
        Some(content) => content_json(call, content, expand).map(Some),
        None => Ok(other_json(call, hit.id, hit.kind, expand)),
    }
}

pub(crate) fn content_search(call: &Call<'_>) -> Answer {
    let expand = Expand::of(call, "");
    let found = find(call, cap_for(call, &expand), false)?;
    let mut results = Vec::new();
    let mut identities = 0;
    for hit in &found.hits {
        results.extend(hit_json(call, hit, &expand)?);
        if expand.has("restrictions")
            && let Some(content) = call.state.contents.get(&hit.id)
        {
            identities += content.restriction.read.len() + content.restriction.update.len();
        }
    }
    let points = u32::try_from(results.len() + identities * 2).unwrap_or(u32::MAX);
    Ok(Reply::ok(Value::Object(envelope(call, &found, results))).with_points(points))
}

pub(crate) fn search(call: &Call<'_>) -> Answer {
    let archived = call.request.flag("includeArchivedSpaces");
    let expand = Expand::of(call, "content.");
    let cap = cap_for(call, &expand);
    let user_field = call.request.one("cql").is_some_and(|q| q.contains("user."));
    if user_field {
        return Err(errors::v1(
            400,
            "Could not parse cql : user fields are not supported here",
        ));
    }
    let found = find(call, cap, archived)?;
    let mut results = Vec::new();
    for hit in &found.hits {
        let Some(content) = hit_json(call, hit, &expand)? else {
            continue;
        };
        results.push(wrapped(call, hit, content));
    }
    let points = u32::try_from(results.len()).unwrap_or(u32::MAX);
    let mut map = envelope(call, &found, results);
    map.insert("totalSize".into(), json!(found.total));
    map.insert("cqlQuery".into(), json!(call.request.one("cql")));
    map.insert("searchDuration".into(), json!(12));
    map.insert("archivedResultCount".into(), json!(0));
    Ok(Reply::ok(Value::Object(map)).with_points(points))
}

fn wrapped(call: &Call<'_>, hit: &Hit, content: Value) -> Value {
    let state = call.state;
    let (body, modified, on) = if let Some(c) = state.contents.get(&hit.id) {
        (c.latest().body.to_string(), c.modified_at, Some(c))
    } else if let Some(c) = state.comments.get(&hit.id) {
        (
            c.version.body.to_string(),
            c.version.created_at,
            state.contents.get(&c.on),
        )
    } else {
        let attachment = state.attachments.get(&hit.id);
        let on = attachment.and_then(|a| state.contents.get(&a.on));
        (
            String::new(),
            attachment.map_or(call.now, |a| a.version.created_at),
            on,
        )
    };
    let excerpt: String = if call.request.one("excerpt") == Some("none") {
        String::new()
    } else {
        plain_text(&body).chars().take(300).collect()
    };
    let space = on.and_then(|c| state.spaces.get(&c.space));
    let container = json!({
        "title": space.map(|s| s.name.as_str()).unwrap_or_default(),
        "displayUrl": space.map(crate::confluence::shapes::space_path).unwrap_or_default(),
    });
    json!({
        "title": content["title"], "excerpt": excerpt, "url": on.map(|c| call.webui(c)).unwrap_or_default(),
        "resultGlobalContainer": container, "breadcrumbs": [], "entityType": "content",
        "iconCssClass": "aui-icon content-type-page", "lastModified": when(modified),
        "friendlyLastModified": modified.format("%b %d, %Y").to_string(), "score": f64::from(hit.score),
        "content": content,
    })
}
