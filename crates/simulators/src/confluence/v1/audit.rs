//! The audit log, newest first.

use serde_json::{Value, json};

use super::people::user_json;
use crate::confluence::call::{Answer, Call};
use crate::confluence::errors;
use crate::confluence::model::AuditRecord;
use crate::server::Reply;

pub(crate) fn records(call: &Call<'_>) -> Answer {
    if !call.is_admin {
        return Err(errors::v1(
            403,
            "Only a Confluence administrator may read the audit log",
        ));
    }
    let number = |name: &str| call.request.one(name).and_then(|n| n.parse::<i64>().ok());
    let size = |name: &str, usual: usize| {
        number(name).map_or(usual, |n| usize::try_from(n).unwrap_or(usual))
    };
    let (start, asked) = (size("start", 0), size("limit", 1000));
    let until = call.now - call.switches.audit_lag;
    let is_asked_for = |record: &&AuditRecord| {
        let at = record.at.timestamp_millis();
        record.at <= until
            && number("startDate").is_none_or(|from| at >= from)
            && number("endDate").is_none_or(|to| at <= to)
    };
    let newest_first = call.state.audit.iter().rev().filter(is_asked_for);
    let limit = asked.min(call.switches.audit_cap);
    let records: Vec<Value> = newest_first
        .skip(start)
        .take(limit)
        .map(|record| told(call, record))
        .collect();
    let links = json!({"base": format!("{}/wiki", call.site_url), "context": "/wiki", "self": ""});
    Ok(Reply::ok(json!({
        "size": records.len(), "results": records, "start": start, "limit": asked, "_links": links,
    })))
}

fn told(call: &Call<'_>, record: &AuditRecord) -> Value {
    let mut author = user_json(call, &record.author);
    author["type"] = json!("user");
    let category = match record.kind {
        "Group" => "Users and groups",
        _ => "Permissions",
    };
    let spaces = record.space.iter();
    let associated: Vec<Value> = spaces
        .map(|name| json!({"name": name, "objectType": "Space"}))
        .collect();
    json!({
        "author": author, "remoteAddress": "192.0.2.1", "creationDate": record.at.timestamp_millis(),
        "summary": record.summary, "description": "", "category": category, "sysAdmin": false, "superAdmin": false,
        "affectedObject": {"name": record.name, "objectType": record.kind},
        "changedValues": [], "associatedObjects": associated,
    })
}
