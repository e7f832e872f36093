//! `SchedulerActor`: the timer, and the parent of every other actor.
//!
//! It wakes at the earliest due time and at least every check interval, opens the runs that are due, keeps one
//! [`IndexActor`](crate::index::IndexActor) per living index, starts dead children again (five times a minute, then gives up on
//! that child), and removes the remote objects of deleted and moved indexes until that is done.

mod actor;
mod due_work;
mod handlers;

pub(crate) use actor::SchedulerActor;
