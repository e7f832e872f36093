//! The mark by which we know our own objects in the account: our index's id, in a field that the service keeps and that
//! means what it says.

use domain::IndexId;
use domain::document::keys;
use serde_json::{Value, json};

/// For a pipeline: its preset filter lets through documents of our index only. That is true of everything in it, it
/// survives changes made in the dashboard, and it is part of every answer about the pipeline.
pub(crate) fn preset_filters(index: IndexId) -> Value {
    json!({
        "condition": "and",
        "filters": [{"key": keys::INDEX, "operator": "==", "value": index.to_string()}],
    })
}

/// The index whose mark a pipeline bears.
pub(crate) fn of_pipeline(pipeline: &Value) -> Option<IndexId> {
    let filters = pipeline
        .pointer("/preset_retrieval_parameters/search_filters/filters")?
        .as_array()?;
    let ours = filters
        .iter()
        .find(|filter| filter.get("key").and_then(Value::as_str) == Some(keys::INDEX))?;
    ours.get("value")?.as_str()?.parse().ok()
}

/// Begins the description of a directory of ours.
const DIRECTORY: &str = "Kept by MCP Confluence Sync; index ";

/// For a directory: its description says whose it is, to people in the dashboard too.
pub(crate) fn description(index: IndexId) -> String {
    format!("{DIRECTORY}{index}")
}

/// The index whose mark a directory bears.
pub(crate) fn of_directory(directory: &Value) -> Option<IndexId> {
    let description = directory.get("description")?.as_str()?;
    description
        .split_once(DIRECTORY)?
        .1
        .split_whitespace()
        .next()?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_of_a_pipeline_is_read_back() {
        let index = IndexId::generate();
        let pipeline =
            json!({"preset_retrieval_parameters": {"search_filters": preset_filters(index)}});
        assert_eq!(of_pipeline(&pipeline), Some(index));
        for foreign in [
            json!({}),
            json!({"preset_retrieval_parameters": {"search_filters": null}}),
            json!(null),
        ] {
            assert_eq!(of_pipeline(&foreign), None);
        }
    }

    #[test]
    fn the_mark_of_a_directory_outlives_what_people_write_around_it() {
        let index = IndexId::generate();
        for description in [
            description(index),
            format!("Ask Kim. {} (do not touch)", description(index)),
        ] {
            assert_eq!(
                of_directory(&json!({"description": description})),
                Some(index)
            );
        }
        for foreign in [
            json!({}),
            json!({"description": null}),
            json!({"description": "mine"}),
        ] {
            assert_eq!(of_directory(&foreign), None);
        }
    }
}
