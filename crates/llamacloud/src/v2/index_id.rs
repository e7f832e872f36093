//! Which of its two ids an index goes by. The vendor's own programs disagree: `export_config_id` everywhere, `id`
//! everywhere, or one of them depending on the operation. Both are kept, tried on 404 (and on nothing else), and what
//! worked is remembered for each operation.

use std::collections::HashMap;

use domain::index::Remote;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The ids of an index, as `Remote::extra` keeps them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct IndexIds {
    /// `id`.
    pub index_id: String,
    /// `export_config_id`; may come into being later than the index.
    pub export_config_id: Option<String>,
}

impl IndexIds {
    /// Reads an answer about an index.
    pub(super) fn read(index: &Value) -> Option<Self> {
        let of = |name: &str| {
            index
                .get(name)
                .and_then(Value::as_str)
                .filter(|id| !id.is_empty())
                .map(str::to_owned)
        };
        Some(Self {
            index_id: of("id")?,
            export_config_id: of("export_config_id"),
        })
    }

    pub(super) fn of(remote: &Remote) -> Option<Self> {
        serde_json::from_str(remote.extra.as_deref()?).ok()
    }

    pub(super) fn to_extra(&self) -> Option<String> {
        serde_json::to_string(self).ok()
    }
}

/// What is done with an index.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Operation {
    /// Reading its state.
    Get,
    /// Starting a sync.
    Sync,
    /// Asking it.
    Retrieve,
    /// Removing it.
    Delete,
}

/// What worked.
#[derive(Debug, Default)]
pub(super) struct Accepted(HashMap<Operation, String>);

impl Accepted {
    /// The ids to try, the likeliest first.
    pub(super) fn candidates(&self, operation: Operation, ids: &IndexIds) -> Vec<String> {
        let both = ids.export_config_id.iter().chain([&ids.index_id]);
        let remembered = self
            .0
            .get(&operation)
            .filter(|id| both.clone().any(|other| other == *id));
        let mut candidates: Vec<String> = remembered.into_iter().chain(both).cloned().collect();
        let mut seen = std::collections::HashSet::new();
        candidates.retain(|id| seen.insert(id.clone()));
        candidates
    }

    pub(super) fn remember(&mut self, operation: Operation, id: &str) {
        self.0.insert(operation, id.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_export_id_comes_first_until_the_other_has_worked() {
        let ids = IndexIds::read(&json!({"id": "i", "export_config_id": "e"})).unwrap();
        let mut accepted = Accepted::default();
        assert_eq!(accepted.candidates(Operation::Get, &ids), ["e", "i"]);
        accepted.remember(Operation::Get, "i");
        assert_eq!(accepted.candidates(Operation::Get, &ids), ["i", "e"]);
        assert_eq!(accepted.candidates(Operation::Retrieve, &ids), ["e", "i"]);
        let young = IndexIds::read(&json!({"id": "i2", "export_config_id": null})).unwrap();
        assert_eq!(accepted.candidates(Operation::Get, &young), ["i2"]);
    }

    #[test]
    fn extra_keeps_both() {
        let ids = IndexIds {
            index_id: "i".into(),
            export_config_id: Some("e".into()),
        };
        let remote = Remote {
            kind: String::new(),
            id: String::new(),
            name: String::new(),
            extra: ids.to_extra(),
        };
        assert_eq!(IndexIds::of(&remote), Some(ids));
        assert_eq!(
            IndexIds::of(&Remote {
                extra: Some("{}".into()),
                ..remote
            }),
            None
        );
    }
}
