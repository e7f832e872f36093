//! Who may use the spaces of an index that answers per person, and who is in the groups that these spaces and restrictions name. Read by
//! every sweep: one request or a few a space, one for each 200 members of a group, one for each 250 people who have an address. What cannot
//! be read keeps what was known, which counts for as long as `PERMISSIONS_MAX_AGE_HOURS` says.

use domain::part::Part;

use crate::index::run::RunCtx;
use crate::index::run::context::SeenSpace;
use crate::stop::RunError;

/// Reads who may use a space, and then the groups that are named and that this run has not read yet.
pub(crate) async fn of_space(ctx: &RunCtx, space: &SeenSpace) -> Result<(), RunError> {
    if !ctx.settings().access.is_per_user() || ctx.is_refused(Part::Permissions) {
        return Ok(());
    }
    let read = ctx.source.space_readers(&space.id).await;
    let what = format!("who may use {} could not be read", space.given);
    if let Some(readers) = ctx.optional(Part::Permissions, &what, read)? {
        ctx.store()
            .record_space_readers(&space.id, &readers)
            .await?;
    }
    for group in ctx.store().groups_named(ctx.index()).await? {
        if ctx.is_refused(Part::Permissions) {
            return Ok(());
        }
        ctx.stop.check()?;
        // Noted before it is read: spaces that are read at the same time name the same groups.
        if !ctx.find(|f| f.groups_read.insert(group.clone())) {
            continue;
        }
        let read = ctx.source.group_members(&group).await;
        let what = format!("who is in the group {group} could not be read");
        if let Some(members) = ctx.optional(Part::Permissions, &what, read)? {
            ctx.store().record_group(&group, &members).await?;
        }
    }
    closed_accounts(ctx).await
}

/// Asks which of the accounts that an address may name are closed: a restriction, and a group, go on naming whoever has left.
async fn closed_accounts(ctx: &RunCtx) -> Result<(), RunError> {
    let mut accounts = ctx.store().accounts_with_address().await?;
    if ctx.is_refused(Part::Permissions) {
        return Ok(());
    }
    accounts.retain(|account| ctx.find(|f| f.accounts_asked.insert(account.clone())));
    if accounts.is_empty() {
        return Ok(());
    }
    let read = ctx.source.closed_accounts(&accounts).await;
    let what = "whose accounts are closed could not be read";
    if let Some(closed) = ctx.optional(Part::Permissions, what, read)? {
        ctx.store()
            .record_closed_accounts(&accounts, &closed)
            .await?;
    }
    Ok(())
}
