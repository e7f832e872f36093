//! Evaluation: which documents a query finds, in which order.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, Duration, Months, NaiveDate, NaiveDateTime, TimeZone, Utc};

use super::parse::{Clause, Expr, Op, Query, Term};
use super::text::matches;
use crate::confluence::model::{Content, ContentId, Space, SpaceId, State, Status};
use crate::confluence::render::plain_text;
use crate::confluence::switches::CqlSpaceKeys;

/// The conditions a query runs under.
pub(crate) struct Search<'a> {
    pub state: &'a State,
    pub account: &'a str,
    pub now: DateTime<Utc>,
    /// How far the index is behind.
    pub lag: Duration,
    /// Zone of literals, minutes east.
    pub zone_minutes: i32,
    pub archived_spaces: bool,
    pub space_keys: CqlSpaceKeys,
    pub statuses: &'a [Status],
    /// Without an order of its own, the best comes first.
    pub ranks: bool,
}

/// One result with the keys it is ordered by.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Hit {
    pub id: ContentId,
    pub kind: &'static str,
    pub keys: Vec<SortKey>,
    pub score: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
pub(crate) enum SortKey {
    Number(i64),
    Text(String),
}

/// A document as the index knows it.
struct Doc<'a> {
    id: ContentId,
    kind: &'static str,
    space: SpaceId,
    parent: Option<ContentId>,
    container: Option<ContentId>,
    title: &'a str,
    body: &'a str,
    labels: Option<&'a BTreeSet<String>>,
    created: DateTime<Utc>,
    modified: DateTime<Utc>,
    author: &'a str,
    last_author: &'a str,
}

impl Search<'_> {
    /// All hits of a query in order.
    pub(crate) fn run(&self, query: &Query) -> Result<Vec<Hit>, String> {
        let named = query.expr.as_ref().and_then(|expr| self.spaces_of(expr));
        let spaces = self.state.spaces.iter();
        let spaces: BTreeSet<SpaceId> = spaces
            .filter(|(id, space)| {
                (self.archived_spaces || !space.archived)
                    && named.as_ref().is_none_or(|named| named.contains(id))
            })
            .map(|(id, _)| *id)
            .collect();
        let mut hits = Vec::new();
        for doc in self.docs(&spaces) {
            let mut score = 0;
            let found = match &query.expr {
                Some(expr) => self.holds(expr, &doc, &mut score)?,
                None => true,
            };
            if !found {
                continue;
            }
            let mut keys: Vec<SortKey> = query
                .order
                .iter()
                .map(|o| self.key(&o.field, &doc))
                .collect();
            if keys.is_empty() {
                keys.push(SortKey::Number(if self.ranks {
                    -i64::from(score)
                } else {
                    0
                }));
            }
            hits.push(Hit {
                id: doc.id,
                kind: doc.kind,
                keys,
                score,
            });
        }
        let descending: Vec<bool> = query.order.iter().map(|o| o.descending).collect();
        hits.sort_by(|a, b| Hit::compare(a, b, &descending));
        Ok(hits)
    }

    fn key(&self, field: &str, doc: &Doc<'_>) -> SortKey {
        match field {
            "created" => SortKey::Number(doc.created.timestamp_millis()),
            "lastmodified" => SortKey::Number(doc.modified.timestamp_millis()),
            "title" => SortKey::Text(doc.title.to_lowercase()),
            "space" => SortKey::Text(
                self.state
                    .spaces
                    .get(&doc.space)
                    .map(|s| s.key.clone())
                    .unwrap_or_default(),
            ),
            "type" => SortKey::Text(doc.kind.into()),
            "creator" => SortKey::Text(doc.author.into()),
            _ => SortKey::Number(doc.id.0 as i64),
        }
    }

    /// The keys by which a query may name a space.
    fn keys_of<'s>(&self, space: &'s Space) -> impl Iterator<Item = &'s str> {
        let first = (self.space_keys != CqlSpaceKeys::Shown).then_some(space.key.as_str());
        let shown = (self.space_keys != CqlSpaceKeys::First).then(|| space.shown_key());
        first.into_iter().chain(shown)
    }

    /// The spaces outside of which nothing can be found, where the query names such: all else of a large site need not be
    /// looked at.
    fn spaces_of(&self, expr: &Expr) -> Option<BTreeSet<SpaceId>> {
        match expr {
            Expr::And(a, b) => match (self.spaces_of(a), self.spaces_of(b)) {
                (Some(a), Some(b)) => Some(a.intersection(&b).copied().collect()),
                (a, b) => a.or(b),
            },
            Expr::Is(clause) if matches!(clause.op, Op::Is | Op::In) => {
                let texts: Vec<String> = clause.terms.iter().map(|t| self.text(t)).collect();
                let named = |key: &str| texts.iter().any(|t| t.eq_ignore_ascii_case(key));
                matches!(clause.field.as_str(), "space" | "space.key").then(|| {
                    let spaces = self.state.spaces.iter();
                    spaces
                        .filter(|(_, space)| self.keys_of(space).any(named))
                        .map(|(id, _)| *id)
                        .collect()
                })
            }
            Expr::Or(..) | Expr::Not(_) | Expr::Is(_) => None,
        }
    }

    /// All that the account may find in these spaces.
    fn docs<'s>(&'s self, spaces: &'s BTreeSet<SpaceId>) -> impl Iterator<Item = Doc<'s>> {
        let state = self.state;
        let contents = state.contents.values().filter_map(|content| {
            let doc = self.content_doc(content)?;
            (spaces.contains(&doc.space) && state.may_view(self.account, content)).then_some(doc)
        });
        let live = |on: ContentId| {
            state.contents.get(&on).filter(|c| {
                c.status == Status::Current
                    && spaces.contains(&c.space)
                    && state.may_view(self.account, c)
            })
        };
        let comments = state.comments.values().filter_map(move |c| {
            let on = live(c.on)?;
            Some(Doc {
                id: c.id,
                kind: "comment",
                space: on.space,
                parent: c.parent,
                container: Some(c.on),
                title: &c.version.title,
                body: &c.version.body,
                labels: None,
                created: c.created_at,
                modified: c.version.created_at,
                author: &c.version.author,
                last_author: &c.version.author,
            })
        });
        let attachments = state
            .attachments
            .values()
            .filter(|a| !a.trashed)
            .filter_map(move |a| {
                let on = live(a.on)?;
                Some(Doc {
                    id: a.id,
                    kind: "attachment",
                    space: on.space,
                    parent: None,
                    container: Some(a.on),
                    title: &a.name,
                    body: "",
                    labels: Some(&a.labels),
                    created: a.created_at,
                    modified: a.version.created_at,
                    author: &a.version.author,
                    last_author: &a.version.author,
                })
            });
        contents.chain(comments).chain(attachments)
    }

    fn content_doc<'c>(&self, content: &'c Content) -> Option<Doc<'c>> {
        let mut doc = Doc {
            id: content.id,
            kind: content.kind.name(),
            space: content.space,
            parent: content.parent,
            container: None,
            title: content.title(),
            body: &content.latest().body,
            labels: Some(&content.labels),
            created: content.created_at,
            modified: content.modified_at,
            author: &content.author,
            last_author: &content.latest().author,
        };
        let mut status = content.status;
        if !self.lag.is_zero() {
            let known_until = self.now - self.lag;
            if let Some((_, before)) = content
                .indexed_before
                .iter()
                .find(|(at, _)| *at > known_until)
            {
                let before = before.as_ref()?;
                status = before.status;
                doc.space = before.space;
                doc.parent = before.parent;
                doc.title = &before.title;
                doc.body = &before.body;
                doc.labels = Some(&before.labels);
                doc.modified = before.modified_at;
            }
        }
        self.statuses.contains(&status).then_some(doc)
    }

    fn holds(&self, expr: &Expr, doc: &Doc<'_>, score: &mut u32) -> Result<bool, String> {
        Ok(match expr {
            Expr::And(a, b) => self.holds(a, doc, score)? && self.holds(b, doc, score)?,
            Expr::Or(a, b) => {
                // Both sides are asked so that the score counts both.
                let left = self.holds(a, doc, score)?;
                self.holds(b, doc, score)? || left
            }
            Expr::Not(a) => !self.holds(a, doc, &mut 0)?,
            Expr::Is(clause) => self.clause(clause, doc, score)?,
        })
    }

    fn clause(&self, clause: &Clause, doc: &Doc<'_>, score: &mut u32) -> Result<bool, String> {
        let texts: Vec<String> = clause.terms.iter().map(|t| self.text(t)).collect();
        let negated = matches!(clause.op, Op::IsNot | Op::NotLike | Op::NotIn);
        let any = |f: &dyn Fn(&str) -> bool| texts.iter().any(|t| f(t));
        let id_is = |id: ContentId, text: &str| text.parse() == Ok(id.0);
        let found = match clause.field.as_str() {
            "type" => any(&|t| t.eq_ignore_ascii_case(doc.kind)),
            "space" | "space.key" => {
                let space = self.state.spaces.get(&doc.space);
                let mut keys = space.into_iter().flat_map(|space| self.keys_of(space));
                keys.any(|key| any(&|t| t.eq_ignore_ascii_case(key)))
            }
            "space.id" => any(&|t| t.parse() == Ok(doc.space.0)),
            "space.type" => {
                let kind = self
                    .state
                    .spaces
                    .get(&doc.space)
                    .map(|s| s.kind.as_str())
                    .unwrap_or_default();
                any(&|t| t.eq_ignore_ascii_case(kind))
            }
            "id" | "content" => any(&|t| id_is(doc.id, t)),
            "parent" => any(&|t| doc.parent.is_some_and(|p| id_is(p, t))),
            "container" => any(&|t| doc.container.is_some_and(|c| id_is(c, t))),
            "ancestor" => {
                let start = doc.container.unwrap_or(doc.id);
                let chain = self.state.ancestors(start);
                any(&|t| {
                    chain.iter().any(|a| id_is(a.id, t))
                        || doc.container.is_some_and(|c| id_is(c, t))
                })
            }
            "label" => any(&|t| {
                doc.labels
                    .is_some_and(|l| l.iter().any(|l| l.eq_ignore_ascii_case(t)))
            }),
            "creator" => any(&|t| t == doc.author),
            "contributor" => any(&|t| t == doc.author || t == doc.last_author),
            "mention" => any(&|t| doc.body.contains(&format!("ri:account-id=\"{t}\""))),
            "created" | "lastmodified" => {
                let at = if clause.field == "created" {
                    doc.created
                } else {
                    doc.modified
                };
                return self.date_clause(clause, at);
            }
            "title" if matches!(clause.op, Op::Is | Op::IsNot | Op::In | Op::NotIn) => {
                any(&|t| t.eq_ignore_ascii_case(doc.title))
            }
            "title" => {
                let hits: u32 = texts
                    .iter()
                    .map(|t| matches(t, doc.title))
                    .max()
                    .unwrap_or(0);
                *score += hits * 3;
                hits > 0
            }
            _ => {
                let whole = format!("{} {}", doc.title, plain_text(doc.body));
                let hits: u32 = texts.iter().map(|t| matches(t, &whole)).max().unwrap_or(0);
                *score += hits
                    + texts
                        .iter()
                        .map(|t| matches(t, doc.title))
                        .max()
                        .unwrap_or(0)
                        * 3;
                hits > 0
            }
        };
        if matches!(clause.op, Op::Greater | Op::AtLeast | Op::Less | Op::AtMost) {
            return Err(format!("operator not supported by field: {}", clause.field));
        }
        Ok(found != negated)
    }

    fn text(&self, term: &Term) -> String {
        match term {
            Term::Text(text) => text.clone(),
            Term::Call(name, _) if name == "currentuser" => self.account.to_owned(),
            Term::Call(_, arguments) => arguments.first().cloned().unwrap_or_default(),
        }
    }

    fn date_clause(&self, clause: &Clause, at: DateTime<Utc>) -> Result<bool, String> {
        let Some(term) = clause.terms.first() else {
            return Ok(false);
        };
        let (from, width) = self.moment(term)?;
        let until = from + width;
        Ok(match clause.op {
            Op::Is | Op::In => at >= from && at < until,
            Op::IsNot | Op::NotIn => !(at >= from && at < until),
            Op::Greater => at >= until,
            Op::AtLeast => at >= from,
            Op::Less => at < from,
            Op::AtMost => at < until,
            Op::Like | Op::NotLike => {
                return Err(format!("operator not supported by field: {}", clause.field));
            }
        })
    }

    /// The moment a term names, and how wide it is (a minute, or a day).
    fn moment(&self, term: &Term) -> Result<(DateTime<Utc>, Duration), String> {
        let zone = Duration::minutes(i64::from(self.zone_minutes));
        match term {
            Term::Text(text) => {
                let text = text.trim();
                for format in ["%Y/%m/%d %H:%M", "%Y-%m-%d %H:%M"] {
                    if let Ok(local) = NaiveDateTime::parse_from_str(text, format) {
                        return Ok((Utc.from_utc_datetime(&local) - zone, Duration::minutes(1)));
                    }
                }
                for format in ["%Y/%m/%d", "%Y-%m-%d"] {
                    if let Ok(day) = NaiveDate::parse_from_str(text, format) {
                        return Ok((
                            Utc.from_utc_datetime(&day.and_time(Default::default())) - zone,
                            Duration::days(1),
                        ));
                    }
                }
                Err(format!("Could not parse date: {text}"))
            }
            Term::Call(name, arguments) => {
                let shifted = match arguments.first() {
                    Some(step) => shift(self.now, step)
                        .ok_or_else(|| format!("Could not parse increment: {step}"))?,
                    None => self.now,
                };
                let local = (shifted + zone).naive_utc();
                let day = local.date();
                let start = match name.as_str() {
                    "now" => return Ok((shifted, Duration::milliseconds(1))),
                    "startofday" => day,
                    "endofday" => day + Duration::days(1),
                    "startofweek" => {
                        day - Duration::days(i64::from(day.weekday().num_days_from_sunday()))
                    }
                    "startofmonth" => day.with_day(1).unwrap_or(day),
                    "startofyear" => NaiveDate::from_ymd_opt(day.year(), 1, 1).unwrap_or(day),
                    other => return Err(format!("No function exists with name: {other}")),
                };
                Ok((
                    Utc.from_utc_datetime(&start.and_time(Default::default())) - zone,
                    Duration::minutes(1),
                ))
            }
        }
    }
}

impl Hit {
    pub(crate) fn compare(a: &Hit, b: &Hit, descending: &[bool]) -> Ordering {
        for (at, (left, right)) in a.keys.iter().zip(&b.keys).enumerate() {
            let order = left.cmp(right);
            let order = if descending.get(at) == Some(&true) {
                order.reverse()
            } else {
                order
            };
            if order != Ordering::Equal {
                return order;
            }
        }
        a.id.cmp(&b.id)
    }
}

/// `-26h`, `+3d`, `2w`: units y M w d h m.
fn shift(now: DateTime<Utc>, step: &str) -> Option<DateTime<Utc>> {
    let step = step.trim();
    let unit = step.chars().last()?;
    let amount: i64 = step[..step.len() - unit.len_utf8()].parse().ok()?;
    let months = |count: i64| {
        let by = Months::new(u32::try_from(count.unsigned_abs()).ok()?);
        if count < 0 {
            now.checked_sub_months(by)
        } else {
            now.checked_add_months(by)
        }
    };
    match unit {
        'y' => months(amount * 12),
        'M' => months(amount),
        'w' => Some(now + Duration::weeks(amount)),
        'd' => Some(now + Duration::days(amount)),
        'h' => Some(now + Duration::hours(amount)),
        'm' => Some(now + Duration::minutes(amount)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_of_now() {
        let now = Utc.with_ymd_and_hms(2026, 3, 31, 12, 0, 0).unwrap();
        assert_eq!(shift(now, "-26h"), Some(now - Duration::hours(26)));
        assert_eq!(shift(now, "-1M"), now.checked_sub_months(Months::new(1)));
        assert_eq!(shift(now, "2w"), Some(now + Duration::weeks(2)));
        assert_eq!(shift(now, "-2x"), None);
        assert_eq!(shift(now, ""), None);
    }
}
