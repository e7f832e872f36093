//! What the account and its token may do. One item of every kind that a sync needs is asked for, so that everything that is missing
//! is known at once: whoever hands out tokens with scopes makes them anew for each one that was forgotten.

use domain::access::Grantee;
use domain::part::Part;
use domain::ports::source::{AccessCheck, AccessNeeds, SourceError};
use domain::{AccountId, PageId};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::json;

use crate::ConfluenceClient;
use crate::call::Call;
use crate::endpoint::{self, Endpoint};
use crate::permissions::{Mode, PermissionRow, RoleRow};
use crate::wire::Text;

/// A file as far as its download is concerned.
#[derive(Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
struct AnyFile {
    id: Text,
    page_id: Option<Text>,
}

/// Anything, as far as others hang below it.
#[derive(Deserialize, Debug)]
struct AnyItem {
    id: Option<Text>,
}

/// What came, if anything did.
fn first<T>(asked: &Result<Option<T>, SourceError>) -> Option<&T> {
    asked.as_ref().ok()?.as_ref()
}

fn checked(
    what: &'static str,
    endpoint: &'static Endpoint,
    part: Option<Part>,
    outcome: Result<(), SourceError>,
) -> AccessCheck {
    AccessCheck {
        what,
        scope: endpoint.scope,
        part,
        outcome,
    }
}

impl ConfluenceClient {
    pub(crate) async fn checked_access(
        &self,
        needs: AccessNeeds,
        me: Option<&AccountId>,
    ) -> Vec<AccessCheck> {
        let space = self.first_of(Call::new(&endpoint::SPACES, &[])).await;
        let page = self.first_of(Call::new(&endpoint::PAGES, &[])).await;
        let (any_space, any_page) = (first(&space).cloned(), first(&page).cloned());
        let mut checks = vec![
            checked("spaces", &endpoint::SPACES, None, space.map(drop)),
            checked("pages", &endpoint::PAGES, None, page.map(drop)),
        ];
        let searched = Call::new(&endpoint::CONTENT_SEARCH, &[]).with("cql", "type = page");
        let outcome = self.one_of(searched).await;
        checks.push(checked(
            "search, labels and restrictions",
            &endpoint::CONTENT_SEARCH,
            None,
            outcome,
        ));
        if needs.comments {
            for (what, endpoint) in [
                ("comments", &endpoint::FOOTER_COMMENTS),
                ("inline comments", &endpoint::INLINE_COMMENTS),
            ] {
                let outcome = self.one_of(Call::new(endpoint, &[])).await;
                checks.push(checked(what, endpoint, Some(Part::Comments), outcome));
            }
        }
        if needs.files {
            checks.extend(self.access_to_files().await);
        }
        if needs.permissions {
            checks.extend(self.access_to_permissions(any_space).await);
        }
        if let (true, Some(me), Some(page)) = (needs.checks, me, any_page) {
            let outcome = self.check(me, &PageId::new(page)).await.map(drop);
            let what = "the check of permissions";
            let part = Some(Part::Permissions);
            checks.push(checked(what, &endpoint::PERMISSION_CHECK, part, outcome));
        }
        if needs.audit_log {
            let call = Call::new(&endpoint::AUDIT, &[]);
            let (what, part) = ("the audit log", Some(Part::AuditLog));
            checks.push(checked(
                what,
                &endpoint::AUDIT,
                part,
                self.one_of(call).await,
            ));
        }
        if let Some(me) = me {
            let mut call = Call::new(&endpoint::USERS_BULK, &[]);
            call.body = Some(json!({ "accountIds": [me.as_str()] }));
            let outcome = self.transport.page::<IgnoredAny>(&call, None).await;
            checks.push(checked(
                "names of people",
                &endpoint::USERS_BULK,
                Some(Part::Names),
                outcome.map(drop),
            ));
        }
        checks
    }

    async fn one_of(&self, call: Call) -> Result<(), SourceError> {
        self.one_row::<IgnoredAny>(call).await.map(drop)
    }

    async fn one_row<T: DeserializeOwned>(&self, call: Call) -> Result<Option<T>, SourceError> {
        let page = self.transport.page::<T>(&call.limit(1), None).await?;
        Ok(page.items.into_iter().next())
    }

    /// The id of one item.
    async fn first_of(&self, call: Call) -> Result<Option<String>, SourceError> {
        let item = self.one_row::<AnyItem>(call).await?;
        Ok(item.and_then(|item| item.id).map(|id| id.0))
    }

    /// Whom one row names.
    async fn one_grantee<T: DeserializeOwned>(
        &self,
        call: Call,
        of: fn(&T) -> Option<Grantee>,
    ) -> Result<Option<Grantee>, SourceError> {
        Ok(self.one_row::<T>(call).await?.as_ref().and_then(of))
    }

    /// Who may use one space, in the form of the site, and who is in a group.
    async fn access_to_permissions(&self, space: Option<String>) -> Vec<AccessCheck> {
        let part = Some(Part::Permissions);
        let told = self.role_mode_now().await;
        let mode = told.as_ref().copied().unwrap_or(Mode::Permissions);
        let (what, endpoint) = ("the form of permissions", &endpoint::SPACE_ROLE_MODE);
        let mut checks = vec![checked(what, endpoint, part, told.map(drop))];
        let mut named = None;
        if let Some(space) = space.as_deref().filter(|_| mode.has_permissions()) {
            let (what, endpoint) = ("permissions of spaces", &endpoint::SPACE_PERMISSIONS);
            let call = Call::new(endpoint, &[space]);
            let row = self.one_grantee(call, PermissionRow::grantee).await;
            named = first(&row).cloned();
            checks.push(checked(what, endpoint, part, row.map(drop)));
        }
        if let Some(space) = space.as_deref().filter(|_| mode.has_roles()) {
            let (what, endpoint) = ("roles in spaces", &endpoint::ROLE_ASSIGNMENTS);
            let call = Call::new(endpoint, &[space]);
            let row = self.one_grantee(call, RoleRow::grantee).await;
            named = named.or(first(&row).cloned());
            checks.push(checked(what, endpoint, part, row.map(drop)));
        }
        checks.push(self.access_to_groups(named).await);
        checks
    }

    /// The members of a group that is known by now, or else whether groups can be seen at all: either takes the scope.
    async fn access_to_groups(&self, named: Option<Grantee>) -> AccessCheck {
        let (endpoint, outcome) = if let Some(Grantee::Group(group)) = named {
            (&endpoint::GROUP_MEMBERS, self.one_member(&group).await)
        } else {
            let any = Call::new(&endpoint::GROUPS, &[]);
            (&endpoint::GROUPS, self.one_of(any).await)
        };
        checked("groups", endpoint, Some(Part::Permissions), outcome)
    }

    /// The list of files, and where the first of them is: its bytes are not fetched.
    async fn access_to_files(&self) -> Vec<AccessCheck> {
        let call = Call::new(&endpoint::ATTACHMENTS, &[]).limit(1);
        let listed = self.transport.page::<AnyFile>(&call, None).await;
        let first = listed.as_ref().ok().and_then(|page| {
            let file = page.items.first()?;
            Some((
                PageId::new(file.page_id.as_ref()?.0.clone()),
                file.id.0.clone(),
            ))
        });
        let part = Some(Part::Files);
        let mut checks = vec![checked(
            "files",
            &endpoint::ATTACHMENTS,
            part,
            listed.map(drop),
        )];
        if let Some((page, file)) = first {
            let call = Call::new(&endpoint::DOWNLOAD, &[page.as_str(), &file]);
            let outcome = self.transport.location(&call).await.map(drop);
            checks.push(checked(
                "download of a file",
                &endpoint::DOWNLOAD,
                part,
                outcome,
            ));
        }
        checks
    }
}
