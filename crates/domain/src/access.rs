//! Who may read what: the people of Confluence, their groups, and what of an index one of them may see.
//!
//! A person may read a page who may use its space, and whom the page and *every* item above it lets in that is restricted
//! (Confluence: the intersection of them, not the nearest). What an item says is kept as [`Grantee`]s, who stands behind which
//! items as [`Guards`] (decided with the tree, when the place of a page is), and [`view`] puts the two together for one person.
//! Whatever is not known, or was read too long ago, lets nobody in.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::content::Restriction;
use crate::page::PageRecord;
use crate::{AccountId, GroupId, PageId, SpaceId, Timestamp};

/// Whom an index answers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Whoever may ask it, the same.
    #[default]
    Everyone,
    /// The person who is named with the question, with what that person may read in Confluence, as the last sync read it.
    PerUser,
    /// As `per_user`, and each page of an answer is asked for at Confluence for that person (one request each, kept for a minute).
    PerUserChecked,
}

impl Access {
    /// Every way, for parsing.
    pub const ALL: [Self; 3] = [Self::Everyone, Self::PerUser, Self::PerUserChecked];

    /// The word used in rows and REST.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Everyone => "everyone",
            Self::PerUser => "per_user",
            Self::PerUserChecked => "per_user_checked",
        }
    }

    /// The inverse of [`as_str`](Self::as_str).
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|access| access.as_str() == word)
    }

    /// Whether answers differ by person.
    #[must_use]
    pub const fn is_per_user(self) -> bool {
        matches!(self, Self::PerUser | Self::PerUserChecked)
    }
}

/// Whom a restriction or a permission names.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Grantee {
    /// Everybody who may use the site.
    Licensed,
    /// One person.
    Person(AccountId),
    /// The members of a group. One that is no more has none.
    Group(GroupId),
}

impl fmt::Display for Grantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Licensed => f.write_str("licensed"),
            Self::Person(id) => write!(f, "user:{id}"),
            Self::Group(id) => write!(f, "group:{id}"),
        }
    }
}

impl Grantee {
    /// The inverse of `to_string`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text == "licensed" {
            return Some(Self::Licensed);
        }
        match text.split_once(':')? {
            ("user", id) => Some(Self::Person(id.into())),
            ("group", id) => Some(Self::Group(id.into())),
            _ => None,
        }
    }
}

impl Serialize for Grantee {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Grantee {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let unknown = || serde::de::Error::custom("neither licensed, user:… nor group:…");
        Self::parse(&text).ok_or_else(unknown)
    }
}

/// The restricted items on the way from a page to the top of its space, itself included: each must let a reader in.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub enum Guards {
    /// Not decided, or an item on the way is not known: nobody gets by.
    #[default]
    Unknown,
    /// These, sorted; none: the page is as open as its space.
    Known(Vec<PageId>),
}

/// A member of a group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// The account.
    pub account: AccountId,
    /// The address, where the member shows it or an administrator manages the account.
    pub email: Option<String>,
}

/// An address of e-mail as it is compared: no blanks around it, and lower case.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize)]
#[serde(transparent)]
pub struct Email(Box<str>);

impl Email {
    /// The longest that is taken (RFC 5321 allows 254).
    pub const MAX: usize = 254;

    /// `None` for what is no address: without exactly one `@` between two parts, with blanks or control characters, too long.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (name, host) = text.split_once('@')?;
        let odd =
            |c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | ',' | ';');
        let wrong =
            name.is_empty() || host.is_empty() || host.contains('@') || text.len() > Self::MAX;
        (!wrong && !text.contains(odd)).then(|| Self(text.to_lowercase().into()))
    }

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// For whom a question is asked, as far as a credential that may say so has said it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub enum Asker {
    /// Nobody is named.
    #[default]
    Unnamed,
    /// The person with this address.
    Person(Email),
    /// Whoever looks after the index, and so sees all of it. No request says so by itself.
    Operator,
}

/// What is known of an address.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Identity {
    /// One account has it.
    Known {
        /// The account.
        account: AccountId,
        /// Whether the operator says so, rather than Confluence.
        mapped: bool,
    },
    /// Several accounts show it, so it names nobody.
    Ambiguous {
        /// These.
        accounts: Vec<AccountId>,
    },
    /// The account that has it may not use the site any more.
    Closed {
        /// The account.
        account: AccountId,
    },
    /// No account shows it, and the operator names none.
    Unknown,
}

impl Identity {
    /// Decides whose an address is: the operator's word counts before Confluence's, two accounts are nobody, and accounts that are closed
    /// have no say.
    #[must_use]
    pub fn of(
        mapped: Option<AccountId>,
        shown: BTreeSet<AccountId>,
        closed: &BTreeSet<AccountId>,
    ) -> Self {
        if let Some(account) = mapped {
            return match closed.contains(&account) {
                true => Self::Closed { account },
                false => Self::Known {
                    account,
                    mapped: true,
                },
            };
        }
        let open = |account: &AccountId| !closed.contains(account);
        if !shown.iter().any(open)
            && let Some(account) = shown.first()
        {
            let account = account.clone();
            return Self::Closed { account };
        }
        let mut accounts: Vec<AccountId> = shown.into_iter().filter(open).collect();
        match (accounts.pop(), accounts.is_empty()) {
            (None, _) => Self::Unknown,
            (Some(account), true) => Self::Known {
                account,
                mapped: false,
            },
            (Some(account), false) => {
                accounts.push(account);
                Self::Ambiguous { accounts }
            }
        }
    }

    /// The account, if there is exactly one.
    #[must_use]
    pub const fn account(&self) -> Option<&AccountId> {
        match self {
            Self::Known { account, .. } => Some(account),
            Self::Ambiguous { .. } | Self::Closed { .. } | Self::Unknown => None,
        }
    }
}

/// Whose addresses of e-mail are.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct People {
    /// What the operator says: addresses, in lower case, and their accounts.
    pub mapped: BTreeMap<String, AccountId>,
    /// Those of them that stand in the file of people (`PEOPLE_FILE`): they are changed there.
    pub from_file: BTreeSet<String>,
    /// How many accounts show an address by themselves.
    pub shown: i64,
    /// Addresses that several accounts show, so that they name nobody.
    pub ambiguous: BTreeMap<String, Vec<AccountId>>,
    /// Addresses with which somebody asked since the start and that name nobody, newest first.
    pub unknown: Vec<UnknownPerson>,
}

/// An address that names nobody.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UnknownPerson {
    /// The address, in lower case.
    pub email: String,
    /// How often somebody asked.
    pub times: i64,
    /// When somebody last did.
    pub last_asked_at: DateTime<Utc>,
}

/// The addresses that name nobody and with which somebody asked, as many as are remembered.
#[derive(Clone, Debug, Default)]
pub struct Strangers(HashMap<Email, (i64, Timestamp)>);

impl Strangers {
    /// Addresses that are remembered at most; who asked longest ago is forgotten first.
    pub const MOST: usize = 1_000;

    /// Somebody asked with this address.
    pub fn note(&mut self, email: &Email, now: Timestamp) {
        let (times, last) = self.0.entry(email.clone()).or_insert((0, now));
        *times += 1;
        *last = now;
        if self.0.len() > Self::MOST {
            let oldest = self.0.iter().min_by_key(|(_, (_, last))| *last);
            if let Some(oldest) = oldest.map(|(email, _)| email.clone()) {
                self.0.remove(&oldest);
            }
        }
    }

    /// All of them, newest first.
    #[must_use]
    pub fn list(&self) -> Vec<UnknownPerson> {
        let mut all: Vec<UnknownPerson> = self
            .0
            .iter()
            .map(|(email, (times, last))| UnknownPerson {
                email: email.to_string(),
                times: *times,
                last_asked_at: *last,
            })
            .collect();
        all.sort_by(|a, b| (b.last_asked_at, &b.email).cmp(&(a.last_asked_at, &a.email)));
        all
    }
}

/// What an index shows to people of whom nothing is known (`UNKNOWN_PEOPLE`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnknownPeople {
    /// Nothing.
    #[default]
    Nothing,
    /// What everybody may read who may use the site.
    Open,
}

/// The restricted items of an index, whom each lets in, and the pages that stand behind them: the same whoever asks. Laid out so that a
/// question costs by items and by ways of standing behind them, and not by pages.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Restricted {
    items: Vec<(PageId, Vec<Grantee>)>,
    places: HashMap<PageId, usize>,
    /// Each way of standing behind items once.
    ways: Vec<Guards>,
    /// The pages that stand behind items, or of which that is not known, with the place of their way.
    guarded: HashMap<PageId, usize>,
}

impl Restricted {
    /// Of restricted items with whom they let in, and of the pages behind them.
    #[must_use]
    pub fn new(
        items: Vec<(PageId, Vec<Grantee>)>,
        guarded: impl IntoIterator<Item = (PageId, Guards)>,
    ) -> Self {
        let named = items.iter().enumerate();
        let places = named.map(|(at, (id, _))| (id.clone(), at)).collect();
        let mut ways = Vec::new();
        let mut known: HashMap<Guards, usize> = HashMap::new();
        let guarded = guarded.into_iter().map(|(page, guards)| {
            let at = *known.entry(guards).or_insert_with_key(|guards| {
                ways.push(guards.clone());
                ways.len() - 1
            });
            (page, at)
        });
        let guarded = guarded.collect();
        Self {
            items,
            places,
            ways,
            guarded,
        }
    }

    /// Whether an item lets somebody in, given of each item by its place whether it does.
    fn is_passed(&self, item: &PageId, passes: &[bool]) -> bool {
        let place = self.places.get(item);
        place.is_some_and(|place| passes.get(*place) == Some(&true))
    }

    fn are_passed(&self, guards: &Guards, passes: &[bool]) -> bool {
        match guards {
            Guards::Unknown => false,
            Guards::Known(items) => items.iter().all(|item| self.is_passed(item, passes)),
        }
    }

    /// What a page stands behind; `None`: behind nothing.
    #[must_use]
    pub fn guards(&self, page: &PageId) -> Option<&Guards> {
        self.ways.get(*self.guarded.get(page)?)
    }

    /// How many rows it was made of: what its size goes by.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.items.len() + self.guarded.len()
    }

    /// Whom an item lets in, where it is restricted.
    #[must_use]
    pub fn readers(&self, item: &PageId) -> Option<&[Grantee]> {
        let (_, readers) = self.items.get(*self.places.get(item)?)?;
        Some(readers)
    }
}

/// Pages that one person may not read for what they stand behind, whatever their space.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Hidden {
    restricted: Arc<Restricted>,
    /// Of each way of standing behind items, whether the person does not get by.
    shut: Vec<bool>,
}

impl Hidden {
    fn is_shut(&self, way: usize) -> bool {
        // What is not known is shut.
        self.shut.get(way).copied().unwrap_or(true)
    }

    /// Whether this page is one of them.
    #[must_use]
    pub fn contains(&self, page: &PageId) -> bool {
        let way = self.restricted.guarded.get(page);
        way.is_some_and(|way| self.is_shut(*way))
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &PageId> {
        let guarded = self.restricted.guarded.iter();
        guarded.filter_map(|(page, way)| self.is_shut(*way).then_some(page))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}

/// The rows that say what one person may read of an index.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ViewFacts {
    /// Whose the address is.
    pub identity: Option<Identity>,
    /// Of each space of the index that was read: who may use it, and when that was read.
    pub spaces: BTreeMap<SpaceId, (BTreeSet<Grantee>, Timestamp)>,
    /// The groups that the person is in, and when their members were read.
    pub groups: BTreeMap<GroupId, Timestamp>,
    /// The restricted items of the index, and what stands behind them.
    pub restricted: Arc<Restricted>,
    /// When the restrictions of each space were last read to the end.
    pub restrictions_read: BTreeMap<SpaceId, Timestamp>,
}

/// What of an index one person may read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct View {
    /// The account, where there is one.
    pub account: Option<AccountId>,
    spaces: HashSet<SpaceId>,
    /// Of each restricted item, by its place in `hidden.restricted`, whether it lets the person in.
    passes: Vec<bool>,
    hidden: Arc<Hidden>,
}

/// Who reads an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Viewer {
    /// Anybody: the index answers all alike.
    Everyone {
        /// Whether the administrator vouches for everyone who asks, so that pages behind restrictions are shown too. Otherwise none
        /// should be there; some are while an index that answered per person is on its way back, and of some it is not decided: they
        /// were away, or elsewhere, when who may read them was last known.
        guarded: bool,
    },
    /// One person, or nobody that is known.
    One(Box<View>),
}

impl Viewer {
    /// Whether the person may read a page as its row stands.
    #[must_use]
    pub fn may_read(&self, page: &PageRecord) -> bool {
        match self {
            Self::Everyone { guarded } => *guarded || page.guards == Guards::Known(Vec::new()),
            Self::One(view) => view.may_read(&page.facts.space_id, &page.guards),
        }
    }

    /// What stands in the way of this reader where an item has this restriction of its own.
    #[must_use]
    pub fn meets(&self, item: &PageId, own: Restriction) -> Restriction {
        match (self, own) {
            (Self::One(view), Restriction::Restricted) if view.passes(item) => Restriction::Open,
            _ => own,
        }
    }

    /// The view, where there is one.
    #[must_use]
    pub const fn view(&self) -> Option<&View> {
        match self {
            Self::Everyone { .. } => None,
            Self::One(view) => Some(view),
        }
    }
}

impl View {
    /// Whether a page in this space behind these items may be read.
    #[must_use]
    pub fn may_read(&self, space: &SpaceId, guards: &Guards) -> bool {
        self.sees_space(space) && self.gets_by(guards)
    }

    /// Whether anything of this space may be read.
    #[must_use]
    pub fn sees_space(&self, space: &SpaceId) -> bool {
        self.spaces.contains(space)
    }

    /// Whether a restricted item lets the person in.
    fn passes(&self, item: &PageId) -> bool {
        self.hidden.restricted.is_passed(item, &self.passes)
    }

    fn gets_by(&self, guards: &Guards) -> bool {
        self.hidden.restricted.are_passed(guards, &self.passes)
    }

    /// Pages that have to be left out of a search before it is ranked.
    #[must_use]
    pub const fn hidden(&self) -> &Arc<Hidden> {
        &self.hidden
    }
}

/// Whether what was read at this moment still counts; a clock that was set back makes nothing fresher than it is.
fn counts(read: Timestamp, now: Timestamp, max_age: TimeDelta) -> bool {
    now - read <= max_age
}

/// Who somebody is, to what restrictions and permissions name.
struct Who<'a> {
    account: Option<&'a AccountId>,
    groups: HashSet<&'a GroupId>,
    /// Whether it may use the site.
    licensed: bool,
}

impl Who<'_> {
    fn is(&self, grantee: &Grantee) -> bool {
        match grantee {
            Grantee::Licensed => self.licensed,
            Grantee::Person(id) => self.account == Some(id),
            Grantee::Group(id) => self.groups.contains(id),
        }
    }
}

fn who<'a>(
    facts: &'a ViewFacts,
    now: Timestamp,
    max_age: TimeDelta,
    unknown: UnknownPeople,
) -> Who<'a> {
    let fresh = facts.groups.iter();
    let fresh = fresh.filter(|(_, read)| counts(**read, now, max_age));
    let groups: HashSet<&GroupId> = fresh.map(|(group, _)| group).collect();
    // An address that Confluence shows was read with the members of a group, and is as old as that; the operator's word is not.
    let counts_still = |identity: &&Identity| match identity {
        Identity::Known { mapped, .. } => *mapped || !groups.is_empty(),
        _ => false,
    };
    let known = facts.identity.as_ref().filter(counts_still);
    let account = known.and_then(Identity::account);
    Who {
        account,
        groups: account.map(|_| groups).unwrap_or_default(),
        licensed: account.is_some() || unknown == UnknownPeople::Open,
    }
}

/// What of an index a person may read, by what is known now. Facts that were read longer ago than `max_age` do not count.
#[must_use]
pub fn view(facts: &ViewFacts, now: Timestamp, max_age: TimeDelta, unknown: UnknownPeople) -> View {
    let who = who(facts, now, max_age, unknown);
    let restrictions_count = |space: &SpaceId| {
        let read = facts.restrictions_read.get(space);
        read.is_some_and(|read| counts(*read, now, max_age))
    };
    let spaces = facts.spaces.iter().filter(|(space, (readers, read))| {
        counts(*read, now, max_age)
            && restrictions_count(space)
            && readers.iter().any(|grantee| who.is(grantee))
    });
    let restricted = &facts.restricted;
    let lets_in = |readers: &[Grantee]| readers.iter().any(|grantee| who.is(grantee));
    let items = restricted.items.iter();
    let passes: Vec<bool> = items.map(|(_, readers)| lets_in(readers)).collect();
    let ways = restricted.ways.iter();
    let shut = ways.map(|guards| !restricted.are_passed(guards, &passes));
    View {
        account: who.account.cloned(),
        spaces: spaces.map(|(space, _)| space.clone()).collect(),
        hidden: Arc::new(Hidden {
            shut: shut.collect(),
            restricted: Arc::clone(restricted),
        }),
        passes,
    }
}

/// Whether somebody may read a page, and why: for whoever has to answer for it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Explanation {
    /// Whether an answer may hold it.
    pub allowed: bool,
    /// Why, from the person to the page: each step in words.
    pub reasons: Vec<String>,
    /// When the oldest fact that this rests on was read; null where none was.
    pub as_of: Option<DateTime<Utc>>,
}

/// Explains what [`view`] decides of one page.
#[must_use]
pub fn explain(
    facts: &ViewFacts,
    page: &PageRecord,
    now: Timestamp,
    max_age: TimeDelta,
    unknown: UnknownPeople,
) -> Explanation {
    let who = who(facts, now, max_age, unknown);
    let names = |readers: &mut dyn Iterator<Item = &Grantee>| -> Vec<String> {
        readers
            .filter(|grantee| who.is(grantee))
            .map(in_words)
            .collect()
    };
    let mut reasons = vec![match &facts.identity {
        None => "nobody is named".to_owned(),
        Some(Identity::Known { account, mapped }) => {
            let by = if *mapped {
                "as you have set it"
            } else {
                "as Confluence shows it"
            };
            let old = match who.account {
                Some(_) => "",
                None => ", which was read too long ago to count",
            };
            format!("the address is that of the account {account}, {by}{old}")
        }
        Some(Identity::Ambiguous { accounts }) => format!(
            "{} accounts show this address, so it names nobody: set whose it is with PUT /api/people",
            accounts.len()
        ),
        Some(Identity::Closed { account }) => {
            format!(
                "the address is that of the account {account}, which may not use the site any more"
            )
        }
        Some(Identity::Unknown) => {
            "no account shows this address: set whose it is with PUT /api/people".to_owned()
        }
    }];
    let mut allowed = who.licensed;
    let mut read: Vec<Timestamp> = facts.groups.values().copied().collect();
    let old = |at: Timestamp| {
        format!(
            "read at {} and too old to count",
            at.format("%Y-%m-%dT%H:%MZ")
        )
    };
    let space = &page.facts.space_id;
    match facts.spaces.get(space) {
        None => {
            allowed = false;
            reasons.push("who may use its space has not been read".to_owned());
        }
        Some((readers, at)) => {
            read.push(*at);
            let by = names(&mut readers.iter());
            if !counts(*at, now, max_age) {
                allowed = false;
                reasons.push(format!("who may use its space was {}", old(*at)));
            } else if by.is_empty() {
                allowed = false;
                reasons.push(
                    "its space names neither the person nor a group that the person is in"
                        .to_owned(),
                );
            } else {
                reasons.push(format!("its space lets in {}", by.join(", ")));
            }
        }
    }
    match facts.restrictions_read.get(space) {
        None => {
            allowed = false;
            reasons.push("the restrictions of its space have not been read to the end".to_owned());
        }
        Some(at) => {
            read.push(*at);
            if !counts(*at, now, max_age) {
                allowed = false;
                reasons.push(format!("the restrictions of its space were {}", old(*at)));
            }
        }
    }
    match &page.guards {
        Guards::Unknown => {
            allowed = false;
            reasons.push("who may read an item above it, or itself, is not known".to_owned());
        }
        Guards::Known(items) if items.is_empty() => {
            reasons.push("neither it nor anything above it is restricted".to_owned());
        }
        Guards::Known(items) => {
            for item in items {
                let what = match *item == page.page_id {
                    true => "its own restriction".to_owned(),
                    false => format!("the restriction of {item} above it"),
                };
                let by = names(&mut facts.restricted.readers(item).into_iter().flatten());
                if by.is_empty() {
                    allowed = false;
                    reasons.push(format!(
                        "{what} names neither the person nor a group that the person is in"
                    ));
                } else {
                    reasons.push(format!("{what} lets in {}", by.join(", ")));
                }
            }
        }
    }
    if !page.may_be_shown() {
        allowed = false;
        reasons.push(match &page.reason {
            Some(why) => format!("the index does not quote it: {why}"),
            None => "the index does not quote it (yet)".to_owned(),
        });
    }
    Explanation {
        allowed,
        reasons,
        as_of: read.into_iter().min(),
    }
}

fn in_words(grantee: &Grantee) -> String {
    match grantee {
        Grantee::Licensed => "everybody who may use the site".to_owned(),
        Grantee::Person(_) => "the person".to_owned(),
        Grantee::Group(id) => format!("the group {id}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX_AGE: TimeDelta = TimeDelta::hours(24);

    fn now() -> Timestamp {
        Timestamp::UNIX_EPOCH + TimeDelta::days(20_000)
    }

    fn group(id: &str) -> Grantee {
        Grantee::Group(id.into())
    }

    fn behind(items: &[&str]) -> Guards {
        Guards::Known(items.iter().map(|id| PageId::from(*id)).collect())
    }

    fn restricted(operators: Vec<Grantee>) -> Arc<Restricted> {
        let items = vec![("7".into(), operators), ("8".into(), vec![group("eng")])];
        let guarded = [
            ("71".into(), behind(&["7"])),
            ("72".into(), behind(&["7"])),
            ("81".into(), behind(&["8"])),
            ("9".into(), Guards::Unknown),
        ];
        Arc::new(Restricted::new(items, guarded))
    }

    /// Ann is an engineer; the space is for engineers; item 7 is for operators and 8 for engineers.
    fn facts() -> ViewFacts {
        ViewFacts {
            identity: Some(Identity::of(None, ["ann".into()].into(), &BTreeSet::new())),
            spaces: [("10".into(), ([group("eng")].into(), now()))].into(),
            groups: [("eng".into(), now())].into(),
            restricted: restricted(vec![group("ops")]),
            restrictions_read: [("10".into(), now())].into(),
        }
    }

    fn sees(facts: &ViewFacts, unknown: UnknownPeople) -> [bool; 5] {
        let view = view(facts, now(), MAX_AGE, unknown);
        [
            behind(&[]),
            behind(&["8"]),
            behind(&["7"]),
            behind(&["7", "8"]),
            Guards::Unknown,
        ]
        .map(|guards| view.may_read(&"10".into(), &guards))
    }

    #[test]
    fn a_person_gets_by_what_names_the_person_or_a_group_and_by_nothing_else() {
        let nothing = [false; 5];
        type Case = (&'static str, fn(&mut ViewFacts), [bool; 5]);
        let table: [Case; 10] = [
            ("as it is", |_| {}, [true, true, false, false, false]),
            (
                "in both groups",
                |f| _ = f.groups.insert("ops".into(), now()),
                [true, true, true, true, false],
            ),
            (
                "named herself",
                |f| f.restricted = restricted(vec![group("ops"), Grantee::Person("ann".into())]),
                [true, true, true, true, false],
            ),
            ("of no group", |f| f.groups.clear(), nothing),
            (
                "groups read too long ago",
                |f| {
                    let old = now() - MAX_AGE - TimeDelta::seconds(1);
                    f.groups.values_mut().for_each(|read| *read = old);
                },
                nothing,
            ),
            (
                "a space of which nothing was read",
                |f| f.spaces.clear(),
                nothing,
            ),
            (
                "a space that was read too long ago",
                |f| {
                    let old = now() - MAX_AGE - TimeDelta::seconds(1);
                    f.spaces.values_mut().for_each(|(_, read)| *read = old);
                },
                nothing,
            ),
            (
                "restrictions that were not read",
                |f| f.restrictions_read.clear(),
                nothing,
            ),
            (
                "an address of two people",
                |f| {
                    let both = ["ann".into(), "bob".into()].into();
                    f.identity = Some(Identity::of(None, both, &BTreeSet::new()));
                },
                nothing,
            ),
            (
                "an unknown address",
                |f| f.identity = Some(Identity::Unknown),
                nothing,
            ),
        ];
        for (what, change, expected) in table {
            let mut facts = facts();
            change(&mut facts);
            assert_eq!(sees(&facts, UnknownPeople::Nothing), expected, "{what}");
        }
    }

    #[test]
    fn who_is_not_known_sees_what_is_for_everybody_where_that_is_allowed() {
        let mut facts = facts();
        facts.identity = None;
        facts.spaces = [("10".into(), ([Grantee::Licensed].into(), now()))].into();
        assert_eq!(sees(&facts, UnknownPeople::Nothing), [false; 5]);
        let open = [true, false, false, false, false];
        assert_eq!(sees(&facts, UnknownPeople::Open), open);
    }

    #[test]
    fn an_address_is_as_old_as_the_groups_that_show_it_and_the_operators_word_is_not() {
        let mut facts = facts();
        facts.spaces = [("10".into(), ([Grantee::Licensed].into(), now()))].into();
        let open = [true, false, false, false, false];
        let old = now() - MAX_AGE - TimeDelta::seconds(1);
        assert!(sees(&facts, UnknownPeople::Nothing)[0]);
        facts.groups.values_mut().for_each(|read| *read = old);
        assert_eq!(sees(&facts, UnknownPeople::Nothing), [false; 5]);
        let of = Identity::of(Some("ann".into()), BTreeSet::new(), &BTreeSet::new());
        facts.identity = Some(of);
        assert_eq!(sees(&facts, UnknownPeople::Nothing), open);
    }

    #[test]
    fn what_is_hidden_is_left_out_before_it_is_ranked() {
        let view = view(&facts(), now(), MAX_AGE, UnknownPeople::Nothing);
        let hidden: BTreeSet<&str> = view.hidden().iter().map(PageId::as_str).collect();
        assert_eq!(hidden, BTreeSet::from(["71", "72", "9"]));
        for (page, is_hidden) in [("71", true), ("81", false), ("9", true), ("5", false)] {
            assert_eq!(view.hidden().contains(&page.into()), is_hidden, "{page}");
        }
        assert!(!view.hidden().is_empty());
        assert!(Hidden::default().is_empty());
    }

    #[test]
    fn the_operators_word_on_an_address_counts_before_confluences() {
        let both = || BTreeSet::from([AccountId::from("a"), AccountId::from("b")]);
        let of = |mapped: Option<&str>, shown| {
            let closed = BTreeSet::from([AccountId::from("gone")]);
            let identity = Identity::of(mapped.map(AccountId::from), shown, &closed);
            identity
                .account()
                .map(|account| account.as_str().to_owned())
        };
        assert_eq!(of(None, BTreeSet::new()), None);
        assert_eq!(of(None, both()), None);
        assert_eq!(of(None, ["a".into()].into()).as_deref(), Some("a"));
        assert_eq!(of(Some("c"), both()).as_deref(), Some("c"));
        // Who has left hands the address on, and has nothing by it.
        let one_left = ["a".into(), "gone".into()].into();
        assert_eq!(of(None, one_left).as_deref(), Some("a"));
        assert_eq!(of(None, ["gone".into()].into()), None);
        assert_eq!(of(Some("gone"), ["a".into()].into()), None);
    }

    #[test]
    fn addresses_are_compared_without_case_and_odd_ones_are_none() {
        let of = |text: &str| Email::parse(text).map(|email| email.to_string());
        assert_eq!(of(" Ann@Example.ORG ").as_deref(), Some("ann@example.org"));
        let long = format!("{}@example.org", "a".repeat(250));
        for odd in [
            "", "ann", "@x", "a@", "a@b@c", "a b@c", "a@b\n", "<a@b>", "a@b,c@d", &long,
        ] {
            assert_eq!(
                of(odd.trim_end_matches('\n')).is_some(),
                odd == "a@b\n",
                "{odd:?}"
            );
        }
    }

    #[test]
    fn strangers_are_counted_and_the_oldest_forgotten() {
        let mut strangers = Strangers::default();
        let email = |n: usize| Email::parse(&format!("{n}@example.org")).unwrap();
        for n in 0..=Strangers::MOST {
            strangers.note(
                &email(n),
                now() + TimeDelta::seconds(i64::try_from(n).unwrap()),
            );
        }
        strangers.note(&email(1), now() + TimeDelta::days(1));
        let all = strangers.list();
        assert_eq!(all.len(), Strangers::MOST);
        assert_eq!((all[0].email.as_str(), all[0].times), ("1@example.org", 2));
        assert!(all.iter().all(|one| one.email != "0@example.org"));
    }

    #[test]
    fn grantees_are_kept_as_they_are_read() {
        for grantee in [
            Grantee::Licensed,
            Grantee::Person("557058:x".into()),
            group("g"),
        ] {
            assert_eq!(Grantee::parse(&grantee.to_string()), Some(grantee));
        }
        assert_eq!(Grantee::parse("team:x"), None);
        assert_eq!(Grantee::parse("x"), None);
    }
}
