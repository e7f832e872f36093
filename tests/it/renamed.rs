//! A space that was given another key: Confluence goes on naming it by the old one, people by the new one. Both are understood
//! and shown, wherever a space is named.

use serde_json::{Value, json};

use crate::mcp_support::Client;
use crate::support::{fields, id, site, start};

const KEY: &str = "administrator-key";

fn length(of: &Value) -> usize {
    of.as_array().unwrap().len()
}

#[actix_web::test]
async fn both_keys_of_a_renamed_space_are_understood_and_shown() {
    let site = site(3);
    let body = r#"<p>See <ac:link><ri:page ri:space-key="TEAM" ri:content-title="Rollback runbook" /></ac:link>.</p>"#;
    site.create_page("ENG", None, "Pointer", body);
    site.alias_space("ENG", "TEAM");
    let service = start(site, &[("API_KEY", KEY)]).await;
    let (status, refused) = service
        .post(
            "/api/indexes/",
            json!({"name": "N", "agent_id": "two", "confluence_spaces": ["ENG", "TEAM"]}),
        )
        .await;
    assert_eq!(
        (status.as_u16(), fields(&refused)),
        (422, vec!["confluence_spaces"]),
        "{refused}"
    );

    let index = service.synced_index("team", &["TEAM"]).await;
    let space = &index["spaces"][0];
    assert_eq!(
        [&space["key"], &space["current_key"], &space["alias"]],
        ["TEAM", "ENG", "TEAM"]
    );
    let old = service.synced_index("old", &["ENG"]).await;
    assert_eq!(old["spaces"][0]["alias"], "TEAM");

    for agent in [&index, &old] {
        for named in ["ENG", "TEAM", "team"] {
            let path = format!("/api/indexes/{}/pages?space={named}", id(agent));
            let (_, pages) = service.get(&path).await;
            assert_eq!(length(&pages["items"]), 4, "{named}: {pages}");
            let path = format!(
                "/api/indexes/agent/{}/query",
                agent["agent_id"].as_str().unwrap()
            );
            let question = json!({"query": "falcon", "filters": {"space": named}});
            let (_, answer) = service.post(&path, question).await;
            assert_eq!(length(&answer["results"]), 1, "{named}: {answer}");
        }
    }

    let mut client = Client::open(&service.base, "?agent_id=team", KEY).await;
    let opened = client.initialize().await;
    let instructions = opened["result"]["instructions"].as_str().unwrap();
    let named = "Indexed spaces: ENG (now TEAM in its addresses).";
    assert!(instructions.contains(named), "{instructions}");
    let mut tool = async |number, name: &str, arguments: Value| {
        let params = json!({"name": name, "arguments": arguments});
        client.ask(number, "tools/call", params).await["result"].clone()
    };
    let spaces = tool(1, "list_spaces", json!({})).await;
    let text = spaces["content"][0]["text"].as_str().unwrap();
    assert!(
        text.contains("| ENG (now TEAM in its addresses) |"),
        "{text}"
    );
    // Whoever names neither is told both.
    let arguments = json!({"query": "falcon", "space": "NONE"});
    let found = tool(6, "search_confluence", arguments).await;
    let text = found["content"][0]["text"].as_str().unwrap();
    assert!(
        text.contains("ENG (now TEAM in its addresses) (Engineering)"),
        "{text}"
    );
    let changes = tool(7, "recent_changes", json!({"space": "team"})).await;
    assert_eq!(
        length(&changes["structuredContent"]["items"]),
        4,
        "{changes}"
    );
    for (number, named) in [(2, "ENG"), (3, "TEAM"), (4, "team")] {
        let found = tool(
            number,
            "search_confluence",
            json!({"query": "falcon", "space": named}),
        )
        .await;
        assert_eq!(
            length(&found["structuredContent"]["results"]),
            1,
            "{named}: {found}"
        );
    }
    // A link by the new key leads to the page.
    let (_, pages) = service
        .get(&format!("/api/indexes/{}/pages?title=pointer", id(&index)))
        .await;
    let pointer = pages["items"][0]["id"].as_str().unwrap();
    let page = tool(5, "get_page", json!({"page_id": pointer})).await;
    let text = page["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("[Rollback runbook](http"), "{text}");
    service.stop().await;
}
