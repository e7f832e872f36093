//! One request on its way through an endpoint: parameters, validation, error bodies.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::model::State;
use super::switches::Switches;
use crate::server::{Reply, Request};

pub(crate) type Answer = Result<Reply, Reply>;
pub(crate) type Handler = fn(&mut Call<'_>) -> Answer;

pub(crate) struct Call<'a> {
    pub request: &'a Request,
    pub params: Vec<String>,
    pub state: &'a mut State,
    pub switches: &'a Switches,
    pub now: DateTime<Utc>,
}

pub(crate) fn when(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// `{"detail": "…"}`.
pub(crate) fn detail(status: u16, message: &str) -> Reply {
    Reply::json(status, json!({"detail": message}))
}

pub(crate) fn not_found(what: &str) -> Reply {
    detail(404, &format!("{what} not found"))
}

/// A validation error as FastAPI words it.
pub(crate) fn invalid(place: Value, message: &str, kind: &str) -> Reply {
    Reply::json(
        422,
        json!({"detail": [{"loc": place, "msg": message, "type": kind}]}),
    )
}

pub(crate) fn missing(field: &str) -> Reply {
    invalid(json!(["body", field]), "Field required", "missing")
}

impl Call<'_> {
    pub(crate) fn param(&self, at: usize) -> &str {
        self.params.get(at).map(String::as_str).unwrap_or_default()
    }

    pub(crate) fn body(&self) -> Result<Value, Reply> {
        self.request
            .json()
            .ok_or_else(|| invalid(json!(["body"]), "JSON decode error", "json_invalid"))
    }

    /// A number from the query within bounds.
    pub(crate) fn number(
        &self,
        name: &str,
        default: u64,
        low: u64,
        high: u64,
    ) -> Result<u64, Reply> {
        let Some(text) = self.request.one(name) else {
            return Ok(default);
        };
        let place = || json!(["query", name]);
        let number: u64 = text.parse().map_err(|_| {
            invalid(
                place(),
                "Input should be a valid integer, unable to parse string as an integer",
                "int_parsing",
            )
        })?;
        if number < low {
            return Err(invalid(
                place(),
                &format!("Input should be greater than or equal to {low}"),
                "greater_than_equal",
            ));
        }
        if number > high {
            return Err(invalid(
                place(),
                &format!("Input should be less than or equal to {high}"),
                "less_than_equal",
            ));
        }
        Ok(number)
    }

    /// Items from `page_token` on, at most `page_size`, and the token of the next page.
    pub(crate) fn page<T>(&self, items: Vec<T>) -> Result<(Vec<T>, Value, usize), Reply> {
        let size = self.number("page_size", 50, 1, 1000)?;
        self.page_from(
            items,
            size,
            self.request.one("page_token").unwrap_or_default(),
        )
    }

    pub(crate) fn page_from<T>(
        &self,
        items: Vec<T>,
        size: u64,
        token: &str,
    ) -> Result<(Vec<T>, Value, usize), Reply> {
        let from: usize = match token {
            "" => 0,
            token => token
                .strip_prefix("pt-")
                .and_then(|t| t.parse().ok())
                .ok_or_else(|| detail(400, "Invalid page token"))?,
        };
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let total = items.len();
        let page: Vec<T> = items.into_iter().skip(from).take(size).collect();
        let end = from + page.len();
        let next = if end < total {
            json!(format!("pt-{end}"))
        } else {
            Value::Null
        };
        Ok((page, next, total))
    }
}
