//! The API's description is complete, true, and usable by assistants.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::Value;

use crate::support::{answer, site, start};

fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let mut found = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            found.push((method.to_uppercase(), path.clone(), operation.clone()));
        }
    }
    found
}

#[actix_web::test]
async fn assistants_can_make_functions_of_it() {
    let service = start(site(0), &[("PUBLIC_BASE_URL", "https://sync.example.com/")]).await;
    let (status, document) = service.get("/openapi.json").await;
    assert_eq!(status, 200);
    assert!(document["openapi"].as_str().unwrap().starts_with("3."));
    assert_eq!(
        document["servers"],
        serde_json::json!([{"url": "https://sync.example.com"}])
    );
    let mut names = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        let name = operation["operationId"].as_str().unwrap().to_owned();
        assert!(
            name.len() <= 32 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'),
            "{name}"
        );
        assert!(names.insert(name.clone()), "{name} twice");
        assert!(
            operation["summary"]
                .as_str()
                .is_some_and(|summary| summary.len() > 10),
            "{method} {path}"
        );
        // Path, query and body names are merged into one list of arguments.
        let mut arguments = BTreeSet::new();
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            assert!(
                arguments.insert(parameter["name"].as_str().unwrap().to_owned()),
                "{name}"
            );
        }
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        if !schema.is_null() {
            let text = schema.to_string();
            let reference = text
                .split("#/components/schemas/")
                .nth(1)
                .and_then(|rest| rest.split('"').next());
            let schema = &document["components"]["schemas"]
                [reference.unwrap_or_else(|| panic!("{name}: {text}"))];
            let properties = schema["properties"]
                .as_object()
                .unwrap_or_else(|| panic!("{name}: flat properties, not {schema}"));
            for property in properties.keys() {
                assert!(
                    arguments.insert(property.clone()),
                    "{name}: {property} clashes"
                );
            }
        }
    }
    // Streams would be functions that never return, and a browser's session is no assistant's.
    let (_, tools) = service.get("/openapi-tools.json").await;
    assert_eq!(tools["servers"], document["servers"]);
    let of_tools: BTreeSet<String> = operations(&tools)
        .into_iter()
        .map(|(_, _, operation)| operation["operationId"].as_str().unwrap().to_owned())
        .collect();
    let left_out: Vec<&String> = names.difference(&of_tools).collect();
    assert_eq!(
        left_out,
        [
            "admit_person",
            "begin_oidc",
            "close_session",
            "confluence_changed",
            "confluence_connected",
            "connect_confluence",
            "create_key",
            "disconnect_confluence",
            "export_audit",
            "forget_person",
            "get_connection",
            "get_metrics",
            "get_people",
            "get_session",
            "list_audit",
            "list_keys",
            "map_people",
            "open_session",
            "replace_key",
            "revoke_key",
            "sign_in_by_oidc",
            "sign_out_of_oidc",
            "test_notice",
            "watch_events",
            "watch_index_events"
        ]
    );
    let text = document.to_string();
    for reference in text.split("\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(
            document["components"]["schemas"].get(name).is_some(),
            "{name} is described"
        );
    }
    assert_eq!(
        document["components"]["schemas"]["CreateIndex"]["required"],
        serde_json::json!(["name", "agent_id", "confluence_spaces"])
    );
    service.stop().await;
}

/// Bodies and parameters without a reference or a choice below the first level: readers follow one reference and no further.
#[actix_web::test]
async fn what_may_be_sent_is_plain_and_closed() {
    let service = start(site(0), &[]).await;
    let (_, document) = service.get("/openapi.json").await;
    assert_eq!(document["servers"], serde_json::json!([{"url": "."}]));
    let (mut bodies, mut left_out) = (Vec::new(), Vec::new());
    for (method, path, operation) in operations(&document) {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let schema = parameter["schema"].to_string();
            assert!(
                !schema.contains("$ref") && !schema.contains("null"),
                "{schema}"
            );
            if parameter["name"] == "limit" {
                let bounds = serde_json::json!({"type": "integer", "minimum": 1, "maximum": 500, "default": 100});
                assert_eq!(parameter["schema"], bounds);
            }
        }
        let body = &operation["requestBody"];
        let Some(name) = body["content"]["application/json"]["schema"]["$ref"].as_str() else {
            assert!(body.is_null(), "{method} {path}: {body}");
            continue;
        };
        let name = name.rsplit('/').next().unwrap();
        let schema = &document["components"]["schemas"][name];
        let text = schema.to_string();
        assert!(!text.contains("$ref") && !text.contains("oneOf"), "{text}");
        if body["required"] == false {
            left_out.push(operation["operationId"].as_str().unwrap().to_owned());
        }
        bodies.push((method, path, schema.clone()));
    }
    assert_eq!(
        left_out,
        [
            "confluence_changed",
            "sync_agent",
            "sync_index",
            "create_token",
            "replace_key"
        ]
    );
    let create = &document["components"]["schemas"]["CreateIndex"]["properties"];
    assert_eq!(
        create["restricted_pages"]["enum"],
        serde_json::json!(["skip", "include"])
    );
    assert_eq!(
        create["quiet_hours"]["type"],
        serde_json::json!(["object", "null"])
    );
    assert_eq!(create["quiet_hours"]["additionalProperties"], false);
    let change = &document["components"]["schemas"]["ChangeIndex"];
    assert!(
        !change["properties"].to_string().contains("\"default\""),
        "{change}"
    );
    // What the document calls closed is: a field too many is refused, and the refusal names it.
    for (method, path, schema) in bodies {
        assert_eq!(schema["additionalProperties"], false, "{schema}");
        let path = path.replace("{agent_id}", "nobody").replace("{id}", "1");
        let mut body = serde_json::json!({"colour": 1});
        for name in schema["required"].as_array().into_iter().flatten() {
            let name = name.as_str().unwrap();
            let property = &schema["properties"][name];
            body[name] = match &property["enum"] {
                Value::Array(words) => words[0].clone(),
                _ if property["type"] == "array" => serde_json::json!(["ENG"]),
                _ => "x".into(),
            };
        }
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let (status, refused) = answer(service.request(method.clone(), &path).json(&body)).await;
        let named = refused["errors"].to_string().contains("\"colour\"");
        assert!(
            (status == 422 && named) || status == 404,
            "{method} {path}: {status} {refused}"
        );
    }
    service.stop().await;
}

#[actix_web::test]
async fn the_defaults_of_a_new_index_are_those_of_the_document() {
    let service = start(site(3), &[]).await;
    let (_, document) = service.get("/openapi.json").await;
    let body = serde_json::json!({"name": "n", "agent_id": "n", "confluence_spaces": ["ENG"]});
    let (status, index) = answer(service.request(Method::POST, "/api/indexes/").json(&body)).await;
    assert_eq!(status, 201, "{index}");
    let described = document["components"]["schemas"]["CreateIndex"]["properties"].as_object();
    let mut checked = 0;
    for (name, property) in described.unwrap() {
        if let Some(default) = property.get("default") {
            assert_eq!(&index[name], default, "{name}");
            checked += 1;
        }
    }
    assert_eq!(checked, 9);
    service.stop().await;
}

#[actix_web::test]
async fn every_described_operation_is_there_and_every_route_of_the_contract_is_described() {
    let service = start(site(0), &[]).await;
    let (_, document) = service.get("/openapi.json").await;
    let described: BTreeSet<String> = operations(&document)
        .into_iter()
        .map(|(method, path, _)| format!("{method} {path}"))
        .collect();
    for wanted in [
        "POST /api/indexes/",
        "GET /api/indexes/",
        "GET /api/indexes/{id}",
        "PATCH /api/indexes/{id}",
        "DELETE /api/indexes/{id}",
        "GET /api/indexes/agent/{agent_id}",
        "POST /api/indexes/agent/{agent_id}/sync",
        "POST /api/indexes/{id}/sync",
        "POST /api/indexes/agent/{agent_id}/query",
        "GET /api/runs",
        "GET /api/runs/{id}",
        "GET /api/runs/{id}/pages",
        "GET /api/indexes/{id}/question",
        "POST /api/runs/{id}/cancel",
        "POST /api/runs/{id}/confirm",
        "GET /api/indexes/{id}/pages",
        "GET /api/indexes/{id}/pages/{page_id}",
        "GET /api/indexes/{id}/pages/{page_id}/markdown",
        "GET /api/indexes/{id}/pages/{page_id}/passages",
        "POST /api/indexes/{id}/pages/{page_id}/retry",
        "GET /api/indexes/{id}/changes",
        "GET /api/indexes/{id}/questions",
        "DELETE /api/indexes/{id}/questions",
        "DELETE /api/indexes/{id}/questions/{question_id}",
        "GET /api/indexes/{id}/evaluation",
        "POST /api/indexes/{id}/evaluation",
        "DELETE /api/indexes/{id}/evaluation",
        "POST /api/indexes/{id}/evaluation/run",
        "GET /api/indexes/{id}/evaluation/results",
        "GET /api/events",
        "GET /api/indexes/{id}/events",
        "GET /api/spaces",
        "POST /api/indexes/{id}/tokens",
        "GET /api/indexes/{id}/tokens",
        "DELETE /api/indexes/{id}/tokens/{token_id}",
        "GET /api/confluence/oauth",
        "GET /api/confluence/oauth/authorize",
        "GET /api/confluence/oauth/callback",
        "DELETE /api/confluence/oauth",
        "GET /health/live",
        "GET /health/ready",
        "GET /health",
        "GET /metrics",
    ] {
        assert!(described.contains(wanted), "{wanted}");
    }
    for (method, path, _) in operations(&document)
        .iter()
        .filter(|(_, path, _)| !path.ends_with("/events"))
    {
        let path = path
            .replace("{agent_id}", "nobody")
            .replace("{page_id}", "1")
            .replace("{token_id}", "1")
            .replace("{question_id}", "1")
            .replace("{id}", "1");
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let (status, body) = answer(service.request(method.clone(), &path)).await;
        let routed = status != 405
            && body["detail"]
                .as_str()
                .is_none_or(|detail| !detail.starts_with("There is nothing at"));
        assert!(routed, "{method} {path}: {status} {body}");
    }
    service.stop().await;
}

#[actix_web::test]
async fn the_pages_of_the_documentation_need_nothing_from_elsewhere() {
    let service = start(site(0), &[]).await;
    for (path, base) in [("/docs", "docs/"), ("/docs/", "./")] {
        let (status, page) = service.get(path).await;
        let page = page.as_str().unwrap().to_owned();
        assert_eq!(status, 200);
        assert!(
            page.contains(&format!("<base href=\"{base}\">")) && !page.contains("https://"),
            "{page}"
        );
    }
    for file in [
        "swagger-ui.css",
        "swagger-ui-bundle.js",
        "swagger-initializer.js",
    ] {
        assert_eq!(service.get(&format!("/docs/{file}")).await.0, 200, "{file}");
    }
    assert!(
        service
            .get("/docs/swagger-initializer.js")
            .await
            .1
            .as_str()
            .unwrap()
            .contains("\"../openapi.json\"")
    );
    let (_, problems) = service.get("/docs/problems").await;
    for (code, status, _) in domain::problem::CODES {
        let row = format!("id=\"{code}\"><td><code>{code}</code></td><td>{status}</td>");
        assert!(problems.as_str().unwrap().contains(&row), "{code}");
    }
    service.stop().await;
}

/// Values of every type, none of which suits every field.
fn odd_values() -> [Value; 9] {
    use serde_json::json;
    let huge = json!(1e300);
    [
        json!({"a": 1}),
        json!([]),
        json!([{}]),
        json!([1, 2]),
        json!("\u{0}"),
        json!(-1),
        json!(1.5),
        json!(false),
        huge,
    ]
}

/// Whoever sends nonsense hears what would be right, in words that need no knowledge of the program's language.
#[actix_web::test]
async fn no_message_speaks_of_rust() {
    let service = start(site(1), &[]).await;
    let index = service.synced_index("a", &["OPS"]).await;
    let (_, document) = service.get("/openapi.json").await;
    let schemas = &document["components"]["schemas"];
    let rust = [
        "expected ",
        "struct ",
        "variant",
        "tuple",
        "enum",
        "invalid type",
        "invalid value",
        "missing field",
        "deserialize",
        "u32",
        "u64",
        "i64",
        "f64",
        "usize",
        "boolean",
        "None",
        "Some(",
        "Option",
    ];
    let mut refused = 0;
    let mut check = |what: &str, status: u16, answer: &Value| {
        assert!(status < 500, "{what}: {status} {answer}");
        if status < 400 {
            return;
        }
        refused += 1;
        let errors = answer["errors"].as_array().unwrap().iter();
        let told = errors.map(|error| &error["message"]);
        for text in told.chain([&answer["detail"]]) {
            let text = text.as_str().unwrap();
            let found: Vec<_> = rust.iter().filter(|word| text.contains(**word)).collect();
            assert!(found.is_empty(), "{what}: {found:?} in {text}");
        }
    };
    for (method, path, operation) in operations(&document) {
        if path.ends_with("/events") || method == "DELETE" {
            continue;
        }
        let method: Method = method.parse().unwrap();
        let at = path
            .replace("{id}", crate::support::id(&index))
            .replace("{agent_id}", "a")
            .replace("{page_id}", "1");
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            if parameter["in"] != "query" {
                continue;
            }
            let name = parameter["name"].as_str().unwrap();
            for value in ["-1", "x", "%00", "1e9", "%7B%7D"] {
                let at = format!("{at}?{name}={value}");
                let (status, said) = answer(service.request(method.clone(), &at)).await;
                if status.is_client_error() || status.is_server_error() {
                    check(&at, status.as_u16(), &said);
                }
            }
        }
        let body = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
        let Some(name) = body.as_str().and_then(|body| body.rsplit('/').next()) else {
            continue;
        };
        let fields = schemas[name]["properties"].as_object().unwrap();
        assert!(!fields.is_empty(), "{path}");
        for field in fields.keys() {
            for value in odd_values() {
                let body = serde_json::json!({ field: value });
                let what = format!("{method} {path} {body}");
                let (status, said) = answer(service.request(method.clone(), &at).json(&body)).await;
                check(&what, status.as_u16(), &said);
            }
        }
        for body in ["[1]", "\"x\"", "{\"quiet_hours\": {\"from\": 1}}"] {
            let request = service.request(method.clone(), &at);
            let request = request
                .header("content-type", "application/json")
                .body(body);
            let (status, said) = answer(request).await;
            check(&format!("{method} {path} {body}"), status.as_u16(), &said);
        }
    }
    assert!(refused > 150, "{refused}");
    service.stop().await;
}
