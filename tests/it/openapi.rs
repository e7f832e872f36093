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
        "POST /api/runs/{id}/cancel",
        "POST /api/runs/{id}/confirm",
        "GET /api/indexes/{id}/pages",
        "GET /api/indexes/{id}/pages/{page_id}",
        "POST /api/indexes/{id}/pages/{page_id}/retry",
        "GET /api/events",
        "GET /api/indexes/{id}/events",
        "GET /api/spaces",
        "POST /api/indexes/{id}/tokens",
        "GET /api/indexes/{id}/tokens",
        "DELETE /api/indexes/{id}/tokens/{token_id}",
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
    for path in ["/docs", "/docs/"] {
        let (status, page) = service.get(path).await;
        let page = page.as_str().unwrap().to_owned();
        assert_eq!(status, 200);
        assert!(
            page.contains("<base href=\"/docs/\">") && !page.contains("https://"),
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
            .contains("/openapi.json")
    );
    let (_, problems) = service.get("/docs/problems").await;
    for (code, status, _) in domain::problem::CODES {
        let row = format!("id=\"{code}\"><td><code>{code}</code></td><td>{status}</td>");
        assert!(problems.as_str().unwrap().contains(&row), "{code}");
    }
    service.stop().await;
}
