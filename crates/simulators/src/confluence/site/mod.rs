//! The site as tests and the demo change it, with the semantics the real one shows through its API.

use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use chrono::{DateTime, Utc};

use super::model::{Content, ContentId, State, VersionRecord};
use super::switches::Switches;
use crate::server::Clock;

mod audit;
mod content;
mod marks;
mod populate;
mod spaces;

/// A Confluence site without its server: spaces, content, people. Clones share the same site.
///
/// Methods that name something that is not there panic with its name: that is a mistake in the test, not a condition.
#[derive(Clone, Debug)]
pub struct Site {
    state: Arc<RwLock<State>>,
    switches: Arc<RwLock<Switches>>,
    clock: Clock,
    at: Option<DateTime<Utc>>,
    author: String,
}

/// What [`Site::edit_with`] changes; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct Edit {
    /// New title.
    pub title: Option<String>,
    /// New body in storage format.
    pub body: Option<String>,
    /// Marks the version as minor.
    pub minor: bool,
    /// Version message.
    pub message: String,
}

/// The account that acts when nobody else is named.
pub const DEFAULT_AUTHOR: &str = "557058:0c8b3a4e-author";

impl Default for Site {
    fn default() -> Self {
        Site::new()
    }
}

impl Site {
    /// An empty site on the machine's clock.
    pub fn new() -> Site {
        Site::with_clock(Clock::real())
    }

    /// An empty site on this clock.
    pub fn with_clock(clock: Clock) -> Site {
        let site = Site {
            state: Arc::new(RwLock::new(State {
                next_id: 98_304,
                ..State::default()
            })),
            switches: Arc::new(RwLock::new(Switches::default())),
            clock,
            at: None,
            author: DEFAULT_AUTHOR.to_owned(),
        };
        site.add_user(DEFAULT_AUTHOR, "Robin Author", "robin@example.com");
        site
    }

    /// The site's clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The same site, acting at this moment instead of now: for content that is older than the test.
    pub fn at(&self, moment: DateTime<Utc>) -> Site {
        Site {
            at: Some(moment),
            ..self.clone()
        }
    }

    /// The same site, acting as this account.
    pub fn by(&self, account_id: &str) -> Site {
        Site {
            author: account_id.to_owned(),
            ..self.clone()
        }
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The switches at this moment.
    pub fn switches(&self) -> Switches {
        self.switches
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }

    /// Changes switches; the next request sees them.
    pub fn set_switches(&self, change: impl FnOnce(&mut Switches)) {
        change(
            &mut self
                .switches
                .write()
                .unwrap_or_else(std::sync::PoisonError::into_inner),
        );
    }

    fn now(&self) -> DateTime<Utc> {
        self.at.unwrap_or_else(|| self.clock.now())
    }

    fn version(&self, number: u32, title: &str, body: &str) -> VersionRecord {
        VersionRecord {
            number,
            created_at: self.now(),
            message: String::new(),
            minor: false,
            author: self.author.clone(),
            title: title.to_owned(),
            body: body.into(),
        }
    }

    pub(crate) fn content(&self, id: ContentId) -> Content {
        self.read()
            .contents
            .get(&id)
            .unwrap_or_else(|| panic!("no content {id}"))
            .clone()
    }
}

/// Escapes text for XML.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
