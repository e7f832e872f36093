//! Metadata filters of both generations: v1 with symbols and nesting, v2 with words and AND only.

use serde_json::{Map, Value, json};

use super::call::invalid;
use crate::server::Reply;

type Metadata = Map<String, Value>;

const OPERATORS: &[&str] = &[
    "==",
    ">",
    "<",
    "!=",
    ">=",
    "<=",
    "in",
    "nin",
    "any",
    "all",
    "text_match",
    "text_match_insensitive",
    "contains",
    "is_empty",
];

/// Refuses what the published schema refuses: unknown operators and conditions, booleans and objects as values.
pub(crate) fn check_v1(filters: &Value, place: &mut Vec<Value>) -> Result<(), Reply> {
    let fault = |place: &[Value], message: &str, kind: &str| invalid(json!(place), message, kind);
    let Some(list) = filters.get("filters").and_then(Value::as_array) else {
        place.push(json!("filters"));
        return Err(fault(place, "Field required", "missing"));
    };
    if let Some(condition) = filters.get("condition")
        && !matches!(condition.as_str(), Some("and" | "or" | "not"))
        && !condition.is_null()
    {
        return Err(fault(place, "Input should be 'and', 'or' or 'not'", "enum"));
    }
    for (at, filter) in list.iter().enumerate() {
        place.extend([json!("filters"), json!(at)]);
        if filter.get("filters").is_some() {
            check_v1(filter, place)?;
        } else {
            if filter.get("key").and_then(Value::as_str).is_none() {
                place.push(json!("key"));
                return Err(fault(place, "Field required", "missing"));
            }
            let operator = filter
                .get("operator")
                .and_then(Value::as_str)
                .unwrap_or("==");
            if !OPERATORS.contains(&operator) {
                place.push(json!("operator"));
                return Err(fault(
                    place,
                    "Input should be '==', '>', '<', '!=', '>=', '<=', 'in', 'nin', …",
                    "enum",
                ));
            }
            let allowed = match filter.get("value") {
                None => false,
                Some(Value::Array(items)) => {
                    items.iter().all(Value::is_string) || items.iter().all(Value::is_number)
                }
                Some(value) => value.is_null() || value.is_number() || value.is_string(),
            };
            if !allowed {
                place.push(json!("value"));
                return Err(fault(
                    place,
                    "Input should be a valid integer, number, string or list",
                    "union",
                ));
            }
        }
        place.truncate(place.len() - 2);
    }
    Ok(())
}

/// Whether metadata passes v1 filters. Values meet only values of their own type.
pub(crate) fn passes_v1(filters: &Value, metadata: &Metadata) -> bool {
    let Some(list) = filters.get("filters").and_then(Value::as_array) else {
        return true;
    };
    let mut each = list.iter().map(|filter| {
        if filter.get("filters").is_some() {
            passes_v1(filter, metadata)
        } else {
            let operator = filter
                .get("operator")
                .and_then(Value::as_str)
                .unwrap_or("==");
            let key = filter
                .get("key")
                .and_then(Value::as_str)
                .unwrap_or_default();
            compare(
                metadata.get(key),
                operator,
                filter.get("value").unwrap_or(&Value::Null),
            )
        }
    });
    match filters.get("condition").and_then(Value::as_str) {
        Some("or") => each.any(|held| held),
        Some("not") => !each.any(|held| held),
        _ => each.all(|held| held),
    }
}

/// Whether metadata passes v2 `custom_filters`: every key, and every bound of a range.
pub(crate) fn passes_v2(filters: &Metadata, metadata: &Metadata) -> bool {
    filters.iter().all(|(key, filter)| {
        let bounds: Vec<&Value> = match filter {
            Value::Array(bounds) => bounds.iter().collect(),
            Value::Null => Vec::new(),
            one => vec![one],
        };
        bounds.iter().all(|bound| {
            let operator = match bound
                .get("operator")
                .and_then(Value::as_str)
                .unwrap_or("eq")
            {
                "ne" => "!=",
                "gt" => ">",
                "gte" => ">=",
                "lt" => "<",
                "lte" => "<=",
                "in" => "in",
                "nin" => "nin",
                _ => "==",
            };
            compare(
                metadata.get(key),
                operator,
                bound.get("value").unwrap_or(&Value::Null),
            )
        })
    })
}

/// Refuses operators v2 does not know.
pub(crate) fn check_v2(filters: &Value) -> Result<(), Reply> {
    let place = |key: &str| json!(["body", "custom_filters", key]);
    let Some(map) = filters.as_object() else {
        return Err(invalid(
            json!(["body", "custom_filters"]),
            "Input should be a valid dictionary",
            "dict_type",
        ));
    };
    for (key, filter) in map {
        let bounds: Vec<&Value> = match filter {
            Value::Array(bounds) => bounds.iter().collect(),
            Value::Null => Vec::new(),
            one => vec![one],
        };
        for bound in bounds {
            let known = bound
                .get("operator")
                .and_then(Value::as_str)
                .is_some_and(|o| ["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin"].contains(&o));
            let value = bound.get("value");
            if !known || value.is_none_or(|v| v.is_object() || v.is_null()) {
                return Err(invalid(
                    place(key),
                    "Input should be a filter with operator and value",
                    "union",
                ));
            }
        }
    }
    Ok(())
}

fn same(left: &Value, right: &Value) -> bool {
    match (left.as_f64(), right.as_f64()) {
        (Some(l), Some(r)) => l == r,
        _ => left == right,
    }
}

fn compare(found: Option<&Value>, operator: &str, wanted: &Value) -> bool {
    let one_of = |value: &Value| {
        wanted
            .as_array()
            .is_some_and(|list| list.iter().any(|w| same(value, w)))
    };
    let number = |holds: fn(f64, f64) -> bool| matches!((found.and_then(Value::as_f64), wanted.as_f64()), (Some(l), Some(r)) if holds(l, r));
    let text = |holds: fn(&str, &str) -> bool| matches!((found.and_then(Value::as_str), wanted.as_str()), (Some(l), Some(r)) if holds(l, r));
    match operator {
        "==" => found.is_some_and(|f| same(f, wanted)),
        "!=" => !found.is_some_and(|f| same(f, wanted)),
        ">" => number(|l, r| l > r),
        ">=" => number(|l, r| l >= r),
        "<" => number(|l, r| l < r),
        "<=" => number(|l, r| l <= r),
        "in" => found.is_some_and(one_of),
        "nin" => !found.is_some_and(one_of),
        "any" => found
            .and_then(Value::as_array)
            .is_some_and(|list| list.iter().any(one_of)),
        "all" => match (found.and_then(Value::as_array), wanted.as_array()) {
            (Some(have), Some(want)) => want.iter().all(|w| have.iter().any(|h| same(h, w))),
            _ => false,
        },
        "contains" => match found {
            Some(Value::Array(list)) => list.iter().any(|item| same(item, wanted)),
            _ => text(|l, r| l.contains(r)),
        },
        "text_match" => text(|l, r| l.contains(r)),
        "text_match_insensitive" => text(|l, r| l.to_lowercase().contains(&r.to_lowercase())),
        "is_empty" => match found {
            None | Some(Value::Null) => true,
            Some(Value::String(text)) => text.is_empty(),
            Some(Value::Array(list)) => list.is_empty(),
            Some(_) => false,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata() -> Metadata {
        let value = json!({"space": "ENG", "version": 7, "updated": 1_700_000_000, "labels": "|a|b|", "tags": ["x", "y"]});
        value.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn v1_filters_are_strict_in_type_and_nest() {
        let one = |key: &str, operator: &str, value: Value| json!({"filters": [{"key": key, "operator": operator, "value": value}]});
        let cases = [
            (one("space", "==", json!("ENG")), true),
            (one("version", "==", json!(7)), true),
            (one("version", "==", json!("7")), false),
            (one("updated", ">=", json!(1_600_000_000)), true),
            (one("updated", ">=", json!("1600000000")), false),
            (one("space", "in", json!(["OPS", "ENG"])), true),
            (one("space", "nin", json!(["OPS", "ENG"])), false),
            (one("labels", "text_match", json!("|b|")), true),
            (one("tags", "contains", json!("y")), true),
            (one("missing", "is_empty", Value::Null), true),
            (one("missing", "!=", json!("x")), true),
            (
                json!({"condition": "or", "filters": [
                    {"key": "space", "value": "OPS"},
                    {"filters": [{"key": "version", "operator": ">", "value": 6}, {"key": "space", "value": "ENG"}]}]}),
                true,
            ),
            (
                json!({"condition": "not", "filters": [{"key": "space", "value": "ENG"}]}),
                false,
            ),
        ];
        for (filters, expected) in cases {
            assert!(check_v1(&filters, &mut vec![]).is_ok(), "{filters}");
            assert_eq!(passes_v1(&filters, &metadata()), expected, "{filters}");
        }
    }

    #[test]
    fn v1_refuses_what_the_schema_refuses() {
        for bad in [
            json!({"filters": [{"key": "a", "value": true}]}),
            json!({"filters": [{"key": "a", "value": {"b": 1}}]}),
            json!({"filters": [{"key": "a", "value": 1, "operator": "eq"}]}),
            json!({"filters": [{"value": 1}]}),
            json!({"filters": [{"key": "a"}]}),
            json!({"filters": [], "condition": "xor"}),
            json!({}),
        ] {
            assert!(check_v1(&bad, &mut vec![]).is_err(), "{bad}");
        }
    }

    #[test]
    fn v2_filters_combine_with_and() {
        let filters = json!({"space": {"operator": "eq", "value": "ENG"},
            "updated": [{"operator": "gte", "value": 1}, {"operator": "lt", "value": 2_000_000_000}]});
        assert!(check_v2(&filters).is_ok());
        assert!(passes_v2(filters.as_object().unwrap(), &metadata()));
        let other = json!({"space": {"operator": "ne", "value": "ENG"}});
        assert!(!passes_v2(other.as_object().unwrap(), &metadata()));
        assert!(check_v2(&json!({"space": {"operator": "==", "value": "ENG"}})).is_err());
    }
}
