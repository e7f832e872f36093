//! `copy`: from SQLite to PostgreSQL and back.

use actix_web::rt::task::spawn_blocking;
use clap::Args;
use metastore::DatabaseUrl;

use super::{CliError, CliResult, DONE, quiet_settings};
use crate::settings::Need;

/// The arguments of `copy`.
#[derive(Args, Debug)]
pub(super) struct CopyArgs {
    /// The database to copy; without it, that of the settings.
    #[arg(long, value_name = "URL", required_unless_present = "to")]
    from: Option<String>,
    /// Where to; without it, the database of the settings.
    #[arg(long, value_name = "URL")]
    to: Option<String>,
}

/// Copies, and says of each table when it is there.
pub(super) async fn run(args: CopyArgs) -> CliResult {
    let settings = quiet_settings(Need::Local)?;
    let database = |named: Option<String>| match named {
        Some(text) => DatabaseUrl::parse(&text).map_err(CliError::failed),
        None => Ok(settings.database.clone()),
    };
    let (from, to) = (database(args.from)?, database(args.to)?);
    let (source, target) = (from.place(), to.place());
    let copied = spawn_blocking(move || {
        metastore::transfer(&from, &to, |table, rows| {
            eprintln!("{table}: {rows} rows");
        })
    });
    let copied = copied.await.map_err(CliError::failed)??;
    let rows: u64 = copied.rows.values().sum();
    eprintln!(
        "{target} holds what {source} holds: {rows} rows in {} tables, compared one by one.",
        copied.rows.len()
    );
    eprintln!(
        "Set DATABASE_URL to it, and do not start the service on {source} again. An embedded index is a file of its own and stays where \
         it is; where that file is missing, the service makes it anew."
    );
    Ok(DONE)
}
