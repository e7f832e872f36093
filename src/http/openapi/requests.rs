//! What may be sent, made plain: readers that turn operations into functions for a model (LibreChat's Actions, and others) follow
//! one reference and no further, and know no `oneOf`. So bodies and parameters hold their small objects and words themselves.
//! Bounds come from the constants that the handlers check by.

use serde_json::{Map, Value, json};

use crate::http::fields::{DEFAULT_LIMIT, MAX_LIMIT};
use crate::settings::MAX_INTERVAL_MINUTES;

const SCHEMAS: &str = "#/components/schemas/";

/// Makes a value.
type Make = fn() -> Value;

/// Defaults of a new index, where they are the same on every service. A change has none: what is left out stays.
pub(super) const DEFAULTS: &[(&str, Make)] = &[
    ("enabled", || json!(true)),
    ("include_blog_posts", || json!(false)),
    ("include_comments", || json!(false)),
    ("include_attachments", || json!(false)),
    ("labels", || json!([])),
    ("exclude_labels", || json!([])),
    ("root_page_ids", || json!([])),
    ("restricted_pages", || json!("skip")),
    ("access", || json!("everyone")),
];

/// Examples of parameters, which have no other place for them.
const EXAMPLES: &[(&str, &str)] = &[
    ("agent_id", "engineering"),
    ("id", "0197f1c2-7d2e-7a31-9c52-3f0f5a1f4f10"),
    ("index_id", "0197f1c2-7d2e-7a31-9c52-3f0f5a1f4f10"),
    ("token_id", "0197f1c2-7d2e-7a31-9c52-3f0f5a1f4f11"),
    ("page_id", "98312"),
    ("state", "failed,skipped"),
    ("space", "ENG"),
    ("title", "runbook"),
];

/// Makes the bodies and parameters of a whole document plain.
pub(super) fn make_plain(document: &mut Value) {
    let schemas = document["components"]["schemas"].clone();
    let Some(schemas) = schemas.as_object() else {
        return;
    };
    let mut bodies = Vec::new();
    for (_, operation) in super::operations(document) {
        let parameters = operation.get_mut("parameters");
        let parameters = parameters.and_then(Value::as_array_mut);
        for parameter in parameters.into_iter().flatten() {
            let schema = &mut parameter["schema"];
            inline(schema, schemas);
            drop_null(schema);
            complete(parameter);
        }
        let Some(body) = operation.get_mut("requestBody") else {
            continue;
        };
        let schema = &mut body["content"]["application/json"]["schema"];
        if let Some((name, may_be_left_out)) = body_of(schema) {
            *schema = json!({"$ref": format!("{SCHEMAS}{name}")});
            body["required"] = json!(!may_be_left_out);
            bodies.push(name);
        }
    }
    bodies.sort();
    bodies.dedup();
    for name in bodies {
        let schema = &mut document["components"]["schemas"][&name];
        inline(schema, schemas);
        // Each handler refuses fields that it does not know.
        close(schema);
    }
    let fields = &mut document["components"]["schemas"];
    for name in ["CreateIndex", "ChangeIndex"] {
        fields[name]["properties"]["interval_minutes"]["maximum"] = json!(MAX_INTERVAL_MINUTES);
    }
    for (name, default) in DEFAULTS {
        fields["CreateIndex"]["properties"][name]["default"] = default();
    }
    drop_unused(document);
}

/// The schema that a body names, and whether the body may be left out.
fn body_of(schema: &Value) -> Option<(String, bool)> {
    let named = |schema: &Value| {
        let reference = schema["$ref"].as_str()?;
        Some(reference.strip_prefix(SCHEMAS)?.to_owned())
    };
    if let Some(name) = named(schema) {
        return Some((name, false));
    }
    let name = schema["oneOf"].as_array()?.iter().find_map(named)?;
    Some((name, true))
}

/// Puts what a schema refers to in its place, and says "or null" by the type.
fn inline(schema: &mut Value, schemas: &Map<String, Value>) {
    if let Some(choices) = schema["oneOf"].as_array() {
        let is_null = |choice: &Value| choice["type"] == "null";
        let mut others = choices.iter().filter(|choice| !is_null(choice));
        if choices.iter().any(is_null)
            && let (Some(only), None) = (others.next(), others.next())
        {
            *schema = only.clone();
            inline(schema, schemas);
            schema["type"] = json!([schema["type"], "null"]);
            return;
        }
    }
    let named = schema["$ref"]
        .as_str()
        .and_then(|reference| schemas.get(reference.strip_prefix(SCHEMAS)?));
    if let Some(named) = named {
        let mut whole = named.clone();
        // What is said beside the reference is said of this use.
        if let (Some(whole), Some(beside)) = (whole.as_object_mut(), schema.as_object()) {
            let beside = beside.iter().filter(|(key, _)| *key != "$ref");
            whole.extend(beside.map(|(key, value)| (key.clone(), value.clone())));
        }
        *schema = whole;
    }
    parts(schema).for_each(|part| inline(part, schemas));
}

/// The schemas of the fields of an object, or of the items of an array.
fn parts(schema: &mut Value) -> impl Iterator<Item = &mut Value> {
    let parts = schema.as_object_mut().into_iter().flatten();
    parts.flat_map(|(key, part)| -> Box<dyn Iterator<Item = &mut Value>> {
        match key.as_str() {
            "properties" => Box::new(part.as_object_mut().into_iter().flat_map(Map::values_mut)),
            "items" => Box::new(std::iter::once(part)),
            _ => Box::new(std::iter::empty()),
        }
    })
}

/// A parameter has no null: it is left out.
fn drop_null(schema: &mut Value) {
    let Some(types) = schema["type"].as_array() else {
        return;
    };
    if let [only] = &types
        .iter()
        .filter(|kind| *kind != "null")
        .collect::<Vec<_>>()[..]
    {
        schema["type"] = (*only).clone();
    }
}

/// Bounds, default and example of a parameter.
fn complete(parameter: &mut Value) {
    let name = parameter["name"].as_str().unwrap_or_default().to_owned();
    if name == "limit" {
        let schema = &mut parameter["schema"];
        schema["minimum"] = json!(1);
        schema["maximum"] = json!(MAX_LIMIT);
        schema["default"] = json!(DEFAULT_LIMIT);
    }
    if let Some((_, example)) = EXAMPLES.iter().find(|(of, _)| *of == name) {
        parameter["example"] = json!(example);
    }
}

/// Says of every object in a body that it takes no other fields.
fn close(schema: &mut Value) {
    if schema.get("properties").is_some() {
        schema["additionalProperties"] = json!(false);
    }
    parts(schema).for_each(close);
}

/// Takes "or null" from every body: what is null may as well be left out, but for `quiet_hours` of a change.
pub(super) fn without_null(document: &mut Value) {
    let schemas = document["components"]["schemas"].as_object_mut();
    for schema in schemas.into_iter().flat_map(Map::values_mut) {
        if schema["additionalProperties"] == json!(false) {
            parts(schema).for_each(drop_null);
        }
    }
}

/// Removes schemas that nothing names any more.
pub(super) fn drop_unused(document: &mut Value) {
    loop {
        let text = document.to_string();
        let Some(schemas) = document["components"]["schemas"].as_object_mut() else {
            return;
        };
        let before = schemas.len();
        schemas.retain(|name, _| text.contains(&format!("\"{SCHEMAS}{name}\"")));
        if schemas.len() == before {
            return;
        }
    }
}
