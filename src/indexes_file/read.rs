//! Reads the file: its form, the fields within their bounds, each complaint with its line.

use std::collections::BTreeMap;

use domain::index::IndexSettings;
use serde::Deserialize;
use serde_json::{Map, Value};
use serde_saphyr::Spanned;

use crate::http::indexes::{FIELDS, IndexChange, IndexFields};
use crate::watched::Complaint;

/// The file as it stands.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// Whether what the file had brought and no longer names is deleted.
    #[serde(default)]
    remove: bool,
    /// The indexes.
    indexes: Vec<Spanned<BTreeMap<String, Spanned<Value>>>>,
}

/// What the file wants.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) remove: bool,
    pub(super) entries: Vec<Entry>,
}

/// One index.
#[derive(Debug)]
pub(super) struct Entry {
    line: u64,
    lines: BTreeMap<String, u64>,
    /// As of a new one.
    pub(super) settings: IndexSettings,
    /// As of one that is there.
    pub(super) change: IndexChange,
    pub(super) names_backend: bool,
}

impl Entry {
    /// Where a field stands; where it does not, the index.
    pub(super) fn line_of(&self, field: &str) -> u64 {
        self.lines.get(field).copied().unwrap_or(self.line)
    }
}

/// Reads the file.
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn read(text: &str, defaults: &IndexSettings) -> Result<Contents, Vec<Complaint>> {
    let file: File = serde_saphyr::from_str(text).map_err(|error| {
        let line = error.location().map_or(0, |place| place.line());
        let message = error.without_snippet().to_string();
        vec![Complaint {
            line,
            message: format!(
                "{message}; the file is `indexes:` with a list of indexes, and perhaps `remove: true`"
            ),
        }]
    })?;
    let mut complaints = Vec::new();
    let mut entries: Vec<Entry> = Vec::new();
    for named in file.indexes {
        let line = named.referenced.line();
        let lines: BTreeMap<String, u64> = named
            .value
            .iter()
            .map(|(field, value)| (field.clone(), value.referenced.line()))
            .collect();
        let mut fields: Map<String, Value> = named
            .value
            .into_iter()
            .map(|(field, value)| (field, value.value))
            .collect();
        let names_backend = fields.get("backend").is_some_and(|named| !named.is_null());
        let new = fields.clone();
        for field in FIELDS {
            // What is not named is as of a new one; without the fields that are none of an index, of which there is told once.
            let value = fields.remove(*field).unwrap_or(Value::Null);
            fields.insert((*field).to_owned(), value);
        }
        // Every field takes any value, and complains of it later.
        let checked = of(new).and_then(|new| new.create(defaults));
        let settings = match checked {
            Ok(settings) => settings,
            Err(error) => {
                complaints.extend(error.problem.errors.iter().map(|wrong| Complaint {
                    line: lines.get(&wrong.field).copied().unwrap_or(line),
                    message: format!("{}: {}", wrong.field, wrong.message),
                }));
                if error.problem.errors.is_empty() {
                    let message = error.problem.detail.clone();
                    complaints.push(Complaint { line, message });
                }
                continue;
            }
        };
        if entries
            .iter()
            .any(|entry| entry.settings.agent_id == settings.agent_id)
        {
            complaints.push(Complaint {
                line: lines.get("agent_id").copied().unwrap_or(line),
                message: format!(
                    "agent_id: {} stands there twice; an agent has one index",
                    settings.agent_id
                ),
            });
            continue;
        }
        match of(fields).and_then(|fields| fields.change(defaults)) {
            Ok(change) => entries.push(Entry {
                line,
                lines,
                settings,
                change,
                names_backend,
            }),
            Err(error) => complaints.push(Complaint {
                line,
                message: error.problem.detail.clone(),
            }),
        }
    }
    if complaints.is_empty() {
        Ok(Contents {
            remove: file.remove,
            entries,
        })
    } else {
        complaints.sort_by_key(|complaint| complaint.line);
        Err(complaints)
    }
}

fn of(fields: Map<String, Value>) -> crate::http::problem::ApiResult<IndexFields> {
    serde_json::from_value(Value::Object(fields))
        .map_err(|error| crate::http::problem::ApiError::new("invalid_field", error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::indexes::some_defaults;

    #[test]
    fn an_entry_is_a_whole_index() {
        let text = "indexes:\n  - agent_id: ops\n    name: Runbooks\n    confluence_spaces: [OPS, ENG]\n    interval_minutes: 5\n";
        let contents = read(text, &some_defaults()).unwrap();
        assert!(!contents.remove);
        let [entry] = &contents.entries[..] else {
            panic!("{contents:?}");
        };
        assert_eq!(
            (entry.settings.interval_minutes, entry.names_backend),
            (5, false)
        );
        // What is not named goes back to what a new one has.
        let before = IndexSettings {
            labels: vec!["old".to_owned()],
            ..entry.settings.clone()
        };
        assert_eq!(entry.change.patch.clone().apply(before), entry.settings);
        assert_eq!(entry.line_of("interval_minutes"), 5);
    }

    #[test]
    fn every_complaint_names_its_line() {
        let text = "remove: true\nindexes:\n  - agent_id: ops\n    name: Runbooks\n    confluence_spaces: [OPS]\n    intervall: 5\n  \
                    - name: No agent\n    confluence_spaces: ENG\n  - {agent_id: a, name: A, confluence_spaces: [A]}\n  \
                    - {agent_id: a, name: B, confluence_spaces: [B]}\n";
        let complaints = read(text, &some_defaults()).unwrap_err();
        let told: Vec<(u64, &str)> = complaints
            .iter()
            .map(|complaint| (complaint.line, complaint.message.as_str()))
            .collect();
        assert_eq!(
            told.iter().map(|(line, _)| *line).collect::<Vec<_>>(),
            [6, 7, 8, 10],
            "{told:?}"
        );
        assert!(told[0].1.starts_with("intervall: is not known"), "{told:?}");
        assert_eq!(told[1].1, "agent_id: is required");
        assert!(told[2].1.starts_with("confluence_spaces: "), "{told:?}");
        for (text, line) in [
            ("indexes: [\n", 2),
            ("indexes: []\nremoved: true\n", 2),
            ("indexes:\n  a: 1\n", 2),
            ("a: &a [*a]\n", 1),
        ] {
            let complaints = read(text, &some_defaults()).unwrap_err();
            assert!(complaints[0].line <= line, "{text} {complaints:?}");
        }
    }
}
