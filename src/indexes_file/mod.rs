//! Indexes as code (`INDEXES_FILE`): the file is read at start and whenever it changes, and the indexes are made to be as it says.
//!
//! The file is checked as a whole first, its spaces at Confluence too; while anything in it is wrong, nothing of it is done, and the
//! log and `/health` say line and remedy. An index is known by its agent id. What the file does not name of an index is as of a new
//! one, but for `backend`: a move costs, so that it has to be named. Deleted is only what the file itself had brought (its ids are
//! remembered in the database), and only while it says `remove: true`. Everything goes the way of REST, so that runs under way
//! notice it.

mod read;

use std::collections::BTreeSet;
use std::path::PathBuf;

use domain::audit::NewEntry;
use domain::index::{Index, IndexSettings, IndexSpace};
use domain::{IndexId, SpaceKey};

use self::read::{Contents, Entry};
use crate::diagnosis::every_index;
use crate::http::indexes;
use crate::http::problem::ApiError;
use crate::state::AppState;
use crate::watched::{self, Complaint, NotDone};

/// Under which key the ids are remembered that the file had brought.
const MANAGED: &str = "indexes_file";

/// What was done.
#[derive(Default)]
struct Done {
    created: usize,
    changed: usize,
    deleted: usize,
    unchanged: usize,
}

/// Carries the file out at start and after every change, until the service stops.
pub async fn follow(state: AppState, file: PathBuf) {
    let carried_out = async |text: &str| {
        let told = carry_out(&state, text).await?;
        tracing::info!(file = %file.display(), created = told.created, changed = told.changed,
            deleted = told.deleted, unchanged = told.unchanged, "the file of indexes is carried out");
        Ok::<(), NotDone>(())
    };
    let (trouble, shutdown) = (&state.file_trouble, &state.shutdown);
    watched::follow(&file, "INDEXES_FILE", trouble, shutdown, carried_out).await;
}

/// What is to be done, before any of it is.
struct Plan {
    create: Vec<IndexSettings>,
    change: Vec<(IndexId, indexes::IndexChange)>,
    delete: Vec<Index>,
    /// Brought by the file once, no longer named, and to stay without consent.
    left: Vec<Index>,
    /// What the file names and is there already.
    kept: Vec<IndexId>,
    unchanged: usize,
}

/// Keeps who did it: the file.
async fn note(state: &AppState, action: &str, index: IndexId) {
    let entry = NewEntry::done("the file of indexes", action).of_index(index);
    if let Err(error) = state.store.note(&entry).await {
        tracing::error!(%error, action, "what the file of indexes did could not be kept in the audit");
    }
}

async fn carry_out(state: &AppState, text: &str) -> Result<Done, NotDone> {
    let defaults = indexes::defaults(state);
    let contents = read::read(text, &defaults).map_err(NotDone::Wrong)?;
    let present = every_index(state.store.as_ref()).await?;
    let managed = managed(state).await?;
    check(state, &contents, &present).await?;
    let plan = plan(contents, present, &managed);
    let mut managed: BTreeSet<IndexId> = plan.kept.iter().copied().collect();
    managed.extend(plan.left.iter().chain(&plan.delete).map(|index| index.id));
    let mut done = Done {
        unchanged: plan.unchanged,
        ..Done::default()
    };
    for settings in plan.create {
        let index = indexes::create(state, settings, None)
            .await
            .map_err(later)?;
        note(state, "create_index", index.id).await;
        managed.insert(index.id);
        // Each at once: after a kill it is still known who brought it.
        remember(state, &managed).await?;
        done.created += 1;
    }
    for (id, change) in plan.change {
        indexes::change(state, id, change).await.map_err(later)?;
        note(state, "change_index", id).await;
        done.changed += 1;
    }
    for index in plan.delete {
        indexes::delete(state, index.id).await.map_err(later)?;
        note(state, "delete_index", index.id).await;
        managed.remove(&index.id);
        tracing::warn!(index = %index.id, agent = %index.settings.agent_id, "the file of indexes no longer names this index: it is deleted");
        done.deleted += 1;
    }
    for index in plan.left {
        tracing::warn!(index = %index.id, agent = %index.settings.agent_id, "the file of indexes no longer names this index; it stays: `remove: true` in the file deletes it");
    }
    remember(state, &managed).await?;
    Ok(done)
}

fn later(error: ApiError) -> NotDone {
    NotDone::Later(error.problem.detail.clone())
}

async fn managed(state: &AppState) -> Result<BTreeSet<IndexId>, NotDone> {
    let kept = state.store.remembered(MANAGED).await?;
    Ok(kept
        .and_then(|kept| serde_json::from_str(&kept).ok())
        .unwrap_or_default())
}

async fn remember(state: &AppState, managed: &BTreeSet<IndexId>) -> Result<(), NotDone> {
    // Ids become text without fail.
    let text = serde_json::to_string(managed).unwrap_or_default();
    Ok(state.store.remember(MANAGED, &text).await?)
}

/// What only the service can tell of the file: its stores, and the spaces that are new to their index.
async fn check(state: &AppState, contents: &Contents, present: &[Index]) -> Result<(), NotDone> {
    let mut complaints = Vec::new();
    for entry in &contents.entries {
        let mut wrong = |field: &str, message: String| {
            complaints.push(Complaint {
                line: entry.line_of(field),
                message,
            });
        };
        if let Err(error) = indexes::backend_is_there(state, entry.settings.backend) {
            wrong("backend", error.problem.detail.clone());
        }
        let known = of_agent(present, &entry.settings);
        let is_new = |key: &&SpaceKey| {
            !known.is_some_and(|index| index.spaces.iter().any(|space| space.key == **key))
        };
        let keys = entry.settings.confluence_spaces.iter();
        let keys: Vec<SpaceKey> = keys.filter(is_new).cloned().collect();
        if keys.is_empty() {
            continue;
        }
        let found = match indexes::visible(state, &keys).await {
            Ok(found) => found,
            Err(error) if error.problem.code == "spaces_not_visible" => {
                wrong("confluence_spaces", error.problem.detail.clone());
                continue;
            }
            Err(error) => return Err(later(error)),
        };
        let known = known.iter().flat_map(|index| &index.spaces);
        let kept = known.filter(|space| entry.settings.confluence_spaces.contains(&space.key));
        let all: Vec<IndexSpace> = kept.cloned().chain(found).collect();
        if let Err(error) = indexes::each_space_once(&all) {
            wrong("confluence_spaces", error.problem.detail.clone());
        }
    }
    if complaints.is_empty() {
        Ok(())
    } else {
        Err(NotDone::Wrong(complaints))
    }
}

fn of_agent<'a>(present: &'a [Index], settings: &IndexSettings) -> Option<&'a Index> {
    let mut of_agent = present.iter();
    of_agent.find(|index| index.settings.agent_id == settings.agent_id)
}

fn plan(contents: Contents, present: Vec<Index>, managed: &BTreeSet<IndexId>) -> Plan {
    let mut plan = Plan {
        create: Vec::new(),
        change: Vec::new(),
        delete: Vec::new(),
        left: Vec::new(),
        kept: Vec::new(),
        unchanged: 0,
    };
    for Entry {
        settings,
        change,
        names_backend,
        ..
    } in contents.entries
    {
        let Some(index) = of_agent(&present, &settings) else {
            plan.create.push(settings);
            continue;
        };
        plan.kept.push(index.id);
        let going_to = index.moving.as_ref().map(|moving| moving.backend);
        let is_in = going_to.unwrap_or(index.settings.backend);
        let backend = (names_backend && settings.backend != is_in).then_some(settings.backend);
        let after = change.patch.clone().apply(index.settings.clone());
        if backend.is_none() && after == index.settings {
            plan.unchanged += 1;
        } else {
            let patch = change.patch;
            let change = indexes::IndexChange { patch, backend };
            plan.change.push((index.id, change));
        }
    }
    let gone = present
        .into_iter()
        .filter(|index| managed.contains(&index.id) && !plan.kept.contains(&index.id));
    if contents.remove {
        plan.delete = gone.collect();
    } else {
        plan.left = gone.collect();
    }
    plan
}
