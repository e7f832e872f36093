//! The error bodies, as each part of Confluence words them.

use serde_json::{Value, json};

use crate::server::Reply;

/// Which dialect of errors an endpoint speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    V1,
    V2,
    Gateway,
}

pub(crate) fn dialect_of(template: &str) -> Dialect {
    if template.starts_with("/wiki/api/v2") {
        Dialect::V2
    } else if template.starts_with("/wiki/rest/api") {
        Dialect::V1
    } else {
        Dialect::Gateway
    }
}

pub(crate) fn v2(status: u16, title: &str, detail: Option<&str>) -> Reply {
    let code = match status {
        400 => "INVALID_REQUEST_PARAMETER",
        401 => "UNAUTHORIZED",
        403 => "FORBIDDEN",
        404 => "NOT_FOUND",
        405 => "METHOD_NOT_ALLOWED",
        413 => "PAYLOAD_TOO_LARGE",
        429 => "RATE_LIMITED",
        500 => "INTERNAL_SERVER_ERROR",
        503 => "SERVICE_UNAVAILABLE",
        504 => "GATEWAY_TIMEOUT",
        _ => "ERROR",
    };
    Reply::json(
        status,
        json!({"errors": [{"status": status, "code": code, "title": title, "detail": detail}]}),
    )
}

pub(crate) fn v2_not_found() -> Reply {
    v2(404, "Not Found", None)
}

pub(crate) fn v2_bad(parameter: &str, expected: &str) -> Reply {
    v2(
        400,
        &format!(
            "Provided value for '{parameter}' is not the correct type. Expected type is {expected}."
        ),
        None,
    )
}

pub(crate) fn bad_cursor() -> Reply {
    v2(
        400,
        "Provided value for 'cursor' is not the correct type. Expected type is Cursor.",
        Some(
            "The provided cursor was not valid. You can get a new valid cursor by making the original pagination \
             request again.",
        ),
    )
}

pub(crate) fn v1(status: u16, message: &str) -> Reply {
    let reason = match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        410 => "Gone",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "",
    };
    let data: Value = json!({
        "authorized": status != 400, "valid": true, "allowedInReadOnlyMode": true, "errors": [], "successful": false,
    });
    Reply::json(
        status,
        json!({"statusCode": status, "data": data, "message": message, "reason": reason}),
    )
}

pub(crate) fn v1_not_found(id: &str) -> Reply {
    v1(
        404,
        &format!(
            "com.atlassian.confluence.api.service.exceptions.NotFoundException: No content found with id: {id}"
        ),
    )
}

pub(crate) fn gone() -> Reply {
    v1(
        410,
        "com.atlassian.confluence.api.service.exceptions.GoneException: This deprecated endpoint has been removed.",
    )
}

pub(crate) fn gateway(status: u16, message: &str) -> Reply {
    Reply::json(status, json!({"code": status, "message": message}))
}

pub(crate) fn scope_mismatch() -> Reply {
    gateway(401, "Unauthorized; scope does not match")
        .with_header("X-Failure-Category", "FAILURE_CLIENT_SCOPE_CHECK")
}

pub(crate) fn auth_mismatch() -> Reply {
    gateway(401, "Unauthorized").with_header("X-Failure-Category", "FAILURE_CLIENT_AUTH_MISMATCH")
}

/// The web server's own page, where the request did not come as far as Confluence.
pub(crate) fn tomcat_unauthorized() -> Reply {
    Reply::html(401, "HTTP Status 401 \u{2013} Unauthorized")
}

/// Any status, worded as the endpoint would.
pub(crate) fn in_dialect(status: u16, dialect: Dialect) -> Reply {
    match (dialect, status) {
        (_, 429) => Reply::text(
            429,
            "text/html; charset=utf-8",
            "<html><body>Rate limit exceeded</body></html>",
        ),
        (Dialect::V2, 400) => bad_cursor(),
        (Dialect::V2, 404) => v2_not_found(),
        (Dialect::V2, 500) => v2(500, "Internal Server Error", None),
        (Dialect::V2, status) => v2(status, "The request could not be answered", None),
        (Dialect::V1, status) => v1(status, "The request could not be answered"),
        (Dialect::Gateway, status) => gateway(status, "The request could not be answered"),
    }
}
