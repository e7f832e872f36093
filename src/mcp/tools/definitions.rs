//! What `tools/list` says: names, descriptions and schemas, within 6 KB, in a fixed order.

use std::sync::{Arc, OnceLock};

use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde_json::{Value, json};

/// The tools, in the order of [`super::NAMES`].
#[must_use]
pub fn tools() -> Vec<Tool> {
    static TOOLS: OnceLock<Vec<Tool>> = OnceLock::new();
    TOOLS.get_or_init(make).clone()
}

fn make() -> Vec<Tool> {
    vec![
        tool(
            "search_confluence",
            "Search Confluence",
            "Search the indexed Confluence spaces. Returns passages, each with a link to cite, breadcrumb, date and page_id. \
             Ask in the language of the pages, with the words a page would use; when the passages do not answer, ask again with \
             synonyms. Read whole pages with get_page.",
            json!({"type": "object", "required": ["query"], "properties": {
                "query": {"type": "string", "maxLength": 1000, "description": "Question or keywords"},
                "limit": {"type": "integer", "minimum": 1, "maximum": 50, "default": 8},
                "space": {"type": "string", "description": "Only this space (key, see list_spaces)"},
                "under": {"type": "string", "description": "Only a page and what is below it (page_id, link or title)"},
                "label": {"type": "string", "description": "Only pages with this label"},
                "updated_after": {"type": "string", "description": "Only pages edited after: 2026-01-31, RFC 3339, or 30d"}
            }}),
            json!({"type": "object", "required": ["results", "as_of", "stale", "source"], "properties": {
                "results": {"type": "array", "items": {"type": "object", "required": ["text", "score", "page"], "properties": {
                    "text": {"type": "string"}, "score": {"type": "number"}, "page": page_schema(), "cursor": {"type": ["string", "null"]}
                }}},
                "as_of": {"type": ["string", "null"]}, "stale": {"type": "boolean"},
                "source": {"enum": ["index", "live", "both"]}, "diagnostics": {"type": "object"}
            }}),
        ),
        tool(
            "get_page",
            "Read a Confluence page",
            "Read a page as Markdown with its outline, its parent, its children and what links to it. Name it by page_id, by url (any Confluence link), or by title and space. \
             Long pages come in parts: pass the cursor to go on, or name a section.",
            json!({"type": "object", "properties": {
                "page_id": {"type": "string"},
                "url": {"type": "string"},
                "title": {"type": "string"},
                "space": {"type": "string", "description": "Key of the title's space"},
                "section": {"type": "string", "description": "Heading or anchor: only that section"},
                "max_chars": {"type": "integer", "minimum": super::page::MIN_CHARS, "maximum": super::page::MAX_CHARS, "default": super::page::DEFAULT_CHARS},
                "cursor": {"type": "string", "description": "From the part before"}
            }}),
            json!({"type": "object", "required": ["page", "markdown", "outline", "next_cursor"], "properties": {
                "page": page_schema(),
                "markdown": {"type": "string"},
                "section": {"type": ["string", "null"]},
                "outline": {"type": "array", "items": {"type": "object"}},
                "parent": {"type": ["object", "null"]}, "children": {"type": ["object", "null"]}, "linked_from": {"type": ["object", "null"]},
                "next_cursor": {"type": ["string", "null"]}, "as_of": {"type": ["string", "null"]}
            }}),
        ),
        tool(
            "list_spaces",
            "List indexed spaces",
            "List the indexed Confluence spaces: key, name, pages, last sync.",
            json!({"type": "object", "properties": {}}),
            items_schema(
                json!({"key": {"type": "string"}, "name": {"type": ["string", "null"]}, "pages": {"type": "integer"}, "last_sync_at": {"type": ["string", "null"]}}),
            ),
        ),
        tool(
            "recent_changes",
            "Recent changes",
            "List pages that were added, edited or removed lately, newest first, with the headings of sections that changed.",
            json!({"type": "object", "properties": {
                "since": {"type": "string", "description": "2026-01-31, RFC 3339, or a span such as 24h, 7d (default)"},
                "space": {"type": "string", "description": "Only this space (key)"},
                "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}
            }}),
            items_schema(
                json!({"id": {"type": "string"}, "title": {"type": "string"}, "url": {"type": "string"},
                "change": {"enum": ["added", "edited", "removed"]}, "changed_at": {"type": "string"}, "sections": {"type": "object"}}),
            ),
        ),
    ]
}

fn tool(
    name: &'static str,
    title: &'static str,
    description: &'static str,
    input: Value,
    output: Value,
) -> Tool {
    let annotations = ToolAnnotations::with_title(title)
        .read_only(true)
        .destructive(false)
        .idempotent(true)
        .open_world(false);
    Tool::new(name, description, schema(input))
        .with_title(title)
        .with_raw_output_schema(schema(output))
        .with_annotations(annotations)
}

fn schema(value: Value) -> Arc<JsonObject> {
    match value {
        Value::Object(map) => Arc::new(map),
        _ => Arc::new(JsonObject::new()),
    }
}

fn page_schema() -> Value {
    json!({"type": "object", "required": ["id", "title", "url", "space_key", "version", "last_modified"], "properties": {
        "id": {"type": "string"}, "title": {"type": "string"}, "url": {"type": "string"}, "version": {"type": "integer"}
    }})
}

fn items_schema(properties: Value) -> Value {
    json!({"type": "object", "required": ["items", "next_cursor"], "properties": {
        "items": {"type": "array", "items": {"type": "object", "properties": properties}},
        "next_cursor": {"type": "null"}
    }})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_stays_under_six_kilobytes_in_a_fixed_order() {
        let tools = tools();
        let names: Vec<&str> = tools.iter().map(|t| t.name.as_ref()).collect();
        assert_eq!(names, crate::mcp::tools::NAMES);
        let size = serde_json::to_string(&rmcp::model::ListToolsResult::with_all_items(tools))
            .unwrap()
            .len();
        assert!(size < 6_000, "tools/list takes {size} bytes");
    }

    #[test]
    fn every_tool_says_that_it_only_reads() {
        for tool in tools() {
            let hints = tool.annotations.unwrap();
            assert_eq!(
                (
                    hints.read_only_hint,
                    hints.destructive_hint,
                    hints.idempotent_hint,
                    hints.open_world_hint
                ),
                (Some(true), Some(false), Some(true), Some(false))
            );
            assert!(tool.output_schema.is_some() && tool.title.is_some());
        }
    }
}
