//! Which indexes a caller's question goes to.

use domain::index::IndexSpace;
use domain::query::QueryTarget;
use domain::{IndexId, SpaceKey, Timestamp};

use super::caller::{Caller, Reader};
use super::text::{foreign, inline};
use super::tools::ToolError;
use crate::http::placeholder::unexpanded;

/// The indexes of one question: never empty.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The indexes.
    pub indexes: Vec<QueryTarget>,
}

/// A space of a scope, gathered from every index that holds it.
#[derive(Clone, Debug)]
pub struct ScopedSpace<'a> {
    /// The key by which pages of it are filtered now.
    pub key: &'a SpaceKey,
    /// What is known of it; from the index that holds most of its pages.
    pub space: &'a IndexSpace,
    /// Names of the indexes that hold it.
    pub indexes: Vec<&'a str>,
}

impl ScopedSpace<'_> {
    /// `ENG`, or `ENG (now PLATFORM in its addresses)` of a space that was given another key: either is understood.
    #[must_use]
    pub fn keys(&self) -> String {
        foreign(&match &self.space.alias {
            Some(alias) => format!("{} (now {alias} in its addresses)", self.key),
            None => self.key.to_string(),
        })
    }
}

impl Scope {
    /// A token opens its own indexes, always (of several, the one of the agent that the request names); else the agent that the
    /// request names; else everything.
    ///
    /// # Errors
    /// When there is no such index: in words that the agent can act on.
    pub fn choose(caller: &Caller, readable: Vec<QueryTarget>) -> Result<Self, ToolError> {
        let indexes: Vec<QueryTarget> = match (&caller.reader, &caller.agent) {
            (Reader::Own(own), agent) => {
                let is_named = |i: &QueryTarget| {
                    agent.as_deref() == Some(i.settings.agent_id.as_str()) && own.contains(&i.id)
                };
                let named = readable.iter().find(|i| is_named(i)).map(|i| i.id);
                let chosen = |i: &QueryTarget| match named {
                    Some(named) => i.id == named,
                    None => own.contains(&i.id),
                };
                readable.into_iter().filter(chosen).collect()
            }
            (Reader::Everything, Some(agent)) => {
                let known = agents(&readable);
                let found: Vec<QueryTarget> = readable
                    .into_iter()
                    .filter(|i| i.settings.agent_id.as_str() == agent)
                    .collect();
                if found.is_empty() {
                    if let Some(variable) = unexpanded(agent) {
                        return Err(ToolError::new(format!(
                            "the connection names the agent id {variable}, a variable that the client did not fill in. {known} \
                             Whoever runs the client has to set it, or to name one of them in the connection's `agent_id` \
                             parameter or `X-Agent-Id` header."
                        )));
                    }
                    return Err(ToolError::new(format!(
                        "there is no index for the agent id \"{}\" that this connection names. {known} \
                         The connection's `agent_id` parameter or `X-Agent-Id` header has to name one of them, or none.",
                        inline(agent)
                    )));
                }
                found
            }
            (Reader::Everything, None) => readable,
        };
        if indexes.is_empty() {
            return Err(ToolError::new(
                "no index has been created yet, so there is nothing to search. An administrator creates one on the \
                 service's web page or with POST /api/indexes/.",
            ));
        }
        Ok(Self { indexes })
    }

    /// Every space of the scope, by key.
    #[must_use]
    pub fn spaces(&self) -> Vec<ScopedSpace<'_>> {
        let mut all: Vec<ScopedSpace<'_>> = Vec::new();
        for index in &self.indexes {
            for space in &index.spaces {
                let key = space.present_key();
                match all.iter_mut().find(|known| known.key == key) {
                    Some(known) => {
                        known.indexes.push(&index.settings.name);
                        if known.space.pages < space.pages {
                            known.space = space;
                        }
                    }
                    None => all.push(ScopedSpace {
                        key,
                        space,
                        indexes: vec![&index.settings.name],
                    }),
                }
            }
        }
        all.sort_by(|a, b| a.key.cmp(b.key));
        all
    }

    /// The space that an agent means by a key or a name, ignoring case.
    ///
    /// # Errors
    /// Names the indexed spaces.
    pub fn find_space(&self, wanted: &str) -> Result<SpaceKey, ToolError> {
        let spaces = self.spaces();
        let same = |text: &str| text.to_lowercase() == wanted.to_lowercase();
        let by_key = spaces.iter().find(|s| same(s.key.as_str())).or_else(|| {
            spaces
                .iter()
                .find(|s| s.space.keys().any(|key| same(key.as_str())))
        });
        let by_name = || {
            spaces
                .iter()
                .find(|s| s.space.name.as_deref().is_some_and(same))
        };
        by_key
            .or_else(by_name)
            .map(|s| s.key.clone())
            .ok_or_else(|| {
                ToolError::new(format!(
                    "no space \"{wanted}\" is indexed. Indexed spaces: {}. Use one of these keys, or leave `space` out.",
                    self.space_list(40)
                ))
            })
    }

    /// `ENG (Engineering), HR (People)`, at most `most` of them.
    #[must_use]
    pub fn space_list(&self, most: usize) -> String {
        let spaces = self.spaces();
        let mut words: Vec<String> = spaces
            .iter()
            .take(most)
            .map(|s| match &s.space.name {
                Some(name) => format!("{} ({})", s.keys(), foreign(name)),
                None => s.keys(),
            })
            .collect();
        if spaces.len() > most {
            words.push(format!("and {} more", spaces.len() - most));
        }
        words.join(", ")
    }

    /// Pages in all indexes of the scope.
    #[must_use]
    pub fn pages(&self) -> i64 {
        self.indexes.iter().map(QueryTarget::document_count).sum()
    }

    /// How fresh an answer from all of them is: as the oldest of them.
    #[must_use]
    pub fn as_of(&self) -> Option<Timestamp> {
        self.indexes.iter().filter_map(|i| i.as_of).min()
    }

    /// Hosts of the Confluence sites behind the scope, to tell a foreign link.
    #[must_use]
    pub fn hosts(&self) -> Vec<String> {
        let mut hosts: Vec<String> = self
            .indexes
            .iter()
            .flat_map(|i| &i.spaces)
            .filter_map(|s| url::Url::parse(s.url.as_deref()?).ok())
            .filter_map(|u| u.host_str().map(str::to_owned))
            .collect();
        hosts.sort();
        hosts.dedup();
        hosts
    }

    /// One index by its id.
    #[must_use]
    pub fn index(&self, id: IndexId) -> Option<&QueryTarget> {
        self.indexes.iter().find(|i| i.id == id)
    }
}

fn agents(indexes: &[QueryTarget]) -> String {
    let names: Vec<&str> = indexes
        .iter()
        .take(40)
        .map(|i| i.settings.agent_id.as_str())
        .collect();
    if names.is_empty() {
        "No index exists yet.".to_owned()
    } else {
        format!("Known agent ids: {}.", names.join(", "))
    }
}
