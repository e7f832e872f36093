//! Problems as people and programs read them: RFC 9457, with a stable `code`.

use serde::{Deserialize, Serialize};

/// One bad field of a request.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FieldError {
    /// The name of the field, dotted where nested.
    pub field: String,
    /// What is wrong with it and what would be right.
    pub message: String,
}

/// `application/problem+json`, also kept as the error of a run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// A relative reference that names the kind of problem: `/docs/problems#<code>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// A short title, the same for every problem of this code.
    pub title: String,
    /// The HTTP status that goes with it.
    pub status: u16,
    /// What happened here: the thing, the cause, the remedy.
    pub detail: String,
    /// The stable word to match on.
    pub code: String,
    /// Bad fields; empty when no field is at fault.
    pub errors: Vec<FieldError>,
}

/// So many things are named in one sentence.
const NAMED: usize = 5;

/// The first of some things by name, and how many more there are.
#[must_use]
pub fn name_some(mut names: impl Iterator<Item = String>) -> String {
    let mut named: Vec<String> = names.by_ref().take(NAMED).collect();
    let more = names.count();
    if more > 0 {
        named.push(format!("{more} more"));
    }
    named.join(", ")
}

/// Every code with its status and title; the table that the documentation shows is made from this one.
pub const CODES: &[(&str, u16, &str)] = &[
    ("malformed_json", 400, "The body is not JSON"),
    ("bad_request", 400, "The request cannot be understood"),
    ("unauthorized", 401, "Credentials are missing or wrong"),
    ("forbidden", 403, "These credentials may not do this"),
    (
        "host_not_allowed",
        403,
        "The Host header is not an allowed one",
    ),
    (
        "origin_not_allowed",
        403,
        "The Origin header is not an allowed one",
    ),
    ("not_found", 404, "There is no such thing"),
    (
        "method_not_allowed",
        405,
        "This path does not take this method",
    ),
    ("agent_id_taken", 409, "Another index has this agent id"),
    ("conflict", 409, "The present state does not allow this"),
    ("payload_too_large", 413, "The body is too large"),
    (
        "unsupported_media_type",
        415,
        "The body must be application/json",
    ),
    ("invalid_field", 422, "A field is missing, unknown or bad"),
    (
        "spaces_not_visible",
        422,
        "Some spaces cannot be seen by the service's account",
    ),
    (
        "needs_settings",
        422,
        "A setting that this needs is not there",
    ),
    ("rate_limited", 429, "Too many requests"),
    ("internal", 500, "Something went wrong on our side"),
    (
        "issuer_unreachable",
        503,
        "The OAuth issuer's keys cannot be had",
    ),
    (
        "confluence_unreachable",
        503,
        "Confluence cannot be reached",
    ),
    (
        "confluence_rate_limited",
        503,
        "Confluence limits the service's requests",
    ),
    (
        "confluence_withdrawn",
        503,
        "Confluence has withdrawn what the service asks for",
    ),
    (
        "not_confluence",
        503,
        "Something else than Confluence answers at its address",
    ),
    (
        "incomplete",
        503,
        "Something of the index could not be read",
    ),
    (
        "confluence_unauthorized",
        503,
        "Confluence refuses the service's credentials",
    ),
    (
        "confluence_scope_missing",
        503,
        "The service's token lacks a scope",
    ),
    (
        "store_unreachable",
        503,
        "The retrieval store cannot be reached",
    ),
    (
        "store_rate_limited",
        503,
        "The retrieval store limits the service's requests",
    ),
    (
        "move_incomplete",
        503,
        "The new store is not complete yet; the old one goes on answering",
    ),
    (
        "store_unauthorized",
        503,
        "The retrieval store refuses the service's credentials",
    ),
    (
        "store_credits",
        503,
        "The retrieval store has no credits left",
    ),
    ("engine_busy", 503, "The engine does not take the order now"),
    (
        "database_unavailable",
        503,
        "The database cannot be used now",
    ),
    ("run_failed", 500, "The run ended with an error"),
    ("run_stopped", 500, "The run ended with the process"),
    ("mass_deletion", 409, "Too much would be removed at once"),
    (
        "no_space_visible",
        403,
        "The account sees none of the index's spaces",
    ),
];

impl Problem {
    /// A problem of one of the [`CODES`]; a code that is not in the table is answered as `internal`.
    #[must_use]
    pub fn new(code: &str, detail: impl Into<String>) -> Self {
        let (code, status, title) = CODES
            .iter()
            .find(|(known, ..)| *known == code)
            .copied()
            .unwrap_or(("internal", 500, "Something went wrong on our side"));
        Self {
            kind: format!("/docs/problems#{code}"),
            title: title.to_owned(),
            status,
            detail: detail.into(),
            code: code.to_owned(),
            errors: Vec::new(),
        }
    }

    /// A 422 that names its fields.
    #[must_use]
    pub fn fields(errors: Vec<FieldError>) -> Self {
        let detail = errors
            .iter()
            .map(|e| format!("{}: {}", e.field, e.message))
            .collect::<Vec<_>>()
            .join("; ");
        Self {
            errors,
            ..Self::new("invalid_field", detail)
        }
    }

    /// The same problem with bad fields named.
    #[must_use]
    pub fn with_field(mut self, field: impl Into<String>, message: impl Into<String>) -> Self {
        self.errors.push(FieldError {
            field: field.into(),
            message: message.into(),
        });
        self
    }
}
