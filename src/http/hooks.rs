//! `POST /api/hooks/confluence`: Confluence says that something changed, by a rule of its automation; the indexes that hold the
//! space are polled within seconds.
//!
//! Whoever calls has `HOOK_SECRET` in a header, which opens this path and no other ([`auth`](super::auth)): a path stands in the
//! logs of every proxy. Calls that come within [`WAIT`] are one poll; one that comes while a run is under way is one follow-up,
//! which is a row. A call that is lost (the process was killed within those seconds) costs latency alone: the schedule finds
//! the change.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::{HttpResponse, web};
use chrono::Utc;
use domain::index::Index;
use domain::{AgentId, IndexId};
use serde::{Deserialize, Serialize};

use super::auth::Admin;
use super::fields::{Check, Field, OptionalBody, Unknown, wrong_name};
use super::problem::ApiResult;
use super::routes;
use crate::diagnosis::every_index;
use crate::state::AppState;

/// The path that the secret opens.
pub const PATH: &str = "/api/hooks/confluence";
/// What comes within this is one poll. Confluence's listings also take a moment to show an edit.
pub const WAIT: Duration = Duration::from_secs(3);
/// Characters that a space's key may have.
const MAX_KEY: usize = 255;

/// Registers the route.
pub fn configure(config: &mut web::ServiceConfig) {
    config.service(routes::resource(
        PATH,
        [(routes::POST, web::post().to(confluence_changed))],
    ));
}

/// What changed.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct Changed {
    /// The key of the space in which something changed; without it every index is polled.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 255, example = "ENG")]
    space: Field<String>,
    #[serde(flatten)]
    #[schema(ignore)]
    unknown: Unknown,
}

/// What comes of it.
#[derive(Serialize, utoipa::ToSchema)]
pub struct PollsAhead {
    /// The agents whose indexes are polled; none where no index holds the space, is enabled, and is not in its quiet hours.
    #[schema(value_type = Vec<String>)]
    pub agents: Vec<AgentId>,
    /// In how many seconds.
    pub within_seconds: u64,
}

/// Indexes whose poll is ahead.
#[derive(Clone, Default)]
pub struct Ahead(Arc<Mutex<BTreeSet<IndexId>>>);

impl Ahead {
    fn with<T>(&self, change: impl FnOnce(&mut BTreeSet<IndexId>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Polls soon.
#[utoipa::path(post, path = "/api/hooks/confluence", operation_id = "confluence_changed", tag = "runs",
    summary = "Say that something changed in a Confluence space: the indexes that hold it are polled within seconds.",
    request_body = Option<Changed>,
    responses((status = 202, body = PollsAhead), (status = 401, description = "Not `HOOK_SECRET`, nor the administrator's key.")))]
pub async fn confluence_changed(
    _: Admin,
    state: web::Data<AppState>,
    OptionalBody(changed): OptionalBody<Changed>,
) -> ApiResult<HttpResponse> {
    let mut check = Check::default();
    let space = check.optional("space", changed.space);
    if let Some(wrong) = space.as_deref().and_then(|key| wrong_name(key, MAX_KEY)) {
        check.fail("space", wrong);
    }
    check.unknown("", &changed.unknown, &["space"]);
    check.done()?;
    let mut agents = Vec::new();
    for index in every_index(state.store.as_ref()).await? {
        if index.settings.enabled
            && space.as_deref().is_none_or(|key| holds(&index, key))
            && !state.engine.timetable(&index).is_quiet(Utc::now())
        {
            poll_soon(&state, index.id);
            agents.push(index.settings.agent_id);
        }
    }
    Ok(HttpResponse::Accepted().json(PollsAhead {
        agents,
        within_seconds: WAIT.as_secs(),
    }))
}

/// Whether an index holds a space, by either of its keys.
fn holds(index: &Index, key: &str) -> bool {
    index.spaces.iter().any(|space| {
        let keys = [
            Some(&space.key),
            space.current_key.as_ref(),
            space.alias.as_ref(),
        ];
        let mut keys = keys.into_iter().flatten();
        keys.any(|known| known.as_str().eq_ignore_ascii_case(key))
    })
}

/// Orders one poll for all that is told of an index within [`WAIT`].
fn poll_soon(state: &AppState, index: IndexId) {
    if !state.polls_ahead.with(|ahead| ahead.insert(index)) {
        return;
    }
    let state = state.clone();
    actix_web::rt::spawn(async move {
        if state
            .shutdown
            .run_until_cancelled(tokio::time::sleep(WAIT))
            .await
            .is_none()
        {
            return;
        }
        // Before the order: what is told from now on is another poll.
        state.polls_ahead.with(|ahead| ahead.remove(&index));
        match state.engine.poll(index).await {
            Ok(run) => {
                tracing::info!(%index, run = %run.id, "Confluence tells of a change: the index is polled")
            }
            Err(error) => {
                tracing::warn!(%index, %error, "Confluence tells of a change, and the poll could not be ordered; the schedule finds it")
            }
        }
    });
}
