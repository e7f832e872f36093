//! Tokens: hashes only, and the indexes of those who have their own.

use std::collections::HashMap;

use chrono::{NaiveDateTime, SubsecRound, TimeDelta};
use diesel::prelude::*;
use domain::access::Email;
use domain::token::{NewToken, Person, Role, Token};
use domain::{IndexId, Timestamp, TokenId};

use super::indexes;
use crate::convert::{db_time, id, opt_db_time, opt_time, time, word};
use crate::dialect::{Conn, IDS};
use crate::error::{Done, conflict, not_found};
use crate::schema::{page_sessions, token_indexes, tokens};

#[derive(Queryable, Selectable)]
#[diesel(table_name = tokens)]
struct Row {
    id: String,
    role: String,
    name: String,
    prefix: String,
    created_at: NaiveDateTime,
    created_by: Option<String>,
    last_used_at: Option<NaiveDateTime>,
    expires_at: Option<NaiveDateTime>,
    speaks_for_others: bool,
    subject: Option<String>,
    email: Option<String>,
}

/// Gives rows their indexes.
fn compose(conn: &mut Conn, rows: Vec<Row>) -> Done<Vec<Token>> {
    let mut indexes = of_tokens(conn, rows.iter().map(|row| row.id.as_str()))?;
    rows.into_iter()
        .map(|row| {
            let role = word("tokens.role", &row.role, Role::parse)?;
            // Whom the issuer calls an editor again has those of before.
            let own = indexes.remove(&row.id).filter(|_| role.has_own_indexes());
            let email = |text: String| word("tokens.email", &text, Email::parse);
            Ok(Token {
                id: id("tokens.id", &row.id)?,
                role,
                indexes: own.unwrap_or_default(),
                speaks_for_others: row.speaks_for_others,
                name: row.name,
                prefix: row.prefix,
                created_at: time(row.created_at),
                created_by: row.created_by,
                last_used_at: opt_time(row.last_used_at),
                expires_at: opt_time(row.expires_at),
                subject: row.subject,
                email: row.email.map(email).transpose()?,
            })
        })
        .collect()
}

/// The indexes of tokens, by the token's id.
fn of_tokens<'a>(
    conn: &mut Conn,
    ids: impl Iterator<Item = &'a str>,
) -> Done<HashMap<String, Vec<IndexId>>> {
    let ids: Vec<&str> = ids.collect();
    let mut found: HashMap<String, Vec<IndexId>> = HashMap::new();
    for ids in ids.chunks(IDS) {
        let rows: Vec<(String, String)> = token_indexes::table
            .filter(token_indexes::token_id.eq_any(ids))
            .order((token_indexes::token_id, token_indexes::index_id))
            .load(conn)?;
        for (token, index) in rows {
            let index = id("token_indexes.index_id", &index)?;
            found.entry(token).or_default().push(index);
        }
    }
    Ok(found)
}

pub(crate) fn create(conn: &mut Conn, new: &NewToken, now: Timestamp) -> Done<Token> {
    for index in &new.indexes {
        indexes::row(conn, *index)?;
    }
    let token = Token {
        id: TokenId::generate(),
        role: new.role,
        indexes: new.indexes.clone(),
        speaks_for_others: new.speaks_for_others,
        name: new.name.clone(),
        prefix: new.prefix.clone(),
        created_at: now,
        created_by: new.created_by.clone(),
        last_used_at: None,
        expires_at: new.expires_at,
        subject: None,
        email: None,
    };
    diesel::insert_into(tokens::table)
        .values((
            tokens::id.eq(token.id.to_string()),
            tokens::role.eq(new.role.as_str()),
            tokens::name.eq(&new.name),
            tokens::prefix.eq(&new.prefix),
            tokens::secret_hash.eq(&new.secret_hash),
            tokens::created_at.eq(db_time(now)),
            tokens::created_by.eq(&new.created_by),
            tokens::expires_at.eq(opt_db_time(new.expires_at)),
            tokens::speaks_for_others.eq(new.speaks_for_others),
        ))
        .execute(conn)?;
    for index in &new.indexes {
        give(conn, token.id, &index.to_string())?;
    }
    Ok(token)
}

/// Adds an index to those of a token.
pub(crate) fn give(conn: &mut Conn, token: TokenId, index: &str) -> Done<()> {
    diesel::insert_into(token_indexes::table)
        .values((
            token_indexes::token_id.eq(token.to_string()),
            token_indexes::index_id.eq(index),
        ))
        .execute(conn)?;
    Ok(())
}

pub(crate) fn all(conn: &mut Conn) -> Done<Vec<Token>> {
    let rows = tokens::table
        .order(tokens::id)
        .select(Row::as_select())
        .load(conn)?;
    compose(conn, rows)
}

pub(crate) fn of_index(conn: &mut Conn, index: IndexId) -> Done<Vec<Token>> {
    indexes::row(conn, index)?;
    let its = token_indexes::table
        .filter(token_indexes::index_id.eq(index.to_string()))
        .select(token_indexes::token_id);
    let rows = tokens::table
        .filter(tokens::id.eq_any(its))
        .filter(tokens::role.eq(Role::Agent.as_str()))
        .order(tokens::id)
        .select(Row::as_select())
        .load(conn)?;
    compose(conn, rows)
}

pub(crate) fn revoke_of_index(conn: &mut Conn, index: IndexId, id: TokenId) -> Done<()> {
    let agents = tokens::table
        .filter(tokens::role.eq(Role::Agent.as_str()))
        .select(tokens::id);
    let gone = diesel::delete(token_indexes::table.find((id.to_string(), index.to_string())))
        .filter(token_indexes::token_id.eq_any(agents))
        .execute(conn)?;
    if gone == 0 {
        return Err(not_found(format!("token {id} of index {index}")).into());
    }
    revoke_agents_without_index(conn)
}

/// An agent that has no index to read is let in no longer.
pub(crate) fn revoke_agents_without_index(conn: &mut Conn) -> Done<()> {
    let with_index = token_indexes::table.select(token_indexes::token_id);
    diesel::delete(tokens::table)
        .filter(tokens::role.eq(Role::Agent.as_str()))
        .filter(tokens::id.ne_all(with_index))
        .execute(conn)?;
    Ok(())
}

pub(crate) fn revoke(conn: &mut Conn, id: TokenId, now: Timestamp) -> Done<()> {
    let id = id.to_string();
    let subject: Option<Option<String>> = tokens::table
        .find(&id)
        .select(tokens::subject)
        .first(conn)
        .optional()?;
    match subject {
        None => return Err(not_found(format!("key {id}")).into()),
        Some(None) => {
            diesel::delete(tokens::table.find(&id)).execute(conn)?;
        }
        // Without the row the issuer would send them in again.
        Some(Some(_)) => {
            diesel::update(tokens::table.find(&id))
                .filter(tokens::expires_at.is_null())
                .set(tokens::expires_at.eq(db_time(now)))
                .execute(conn)?;
        }
    }
    diesel::delete(page_sessions::table.filter(page_sessions::token_id.eq(&id))).execute(conn)?;
    Ok(())
}

pub(crate) fn forget(conn: &mut Conn, id: TokenId) -> Done<()> {
    let Some(token) = by_id(conn, id)? else {
        return Err(not_found(format!("key {id}")).into());
    };
    if token.subject.is_none() {
        let why = "only somebody who signs in at an issuer can be forgotten; a key is revoked";
        return Err(conflict(why).into());
    }
    let id = id.to_string();
    diesel::delete(tokens::table.find(&id)).execute(conn)?;
    diesel::delete(page_sessions::table.filter(page_sessions::token_id.eq(&id))).execute(conn)?;
    Ok(())
}

pub(crate) fn admit(conn: &mut Conn, id: TokenId) -> Done<Token> {
    let Some(token) = by_id(conn, id)? else {
        return Err(not_found(format!("key {id}")).into());
    };
    if token.subject.is_none() {
        let why = "only somebody who signs in at an issuer can be let in again; make a new key";
        return Err(conflict(why).into());
    }
    diesel::update(tokens::table.find(id.to_string()))
        .set(tokens::expires_at.eq(None::<NaiveDateTime>))
        .execute(conn)?;
    Ok(Token {
        expires_at: None,
        ..token
    })
}

pub(crate) fn by_subject(conn: &mut Conn, subject: &str) -> Done<Option<Token>> {
    let row = tokens::table
        .filter(tokens::subject.eq(subject))
        .select(Row::as_select())
        .first(conn)
        .optional()?;
    Ok(compose(conn, row.into_iter().collect())?.pop())
}

pub(crate) fn keep_person(conn: &mut Conn, person: &Person, now: Timestamp) -> Done<Token> {
    let known = match by_subject(conn, &person.subject)? {
        Some(known) => known.id,
        None => {
            let new = NewToken {
                role: person.role,
                indexes: Vec::new(),
                speaks_for_others: false,
                name: person.name.clone(),
                prefix: String::new(),
                // No secret has such a hash.
                secret_hash: format!("none, but signs in as {}", person.subject),
                created_by: Some("the issuer".to_owned()),
                expires_at: None,
            };
            create(conn, &new, now)?.id
        }
    };
    diesel::update(tokens::table.find(known.to_string()))
        .set((
            tokens::role.eq(person.role.as_str()),
            tokens::name.eq(&person.name),
            tokens::email.eq(person.email.as_ref().map(Email::as_str)),
            tokens::subject.eq(&person.subject),
        ))
        .execute(conn)?;
    by_id(conn, known)?.ok_or_else(|| not_found(format!("key {known}")).into())
}

pub(crate) fn replace(
    conn: &mut Conn,
    id: TokenId,
    (prefix, secret_hash): (&str, &str),
    by: &str,
    after: TimeDelta,
    now: Timestamp,
) -> Done<Token> {
    let Some(old) = by_id(conn, id)? else {
        return Err(not_found(format!("key {id}")).into());
    };
    if old.subject.is_some() {
        let why = "somebody who signs in at an issuer has no key that could be replaced";
        return Err(conflict(why).into());
    }
    let ends = old.ends_when_replaced(now, after);
    diesel::update(tokens::table.find(id.to_string()))
        .set(tokens::expires_at.eq(db_time(ends)))
        .execute(conn)?;
    let new = NewToken {
        role: old.role,
        indexes: old.indexes,
        speaks_for_others: old.speaks_for_others,
        name: old.name,
        prefix: prefix.to_owned(),
        secret_hash: secret_hash.to_owned(),
        created_by: Some(by.to_owned()),
        expires_at: old.expires_at,
    };
    create(conn, &new, now)
}

pub(crate) fn living(
    conn: &mut Conn,
    ids: &[TokenId],
    now: Timestamp,
) -> Done<Vec<(TokenId, Vec<IndexId>)>> {
    let lasts = tokens::expires_at.gt(db_time(now));
    let mut living = Vec::new();
    for some in ids.chunks(IDS) {
        let ids: Vec<String> = some.iter().map(ToString::to_string).collect();
        let found: Vec<String> = tokens::table
            .filter(tokens::id.eq_any(&ids))
            .filter(tokens::expires_at.is_null().or(lasts.nullable()))
            .select(tokens::id)
            .load(conn)?;
        let mut indexes = of_tokens(conn, found.iter().map(String::as_str))?;
        for token in found {
            living.push((
                id("tokens.id", &token)?,
                indexes.remove(&token).unwrap_or_default(),
            ));
        }
    }
    Ok(living)
}

pub(crate) fn by_hash(conn: &mut Conn, secret_hash: &str) -> Done<Option<Token>> {
    let row = tokens::table
        .filter(tokens::secret_hash.eq(secret_hash))
        .select(Row::as_select())
        .first(conn)
        .optional()?;
    Ok(compose(conn, row.into_iter().collect())?.pop())
}

pub(crate) fn by_id(conn: &mut Conn, id: TokenId) -> Done<Option<Token>> {
    let row = tokens::table
        .find(id.to_string())
        .select(Row::as_select())
        .first(conn)
        .optional()?;
    Ok(compose(conn, row.into_iter().collect())?.pop())
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
