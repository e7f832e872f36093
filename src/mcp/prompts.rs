//! Prompts for tasks that people really have. Each brings its material along, so that it also works where the model
//! calls no tools.

use rmcp::model::{GetPromptResult, Prompt, PromptArgument, PromptMessage, Role};
use serde_json::{Map, Value, json};

use super::caller::Caller;
use super::knowledge::KnowledgeBase;
use super::text::inline;
use super::tools::{self, ToolError};

const TOPIC: &str = "summarize_topic";
const CHANGES: &str = "what_changed";
const COMPARE: &str = "compare_pages";

/// The prompts there are.
#[must_use]
pub fn list() -> Vec<Prompt> {
    let argument = |name: &str, text: &str, required: bool| {
        PromptArgument::new(name)
            .with_description(text)
            .with_required(required)
    };
    let space = || argument("space", "Key of a space; all if left out", false);
    vec![
        Prompt::new(
            TOPIC,
            Some("What Confluence says about a topic, with sources"),
            Some(vec![
                argument("topic", "The topic or question", true),
                space(),
            ]),
        )
        .with_title("Summarize a topic"),
        Prompt::new(
            CHANGES,
            Some("What was added, edited or removed lately, and what it means"),
            Some(vec![
                argument("since", "A date or a span such as 7d (default)", false),
                space(),
            ]),
        )
        .with_title("What changed this week"),
        Prompt::new(
            COMPARE,
            Some("Where two pages agree, differ and contradict each other"),
            Some(vec![
                argument("first", "Page id or link", true),
                argument("second", "Page id or link", true),
            ]),
        )
        .with_title("Compare two pages"),
    ]
}

/// A prompt with its arguments filled in.
///
/// # Errors
/// For an unknown prompt, a missing argument, a page that cannot be read.
pub async fn get(
    kb: &dyn KnowledgeBase,
    caller: &Caller,
    name: &str,
    arguments: Map<String, Value>,
) -> Result<GetPromptResult, ToolError> {
    let value = |key: &str| {
        let text = arguments.get(key).and_then(Value::as_str).unwrap_or("");
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    let required = |key: &str| {
        value(key)
            .ok_or_else(|| ToolError::new(format!("the prompt {name} needs the argument `{key}`.")))
    };
    match name {
        TOPIC => {
            let topic = required("topic")?;
            let found = tool(
                kb,
                caller,
                "search_confluence",
                json!({"query": topic, "space": value("space"), "limit": 12}),
            )
            .await?;
            Ok(prompt(
                "A topic, with sources",
                format!(
                    "Summarize what our Confluence says about: {}\n\nBegin with the answer in two or three sentences, then the \
                     details as a short list. Put the link of its source behind every statement. Name what the sources leave \
                     open, where they contradict each other, and how old they are. Read pages in full with get_page where \
                     the passages are not enough.",
                    inline(&topic)
                ),
                &[found],
            ))
        }
        CHANGES => {
            let found = tool(
                kb,
                caller,
                "recent_changes",
                json!({"since": value("since"), "space": value("space"), "limit": 50}),
            )
            .await?;
            Ok(prompt(
                "What changed",
                "Tell me what changed in our Confluence. Group the changes by subject, most important first, with a link for \
                 every page. Read the pages that look important with get_page and say in one sentence each what is in them."
                    .to_owned(),
                &[found],
            ))
        }
        COMPARE => {
            let mut pages = Vec::new();
            for key in ["first", "second"] {
                let page = required(key)?;
                let arguments = json!({"url": page, "max_chars": 9_000});
                pages.push(tool(kb, caller, "get_page", arguments).await?);
            }
            Ok(prompt(
                "Two pages compared",
                "Compare these two Confluence pages: what both say, what only one says, and where they contradict each other. \
                 Use a table where it helps, link the section behind every point, and say which page is newer. Where a page \
                 goes on, read the rest with get_page first."
                    .to_owned(),
                &pages,
            ))
        }
        _ => {
            let known: Vec<String> = list().into_iter().map(|p| p.name).collect();
            Err(ToolError::new(format!(
                "there is no prompt \"{}\"; the prompts are {}.",
                inline(name),
                known.join(", ")
            )))
        }
    }
}

async fn tool(
    kb: &dyn KnowledgeBase,
    caller: &Caller,
    name: &str,
    arguments: Value,
) -> Result<String, ToolError> {
    let arguments = match arguments {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    match tools::call(kb, caller, name, arguments).await {
        Some(answer) => answer.map(|a| a.markdown),
        None => Err(ToolError::new("there is no such tool.")),
    }
}

fn prompt(description: &str, task: String, material: &[String]) -> GetPromptResult {
    let mut messages = vec![PromptMessage::new_text(Role::User, task)];
    messages.extend(
        material
            .iter()
            .map(|text| PromptMessage::new_text(Role::User, text.as_str())),
    );
    GetPromptResult::new(messages).with_description(description)
}
