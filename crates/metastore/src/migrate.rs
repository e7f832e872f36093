//! Embedded migrations: all pending ones in one transaction, none that we do not know.

use std::collections::BTreeSet;
use std::path::Path;

use diesel::migration::{Migration, MigrationSource, MigrationVersion};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::dialect::{Conn, Db, write_transaction};
use crate::error::{Fault, OpenError, failed};

/// What `migrations/sqlite` held when this was built.
pub(crate) const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");

/// The versions that this build knows.
pub(crate) fn known() -> BTreeSet<String> {
    let all: Vec<Box<dyn Migration<Db>>> = MIGRATIONS.migrations().unwrap_or_default();
    all.iter().map(|m| m.name().version().to_string()).collect()
}

/// Runs what is pending, or refuses a database of a newer version.
pub(crate) fn up_to_date(connection: &mut Conn, path: &Path) -> Result<(), OpenError> {
    let too_new = |migration: String| OpenError::TooNew {
        path: path.to_owned(),
        migration,
    };
    let result = write_transaction(connection, |connection| {
        let applied: Vec<MigrationVersion<'static>> = connection
            .applied_migrations()
            .map_err(|e| failed(e.to_string()))?;
        let known = known();
        if let Some(unknown) = applied
            .iter()
            .map(ToString::to_string)
            .find(|version| !known.contains(version))
        {
            return Ok(Some(unknown));
        }
        connection
            .run_pending_migrations(MIGRATIONS)
            .map_err(|e| failed(e.to_string()))?;
        Ok::<_, Fault>(None)
    });
    match result {
        Ok(None) => Ok(()),
        Ok(Some(unknown)) => Err(too_new(unknown)),
        Err(fault) => Err(OpenError::Migration {
            path: path.to_owned(),
            detail: domain::ports::store::StoreError::from(fault).to_string(),
        }),
    }
}
