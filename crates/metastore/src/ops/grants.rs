//! What an administrator let the service do at the site: one row, whose tokens are sealed before they come here.

use chrono::NaiveDateTime;
use diesel::prelude::*;
use domain::grant::{Grant, Sealed, SealedTokens};

use super::sites::SITE;
use crate::convert::{db_time, time};
use crate::dialect::Conn;
use crate::error::Done;
use crate::schema::confluence_grants;

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = confluence_grants)]
struct GrantRow {
    site_id: i32,
    client_id: String,
    cloud_id: String,
    site_url: String,
    scopes: String,
    granted_by: String,
    granted_at: NaiveDateTime,
    refresh_token: Vec<u8>,
    access_token: Vec<u8>,
    refreshed_at: NaiveDateTime,
    access_ends_at: NaiveDateTime,
    refused: Option<String>,
}

pub(crate) fn get(conn: &mut Conn) -> Done<Option<Grant>> {
    let row: Option<GrantRow> = confluence_grants::table
        .find(SITE)
        .select(GrantRow::as_select())
        .first(conn)
        .optional()?;
    Ok(row.map(|row| Grant {
        client_id: row.client_id,
        cloud_id: row.cloud_id,
        site_url: row.site_url,
        granted_by: row.granted_by,
        granted_at: time(row.granted_at),
        tokens: SealedTokens {
            refresh_token: Sealed(row.refresh_token),
            access_token: Sealed(row.access_token),
            refreshed_at: time(row.refreshed_at),
            access_ends_at: time(row.access_ends_at),
            scopes: row.scopes,
        },
        refused: row.refused,
    }))
}

/// Puts a grant in the place of the one before.
pub(crate) fn put(conn: &mut Conn, grant: &Grant) -> Done<()> {
    forget(conn)?;
    let tokens = &grant.tokens;
    diesel::insert_into(confluence_grants::table)
        .values(GrantRow {
            site_id: SITE,
            client_id: grant.client_id.clone(),
            cloud_id: grant.cloud_id.clone(),
            site_url: grant.site_url.clone(),
            scopes: tokens.scopes.clone(),
            granted_by: grant.granted_by.clone(),
            granted_at: db_time(grant.granted_at),
            refresh_token: tokens.refresh_token.0.clone(),
            access_token: tokens.access_token.0.clone(),
            refreshed_at: db_time(tokens.refreshed_at),
            access_ends_at: db_time(tokens.access_ends_at),
            refused: grant.refused.clone(),
        })
        .execute(conn)?;
    Ok(())
}

/// Keeps the tokens of a refresh; of a grant that was forgotten meanwhile nothing.
pub(crate) fn refresh(conn: &mut Conn, tokens: &SealedTokens) -> Done<()> {
    diesel::update(confluence_grants::table.find(SITE))
        .set((
            confluence_grants::scopes.eq(&tokens.scopes),
            confluence_grants::refresh_token.eq(&tokens.refresh_token.0),
            confluence_grants::access_token.eq(&tokens.access_token.0),
            confluence_grants::refreshed_at.eq(db_time(tokens.refreshed_at)),
            confluence_grants::access_ends_at.eq(db_time(tokens.access_ends_at)),
        ))
        .execute(conn)?;
    Ok(())
}

pub(crate) fn refuse(conn: &mut Conn, why: &str) -> Done<()> {
    diesel::update(confluence_grants::table.find(SITE))
        .set(confluence_grants::refused.eq(why))
        .execute(conn)?;
    Ok(())
}

/// Whether there was one.
pub(crate) fn forget(conn: &mut Conn) -> Done<bool> {
    let gone = diesel::delete(confluence_grants::table.find(SITE)).execute(conn)?;
    Ok(gone > 0)
}
