//! `/api/keys`: every token, whatever its role; administrators make, replace and revoke them.

use std::ops::RangeInclusive;

use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};
use chrono::TimeDelta;
use domain::token::{NewToken, Role, Token};
use domain::{IndexId, TokenId};
use serde::Deserialize;

use super::audit::DoneTo;
use super::auth::{Admin, NewSecret, Principal, new_secret};
use super::fields::{Body, Check, Field, OptionalBody, Unknown};
use super::list::List;
use super::problem::{ApiError, ApiResult};
use super::routes;
use super::runs::words;
use super::tokens::{CreatedToken, check_expiry, check_name, ends_in, shown_once};
use crate::state::AppState;

/// Indexes that one token may have of its own.
const MAX_INDEXES: usize = 100;

/// Hours for which a token that is replaced may stay good.
const GRACE_HOURS: RangeInclusive<u32> = 0..=720;
/// Hours for which it does when nobody says.
const DEFAULT_GRACE_HOURS: u32 = 24;

/// Registers the routes.
pub fn configure(config: &mut web::ServiceConfig) {
    config
        .service(routes::resource(
            "/api/keys",
            [
                (routes::GET, web::get().to(list_keys)),
                (routes::POST, web::post().to(create_key)),
            ],
        ))
        .service(routes::resource(
            "/api/keys/{id}",
            [(routes::DELETE, web::delete().to(revoke_key))],
        ))
        .service(routes::resource(
            "/api/keys/{id}/replace",
            [(routes::POST, web::post().to(replace_key))],
        ))
        .service(routes::resource(
            "/api/keys/{id}/admit",
            [(routes::POST, web::post().to(admit_person))],
        ))
        .service(routes::resource(
            "/api/keys/{id}/person",
            [(routes::DELETE, web::delete().to(forget_person))],
        ));
}

/// A key to be made.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct KeyRequest {
    /// A name for people: whose key it is.
    #[serde(default)]
    #[schema(value_type = String, max_length = 100, required = true, example = "Ann Example")]
    name: Field<String>,
    /// What it lets its bearer do.
    #[serde(default)]
    #[schema(value_type = Role, required = true)]
    role: Field<Role>,
    /// The indexes of an agent (at least one) or of an editor, by id; readers and administrators see all.
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 100)]
    indexes: Field<Vec<IndexId>>,
    /// After how many days it ends by itself, 1 to 3650; `null`: never.
    #[serde(default)]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 3650, example = 90)]
    expires_in_days: Field<u32>,
    #[serde(flatten)]
    #[schema(ignore)]
    unknown: Unknown,
}

/// How a key is replaced.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct ReplaceRequest {
    /// For how many hours the old one stays good beside the new one, 0 to 720; 24 when nobody says.
    #[serde(default)]
    #[schema(value_type = u32, minimum = 0, maximum = 720, default = 24)]
    old_ends_in_hours: Field<u32>,
    #[serde(flatten)]
    #[schema(ignore)]
    unknown: Unknown,
}

fn key_id(text: &str) -> ApiResult<TokenId> {
    text.parse().map_err(|_| ApiError::not_found("key", text))
}

/// Lists keys.
#[utoipa::path(get, path = "/api/keys", operation_id = "list_keys", tag = "keys",
    summary = "List every key and agent token with its role, indexes and last use, without the secrets.",
    responses((status = 200, body = List<Token>)))]
pub async fn list_keys(_: Admin, state: web::Data<AppState>) -> ApiResult<web::Json<List<Token>>> {
    Ok(web::Json(List::whole(state.store.tokens().await?)))
}

/// Makes a key.
#[utoipa::path(post, path = "/api/keys", operation_id = "create_key", tag = "keys",
    summary = "Make a key with a role; the secret is shown once.", request_body = KeyRequest,
    responses((status = 201, body = CreatedToken), (status = 404, description = "There is no such index."), (status = 422)))]
pub async fn create_key(
    _: Admin,
    principal: Principal,
    request: HttpRequest,
    state: web::Data<AppState>,
    Body(body): Body<KeyRequest>,
) -> ApiResult<HttpResponse> {
    let mut check = Check::default();
    let name = check.required("name", body.name);
    let name = check_name(&mut check, name);
    let role = match body.role {
        // In the words of the roles.
        Field::Bad(_) => {
            let roles = words(&Role::ALL.map(Role::as_str));
            check.fail("role", format!("must be {roles}"));
            None
        }
        field => check.required("role", field),
    };
    let cannot_be_read = matches!(body.indexes, Field::Bad(_));
    let mut indexes = check.optional("indexes", body.indexes).unwrap_or_default();
    indexes.sort();
    indexes.dedup();
    match role {
        _ if cannot_be_read => {}
        Some(Role::Agent) if indexes.is_empty() => check.fail("indexes", "an agent needs one"),
        Some(Role::Reader | Role::Administrator) if !indexes.is_empty() => {
            check.fail(
                "indexes",
                "readers and administrators see all: leave this out",
            );
        }
        _ if indexes.len() > MAX_INDEXES => {
            check.fail("indexes", format!("must be at most {MAX_INDEXES}"));
        }
        _ => {}
    }
    let days = check_expiry(&mut check, body.expires_in_days);
    check.unknown(
        "",
        &body.unknown,
        &["name", "role", "indexes", "expires_in_days"],
    );
    check.done()?;
    let (Some(name), Some(role)) = (name, role) else {
        return Err(ApiError::new("internal", "A checked field is missing."));
    };
    let NewSecret {
        secret,
        prefix,
        hash,
    } = new_secret();
    let new = NewToken {
        role,
        indexes,
        // Only an agent's own form of making a token offers that.
        speaks_for_others: false,
        name,
        prefix,
        secret_hash: hash,
        created_by: Some(state.auth.actor(&request, &principal)),
        expires_at: ends_in(days),
    };
    let record = state.store.create_token(&new).await?;
    let made = DoneTo(record.id.to_string());
    request.extensions_mut().insert(made);
    Ok(shown_once(record, &secret))
}

/// Replaces a key.
#[utoipa::path(post, path = "/api/keys/{id}/replace", operation_id = "replace_key", tag = "keys",
    summary = "Make another key with the same name, role and indexes; the old one ends after a while. The secret is shown once.",
    params(("id" = String, Path, description = "The key.")), request_body = Option<ReplaceRequest>,
    responses((status = 201, body = CreatedToken), (status = 404), (status = 422)))]
pub async fn replace_key(
    _: Admin,
    principal: Principal,
    request: HttpRequest,
    path: web::Path<String>,
    state: web::Data<AppState>,
    OptionalBody(body): OptionalBody<ReplaceRequest>,
) -> ApiResult<HttpResponse> {
    let id = key_id(&path)?;
    let mut check = Check::default();
    let hours = check
        .optional("old_ends_in_hours", body.old_ends_in_hours)
        .unwrap_or(DEFAULT_GRACE_HOURS);
    if !GRACE_HOURS.contains(&hours) {
        check.fail("old_ends_in_hours", "must be a whole number from 0 to 720");
    }
    check.unknown("", &body.unknown, &["old_ends_in_hours"]);
    check.done()?;
    let new = new_secret();
    let by = state.auth.actor(&request, &principal);
    let record = state
        .store
        .replace_token(
            id,
            (&new.prefix, &new.hash),
            &by,
            TimeDelta::hours(hours.into()),
        )
        .await?;
    Ok(shown_once(record, &new.secret))
}

/// Lets somebody in again.
#[utoipa::path(post, path = "/api/keys/{id}/admit", operation_id = "admit_person", tag = "keys",
    summary = "Let somebody in again who signs in at an issuer and whose access was revoked.",
    params(("id" = String, Path, description = "The key.")),
    responses((status = 200, body = Token), (status = 404), (status = 409, description = "It is a key with a secret.")))]
pub async fn admit_person(
    _: Admin,
    path: web::Path<String>,
    state: web::Data<AppState>,
) -> ApiResult<web::Json<Token>> {
    Ok(web::Json(state.store.admit_person(key_id(&path)?).await?))
}

/// Forgets somebody.
#[utoipa::path(delete, path = "/api/keys/{id}/person", operation_id = "forget_person", tag = "keys",
    summary = "Forget somebody who signs in at an issuer, with name, address and `sub`. Who signs in again is let in as somebody new, if the issuer gives them a role: revoke to keep them out.",
    params(("id" = String, Path, description = "The key.")),
    responses((status = 204), (status = 404), (status = 409, description = "It is a key with a secret.")))]
pub async fn forget_person(
    _: Admin,
    path: web::Path<String>,
    state: web::Data<AppState>,
) -> ApiResult<HttpResponse> {
    state.store.forget_person(key_id(&path)?).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Revokes a key.
#[utoipa::path(delete, path = "/api/keys/{id}", operation_id = "revoke_key", tag = "keys",
    summary = "Revoke a key or agent token; what it has open ends within seconds. Somebody who signs in at an issuer is kept out then.",
    params(("id" = String, Path, description = "The key.")), responses((status = 204), (status = 404)))]
pub async fn revoke_key(
    _: Admin,
    path: web::Path<String>,
    state: web::Data<AppState>,
) -> ApiResult<HttpResponse> {
    state.store.revoke_token(key_id(&path)?).await?;
    Ok(HttpResponse::NoContent().finish())
}
