//! Own read restrictions, as both forms of the API tell them: whether there is one, and whom it names.
//!
//! Whoever is not understood is not named, and whoever is not named is not let in: a principal without an id, a group that only has
//! a name, and those at the end of a list that could not be read.

use std::collections::BTreeSet;

use domain::access::Grantee;
use domain::content::Restriction;
use domain::ports::source::SourceError;
use domain::{Disposition, PageId};
use serde::Deserialize;

use crate::ConfluenceClient;
use crate::call::Call;
use crate::endpoint;
use crate::wire::Text;

/// Names of one answer about one item: as many as the answers of search hold. Fixed limits of the system may allow fewer (official
/// document, `GET /content/{id}/restriction/byOperation/{operationKey}`), so the answer's own `limit` counts.
const NAMES_PER_ANSWER: usize = 200;
/// The limit of an answer that does not tell it: the document's default.
const UNTOLD_LIMIT: usize = 100;

/// What one operation on an item is restricted to.
#[derive(Deserialize, Debug)]
pub(crate) struct Operation {
    restrictions: Option<Subjects>,
}

#[derive(Deserialize, Debug)]
struct Subjects {
    user: Option<SubjectList>,
    group: Option<SubjectList>,
}

#[derive(Deserialize, Debug)]
struct SubjectList {
    results: Option<Vec<Option<Subject>>>,
    limit: Option<i64>,
    size: Option<i64>,
}

/// A user, known by `accountId`, or a group, known by `id`. Names of groups can be given anew, so they name nobody.
#[derive(Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
struct Subject {
    account_id: Option<Text>,
    id: Option<Text>,
}

/// Whom answers have named so far.
#[derive(Debug, Default)]
pub(crate) struct Readers {
    /// These.
    pub named: BTreeSet<Grantee>,
    /// How far the lists were read, where they go on.
    pub goes_on_after: Option<usize>,
}

impl SubjectList {
    /// Whether it names anybody; `None` when it does not say.
    fn names_somebody(&self) -> Option<bool> {
        let listed = self.results.as_ref().map(|list| !list.is_empty());
        // A size without names is somebody whom the API cannot name: still a restriction.
        if self.size.is_some_and(|size| size > 0) {
            Some(true)
        } else {
            listed
        }
    }

    fn subjects(&self) -> impl Iterator<Item = &Subject> {
        self.results.iter().flatten().flatten()
    }

    /// Its limit, if it is full: then it may go on behind that.
    fn cut_at(&self) -> Option<usize> {
        let number = |told: Option<i64>| told.and_then(|n| usize::try_from(n).ok());
        let listed = self.results.as_ref().map_or(0, Vec::len);
        let limit = number(self.limit).filter(|limit| *limit > 0);
        let limit = limit.unwrap_or(UNTOLD_LIMIT);
        (listed.max(number(self.size).unwrap_or(0)) >= limit).then_some(limit)
    }
}

impl Operation {
    pub fn restriction(&self) -> Restriction {
        let Some(subjects) = &self.restrictions else {
            return Restriction::Unknown;
        };
        let named =
            |list: &Option<SubjectList>| list.as_ref().and_then(SubjectList::names_somebody);
        match (named(&subjects.user), named(&subjects.group)) {
            (Some(true), _) | (_, Some(true)) => Restriction::Restricted,
            (Some(false), Some(false)) => Restriction::Open,
            _ => Restriction::Unknown,
        }
    }

    /// Whom it names.
    pub fn readers(&self) -> Readers {
        let lists = |of: fn(&Subjects) -> &Option<SubjectList>| {
            self.restrictions.as_ref().and_then(|all| of(all).as_ref())
        };
        let (users, groups) = (lists(|all| &all.user), lists(|all| &all.group));
        let id = |told: &Option<Text>| {
            let told = told.as_ref().map(|text| text.0.clone());
            told.filter(|id| !id.is_empty())
        };
        let people = users.into_iter().flat_map(SubjectList::subjects);
        let people = people.filter_map(|user| Some(Grantee::Person(id(&user.account_id)?.into())));
        let teams = groups.into_iter().flat_map(SubjectList::subjects);
        let teams = teams.filter_map(|group| Some(Grantee::Group(id(&group.id)?.into())));
        let lists = users.into_iter().chain(groups);
        Readers {
            named: people.chain(teams).collect(),
            // `start` counts in both lists; where their limits differ, the shorter step leaves nobody out.
            goes_on_after: lists.filter_map(SubjectList::cut_at).min(),
        }
    }
}

impl ConfluenceClient {
    /// One answer about the read restriction of an item, from the index of a name on.
    pub(crate) async fn restriction_of(
        &self,
        id: &PageId,
        start: usize,
    ) -> Result<Operation, SourceError> {
        // The lists of users and groups are expanded by default.
        let call = Call::new(&endpoint::RESTRICTION, &[id.as_str()]);
        let call = if start > 0 {
            call.with("start", start)
        } else {
            call
        };
        let call = call.with("limit", NAMES_PER_ANSWER);
        self.transport.value(&call).await
    }

    /// Everybody whom a restriction names, given what the first answer held. Where the rest cannot be had now, those that came are
    /// all that are let in.
    pub(crate) async fn all_readers(
        &self,
        id: &PageId,
        first: Readers,
    ) -> Result<Vec<Grantee>, SourceError> {
        let Readers {
            mut named,
            mut goes_on_after,
        } = first;
        let mut start = 0;
        while let Some(step) = goes_on_after {
            start += step;
            let more = match self.restriction_of(id, start).await {
                Ok(operation) => operation.readers(),
                Err(error) if error.disposition() == Disposition::FailRun => return Err(error),
                Err(error) => {
                    tracing::warn!(%id, %error, "a long read restriction could not be read to its end; who stands there is not let in");
                    break;
                }
            };
            let known = named.len();
            named.extend(more.named);
            // An answer without anybody new would be followed by others of its kind.
            goes_on_after = more.goes_on_after.filter(|_| named.len() > known);
        }
        Ok(named.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readers(user: &str, group: &str) -> (Vec<String>, Option<usize>) {
        let json = format!(r#"{{"restrictions":{{"user":{user},"group":{group}}}}}"#);
        let operation: Operation = serde_json::from_str(&json).unwrap();
        let readers = operation.readers();
        let named = readers.named.iter().map(ToString::to_string).collect();
        (named, readers.goes_on_after)
    }

    #[test]
    fn only_ids_name_somebody() {
        let user = r#"{"results":[{"accountId":"b"},{"accountId":"a"},{"displayName":"Former user"},{"accountId":""},null]}"#;
        let group = r#"{"results":[{"name":"eng","id":"g-1"},{"name":"by name only"},{"id":""}]}"#;
        let (named, goes_on) = readers(user, group);
        assert_eq!(named, ["user:a", "user:b", "group:g-1"]);
        assert_eq!(goes_on, None);
    }

    #[test]
    fn full_lists_go_on_behind_the_limit_that_they_tell() {
        let names = |count: usize| vec![r#"{"accountId":"a"}"#; count].join(",");
        let list = |count, rest: &str| format!(r#"{{"results":[{}]{rest}}}"#, names(count));
        let table = [
            (list(2, r#","limit":2,"size":2"#), Some(2)),
            (list(2, r#","limit":3,"size":2"#), None),
            (list(1, r#","limit":2,"size":2"#), Some(2)),
            (list(2, r#","limit":2"#), Some(2)),
            (list(99, ""), None),
            (list(100, ""), Some(100)),
            (list(0, r#","limit":0,"size":0"#), None),
            (list(1, r#","limit":-1,"size":-1"#), None),
            ("{}".to_owned(), None),
        ];
        for (user, want) in table {
            assert_eq!(readers(&user, "null").1, want, "{user}");
        }
        let both = readers(
            &list(3, r#","limit":3"#),
            r#"{"results":[{"id":"g"}],"limit":1,"size":1}"#,
        );
        assert_eq!(both.1, Some(1));
    }
}
