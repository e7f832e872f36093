//! One OpenAPI document: its operations, and what they allow.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use jsonschema::{Draft, Registry, Validator};
use serde_json::{Value, json};

use super::normalise::normalise;
use crate::LoggedRequest;
use crate::server::{locked, percent_decode};

pub(super) struct Document {
    uri: String,
    root: Value,
    registry: Registry<'static>,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

/// Parameters that the documents call single, though their text says to repeat them (`/user/bulk`).
const REPEATED: &[&str] = &["accountId"];

/// A parameter with the pointer of its schema.
struct Parameter<'d> {
    name: &'d str,
    place: &'d str,
    required: bool,
    schema: String,
    is_array: bool,
}

impl Document {
    pub(super) fn new(name: &str, value: Value) -> Result<Document, String> {
        let root = normalise(value);
        let uri = format!("https://specs.invalid/{name}");
        let registry = Registry::new()
            .draft(Draft::Draft202012)
            .add(uri.clone(), root.clone())
            .and_then(|r| r.prepare())
            .map_err(|e| format!("{name}: {e}"))?;
        Ok(Document {
            uri,
            root,
            registry,
            validators: Mutex::default(),
        })
    }

    /// The validator of the schema at a JSON pointer.
    fn validator(&self, pointer: &str) -> Result<Arc<Validator>, String> {
        if let Some(known) = locked(&self.validators).get(pointer) {
            return Ok(known.clone());
        }
        let escaped = pointer
            .replace('%', "%25")
            .replace('{', "%7B")
            .replace('}', "%7D")
            .replace(' ', "%20");
        let schema = json!({"$ref": format!("{}#{escaped}", self.uri)});
        let built = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .with_registry(&self.registry)
            .build(&schema)
            .map_err(|e| format!("the document's own schema at {pointer} does not compile: {e}"))?;
        let built = Arc::new(built);
        locked(&self.validators).insert(pointer.to_owned(), built.clone());
        Ok(built)
    }

    fn errors(&self, pointer: &str, value: &Value) -> Vec<String> {
        match self.validator(pointer) {
            Err(error) => vec![error],
            Ok(validator) => validator
                .iter_errors(value)
                .take(3)
                .map(|e| {
                    let text: String = e.to_string().chars().take(300).collect();
                    format!("at {}: {text}", e.instance_path())
                })
                .collect(),
        }
    }

    /// The template a path meets (literal segments before parameters) and its parameter values.
    fn path_item(&self, path: &str) -> Option<(&str, &Value, HashMap<String, String>)> {
        let paths = self.root.get("paths")?.as_object()?;
        let given: Vec<&str> = path.split('/').collect();
        let mut best: Option<(&str, &Value, HashMap<String, String>)> = None;
        for (template, item) in paths {
            let wanted: Vec<&str> = template.trim_end_matches('/').split('/').collect();
            if wanted.len() != given.len() {
                continue;
            }
            let mut values = HashMap::new();
            let fits = wanted
                .iter()
                .zip(&given)
                .all(|(w, g)| match w.strip_prefix('{') {
                    Some(name) => {
                        values.insert(name.trim_end_matches('}').to_owned(), percent_decode(g));
                        !g.is_empty()
                    }
                    None => w == g,
                });
            if fits && best.as_ref().is_none_or(|(_, _, b)| values.len() < b.len()) {
                best = Some((template, item, values));
            }
        }
        best
    }

    fn parameters<'d>(
        &'d self,
        template: &str,
        item: &'d Value,
        method: &str,
    ) -> Vec<Parameter<'d>> {
        let escaped = escape(template);
        let own = (
            format!("/paths/{escaped}/parameters"),
            item.get("parameters"),
        );
        let of_operation = (
            format!("/paths/{escaped}/{method}/parameters"),
            item.get(method).and_then(|o| o.get("parameters")),
        );
        let mut out = Vec::new();
        for (base, list) in [own, of_operation] {
            for (at, parameter) in list
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .enumerate()
            {
                let (pointer, parameter) = match parameter.get("$ref").and_then(Value::as_str) {
                    Some(reference) => {
                        let pointer = reference.trim_start_matches('#').to_owned();
                        let Some(target) = self.root.pointer(&pointer) else {
                            continue;
                        };
                        (pointer, target)
                    }
                    None => (format!("{base}/{at}"), parameter),
                };
                let text = |name: &str| {
                    parameter
                        .get(name)
                        .and_then(Value::as_str)
                        .unwrap_or_default()
                };
                let schema = format!("{pointer}/schema");
                out.push(Parameter {
                    name: text("name"),
                    place: text("in"),
                    required: parameter.get("required") == Some(&json!(true)),
                    is_array: parameter.get("schema").is_some_and(mentions_array),
                    schema,
                });
            }
        }
        out
    }

    pub(super) fn check_request(&self, path: &str, request: &LoggedRequest) -> Vec<String> {
        let Some((template, item, path_values)) = self.path_item(path) else {
            return vec!["the document has no such path".into()];
        };
        let method = request.method.to_ascii_lowercase();
        let Some(operation) = item.get(&method) else {
            return vec![format!("{template} does not allow {}", request.method)];
        };
        let parameters = self.parameters(template, item, &method);
        let mut problems = Vec::new();
        let mut query: Vec<(String, Vec<String>)> = Vec::new();
        for (name, value) in url::form_urlencoded::parse(request.query.as_bytes()) {
            match query.iter_mut().find(|(n, _)| *n == name) {
                Some((_, values)) => values.push(value.into_owned()),
                None => query.push((name.into_owned(), vec![value.into_owned()])),
            }
        }
        for (name, values) in &query {
            match parameters
                .iter()
                .find(|p| p.place == "query" && p.name == name)
            {
                None => problems.push(format!("unknown query parameter {name}")),
                Some(parameter) => problems.extend(self.check_value(parameter, values)),
            }
        }
        for parameter in &parameters {
            match parameter.place {
                "query"
                    if parameter.required && !query.iter().any(|(n, _)| n == parameter.name) =>
                {
                    problems.push(format!("query parameter {} is required", parameter.name));
                }
                "path" => {
                    if let Some(value) = path_values.get(parameter.name) {
                        problems.extend(self.check_value(parameter, std::slice::from_ref(value)));
                    }
                }
                _ => {}
            }
        }
        problems.extend(self.check_body(template, &method, operation, request));
        problems
    }

    fn check_value(&self, parameter: &Parameter<'_>, values: &[String]) -> Option<String> {
        let mut candidates = Vec::new();
        if parameter.is_array {
            let items: Vec<&str> = values.iter().flat_map(|v| v.split(',')).collect();
            candidates.push(json!(items));
            let numbers: Option<Vec<i64>> = items.iter().map(|i| i.parse().ok()).collect();
            candidates.extend(numbers.map(|n| json!(n)));
        } else if values.len() > 1 && !REPEATED.contains(&parameter.name) {
            return Some(format!(
                "query parameter {} is given {} times",
                parameter.name,
                values.len()
            ));
        }
        let text = &values[0];
        if !parameter.is_array {
            candidates.push(json!(text));
            candidates.extend(text.parse::<i64>().ok().map(|n| json!(n)));
            candidates.extend(text.parse::<bool>().ok().map(|b| json!(b)));
        }
        let mut first = None;
        for candidate in candidates.iter().rev() {
            let errors = self.errors(&parameter.schema, candidate);
            if errors.is_empty() {
                return None;
            }
            first = first.or(errors.into_iter().next());
        }
        Some(format!(
            "{} parameter {}: {}",
            parameter.place,
            parameter.name,
            first.unwrap_or_default()
        ))
    }

    fn check_body(
        &self,
        template: &str,
        method: &str,
        operation: &Value,
        request: &LoggedRequest,
    ) -> Vec<String> {
        let (place, declared) = match operation
            .pointer("/requestBody/$ref")
            .and_then(Value::as_str)
        {
            Some(reference) => {
                let pointer = reference.trim_start_matches('#').to_owned();
                let target = self.root.pointer(&pointer);
                (pointer, target)
            }
            None => (
                format!("/paths/{}/{method}/requestBody", escape(template)),
                operation.get("requestBody"),
            ),
        };
        let kind = request.content_type.as_deref().unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        let Some(content) = declared.and_then(|b| b.get("content")) else {
            return if request.body.is_some() {
                vec!["a body where none is declared".into()]
            } else {
                Vec::new()
            };
        };
        if kind.is_empty() && request.body.is_none() {
            let required = declared.and_then(|b| b.get("required")) == Some(&json!(true));
            return if required {
                vec!["a body is required".into()]
            } else {
                Vec::new()
            };
        }
        match (content.get(kind), &request.body) {
            (None, _) => vec![format!("content type {kind:?} is not declared")],
            (Some(_), None) if kind == "application/json" => vec!["the body is not JSON".into()],
            (Some(_), Some(body)) if kind == "application/json" => {
                self.errors(&format!("{place}/content/application~1json/schema"), body)
            }
            (Some(_), _) => Vec::new(),
        }
    }

    pub(super) fn check_answer(
        &self,
        method: &str,
        path: &str,
        status: u16,
        body: Option<&Value>,
    ) -> Vec<String> {
        let Some((template, item, _)) = self.path_item(path) else {
            return vec!["the document has no such path".into()];
        };
        let method = method.to_ascii_lowercase();
        let Some(operation) = item.get(&method) else {
            return vec![format!("{template} does not allow {method}")];
        };
        let Some(response) = operation.pointer(&format!("/responses/{status}")) else {
            return vec![format!("status {status} is not declared")];
        };
        let schema = response.pointer("/content/application~1json/schema");
        match (schema, body) {
            (Some(_), Some(body)) => self.errors(
                &format!(
                    "/paths/{}/{method}/responses/{status}/content/application~1json/schema",
                    escape(template)
                ),
                body,
            ),
            (Some(_), None) => vec!["a JSON body is declared, the answer has none".into()],
            (None, _) => Vec::new(),
        }
    }
}

/// A path as a JSON pointer segment.
fn escape(template: &str) -> String {
    template.replace('~', "~0").replace('/', "~1")
}

/// Whether a schema is an array, or one of its alternatives is.
fn mentions_array(schema: &Value) -> bool {
    schema.get("type") == Some(&json!("array"))
        || ["anyOf", "oneOf"].iter().any(|key| {
            schema
                .get(*key)
                .and_then(Value::as_array)
                .is_some_and(|list| list.iter().any(mentions_array))
        })
}
