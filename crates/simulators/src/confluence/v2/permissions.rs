//! Who may use a space: rows for each principal and operation, or roles, as [`RoleMode`] says.

use serde_json::{Value, json};

use super::spaces::space_of;
use crate::confluence::call::{Answer, Call, Sort, SortValue};
use crate::confluence::errors;
use crate::confluence::model::{EVERYONE_GROUP, Principal, Space};
use crate::confluence::switches::RoleMode;
use crate::server::Reply;

/// What a principal may do who may read a space, in rows of operation and target: most sites give far more than reading.
const OPERATIONS: &[(&str, &str)] = &[
    ("read", "space"),
    ("create", "page"),
    ("create", "comment"),
    ("create", "attachment"),
    ("delete", "page"),
    ("export", "space"),
];

const VIEWER: &str = "5f0c7a10-0000-4000-8000-000000000001";
const COLLABORATOR: &str = "5f0c7a10-0000-4000-8000-000000000002";
const ADMIN: &str = "5f0c7a10-0000-4000-8000-000000000003";

fn role(id: &str, name: &str, permissions: &[&str]) -> Value {
    json!({
        "id": id, "type": "SYSTEM", "name": name, "description": format!("What a {name} may do"),
        "spacePermissions": permissions,
    })
}

fn every_role() -> [Value; 3] {
    let collaborator = [
        "read/space",
        "create/page",
        "create/comment",
        "create/attachment",
    ];
    [
        role(VIEWER, "Viewer", &["read/space"]),
        role(COLLABORATOR, "Collaborator", &collaborator),
        role(ADMIN, "Admin", &["administer/space", "read/space"]),
    ]
}

/// A part of rows that have no other order than theirs.
fn page_of(call: &Call<'_>, rows: &[Value]) -> Answer {
    let limit = call.limit(25)?;
    let sort = Sort {
        by: "id".to_owned(),
        descending: false,
    };
    let items = (0..rows.len()).map(|at| (SortValue::Number(at as i64), at as u64));
    let (page, next) = call.page(items.collect(), &sort, limit)?;
    let points = u32::try_from(page.len() * 2).unwrap_or(u32::MAX);
    let results = page.iter().filter_map(|at| rows.get(*at as usize).cloned());
    Ok(call.list(results.collect(), next).with_points(points))
}

/// Whether the principal has a role, rather than single permissions.
fn has_role(mode: RoleMode, principal: &Principal) -> bool {
    match mode {
        RoleMode::Untold | RoleMode::PreRoles => false,
        RoleMode::Transition => matches!(principal, Principal::Group(_)),
        RoleMode::Roles => true,
    }
}

/// Whom the space names; everybody who may use the site, where it names nobody.
fn named(space: &Space) -> Vec<Principal> {
    match &space.readers {
        Some(readers) => readers.iter().cloned().collect(),
        None => vec![Principal::Group(EVERYONE_GROUP.to_owned())],
    }
}

pub(crate) fn permissions(call: &Call<'_>) -> Answer {
    let space = space_of(call)?;
    let mode = call.switches.role_mode;
    let principals = named(space);
    let mut holders: Vec<(&str, &str)> = Vec::new();
    if mode == RoleMode::Roles {
        holders.push(("role", VIEWER));
    }
    // A space of everybody has no role before it was given one.
    let without_role = principals.iter().filter(|principal| {
        !has_role(mode, principal) || (mode == RoleMode::Transition && space.readers.is_none())
    });
    holders.extend(without_role.map(|principal| match principal {
        Principal::User(id) => ("user", id.as_str()),
        Principal::Group(id) => ("group", id.as_str()),
    }));
    let each = holders
        .iter()
        .flat_map(|holder| OPERATIONS.iter().map(move |operation| (holder, operation)));
    let rows: Vec<Value> = each
        .enumerate()
        .map(|(at, ((kind, id), (key, target)))| {
            json!({
                "id": (at + 1).to_string(), "principal": {"type": kind, "id": id},
                "operation": {"key": key, "targetType": target},
            })
        })
        .collect();
    page_of(call, &rows)
}

pub(crate) fn role_mode(call: &Call<'_>) -> Answer {
    let mode = match call.switches.role_mode {
        RoleMode::Untold => return Err(errors::v2_not_found()),
        RoleMode::PreRoles => "PRE_ROLES",
        RoleMode::Transition => "ROLES_TRANSITION",
        RoleMode::Roles => "ROLES",
    };
    Ok(Reply::ok(json!({"mode": mode})))
}

/// Roles are there on sites with roles only.
fn roles_are_there(call: &Call<'_>) -> Result<(), Reply> {
    match call.switches.role_mode {
        RoleMode::Untold | RoleMode::PreRoles => Err(errors::v2_not_found()),
        RoleMode::Transition | RoleMode::Roles => Ok(()),
    }
}

pub(crate) fn roles(call: &Call<'_>) -> Answer {
    roles_are_there(call)?;
    page_of(call, &every_role())
}

fn assignment(kind: &str, id: &str, role: &str) -> Value {
    json!({"principal": {"principalType": kind, "principalId": id}, "roleId": role})
}

pub(crate) fn role_assignments(call: &Call<'_>) -> Answer {
    roles_are_there(call)?;
    let space = space_of(call)?;
    let mode = call.switches.role_mode;
    let mut rows = vec![assignment("ACCESS_CLASS", "all-product-admins", ADMIN)];
    if space.readers.is_none() && mode == RoleMode::Roles {
        rows.push(assignment("ACCESS_CLASS", "all-licensed-users", VIEWER));
    }
    let named = space.readers.iter().flatten();
    let with_role = named.filter(|principal| has_role(mode, principal));
    rows.extend(with_role.map(|principal| match principal {
        Principal::User(id) => assignment("USER", id, VIEWER),
        Principal::Group(id) => assignment("GROUP", id, COLLABORATOR),
    }));
    page_of(call, &rows)
}
