//! Agent tokens: hashes only.

use std::collections::HashSet;

use chrono::{SubsecRound, TimeDelta};
use diesel::prelude::*;
use domain::token::Token;
use domain::{IndexId, Timestamp, TokenId};

use super::indexes;
use crate::convert::{db_time, id, opt_db_time, opt_time, time};
use crate::dialect::Conn;
use crate::error::{Done, not_found};
use crate::schema::tokens;

type Row = (
    String,
    String,
    String,
    String,
    chrono::NaiveDateTime,
    Option<chrono::NaiveDateTime>,
    Option<chrono::NaiveDateTime>,
);

const COLUMNS: (
    tokens::id,
    tokens::index_id,
    tokens::name,
    tokens::prefix,
    tokens::created_at,
    tokens::last_used_at,
    tokens::expires_at,
) = (
    tokens::id,
    tokens::index_id,
    tokens::name,
    tokens::prefix,
    tokens::created_at,
    tokens::last_used_at,
    tokens::expires_at,
);

fn token((token, index, name, prefix, created, used, expires): Row) -> Done<Token> {
    Ok(Token {
        id: id("tokens.id", &token)?,
        index_id: id("tokens.index_id", &index)?,
        name,
        prefix,
        created_at: time(created),
        last_used_at: opt_time(used),
        expires_at: opt_time(expires),
    })
}

pub(crate) fn create(
    conn: &mut Conn,
    index: IndexId,
    name: &str,
    (prefix, secret_hash): (&str, &str),
    expires_at: Option<Timestamp>,
    now: Timestamp,
) -> Done<Token> {
    indexes::row(conn, index)?;
    let token = Token {
        id: TokenId::generate(),
        index_id: index,
        name: name.to_owned(),
        prefix: prefix.to_owned(),
        created_at: now,
        last_used_at: None,
        expires_at,
    };
    diesel::insert_into(tokens::table)
        .values((
            tokens::id.eq(token.id.to_string()),
            tokens::index_id.eq(index.to_string()),
            tokens::name.eq(name),
            tokens::prefix.eq(prefix),
            tokens::secret_hash.eq(secret_hash),
            tokens::created_at.eq(db_time(now)),
            tokens::expires_at.eq(opt_db_time(expires_at)),
        ))
        .execute(conn)?;
    Ok(token)
}

pub(crate) fn list(conn: &mut Conn, index: IndexId) -> Done<Vec<Token>> {
    indexes::row(conn, index)?;
    let found: Vec<Row> = tokens::table
        .filter(tokens::index_id.eq(index.to_string()))
        .order(tokens::id)
        .select(COLUMNS)
        .load(conn)?;
    found.into_iter().map(token).collect()
}

pub(crate) fn revoke(conn: &mut Conn, index: IndexId, id: TokenId) -> Done<()> {
    let gone = diesel::delete(tokens::table.find(id.to_string()))
        .filter(tokens::index_id.eq(index.to_string()))
        .execute(conn)?;
    if gone == 0 {
        return Err(not_found(format!("token {id} of index {index}")).into());
    }
    Ok(())
}

pub(crate) fn revoked(conn: &mut Conn, ids: &[TokenId]) -> Done<Vec<TokenId>> {
    let mut living = HashSet::new();
    // One statement has room for so many values.
    for ids in ids.chunks(500) {
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        let found: Vec<String> = tokens::table
            .filter(tokens::id.eq_any(ids))
            .select(tokens::id)
            .load(conn)?;
        living.extend(found);
    }
    let gone = ids.iter().filter(|id| !living.contains(&id.to_string()));
    Ok(gone.copied().collect())
}

pub(crate) fn by_hash(conn: &mut Conn, secret_hash: &str) -> Done<Option<Token>> {
    tokens::table
        .filter(tokens::secret_hash.eq(secret_hash))
        .select(COLUMNS)
        .first::<Row>(conn)
        .optional()?
        .map(token)
        .transpose()
}

/// The use to note now; `None` when this minute is noted already.
pub(crate) fn use_to_note(token: &Token, now: Timestamp) -> Option<Timestamp> {
    let minute = now.trunc_subsecs(0) - TimeDelta::seconds(now.timestamp().rem_euclid(60));
    token
        .last_used_at
        .is_none_or(|noted| noted < minute)
        .then_some(minute)
}

pub(crate) fn note_use(conn: &mut Conn, token: TokenId, minute: Timestamp) -> Done<()> {
    diesel::update(tokens::table.find(token.to_string()))
        .set(tokens::last_used_at.eq(db_time(minute)))
        .execute(conn)?;
    Ok(())
}
