//! Who may use a space, who is in a group, and whether a person may read an item.
//!
//! A site tells who may use its spaces in one of two forms: a row for each principal and operation, or a role for each principal
//! (`GET /space-role-mode` says which). Whoever is not understood in either form is let in by none.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use domain::access::{Grantee, Member};
use domain::ports::source::{MAX_BATCH, SourceError};
use domain::{AccountId, GroupId, PageId, SpaceId};
use serde::Deserialize;
use serde_json::json;

use crate::ConfluenceClient;
use crate::call::Call;
use crate::content::found;
use crate::cql::is_number;
use crate::endpoint;
use crate::wire::Text;

/// The permission to read a space, as roles name it (official document, `POST /space-roles`, `spacePermissions`).
const READ_SPACE: &str = "read/space";
/// Members of one answer: more are refused with a 400 (official document).
const MEMBERS_PER_ANSWER: usize = 200;
/// Answers of one group, in case a site never comes to an end.
const MOST_ANSWERS: usize = 1000;
/// How long the form and the roles of a site are remembered: for a walk over its spaces, and not for the life of the process.
const REMEMBERED_FOR: Duration = Duration::from_secs(600);

/// Where a site says who may use its spaces.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    /// `/spaces/{id}/permissions`.
    Permissions,
    /// Both: while a site changes over.
    Both,
    /// `/spaces/{id}/role-assignments`.
    Roles,
}

impl Mode {
    pub fn of(word: Option<&str>) -> Self {
        match word {
            Some("ROLES") => Self::Roles,
            // Until an administrator has given every principal a role, or taken its access away, those without one go on holding
            // what they held: `GET /space-permissions/transition/combinations` of the official document lists them beside the
            // roles that are given already. So both grant.
            Some("ROLES_TRANSITION") => Self::Both,
            _ => Self::Permissions,
        }
    }

    pub const fn has_permissions(self) -> bool {
        matches!(self, Self::Permissions | Self::Both)
    }

    pub const fn has_roles(self) -> bool {
        matches!(self, Self::Roles | Self::Both)
    }
}

/// What was asked not long ago.
#[derive(Debug)]
pub(crate) struct Recent<T>(Mutex<Option<(Instant, T)>>);

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T: Clone> Recent<T> {
    fn get(&self) -> Option<T> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = known
            .as_ref()
            .filter(|(at, _)| at.elapsed() < REMEMBERED_FOR);
        fresh.map(|(_, value)| value.clone())
    }

    fn set(&self, value: T) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Some((Instant::now(), value));
    }
}

#[derive(Deserialize, Debug)]
struct RoleMode {
    mode: Option<String>,
}

/// A row of `/spaces/{id}/permissions`: what one principal may do.
#[derive(Deserialize, Debug)]
pub(crate) struct PermissionRow {
    principal: Option<RowPrincipal>,
    operation: Option<RowOperation>,
}

#[derive(Deserialize, Debug)]
struct RowPrincipal {
    #[serde(rename = "type")]
    kind: Option<String>,
    id: Option<Text>,
}

#[derive(Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
struct RowOperation {
    key: Option<String>,
    target_type: Option<String>,
}

#[derive(Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
struct Role {
    id: Option<Text>,
    space_permissions: Option<Vec<Option<String>>>,
}

/// A row of `/spaces/{id}/role-assignments`: a role of one principal.
#[derive(Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RoleRow {
    principal: Option<RolePrincipal>,
    role_id: Option<Text>,
}

#[derive(Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
struct RolePrincipal {
    principal_type: Option<String>,
    principal_id: Option<Text>,
}

#[derive(Deserialize, Debug)]
struct Members {
    results: Vec<Option<MemberItem>>,
}

#[derive(Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
struct MemberItem {
    account_id: Option<String>,
    email: Option<String>,
}

/// Whether an account is in use.
#[derive(Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
struct Standing {
    account_id: Option<String>,
    account_status: Option<String>,
}

#[derive(Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
struct Checked {
    has_permission: bool,
}

/// The question whether an account may read an item.
pub(crate) fn check_of(account: &str, item: &str) -> Call {
    let mut call = Call::new(&endpoint::PERMISSION_CHECK, &[item]);
    let subject = json!({ "type": "user", "identifier": account });
    call.body = Some(json!({ "subject": subject, "operation": "read" }));
    call
}

/// Whom a principal of either form is.
fn grantee(kind: Option<&str>, id: Option<&Text>) -> Option<Grantee> {
    let id = id.map(|id| id.0.as_str()).filter(|id| !id.is_empty())?;
    match kind? {
        "user" | "USER" => Some(Grantee::Person(id.into())),
        "group" | "GROUP" => Some(Grantee::Group(id.into())),
        "role" | "ACCESS_CLASS" => class(id),
        _ => None,
    }
}

/// Whom a class of people is.
fn class(name: &str) -> Option<Grantee> {
    match name {
        // What everybody may read, those may who may use the site; no index answers anybody else.
        "anonymous-users" | "authenticated-users" | "all-licensed-users" => Some(Grantee::Licensed),
        // `all-product-admins` and `jsm-project-admins`: who that is cannot be asked, so these let nobody in.
        _ => None,
    }
}

impl PermissionRow {
    pub(crate) fn grantee(&self) -> Option<Grantee> {
        let principal = self.principal.as_ref()?;
        grantee(principal.kind.as_deref(), principal.id.as_ref())
    }

    pub(crate) fn lets_read(&self) -> bool {
        self.operation.as_ref().is_some_and(|operation| {
            operation.key.as_deref() == Some("read")
                && operation.target_type.as_deref() == Some("space")
        })
    }
}

impl Role {
    fn lets_read(&self) -> bool {
        let mut permissions = self.space_permissions.iter().flatten().flatten();
        permissions.any(|permission| permission == READ_SPACE)
    }
}

impl RoleRow {
    pub(crate) fn grantee(&self) -> Option<Grantee> {
        let principal = self.principal.as_ref()?;
        grantee(
            principal.principal_type.as_deref(),
            principal.principal_id.as_ref(),
        )
    }
}

impl MemberItem {
    fn into_pair(self) -> Option<(AccountId, Option<String>)> {
        let id = self.account_id.filter(|id| !id.is_empty())?;
        let shown = self.email.filter(|email| !email.trim().is_empty());
        Some((id.into(), shown))
    }
}

impl ConfluenceClient {
    pub(crate) async fn readers_of(
        &self,
        space: &SpaceId,
    ) -> Result<BTreeSet<Grantee>, SourceError> {
        if !is_number(space.as_str()) {
            return Err(SourceError::NotFound {
                what: format!("the space with id {space}"),
            });
        }
        let mode = self.role_mode().await?;
        let mut readers = BTreeSet::new();
        if mode.has_permissions() {
            readers.extend(self.by_permissions(space).await?);
        }
        if mode.has_roles() {
            readers.extend(self.by_roles(space).await?);
        }
        Ok(readers)
    }

    /// Which form the site uses.
    async fn role_mode(&self) -> Result<Mode, SourceError> {
        match self.role_mode.get() {
            Some(mode) => Ok(mode),
            None => self.role_mode_now().await,
        }
    }

    /// The same, asked. A site that does not say has no roles: the endpoint is there for sites with roles only.
    pub(crate) async fn role_mode_now(&self) -> Result<Mode, SourceError> {
        let call = Call::new(&endpoint::SPACE_ROLE_MODE, &[]);
        let mode = match self.transport.value::<RoleMode>(&call).await {
            Ok(told) => Mode::of(told.mode.as_deref()),
            Err(SourceError::NotFound { .. } | SourceError::Forbidden { .. }) => Mode::Permissions,
            Err(error) => return Err(error),
        };
        self.role_mode.set(mode);
        Ok(mode)
    }

    async fn by_permissions(&self, space: &SpaceId) -> Result<Vec<Grantee>, SourceError> {
        let call = Call::new(&endpoint::SPACE_PERMISSIONS, &[space.as_str()]);
        let rows = self.walked::<PermissionRow>(&call).await?.items;
        let reading = rows.iter().filter(|row| row.lets_read());
        Ok(reading.filter_map(PermissionRow::grantee).collect())
    }

    async fn by_roles(&self, space: &SpaceId) -> Result<Vec<Grantee>, SourceError> {
        let reading = self.reading_roles().await?;
        let call = Call::new(&endpoint::ROLE_ASSIGNMENTS, &[space.as_str()]);
        let rows = self.walked::<RoleRow>(&call).await?.items;
        let lets_read = |row: &&RoleRow| {
            let role = row.role_id.as_ref();
            role.is_some_and(|role| reading.contains(&role.0))
        };
        let reading = rows.iter().filter(lets_read);
        Ok(reading.filter_map(RoleRow::grantee).collect())
    }

    /// The roles of the site that let read a space.
    async fn reading_roles(&self) -> Result<Arc<HashSet<String>>, SourceError> {
        if let Some(roles) = self.reading_roles.get() {
            return Ok(roles);
        }
        let roles = self
            .walked::<Role>(&Call::new(&endpoint::SPACE_ROLES, &[]))
            .await?;
        let reading = roles.items.into_iter().filter(Role::lets_read);
        let reading: HashSet<String> = reading.filter_map(|role| Some(role.id?.0)).collect();
        let reading = Arc::new(reading);
        self.reading_roles.set(Arc::clone(&reading));
        Ok(reading)
    }

    /// Everybody in a group. Its answers are counted by offset and lead nowhere; one that is not full may leave out whom the account
    /// may not see, so only an empty one is the end.
    pub(crate) async fn members_of(&self, group: &GroupId) -> Result<Vec<Member>, SourceError> {
        let mut members = BTreeMap::new();
        let (mut start, mut limit) = (0, MEMBERS_PER_ANSWER);
        for _ in 0..MOST_ANSWERS {
            let page = match self.some_members(group, start, limit).await {
                Err(SourceError::TooLarge { .. }) if limit > 1 => {
                    limit = (limit / 8).max(1);
                    continue;
                }
                page => page?,
            };
            let Some(page) = page else {
                return Ok(Vec::new());
            };
            let (shown, known) = (page.len(), members.len());
            start += shown;
            members.extend(page.into_iter().flatten().filter_map(MemberItem::into_pair));
            if shown == 0 || (members.len() == known && shown < limit) {
                return Ok(members.into_iter().map(member).collect());
            }
            if members.len() == known {
                break;
            }
        }
        Err(SourceError::endless(format!(
            "the members of group {group}"
        )))
    }

    /// One answer. `None`: the group is no more.
    async fn some_members(
        &self,
        group: &GroupId,
        start: usize,
        limit: usize,
    ) -> Result<Option<Vec<Option<MemberItem>>>, SourceError> {
        if group.as_str().is_empty() {
            return Ok(None);
        }
        let call = Call::new(&endpoint::GROUP_MEMBERS, &[group.as_str()])
            .with("start", start)
            .limit(limit);
        let page = found(self.transport.value::<Members>(&call).await)?;
        Ok(page.map(|page| page.results))
    }

    /// Which of these accounts are not `active` (POST `/users-bulk`). Of whom the answer says nothing is not, either.
    pub(crate) async fn closed_of(
        &self,
        ids: &[AccountId],
    ) -> Result<HashSet<AccountId>, SourceError> {
        let mut closed: HashSet<AccountId> = ids.iter().cloned().collect();
        for chunk in ids.chunks(MAX_BATCH) {
            let mut call = Call::new(&endpoint::USERS_BULK, &[]);
            let ids: Vec<&str> = chunk.iter().map(AccountId::as_str).collect();
            call.body = Some(json!({ "accountIds": ids }));
            let page = self.transport.page::<Standing>(&call, None).await?;
            for user in page.items {
                if user.account_status.as_deref() == Some("active")
                    && let Some(id) = user.account_id
                {
                    closed.remove(&AccountId::new(id));
                }
            }
        }
        Ok(closed)
    }

    /// Whether members of a group may be read; a group that is no more says so, too.
    pub(crate) async fn one_member(&self, group: &GroupId) -> Result<(), SourceError> {
        self.some_members(group, 0, 1).await.map(drop)
    }

    pub(crate) async fn check(
        &self,
        person: &AccountId,
        item: &PageId,
    ) -> Result<bool, SourceError> {
        if !is_number(item.as_str()) {
            return Ok(false);
        }
        let call = check_of(person.as_str(), item.as_str());
        match self.transport.value::<Checked>(&call).await {
            Ok(checked) => Ok(checked.has_permission),
            Err(SourceError::NotFound { .. }) => Ok(false),
            Err(SourceError::Forbidden { what, detail }) => Err(SourceError::Forbidden {
                what,
                detail: format!(
                    "{detail}; whoever asks for other people has to be a Confluence administrator: give the account that \
                     permission, or let the index answer per_user"
                ),
            }),
            Err(error) => Err(error),
        }
    }
}

fn member((account, email): (AccountId, Option<String>)) -> Member {
    Member { account, email }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn principals_of_both_forms_are_read_and_what_is_not_known_is_nobody() {
        let told = |kind: &str, id: &str| {
            let id = Text(id.to_owned());
            grantee(Some(kind), Some(&id)).map(|grantee| grantee.to_string())
        };
        for (kind, id, want) in [
            ("user", "a:1", Some("user:a:1")),
            ("USER", "a:1", Some("user:a:1")),
            ("group", "g-1", Some("group:g-1")),
            ("GROUP", "g-1", Some("group:g-1")),
            ("ACCESS_CLASS", "anonymous-users", Some("licensed")),
            ("ACCESS_CLASS", "authenticated-users", Some("licensed")),
            ("ACCESS_CLASS", "all-licensed-users", Some("licensed")),
            ("role", "all-licensed-users", Some("licensed")),
            ("ACCESS_CLASS", "all-product-admins", None),
            ("ACCESS_CLASS", "jsm-project-admins", None),
            ("role", "0b5e2c41-0000-4000-8000-000000000001", None),
            ("user", "", None),
            ("robot", "r-1", None),
        ] {
            assert_eq!(told(kind, id).as_deref(), want, "{kind} {id}");
        }
        assert_eq!(grantee(None, Some(&Text("a".to_owned()))), None);
        assert_eq!(grantee(Some("user"), None), None);
    }

    #[test]
    fn a_word_for_the_form_that_is_not_known_means_permissions() {
        for (word, permissions, roles) in [
            (Some("PRE_ROLES"), true, false),
            (Some("ROLES_TRANSITION"), true, true),
            (Some("ROLES"), false, true),
            (Some("POST_ROLES"), true, false),
            (None, true, false),
        ] {
            let mode = Mode::of(word);
            let has = (mode.has_permissions(), mode.has_roles());
            assert_eq!(has, (permissions, roles), "{word:?}");
        }
    }
}
