//! `backup` and `restore`.

use std::path::Path;

use super::{CliResult, DONE, quiet_settings};
use crate::settings::Need;
use crate::wiring::open_store;

/// Writes a copy; the service may go on meanwhile.
pub(super) async fn backup(file: &Path) -> CliResult {
    let settings = quiet_settings(Need::Local)?;
    let store = open_store(&settings)?;
    store.backup(file).await?;
    let facts = metastore::verify_backup(file)?;
    eprintln!(
        "{} holds {} indexes with {} pages. The embedded index is not in it: it is made again from what is.",
        file.display(),
        facts.indexes,
        facts.pages
    );
    Ok(DONE)
}

/// Puts a copy in the place of the database.
pub(super) fn restore(file: &Path) -> CliResult {
    let settings = quiet_settings(Need::Local)?;
    let restored = metastore::restore_backup(file, &settings.database)?;
    eprintln!(
        "{} now holds {} indexes with {} pages.",
        settings.database.place(),
        restored.facts.indexes,
        restored.facts.pages
    );
    if let Some(kept) = restored.kept {
        eprintln!(
            "The database that it replaced is kept as {}.",
            kept.display()
        );
    }
    eprintln!(
        "Agent tokens that were revoked after the backup was made may work again: \
         `mcp-confluence token list` shows all, `mcp-confluence token revoke ID` ends one."
    );
    Ok(DONE)
}
