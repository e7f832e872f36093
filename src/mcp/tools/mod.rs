//! The four tools, as functions from arguments to an answer; they speak to a [`KnowledgeBase`] and know nothing of
//! transports or of the protocol's types.

pub mod args;
pub mod around;
pub mod changes;
pub mod cursor;
pub mod definitions;
pub mod fuse;
pub mod missed;
pub mod page;
pub mod search;
pub mod spaces;
pub mod target;

#[cfg(test)]
pub(in crate::mcp) mod testing;
#[cfg(test)]
mod tests;

use domain::audit::HandedOut;
use serde_json::{Map, Value};

use super::caller::Caller;
use super::knowledge::{KnowledgeBase, Trouble};
use super::scope::Scope;
use super::text;

/// Bytes of Markdown that an answer holds at most, and of JSON beside it: a little under 20 kB each.
pub const MAX_ANSWER_BYTES: usize = 19_500;
/// Of these, what the fields around a list or a text may take.
const AROUND: usize = 700;
/// Labels, and titles of a breadcrumb, that a page's JSON holds at most.
const MAX_NAMES: usize = 20;
/// Characters of each of them.
const NAME_CHARS: usize = 60;
/// Characters of a title in JSON.
const TITLE_CHARS: usize = 300;

/// What a tool answers: the same twice, once to be read and once to be processed.
#[derive(Clone, PartialEq, Debug)]
pub struct ToolAnswer {
    /// Complete by itself, since most clients show a model nothing else.
    pub markdown: String,
    /// In the shapes of REST.
    pub structured: Value,
    /// What of the pages is in it, for the audit.
    pub handed_out: Option<HandedOut>,
}

impl ToolAnswer {
    /// An answer. Some clients show a model the JSON alone, so it is cleaned like the text and says what the text says of page text.
    #[must_use]
    pub fn new(markdown: String, structured: &Value) -> Self {
        let cleaned = text::clean_json(&structured.to_string()).into_owned();
        // Cleaned JSON is JSON; Null would be seen by the schema tests.
        let mut structured: Value = serde_json::from_str(&cleaned).unwrap_or(Value::Null);
        if let Some(fields) = structured.as_object_mut() {
            fields.insert("notice".to_owned(), text::QUOTED_NOTICE.into());
        }
        Self {
            markdown,
            structured,
            handed_out: None,
        }
    }

    /// The same, which holds something of pages.
    #[must_use]
    pub fn handing_out(mut self, handed_out: HandedOut) -> Self {
        self.handed_out = Some(handed_out);
        self
    }
}

/// These fields and, under a name, the first items that an answer has room for; `left_out` says for how many it has none.
fn with_list(mut fields: Value, name: &str, items: Vec<Value>) -> Value {
    let all = items.len();
    let mut room = MAX_ANSWER_BYTES - AROUND;
    let fitting: Vec<Value> = items
        .into_iter()
        .map_while(|item| {
            room = room.checked_sub(item.to_string().len() + 1)?;
            Some(item)
        })
        .collect();
    if fitting.len() < all {
        fields["left_out"] = (all - fitting.len()).into();
    }
    fields[name] = fitting.into();
    fields
}

/// A page in the shape of REST, with bounds for what its author may have made long.
fn page_value<T: serde::Serialize>(page: &T) -> Value {
    let short = |value: &mut Value, most: usize| {
        if let Value::String(text) = value
            && let Some((at, _)) = text.char_indices().nth(most)
        {
            text.truncate(at);
            text.push('…');
        }
    };
    let mut page = to_value(page);
    for name in ["title", "section"] {
        if let Some(text) = page.get_mut(name) {
            short(text, TITLE_CHARS);
        }
    }
    for name in ["labels", "breadcrumb"] {
        if let Some(Value::Array(names)) = page.get_mut(name) {
            names.truncate(MAX_NAMES);
            names.iter_mut().for_each(|name| short(name, NAME_CHARS));
        }
    }
    page
}

/// Why a tool did not answer: cause and remedy, for the agent to act on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ToolError(String);

impl ToolError {
    /// An error in words that begin in lower case and end with the remedy.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// The text for the agent. Clients do not show `isError` to a model, so the text says it.
    #[must_use]
    pub fn text(&self) -> String {
        format!("Error: {}", self.0)
    }
}

impl From<Trouble> for ToolError {
    fn from(trouble: Trouble) -> Self {
        Self(format!(
            "the knowledge base cannot answer now: {trouble}. Try again in a minute; if it goes on, an administrator \
             finds the cause at /health of the service."
        ))
    }
}

/// Names of the tools, in the order of `tools/list`.
pub const NAMES: [&str; 4] = [
    "search_confluence",
    "get_page",
    "list_spaces",
    "recent_changes",
];

/// Calls a tool. `None`: there is no tool of that name.
pub async fn call(
    kb: &dyn KnowledgeBase,
    caller: &Caller,
    name: &str,
    arguments: Map<String, Value>,
) -> Option<Result<ToolAnswer, ToolError>> {
    let answered = match name {
        "search_confluence" => search::call(kb, caller, arguments).await,
        "get_page" => page::call(kb, caller, arguments).await,
        "list_spaces" => spaces::call(kb, caller).await,
        "recent_changes" => changes::call(kb, caller, arguments).await,
        _ => return None,
    };
    if let Ok(ToolAnswer {
        handed_out: Some(handed_out),
        ..
    }) = &answered
    {
        kb.handed_out(caller, handed_out);
    }
    Some(answered)
}

/// The indexes that a caller's question goes to.
///
/// # Errors
/// When there is none, or the store is down.
pub async fn scope(kb: &dyn KnowledgeBase, caller: &Caller) -> Result<Scope, ToolError> {
    Scope::choose(caller, kb.indexes(&caller.reader).await?)
}

pub(crate) fn to_value<T: serde::Serialize>(shape: &T) -> Value {
    // Our shapes have string keys and finite numbers only, so this cannot fail; Null would be seen by the schema tests.
    serde_json::to_value(shape).unwrap_or(Value::Null)
}
