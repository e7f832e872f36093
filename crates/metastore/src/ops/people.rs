//! Whose addresses of e-mail are.

use std::collections::BTreeMap;

use diesel::prelude::*;
use domain::AccountId;
use domain::access::{Email, People};

use super::sites::SITE;
use crate::dialect::{Conn, IDS, on_either};
use crate::error::{Done, conflict};
use crate::schema::{mapped_emails, member_emails};

/// Rows of one statement.
const BATCH: usize = 500;

/// What is known of addresses.
pub(crate) fn all(conn: &mut Conn) -> Done<People> {
    let mapped: Vec<(String, String, bool)> = mapped_emails::table
        .filter(mapped_emails::site_id.eq(SITE))
        .order(mapped_emails::email)
        .select((
            mapped_emails::email,
            mapped_emails::account_id,
            mapped_emails::from_file,
        ))
        .load(conn)?;
    let from_file = mapped.iter().filter(|(_, _, from_file)| *from_file);
    let from_file = from_file.map(|(email, ..)| email.clone()).collect();
    let shown: Vec<(String, String)> = member_emails::table
        .filter(member_emails::site_id.eq(SITE))
        .order((member_emails::email, member_emails::account_id))
        .select((member_emails::email, member_emails::account_id))
        .load(conn)?;
    let mapped: BTreeMap<String, AccountId> = mapped
        .into_iter()
        .map(|(email, account, _)| (email, account.into()))
        .collect();
    let ambiguous = shown
        .chunk_by(|a, b| a.0 == b.0)
        .filter(|of_one| of_one.len() > 1 && !mapped.contains_key(&of_one[0].0))
        .map(|of_one| {
            let accounts = of_one.iter().map(|(_, account)| account.clone().into());
            (of_one[0].0.clone(), accounts.collect())
        });
    Ok(People {
        shown: i64::try_from(shown.len()).unwrap_or(i64::MAX),
        ambiguous: ambiguous.collect(),
        unknown: Vec::new(),
        from_file,
        mapped,
    })
}

/// What the file of people says.
fn of_file(conn: &mut Conn) -> Done<BTreeMap<String, String>> {
    let rows: Vec<(String, String)> = mapped_emails::table
        .filter(mapped_emails::site_id.eq(SITE))
        .filter(mapped_emails::from_file)
        .select((mapped_emails::email, mapped_emails::account_id))
        .load(conn)?;
    Ok(rows.into_iter().collect())
}

fn put<'a>(
    conn: &mut Conn,
    people: impl Iterator<Item = (&'a Email, &'a AccountId)>,
    from_file: bool,
) -> Done<()> {
    let rows: Vec<_> = people
        .map(|(email, account)| {
            (
                mapped_emails::site_id.eq(SITE),
                mapped_emails::email.eq(email.as_str()),
                mapped_emails::account_id.eq(account.as_str()),
                mapped_emails::from_file.eq(from_file),
            )
        })
        .collect();
    for rows in rows.chunks(BATCH) {
        on_either!(conn => diesel::insert_into(mapped_emails::table).values(rows).execute(conn))?;
    }
    Ok(())
}

/// The addresses whose accounts the operator names by hand: these, and no others. Those of the file stay as they are.
pub(crate) fn map(conn: &mut Conn, people: &BTreeMap<Email, AccountId>) -> Done<()> {
    let of_file = of_file(conn)?;
    let differs = people.iter().find(|(email, account)| {
        let known = of_file.get(email.as_str());
        known.is_some_and(|known| known != account.as_str())
    });
    if let Some((email, _)) = differs {
        let why = format!("{email} stands in the file of people (PEOPLE_FILE): change it there");
        return Err(conflict(why).into());
    }
    let by_hand = mapped_emails::table
        .filter(mapped_emails::site_id.eq(SITE))
        .filter(mapped_emails::from_file.eq(false));
    diesel::delete(by_hand).execute(conn)?;
    let own = people.iter();
    put(
        conn,
        own.filter(|(email, _)| !of_file.contains_key(email.as_str())),
        false,
    )
}

/// The addresses whose accounts the file of people names: these, and no others of the file. Answers how many are another's than before.
pub(crate) fn map_of_file(conn: &mut Conn, people: &BTreeMap<Email, AccountId>) -> Done<usize> {
    let before = of_file(conn)?;
    let is_new = |(email, account): &(&Email, &AccountId)| {
        before.get(email.as_str()).map(String::as_str) != Some(account.as_str())
    };
    let named: Vec<&str> = people.keys().map(Email::as_str).collect();
    let gone = before
        .keys()
        .filter(|email| named.binary_search(&email.as_str()).is_err());
    let changed = people.iter().filter(is_new).count() + gone.count();
    if changed == 0 {
        return Ok(0);
    }
    let of_site = mapped_emails::table.filter(mapped_emails::site_id.eq(SITE));
    diesel::delete(of_site.filter(mapped_emails::from_file)).execute(conn)?;
    for some in named.chunks(IDS) {
        diesel::delete(of_site.filter(mapped_emails::email.eq_any(some))).execute(conn)?;
    }
    put(conn, people.iter(), true)?;
    Ok(changed)
}
