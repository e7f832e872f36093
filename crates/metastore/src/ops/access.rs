//! Who may read what: what was read of spaces, groups and restrictions, whose an address of e-mail is, and from all that the facts of
//! one person and one index. What they mean is decided in `domain::access`.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use chrono::NaiveDateTime;
use diesel::prelude::*;
use domain::access::{Asker, Email, Grantee, Identity, Member, Restricted, ViewFacts};
use domain::{AccountId, GroupId, IndexId, SpaceId, Timestamp};

use super::indexes;
use super::sites::SITE;
use crate::convert::{db_time, from_json, time, to_json};
use crate::dialect::{self, Conn, IDS, on_either};
use crate::error::Done;
use crate::rows::{guards, readers};
use crate::schema::{
    access_changes, closed_accounts, group_members, mapped_emails, member_emails, read_groups,
    read_restrictions, space_readers, synced_pages,
};
use crate::views::Views;

/// Nobody gets by anything of the index until it was read and decided anew.
pub(crate) fn forget(conn: &mut Conn, index: &str) -> Done<()> {
    diesel::update(synced_pages::table.filter(synced_pages::index_id.eq(index)))
        .set((
            synced_pages::guards.eq(None::<String>),
            synced_pages::guarded.eq(true),
        ))
        .execute(conn)?;
    diesel::delete(read_restrictions::table.filter(read_restrictions::index_id.eq(index)))
        .execute(conn)?;
    Ok(())
}

pub(crate) fn record_space(
    conn: &mut Conn,
    space: &SpaceId,
    readers: &BTreeSet<Grantee>,
    now: Timestamp,
) -> Done<()> {
    dialect::put_space_readers(
        conn,
        (SITE, space.as_str()),
        &to_json(readers),
        db_time(now),
    )
}

pub(crate) fn record_group(
    conn: &mut Conn,
    group: &GroupId,
    members: &[Member],
    now: Timestamp,
) -> Done<()> {
    dialect::put_read_group(conn, (SITE, group.as_str()), db_time(now))?;
    let of_site = group_members::table.filter(group_members::site_id.eq(SITE));
    diesel::delete(of_site.filter(group_members::group_id.eq(group.as_str()))).execute(conn)?;
    let accounts: BTreeSet<&str> = members.iter().map(|m| m.account.as_str()).collect();
    let accounts: Vec<&str> = accounts.into_iter().collect();
    for accounts in accounts.chunks(IDS) {
        let rows: Vec<_> = accounts
            .iter()
            .map(|account| {
                (
                    group_members::site_id.eq(SITE),
                    group_members::group_id.eq(group.as_str()),
                    group_members::account_id.eq(*account),
                )
            })
            .collect();
        on_either!(conn => diesel::insert_into(group_members::table).values(rows).execute(conn))?;
    }
    for member in members {
        let shown = member.email.as_deref().and_then(Email::parse);
        dialect::put_member_email(conn, SITE, member.account.as_str(), shown.as_ref())?;
    }
    // Who is in no group any more shows no address to anybody.
    let in_groups = group_members::table
        .filter(group_members::site_id.eq(SITE))
        .select(group_members::account_id);
    diesel::delete(
        member_emails::table
            .filter(member_emails::site_id.eq(SITE))
            .filter(member_emails::account_id.ne_all(in_groups)),
    )
    .execute(conn)?;
    Ok(())
}

/// The accounts that an address may name.
pub(crate) fn accounts_with_address(conn: &mut Conn) -> Done<Vec<AccountId>> {
    let shown = member_emails::table
        .filter(member_emails::site_id.eq(SITE))
        .select(member_emails::account_id)
        .load::<String>(conn)?;
    let mapped = mapped_emails::table
        .filter(mapped_emails::site_id.eq(SITE))
        .select(mapped_emails::account_id)
        .load::<String>(conn)?;
    let accounts: BTreeSet<String> = shown.into_iter().chain(mapped).collect();
    Ok(accounts.into_iter().map(AccountId::from).collect())
}

/// Of those who were asked about, these are closed and the others are not.
pub(crate) fn record_closed(
    conn: &mut Conn,
    asked: &[AccountId],
    closed: &HashSet<AccountId>,
) -> Done<()> {
    for asked in asked.chunks(IDS) {
        let ids: Vec<&str> = asked.iter().map(AccountId::as_str).collect();
        let known = closed_accounts::table.filter(closed_accounts::site_id.eq(SITE));
        diesel::delete(known.filter(closed_accounts::account_id.eq_any(&ids))).execute(conn)?;
        let closed = asked.iter().filter(|account| closed.contains(account));
        let rows: Vec<_> = closed
            .map(|account| {
                (
                    closed_accounts::site_id.eq(SITE),
                    closed_accounts::account_id.eq(account.as_str()),
                )
            })
            .collect();
        on_either!(conn => diesel::insert_into(closed_accounts::table).values(rows).execute(conn))?;
    }
    Ok(())
}

pub(crate) fn restrictions_read(
    conn: &mut Conn,
    index: IndexId,
    space: &SpaceId,
    began: Timestamp,
) -> Done<()> {
    indexes::row(conn, index)?;
    dialect::put_read_restrictions(conn, &index.to_string(), space.as_str(), db_time(began))
}

/// The groups that the spaces of an index, or restrictions in it, name.
pub(crate) fn groups_named(conn: &mut Conn, index: IndexId) -> Done<Vec<GroupId>> {
    let mut named = BTreeSet::new();
    for (_, (readers, _)) in spaces_read(conn, index)? {
        named.extend(readers);
    }
    for (_, readers) in items(conn, index)? {
        named.extend(readers);
    }
    let group = |grantee| match grantee {
        Grantee::Group(id) => Some(id),
        Grantee::Licensed | Grantee::Person(_) => None,
    };
    Ok(named.into_iter().filter_map(group).collect())
}

type SpacesRead = BTreeMap<SpaceId, (BTreeSet<Grantee>, Timestamp)>;

fn spaces_read(conn: &mut Conn, index: IndexId) -> Done<SpacesRead> {
    let spaces = indexes::spaces_of(conn, index)?;
    let ids: Vec<&str> = spaces
        .iter()
        .filter_map(|row| row.space_id.as_deref())
        .collect();
    let rows: Vec<(String, String, NaiveDateTime)> = space_readers::table
        .filter(space_readers::site_id.eq(SITE))
        .filter(space_readers::space_id.eq_any(ids))
        .select((
            space_readers::space_id,
            space_readers::readers,
            space_readers::read_at,
        ))
        .load(conn)?;
    rows.into_iter()
        .map(|(space, json, read)| {
            let readers = from_json("space_readers.readers", &json)?;
            Ok((space.into(), (readers, time(read))))
        })
        .collect()
}

/// Whom the restricted items of an index let in.
fn items(conn: &mut Conn, index: IndexId) -> Done<Vec<(domain::PageId, Vec<Grantee>)>> {
    let rows: Vec<(String, Option<String>)> = synced_pages::table
        .filter(synced_pages::index_id.eq(index.to_string()))
        .filter(synced_pages::readers.is_not_null())
        .select((synced_pages::page_id, synced_pages::readers))
        .load(conn)?;
    rows.into_iter()
        .map(|(page, json)| {
            let readers = readers("synced_pages.readers", json.as_deref())?;
            Ok((page.into(), readers))
        })
        .collect()
}

/// The restricted items of an index, and what stands behind them.
fn restricted(conn: &mut Conn, views: &Views, index: IndexId) -> Done<Arc<Restricted>> {
    let number: Option<i64> = access_changes::table
        .find(index.to_string())
        .select(access_changes::number)
        .first(conn)
        .optional()?;
    // Nothing of it ever was restricted, or it was deleted.
    let Some(number) = number else {
        return Ok(Arc::default());
    };
    if let Some(kept) = views.get(index, number) {
        return Ok(kept);
    }
    let guarded: Vec<(String, Option<String>)> = synced_pages::table
        .filter(synced_pages::index_id.eq(index.to_string()))
        .filter(synced_pages::guarded)
        .select((synced_pages::page_id, synced_pages::guards))
        .load(conn)?;
    let guarded: Vec<_> = guarded
        .into_iter()
        .map(|(page, json)| {
            let guards = guards("synced_pages.guards", json.as_deref())?;
            Ok((page.into(), guards))
        })
        .collect::<Done<_>>()?;
    let read = Arc::new(Restricted::new(items(conn, index)?, guarded));
    views.put(index, number, &read);
    Ok(read)
}

/// What is known of one person and one index.
pub(crate) fn view_facts(
    conn: &mut Conn,
    views: &Views,
    index: IndexId,
    asker: &Asker,
) -> Done<ViewFacts> {
    let identity = match asker {
        Asker::Unnamed | Asker::Operator => None,
        Asker::Person(email) => Some(identity(conn, email)?),
    };
    let groups = match identity.as_ref().and_then(Identity::account) {
        Some(account) => groups_of(conn, account)?,
        None => BTreeMap::new(),
    };
    let read: Vec<(String, NaiveDateTime)> = read_restrictions::table
        .filter(read_restrictions::index_id.eq(index.to_string()))
        .select((read_restrictions::space_id, read_restrictions::read_at))
        .load(conn)?;
    Ok(ViewFacts {
        identity,
        spaces: spaces_read(conn, index)?,
        groups,
        restricted: restricted(conn, views, index)?,
        restrictions_read: read
            .into_iter()
            .map(|(space, read)| (space.into(), time(read)))
            .collect(),
    })
}

fn groups_of(conn: &mut Conn, account: &AccountId) -> Done<BTreeMap<GroupId, Timestamp>> {
    let rows: Vec<(String, NaiveDateTime)> = group_members::table
        .inner_join(
            read_groups::table.on(read_groups::site_id
                .eq(group_members::site_id)
                .and(read_groups::group_id.eq(group_members::group_id))),
        )
        .filter(group_members::site_id.eq(SITE))
        .filter(group_members::account_id.eq(account.as_str()))
        .select((read_groups::group_id, read_groups::read_at))
        .load(conn)?;
    let rows = rows.into_iter();
    Ok(rows
        .map(|(group, read)| (group.into(), time(read)))
        .collect())
}

/// Whose an address is.
fn identity(conn: &mut Conn, email: &Email) -> Done<Identity> {
    let mapped: Option<String> = mapped_emails::table
        .find((SITE, email.as_str()))
        .select(mapped_emails::account_id)
        .first(conn)
        .optional()?;
    let shown: Vec<String> = member_emails::table
        .filter(member_emails::site_id.eq(SITE))
        .filter(member_emails::email.eq(email.as_str()))
        .select(member_emails::account_id)
        .load(conn)?;
    let named: Vec<&String> = shown.iter().chain(&mapped).collect();
    let closed: Vec<String> = closed_accounts::table
        .filter(closed_accounts::site_id.eq(SITE))
        .filter(closed_accounts::account_id.eq_any(named))
        .select(closed_accounts::account_id)
        .load(conn)?;
    let closed = closed.into_iter().map(AccountId::from).collect();
    let shown = shown.into_iter().map(AccountId::from).collect();
    Ok(Identity::of(mapped.map(AccountId::from), shown, &closed))
}
