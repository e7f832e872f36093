//! A Confluence Cloud site on loopback: v2 and what is left of v1, at the site form and the gateway form.
//!
//! It promises the shapes, paging, permissions, life cycle and errors that Atlassian documents or that were measured on
//! live sites; what is unclear about the real one is a [switch](Switches). It must not know who its clients are.

mod call;
mod cql;
mod errors;
mod life;
mod markup;
mod media;
mod model;
mod render;
mod rights;
mod routes;
mod service;
mod shapes;
mod sim;
mod site;
mod switches;
mod truth;
mod v1;
mod v2;
mod web;

pub use life::{COVERED, Life, PEOPLE, Wish, address_of};
pub use model::{ContentId, EVERYONE_GROUP, Group, Kind, Principal, SpaceId, Status, User};
pub use rights::Rights;
pub use service::Account;
pub use sim::{Builder, ConfluenceSim};
pub use site::{DEFAULT_AUTHOR, Edit, Site};
pub use switches::{
    BadCredentials, CqlSpaceKeys, NextLinks, Orphans, RoleMode, ScopedAtSite, Switches,
};
pub use truth::{TrueComment, TrueFile, TruePage};
