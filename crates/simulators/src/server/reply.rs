//! An answer, and how badly it is delivered.

use std::time::Duration;

use serde_json::Value;

/// What goes back to the client.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Body,
    pub delivery: Delivery,
    /// Waited before the first byte, on top of the latency switch.
    pub delay: Duration,
    /// What the answer costs under the points quota, beyond the request itself.
    pub points: u32,
}

#[derive(Clone, Debug)]
pub(crate) enum Body {
    Empty,
    Json(Value),
    Bytes { kind: String, data: Vec<u8> },
}

/// How the bytes travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    Whole,
    /// Half the bytes, then the connection ends.
    CutBody,
    /// The connection ends before anything useful arrives.
    Reset,
}

impl Reply {
    pub(crate) fn empty(status: u16) -> Reply {
        Reply {
            status,
            headers: Vec::new(),
            body: Body::Empty,
            delivery: Delivery::Whole,
            delay: Duration::ZERO,
            points: 0,
        }
    }

    pub(crate) fn json(status: u16, value: Value) -> Reply {
        Reply {
            body: Body::Json(value),
            ..Reply::empty(status)
        }
    }

    pub(crate) fn ok(value: Value) -> Reply {
        Reply::json(200, value)
    }

    pub(crate) fn text(status: u16, kind: &str, text: impl Into<String>) -> Reply {
        Reply {
            body: Body::Bytes {
                kind: kind.into(),
                data: text.into().into_bytes(),
            },
            ..Reply::empty(status)
        }
    }

    pub(crate) fn html(status: u16, title: &str) -> Reply {
        Reply::text(
            status,
            "text/html; charset=utf-8",
            format!(
                "<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>{title}</h1>\
                 <p>Something is not right here.</p></body></html>"
            ),
        )
    }

    pub(crate) fn with_header(mut self, name: &str, value: impl Into<String>) -> Reply {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub(crate) fn with_points(mut self, points: u32) -> Reply {
        self.points = points;
        self
    }

    /// Content type and bytes of the body.
    pub(crate) fn rendered(&self) -> (Option<String>, Vec<u8>) {
        match &self.body {
            Body::Empty => (None, Vec::new()),
            Body::Json(value) => (
                Some("application/json".into()),
                serde_json::to_vec(value).unwrap_or_default(),
            ),
            Body::Bytes { kind, data } => (Some(kind.clone()), data.clone()),
        }
    }
}
