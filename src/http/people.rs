//! `/api/people`: whose addresses of e-mail are, for indexes that answer per person; `/api/indexes/{id}/access`: whether somebody may
//! read a page there, and why.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, web};
use domain::access::{Asker, Email, Explanation, People};
use domain::ports::store::StoreError;
use domain::{AccountId, PageId};
use serde::Deserialize;

use super::auth::{Admin, Editor};
use super::fields::{Body, Check, Field, QueryString, Unknown};
use super::problem::{ApiError, ApiResult};
use super::routes;
use crate::state::AppState;

/// Addresses that may be mapped.
pub(crate) const MAX_PEOPLE: usize = 50_000;
/// Characters that an account id may have (Atlassian: up to 128).
const MAX_ACCOUNT: usize = 128;

/// The account id that a text is, if it is one.
pub(crate) fn account(text: &str) -> Option<AccountId> {
    let text = text.trim();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '-' | '_');
    let is_account = !text.is_empty() && text.len() <= MAX_ACCOUNT && text.chars().all(is_plain);
    is_account.then(|| text.into())
}

/// Registers the routes.
pub fn configure(config: &mut web::ServiceConfig) {
    config
        .service(routes::resource(
            "/api/people",
            [
                (routes::GET, web::get().to(get_people)),
                (routes::PUT, web::put().to(map_people)),
            ],
        ))
        .service(routes::resource(
            "/api/indexes/{id}/access",
            [(routes::GET, web::get().to(explain_access))],
        ));
}

/// Whose addresses are.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct PeopleRequest {
    /// Addresses of e-mail and the Atlassian account id of each: all of them, in place of those that were given before. What the file of
    /// people (`PEOPLE_FILE`) says stays, whether it is named here or not.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, String>, example = json!({"ann@example.org": "557058:0a1b"}))]
    mapped: Field<BTreeMap<String, String>>,
    #[serde(flatten)]
    #[schema(ignore)]
    unknown: Unknown,
}

impl PeopleRequest {
    fn read(self) -> ApiResult<BTreeMap<Email, AccountId>> {
        let mut check = Check::default();
        let mapped = check.required("mapped", self.mapped).unwrap_or_default();
        if mapped.len() > MAX_PEOPLE {
            check.fail("mapped", format!("must name at most {MAX_PEOPLE} people"));
        }
        let mut people: BTreeMap<Email, AccountId> = BTreeMap::new();
        for (text, whose) in &mapped {
            let Some(email) = Email::parse(text) else {
                check.fail("mapped", "each name must be an address of e-mail");
                break;
            };
            let Some(account) = account(whose) else {
                check.fail(
                    "mapped",
                    format!("{email} needs the account id of one person"),
                );
                break;
            };
            let before = people.insert(email.clone(), account.clone());
            if before.is_some_and(|before| before != account) {
                check.fail(
                    "mapped",
                    format!("{email} stands there twice, for two accounts"),
                );
                break;
            }
        }
        check.unknown("", &self.unknown, &["mapped"]);
        check.done()?;
        Ok(people)
    }
}

/// Who is known.
#[utoipa::path(get, path = "/api/people", operation_id = "get_people", tag = "people",
    summary = "Show whose addresses of e-mail you have set, which name several accounts, and which nobody knew.",
    responses((status = 200, body = People)))]
pub async fn get_people(_: Admin, state: web::Data<AppState>) -> ApiResult<web::Json<People>> {
    Ok(web::Json(people(&state).await?))
}

/// What is known of people; who was set since is no stranger any more.
async fn people(state: &AppState) -> ApiResult<People> {
    let known = state.store.people().await?;
    let mut unknown = state.engine.strangers();
    unknown.retain(|person| !known.mapped.contains_key(&person.email));
    Ok(People { unknown, ..known })
}

/// Says who people are.
#[utoipa::path(put, path = "/api/people", operation_id = "map_people", tag = "people",
    summary = "Set whose addresses of e-mail are, for those who hide theirs in Confluence; this counts before what Confluence shows.",
    request_body = PeopleRequest, responses((status = 200, body = People),
        (status = 409, description = "The file of people (`PEOPLE_FILE`) says another account of an address: change it there."), (status = 422)))]
pub async fn map_people(
    _: Admin,
    state: web::Data<AppState>,
    Body(body): Body<PeopleRequest>,
) -> ApiResult<web::Json<People>> {
    state.store.map_people(&body.read()?).await?;
    Ok(web::Json(people(&state).await?))
}

/// Explains.
#[utoipa::path(get, path = "/api/indexes/{id}/access", operation_id = "explain_access", tag = "people",
    summary = "Say whether a person may read a page of an index that answers per person, and why.",
    params(("id" = String, Path, description = "The index."),
        ("user" = String, Query, description = "The person's address of e-mail."),
        ("page" = String, Query, description = "The page's id.")),
    responses((status = 200, body = Explanation), (status = 404), (status = 409, description = "The index answers everyone alike."), (status = 422)))]
pub async fn explain_access(
    editor: Editor,
    path: web::Path<String>,
    request: HttpRequest,
    state: web::Data<AppState>,
) -> ApiResult<web::Json<Explanation>> {
    let id = editor.index(&path)?;
    let mut query = QueryString::of(&request)?;
    let user = query.required("user", "an address of e-mail", Email::parse);
    let page = query.required("page", "the id of a page", |text| Some(text.to_owned()));
    query.done()?;
    let (Some(user), Some(page)) = (user, page) else {
        return Err(ApiError::new("internal", "A checked parameter is missing."));
    };
    let index = state.store.index(id).await?;
    if !index.settings.access.is_per_user() {
        let why = "This index answers everyone alike: set `access` to `per_user` first.";
        return Err(ApiError::new("conflict", why));
    }
    let engine = state.engine.asked_for(Asker::Person(user));
    let explained = engine.explain(id, PageId::from(page.as_str())).await?;
    let explained = explained.ok_or_else(|| StoreError::NotFound {
        what: format!("page {page} in index {id}"),
    })?;
    Ok(web::Json(explained))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn people_are_addresses_and_one_account_each() {
        let read = |mapped: serde_json::Value| {
            let body = json!({"mapped": mapped});
            serde_json::from_value::<PeopleRequest>(body)
                .unwrap()
                .read()
        };
        let ann = read(json!({" Ann@Example.org ": "557058:0a-1b"})).unwrap();
        let expected = (
            Email::parse("ann@example.org").unwrap(),
            "557058:0a-1b".into(),
        );
        assert_eq!(ann, BTreeMap::from([expected]));
        assert!(read(json!({})).unwrap().is_empty());
        for wrong in [
            json!({"ann": "1"}),
            json!({"ann@example.org": ""}),
            json!({"ann@example.org": "a b"}),
            json!({"ann@example.org": "1", "Ann@example.org": "2"}),
            json!(null),
            json!("ann"),
        ] {
            assert!(read(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
