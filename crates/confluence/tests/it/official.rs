//! A checker of requests against Atlassian's own documents: endpoints, parameters, their types, enums and bounds.
//!
//! The documents are not part of the project. `CONFLUENCE_SPECS_DIR` names a folder with `confluence-v1.openapi.json` and
//! `confluence-v2.openapi.json`; without it the check is skipped, and says so.

use std::path::Path;

use serde_json::Value;
use simulators::LoggedRequest;
use url::form_urlencoded;

/// Both documents.
pub struct Official {
    documents: Vec<(&'static str, Value)>,
}

impl Official {
    /// The documents, if the environment says where they are.
    pub fn load() -> Option<Official> {
        let Some(folder) = std::env::var_os("CONFLUENCE_SPECS_DIR") else {
            eprintln!(
                "skipped: CONFLUENCE_SPECS_DIR is not set, so requests are not checked against the documents"
            );
            return None;
        };
        let read = |name: &str| {
            let path = Path::new(&folder).join(name);
            let text =
                std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            serde_json::from_slice(&text).unwrap()
        };
        Some(Official {
            documents: vec![
                ("/wiki/api/v2", read("confluence-v2.openapi.json")),
                ("", read("confluence-v1.openapi.json")),
            ],
        })
    }

    /// Everything about a request that the documents do not allow.
    pub fn faults(&self, request: &LoggedRequest) -> Vec<String> {
        let path = match request.path.split_once("/wiki/") {
            Some((_, rest)) => format!("/wiki/{rest}"),
            None => request.path.clone(),
        };
        for (prefix, document) in &self.documents {
            let Some(below) = path.strip_prefix(prefix) else {
                continue;
            };
            let Some((fills, operation)) = find(document, below, &request.method) else {
                continue;
            };
            return check(document, operation, &fills, request);
        }
        vec![format!("{} {path} is in no document", request.method)]
    }
}

/// Names and values.
type Pairs = Vec<(String, String)>;

/// The operation of a path, and what fills its template.
fn find<'d>(document: &'d Value, path: &str, method: &str) -> Option<(Pairs, &'d Value)> {
    let mut found: Vec<(usize, Pairs, &Value)> = Vec::new();
    for (template, operations) in document["paths"].as_object().unwrap() {
        let (left, right): (Vec<&str>, Vec<&str>) =
            (template.split('/').collect(), path.split('/').collect());
        let fits = |(t, p): (&&str, &&str)| t == p || (t.starts_with('{') && !p.is_empty());
        let operation = &operations[method.to_lowercase()];
        if left.len() == right.len() && left.iter().zip(&right).all(fits) && !operation.is_null() {
            let fills: Pairs = left
                .iter()
                .zip(&right)
                .filter(|(t, _)| t.starts_with('{'))
                .map(|(t, p)| (t.trim_matches(['{', '}']).to_owned(), (*p).to_owned()))
                .collect();
            found.push((fills.len(), fills, operation));
        }
    }
    // `/a/b` is meant rather than `/a/{x}`.
    found
        .into_iter()
        .min_by_key(|(count, ..)| *count)
        .map(|(_, fills, operation)| (fills, operation))
}

fn resolved<'d>(document: &'d Value, mut value: &'d Value) -> &'d Value {
    while let Some(target) = value["$ref"].as_str() {
        value = document.pointer(target.trim_start_matches('#')).unwrap();
    }
    value
}

fn check(
    document: &Value,
    operation: &Value,
    fills: &[(String, String)],
    request: &LoggedRequest,
) -> Vec<String> {
    let mut faults = Vec::new();
    if operation["deprecated"] == true {
        faults.push("is deprecated".to_owned());
    }
    let empty = Vec::new();
    let parameters: Vec<&Value> = operation["parameters"]
        .as_array()
        .unwrap_or(&empty)
        .iter()
        .map(|p| resolved(document, p))
        .collect();
    let query: Pairs = form_urlencoded::parse(request.query.as_bytes())
        .into_owned()
        .collect();
    for (place, given) in [("path", fills), ("query", query.as_slice())] {
        for (name, value) in given {
            match parameters
                .iter()
                .find(|p| p["in"] == place && p["name"] == name.as_str())
            {
                Some(parameter) => {
                    let schema = resolved(document, &parameter["schema"]);
                    faults.extend(
                        misfits(document, schema, value)
                            .map(|why| format!("{name}={value}: {why}")),
                    );
                }
                None => faults.push(format!("{place} parameter {name} is unknown")),
            }
        }
    }
    for parameter in parameters
        .iter()
        .filter(|p| p["required"] == true && p["in"] == "query")
    {
        if !query
            .iter()
            .any(|(name, _)| parameter["name"] == name.as_str())
        {
            faults.push(format!("{} is missing", parameter["name"]));
        }
    }
    let mut given: Vec<&str> = query.iter().map(|(name, _)| name.as_str()).collect();
    given.sort_unstable();
    if given.windows(2).any(|pair| pair[0] == pair[1]) {
        faults.push("a parameter comes twice".to_owned());
    }
    match (resolved(document, &operation["requestBody"]), &request.body) {
        (Value::Null, None) => {}
        (Value::Null, Some(_)) => faults.push("has a body".to_owned()),
        (_, None) => faults.push("lacks a body".to_owned()),
        (body, Some(sent)) => {
            let schema = resolved(document, &body["content"]["application/json"]["schema"]);
            for name in sent.as_object().unwrap().keys() {
                if schema["properties"][name].is_null() {
                    faults.push(format!("body field {name} is unknown"));
                }
            }
            for name in schema["required"].as_array().unwrap_or(&empty) {
                if sent[name.as_str().unwrap()].is_null() {
                    faults.push(format!("body field {name} is missing"));
                }
            }
        }
    }
    faults
}

/// Why a value does not fit its schema.
fn misfits(document: &Value, schema: &Value, value: &str) -> Option<String> {
    // Some scalar parameters of v2 carry their enum below `items`.
    let items = resolved(document, &schema["items"]);
    let values: Vec<&str> = if schema["type"] == "array" {
        value.split(',').collect()
    } else {
        vec![value]
    };
    if schema["maxItems"]
        .as_u64()
        .is_some_and(|most| values.len() as u64 > most)
    {
        return Some(format!("{} are too many", values.len()));
    }
    let one = if schema["type"] == "array" {
        items
    } else {
        schema
    };
    for value in values {
        for allowed in [&one["enum"], &items["enum"]]
            .into_iter()
            .filter_map(Value::as_array)
        {
            if !allowed.iter().any(|word| word == value) {
                return Some(format!("{value} is none of {allowed:?}"));
            }
        }
        match one["type"].as_str() {
            Some("integer") => {
                let Ok(number) = value.parse::<i64>() else {
                    return Some(format!("{value} is no integer"));
                };
                if one["minimum"].as_i64().is_some_and(|least| number < least) {
                    return Some(format!("{number} is too small"));
                }
                if one["maximum"].as_i64().is_some_and(|most| number > most) {
                    return Some(format!("{number} is too large"));
                }
            }
            Some("boolean") if value != "true" && value != "false" => {
                return Some(format!("{value} is no boolean"));
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, path: &str, query: &str) -> LoggedRequest {
        LoggedRequest {
            seq: 1,
            at: chrono::Utc::now(),
            method: method.into(),
            path: path.into(),
            query: query.into(),
            template: String::new(),
            status: 200,
            ms: 0,
            bytes: 0,
            fault: None,
            body: None,
            content_type: None,
        }
    }

    /// A checker that finds nothing proves nothing: it must find these.
    #[test]
    fn the_checker_finds_what_is_wrong() {
        let Some(official) = Official::load() else {
            return;
        };
        let faults = |method, path, query| official.faults(&request(method, path, query));
        assert_eq!(
            faults(
                "GET",
                "/wiki/api/v2/pages",
                "space-id=1,2&sort=-modified-date&limit=250"
            ),
            [""; 0]
        );
        assert_eq!(
            faults(
                "GET",
                "/ex/confluence/1-2/wiki/rest/api/content/search",
                "cql=type%3Dpage"
            ),
            [""; 0]
        );
        for (method, path, query) in [
            ("GET", "/wiki/rest/api/content", ""),
            ("GET", "/wiki/api/v2/pages", "limit=251"),
            ("GET", "/wiki/api/v2/pages", "limit=0"),
            ("GET", "/wiki/api/v2/pages", "sort=position"),
            ("GET", "/wiki/api/v2/pages", "status=draft"),
            (
                "GET",
                "/wiki/api/v2/pages",
                "status=current&status=archived",
            ),
            ("GET", "/wiki/api/v2/pages", "include-labels=true"),
            ("GET", "/wiki/api/v2/pages", "body-format=view"),
            ("GET", "/wiki/api/v2/pages/abc", ""),
            ("GET", "/wiki/api/v2/blogposts", "status=archived"),
            ("GET", "/wiki/api/v2/pages/1/children", ""),
            ("GET", "/wiki/rest/api/content/search", ""),
            ("POST", "/wiki/api/v2/users-bulk", ""),
        ] {
            assert_ne!(
                faults(method, path, query),
                [""; 0],
                "{method} {path}?{query}"
            );
        }
        let ids: Vec<String> = (0..251).map(|n| n.to_string()).collect();
        assert_ne!(
            faults(
                "GET",
                "/wiki/api/v2/pages",
                &format!("id={}", ids.join(","))
            ),
            [""; 0]
        );
    }
}
