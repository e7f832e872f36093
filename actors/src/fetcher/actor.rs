//! The actor: a source, and the guard that tells of its end.

use std::sync::Arc;

use actix::{Actor, Context};
use domain::ports::source::ContentSource;

use crate::supervise::ChildGuard;

/// One worker for requests to Confluence; works on one message at a time.
pub(crate) struct ConfluenceFetcher {
    pub(super) source: Arc<dyn ContentSource>,
    _guard: ChildGuard,
}

impl ConfluenceFetcher {
    pub(crate) fn new(source: Arc<dyn ContentSource>, guard: ChildGuard) -> Self {
        Self {
            source,
            _guard: guard,
        }
    }
}

impl Actor for ConfluenceFetcher {
    type Context = Context<Self>;
}
