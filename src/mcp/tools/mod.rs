//! The four tools, as functions from arguments to an answer; they speak to a [`KnowledgeBase`] and know nothing of
//! transports or of the protocol's types.

pub mod args;
pub mod changes;
pub mod cursor;
pub mod definitions;
pub mod fuse;
pub mod page;
pub mod search;
pub mod spaces;
pub mod target;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

use super::caller::Caller;
use super::knowledge::{KnowledgeBase, Trouble};
use super::scope::Scope;

/// Bytes of Markdown that an answer holds at most: a little under 20 kB.
pub const MAX_ANSWER_BYTES: usize = 19_500;

/// What a tool answers: the same twice, once to be read and once to be processed.
#[derive(Clone, PartialEq, Debug)]
pub struct ToolAnswer {
    /// Complete by itself, since most clients show a model nothing else.
    pub markdown: String,
    /// In the shapes of REST.
    pub structured: Value,
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
    Some(match name {
        "search_confluence" => search::call(kb, caller, arguments).await,
        "get_page" => page::call(kb, caller, arguments).await,
        "list_spaces" => spaces::call(kb, caller).await,
        "recent_changes" => changes::call(kb, caller, arguments).await,
        _ => return None,
    })
}

/// The indexes that a caller's question goes to.
///
/// # Errors
/// When there is none, or the store is down.
pub async fn scope(kb: &dyn KnowledgeBase, caller: &Caller) -> Result<Scope, ToolError> {
    Scope::choose(caller, kb.indexes(caller.reader).await?)
}

pub(crate) fn to_value<T: serde::Serialize>(shape: &T) -> Value {
    // Our shapes have string keys and finite numbers only, so this cannot fail; Null would be seen by the schema tests.
    serde_json::to_value(shape).unwrap_or(Value::Null)
}
