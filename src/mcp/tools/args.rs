//! Reads and checks arguments; says everything that is wrong with them at once, so that an agent needs one more try only.

use domain::Timestamp;
use serde_json::{Map, Value};

use super::ToolError;
use crate::mcp::text::{clean, when};

/// The arguments of one call.
pub struct Args {
    tool: &'static str,
    map: Map<String, Value>,
    known: &'static [&'static str],
    wrong: Vec<String>,
}

impl Args {
    /// Takes the arguments of a tool that knows these names.
    #[must_use]
    pub const fn new(
        tool: &'static str,
        map: Map<String, Value>,
        known: &'static [&'static str],
    ) -> Self {
        Self {
            tool,
            map,
            known,
            wrong: Vec::new(),
        }
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        debug_assert!(self.known.contains(&name), "{name}");
        match self.map.remove(name) {
            None | Some(Value::Null) => None,
            // Agents fill optional arguments with empty strings.
            Some(Value::String(text)) if text.trim().is_empty() => None,
            value => value,
        }
    }

    /// A text of at most `max` characters, trimmed and cleaned; numbers are taken as they are written.
    pub fn text(&mut self, name: &'static str, max: usize) -> Option<String> {
        let text = match self.take(name)? {
            Value::String(text) => clean(text.trim()).text,
            Value::Number(number) => number.to_string(),
            other => {
                self.wrong
                    .push(format!("`{name}` must be a string, not {}", kind(&other)));
                return None;
            }
        };
        let length = text.chars().count();
        if length > max {
            self.wrong.push(format!(
                "`{name}` must have at most {max} characters, not {length}"
            ));
            return None;
        }
        Some(text).filter(|text| !text.is_empty())
    }

    /// A whole number from `low` to `high`.
    pub fn number(&mut self, name: &'static str, low: u64, high: u64) -> Option<u64> {
        let value = self.take(name)?;
        let number = match &value {
            Value::Number(n) => n.as_u64().or_else(|| {
                n.as_f64()
                    .filter(|f| f.fract() == 0.0 && *f >= 0.0 && *f < 1e9)
                    .map(|f| f as u64)
            }),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let number = number.filter(|n| (low..=high).contains(n));
        if number.is_none() {
            let shown = super::super::text::cut::snippet(&value.to_string(), 40);
            self.wrong.push(format!(
                "`{name}` must be a whole number from {low} to {high}, not {shown}"
            ));
        }
        number
    }

    /// A moment, see [`when::parse`].
    pub fn moment(&mut self, name: &'static str, now: Timestamp) -> Option<Timestamp> {
        let text = self.text(name, 64)?;
        let moment = when::parse(&text, now);
        if moment.is_none() {
            self.wrong
                .push(format!("`{name}` must be {}, not \"{text}\"", when::FORMS));
        }
        moment
    }

    /// Whether nothing is wrong with what was read so far. An argument that is refused is not missing as well.
    #[must_use]
    pub const fn is_fine(&self) -> bool {
        self.wrong.is_empty()
    }

    /// Notes what is wrong with the arguments taken together.
    pub fn complain(&mut self, what: impl Into<String>) {
        self.wrong.push(what.into());
    }

    /// Ends the reading: unknown names are errors too, since a misspelt filter would silently not filter.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn finish(mut self) -> Result<(), ToolError> {
        for name in self
            .map
            .keys()
            .filter(|n| !self.known.contains(&n.as_str()))
        {
            self.wrong.push(format!(
                "there is no argument `{}`; {} takes {}",
                clean(name).text,
                self.tool,
                self.known.join(", ")
            ));
        }
        if self.wrong.is_empty() {
            Ok(())
        } else {
            Err(ToolError::new(format!("{}.", self.wrong.join("; "))))
        }
    }
}

const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const KNOWN: &[&str] = &["query", "limit", "since"];

    fn args(value: Value) -> Args {
        Args::new("t", value.as_object().cloned().unwrap_or_default(), KNOWN)
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let mut a = args(json!({"query": ["x"], "limit": 99, "since": "soon", "lmit": 1}));
        let now = chrono::DateTime::UNIX_EPOCH;
        assert!(a.text("query", 10).is_none());
        assert!(a.number("limit", 1, 50).is_none());
        assert!(a.moment("since", now).is_none());
        let text = a.finish().unwrap_err().text();
        for part in [
            "Error: `query` must be a string, not an array",
            "`limit` must be a whole number from 1 to 50, not 99",
            "`since` must be a date",
            "there is no argument `lmit`; t takes query, limit, since",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn what_agents_mean_is_taken() {
        let mut a = args(json!({"query": " a\u{200B}b ", "limit": "7", "since": null}));
        assert_eq!(a.text("query", 10).as_deref(), Some("ab"));
        assert_eq!(a.number("limit", 1, 50), Some(7));
        assert_eq!(a.text("since", 10), None);
        a.finish().unwrap();
        let mut a = args(json!({"query": 12345, "limit": 5.0, "since": "  "}));
        assert_eq!(a.text("query", 10).as_deref(), Some("12345"));
        assert_eq!(a.number("limit", 1, 50), Some(5));
        assert_eq!(a.text("since", 10), None);
        a.finish().unwrap();
    }
}
