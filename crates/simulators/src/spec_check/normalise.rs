//! Turns an OpenAPI 3.0 document into one whose schemas are JSON Schema 2020-12, and mends its known defects.

use serde_json::{Map, Value, json};

/// Properties that are null in live answers although the documents give them a plain type.
const NULL_IN_LIVE_ANSWERS: &[(&str, &[&str])] = &[
    ("PageBulk", &["parentId", "parentType"]),
    ("PageSingle", &["parentId", "parentType"]),
    ("FolderSingle", &["parentId", "parentType"]),
    ("WhiteboardSingle", &["parentId", "parentType"]),
    ("DatabaseSingle", &["parentId", "parentType"]),
    ("SmartLinkSingle", &["parentId", "parentType"]),
    ("DescendantsResponse", &["parentId"]),
    ("SpaceBulk", &["description", "icon", "homepageId"]),
    ("SpaceSingle", &["description", "icon", "homepageId"]),
    ("User", &["timeZone", "personalSpaceId"]),
];

pub(super) fn normalise(mut root: Value) -> Value {
    let old = root
        .get("openapi")
        .and_then(Value::as_str)
        .is_some_and(|v| v.starts_with("3.0"));
    if old {
        for (schema, properties) in NULL_IN_LIVE_ANSWERS {
            for property in *properties {
                if let Some(place) = root.pointer_mut(&format!(
                    "/components/schemas/{schema}/properties/{property}"
                )) && place.get("nullable").is_none()
                {
                    *place = json!({"anyOf": [place.take(), {"type": "null"}]});
                }
            }
        }
        walk(&mut root);
    }
    root
}

fn walk(value: &mut Value) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(walk),
        Value::Object(map) => {
            map.values_mut().for_each(walk);
            scalar_items(map);
            for bound in ["exclusiveMinimum", "exclusiveMaximum"] {
                if map.get(bound).is_some_and(Value::is_boolean) {
                    map.remove(bound);
                }
            }
            // `format: string` without a type stands for a string.
            if map.get("format") == Some(&json!("string")) && !map.contains_key("type") {
                map.insert("type".into(), json!(["string", "null"]));
            }
            if map.get("nullable") == Some(&json!(true)) {
                map.remove("nullable");
                let plain = Value::Object(std::mem::take(map));
                map.insert("anyOf".into(), json!([plain, {"type": "null"}]));
            }
        }
        _ => {}
    }
}

/// A string with `items` means: one of the enum under `items`.
fn scalar_items(map: &mut Map<String, Value>) {
    if map.get("type") == Some(&json!("string"))
        && let Some(items) = map.remove("items")
    {
        map.insert("allOf".into(), json!([items]));
    }
}
