//! `/api/indexes/{id}/tokens`: the agents' tokens of an index, shown once and kept as a hash.

use std::ops::RangeInclusive;

use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};
use chrono::{TimeDelta, Utc};
use domain::token::{NewToken, Role, Token};
use domain::{Timestamp, TokenId};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::audit::DoneTo;
use super::auth::{Editor, NewSecret, new_secret};
use super::fields::{Check, Field, OptionalBody, Unknown, wrong_name};
use super::list::List;
use super::problem::{ApiError, ApiResult};
use super::routes;
use crate::state::AppState;

/// Characters that a token's name may have.
pub const MAX_NAME: usize = 100;

/// Days after which a token may end by itself.
pub const EXPIRES_IN_DAYS: RangeInclusive<u32> = 1..=3650;

/// When a token ends that is made now.
#[must_use]
pub fn ends_in(days: Option<u32>) -> Option<Timestamp> {
    days.map(|days| Utc::now() + TimeDelta::days(i64::from(days)))
}

/// The name of a token as it is kept, if it may be one.
pub(super) fn check_name(check: &mut Check, name: Option<String>) -> Option<String> {
    let name = name?.trim().to_owned();
    if let Some(wrong) = wrong_name(&name, MAX_NAME) {
        check.fail("name", wrong);
        return None;
    }
    Some(name)
}

/// After how many days a token is to end; `None`: never.
pub(super) fn check_expiry(check: &mut Check, field: Field<u32>) -> Option<u32> {
    let days = match field {
        Field::Null => None,
        field => check.optional("expires_in_days", field),
    };
    if days.is_some_and(|days| !EXPIRES_IN_DAYS.contains(&days)) {
        check.fail("expires_in_days", "must be a whole number from 1 to 3650");
    }
    days
}

/// Registers the routes.
pub fn configure(config: &mut web::ServiceConfig) {
    config
        .service(routes::resource(
            "/api/indexes/{id}/tokens",
            [
                (routes::GET, web::get().to(list_tokens)),
                (routes::POST, web::post().to(create_token)),
            ],
        ))
        .service(routes::resource(
            "/api/indexes/{id}/tokens/{token_id}",
            [(routes::DELETE, web::delete().to(revoke_token))],
        ));
}

/// A token to be made.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct TokenRequest {
    /// A name for people, to tell tokens apart.
    #[serde(default)]
    #[schema(value_type = String, max_length = 100, example = "librechat")]
    name: Field<String>,
    /// After how many days it ends by itself, 1 to 3650; `null`: never.
    #[serde(default)]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 3650, example = 90)]
    expires_in_days: Field<u32>,
    /// Whether its bearer may say for whom it asks (`X-User-Email`): of an index that is `per_user`, each person is then shown what that
    /// person may read. Only for a chat that knows who its users are.
    #[serde(default)]
    #[schema(value_type = bool, default = false)]
    speaks_for_others: Field<bool>,
    #[serde(flatten)]
    #[schema(ignore)]
    unknown: Unknown,
}

/// A token just made, with its secret: the only time that it is shown.
#[derive(Serialize, utoipa::ToSchema)]
pub struct CreatedToken {
    /// The record.
    #[serde(flatten)]
    pub record: Token,
    /// The secret: `Authorization: Bearer <token>`.
    pub token: String,
}

/// Makes a token.
#[utoipa::path(post, path = "/api/indexes/{id}/tokens", operation_id = "create_token", tag = "tokens",
    summary = "Make a read-only token for one index; the secret is shown once.",
    params(("id" = String, Path, description = "The index.")), request_body = Option<TokenRequest>,
    responses((status = 201, body = CreatedToken), (status = 404)))]
pub async fn create_token(
    editor: Editor,
    request: HttpRequest,
    path: web::Path<String>,
    state: web::Data<AppState>,
    OptionalBody(body): OptionalBody<TokenRequest>,
) -> ApiResult<HttpResponse> {
    let id = editor.index(&path)?;
    let mut check = Check::default();
    let name = check
        .optional("name", body.name)
        .filter(|name| !name.trim().is_empty())
        .unwrap_or_else(|| "agent".to_owned());
    let name = check_name(&mut check, Some(name));
    let days = check_expiry(&mut check, body.expires_in_days);
    let speaks_for_others = check.optional("speaks_for_others", body.speaks_for_others);
    check.unknown(
        "",
        &body.unknown,
        &["name", "expires_in_days", "speaks_for_others"],
    );
    check.done()?;
    state.store.index(id).await?;
    let NewSecret {
        secret,
        prefix,
        hash,
    } = new_secret();
    let new = NewToken {
        role: Role::Agent,
        indexes: vec![id],
        speaks_for_others: speaks_for_others.unwrap_or_default(),
        name: name.unwrap_or_default(),
        prefix,
        secret_hash: hash,
        created_by: Some(state.auth.actor(&request, editor.principal())),
        expires_at: ends_in(days),
    };
    let record = state.store.create_token(&new).await?;
    let made = DoneTo(record.id.to_string());
    request.extensions_mut().insert(made);
    Ok(shown_once(record, &secret))
}

/// The answer that shows the secret of a new token.
pub(super) fn shown_once(record: Token, secret: &SecretString) -> HttpResponse {
    HttpResponse::Created().json(CreatedToken {
        record,
        token: secret.expose_secret().to_owned(),
    })
}

/// Lists tokens.
#[utoipa::path(get, path = "/api/indexes/{id}/tokens", operation_id = "list_tokens", tag = "tokens",
    summary = "List the tokens of an index, without their secrets.",
    params(("id" = String, Path, description = "The index.")),
    responses((status = 200, body = List<Token>), (status = 404)))]
pub async fn list_tokens(
    editor: Editor,
    path: web::Path<String>,
    state: web::Data<AppState>,
) -> ApiResult<web::Json<List<Token>>> {
    let id = editor.index(&path)?;
    let tokens = state.store.tokens_of_index(id).await?;
    Ok(web::Json(List::whole(tokens)))
}

/// Revokes a token.
#[utoipa::path(delete, path = "/api/indexes/{id}/tokens/{token_id}", operation_id = "revoke_token", tag = "tokens",
    summary = "Take an index away from an agent's token; one that reads no other is revoked.",
    params(("id" = String, Path, description = "The index."), ("token_id" = String, Path, description = "The token.")),
    responses((status = 204), (status = 404)))]
pub async fn revoke_token(
    editor: Editor,
    path: web::Path<(String, String)>,
    state: web::Data<AppState>,
) -> ApiResult<HttpResponse> {
    let (index, token) = path.into_inner();
    let id = editor.index(&index)?;
    let token_id: TokenId = token
        .parse()
        .map_err(|_| ApiError::not_found("token", &token))?;
    state.store.revoke_token_of_index(id, token_id).await?;
    Ok(HttpResponse::NoContent().finish())
}
