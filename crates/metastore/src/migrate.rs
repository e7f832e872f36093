//! Embedded migrations: all pending ones in one transaction, none that we do not know.

use std::collections::BTreeSet;
use std::path::Path;

use diesel::RunQueryDsl;
use diesel::migration::{Migration, MigrationSource};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::dialect::{Conn, Db, write_transaction};
use crate::error::{Fault, OpenError, failed};
use crate::maintenance;

/// What `migrations/sqlite` held when this was built.
pub(crate) const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");

/// The versions that this build knows.
pub(crate) fn known() -> BTreeSet<String> {
    let all: Vec<Box<dyn Migration<Db>>> = MIGRATIONS.migrations().unwrap_or_default();
    all.iter().map(|m| m.name().version().to_string()).collect()
}

/// How a file stands to what this build knows.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Standing {
    /// Nothing is in it yet.
    New,
    /// Something is pending; the newest that it has.
    Outdated(String),
    /// Nothing is pending.
    Current,
}

/// Looks how a file stands; refuses one of a newer version.
pub(crate) fn standing(connection: &mut Conn, path: &Path) -> Result<Standing, OpenError> {
    let unusable = |detail: String| OpenError::Unusable {
        path: path.to_owned(),
        detail,
    };
    let has_table: i64 = diesel::dsl::sql::<diesel::sql_types::BigInt>(
        "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = '__diesel_schema_migrations'",
    )
    .get_result(connection)
    .map_err(|error| unusable(error.to_string()))?;
    if has_table == 0 {
        return Ok(Standing::New);
    }
    let applied: BTreeSet<String> = connection
        .applied_migrations()
        .map_err(|error| unusable(error.to_string()))?
        .iter()
        .map(ToString::to_string)
        .collect();
    let known = known();
    if let Some(unknown) = applied.difference(&known).next() {
        return Err(OpenError::TooNew {
            path: path.to_owned(),
            migration: unknown.clone(),
        });
    }
    Ok(match applied.last() {
        None => Standing::New,
        Some(_) if applied == known => Standing::Current,
        Some(newest) => Standing::Outdated(newest.clone()),
    })
}

/// Runs what is pending, and keeps a copy of what was there before as `<database>.before-upgrade-<its newest migration>`; that of
/// the upgrade before goes. Refuses a database of a newer version.
pub(crate) fn up_to_date(connection: &mut Conn, path: &Path) -> Result<(), OpenError> {
    let impossible = |fault: Fault| OpenError::Migration {
        path: path.to_owned(),
        detail: domain::ports::store::StoreError::from(fault).to_string(),
    };
    match standing(connection, path)? {
        Standing::Current => return Ok(()),
        Standing::New => {}
        Standing::Outdated(newest) => {
            let copy =
                maintenance::keep_before_upgrade(connection, path, &newest).map_err(impossible)?;
            tracing::info!(
                copy = %copy.display(), from = newest,
                "the database was made by an older version; it is brought up to date now, and a copy of it as it was is kept"
            );
        }
    }
    write_transaction(connection, |connection| {
        connection
            .run_pending_migrations(MIGRATIONS)
            .map_err(|e| failed(e.to_string()))?;
        let now = crate::convert::db_time(chrono::Utc::now());
        crate::ops::holdings::derive_everywhere(connection, now)
    })
    .map_err(impossible)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use diesel::connection::SimpleConnection;
    use diesel::prelude::*;
    use diesel::query_builder::QueryFragment;
    use diesel::sql_types::Text;

    use super::*;
    use crate::schema;

    #[derive(QueryableByName)]
    struct Object {
        #[diesel(sql_type = Text)]
        name: String,
        #[diesel(sql_type = Text)]
        sql: String,
    }
    #[derive(QueryableByName)]
    struct Column {
        #[diesel(sql_type = Text)]
        name: String,
    }
    #[derive(QueryableByName)]
    struct Step {
        #[diesel(sql_type = Text)]
        detail: String,
    }

    fn connection() -> Conn {
        let mut connection = Conn::establish(":memory:").unwrap();
        connection
            .batch_execute("PRAGMA foreign_keys = ON")
            .unwrap();
        connection
    }

    fn objects(connection: &mut Conn) -> BTreeMap<String, String> {
        let all: Vec<Object> = diesel::sql_query(
            "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL \
             AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '__diesel%'",
        )
        .load(connection)
        .unwrap();
        all.into_iter().map(|o| (o.name, o.sql)).collect()
    }

    #[test]
    fn every_migration_has_a_number_of_its_own() {
        let all: Vec<Box<dyn Migration<Db>>> = MIGRATIONS.migrations().unwrap();
        assert_eq!(
            all.len(),
            known().len(),
            "of two with one number only one would run"
        );
    }

    #[test]
    fn up_down_and_up_again_ends_in_the_same_schema() {
        let mut connection = connection();
        connection.run_pending_migrations(MIGRATIONS).unwrap();
        let first = objects(&mut connection);
        assert!(first.contains_key("synced_pages") && first.contains_key("sync_runs_one_open"));
        connection.revert_all_migrations(MIGRATIONS).unwrap();
        assert_eq!(
            objects(&mut connection),
            BTreeMap::new(),
            "down leaves nothing"
        );
        connection.run_pending_migrations(MIGRATIONS).unwrap();
        assert_eq!(objects(&mut connection), first);
    }

    #[test]
    fn a_database_of_a_newer_version_is_refused() {
        let mut connection = connection();
        up_to_date(&mut connection, Path::new("a.db")).unwrap();
        up_to_date(&mut connection, Path::new("a.db")).unwrap();
        connection
            .batch_execute(
                "INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000000')",
            )
            .unwrap();
        let error = up_to_date(&mut connection, Path::new("a.db")).unwrap_err();
        assert!(
            matches!(&error, OpenError::TooNew { migration, .. } if migration == "29990101000000")
        );
        assert!(error.to_string().contains("newer version"), "{error}");
    }

    /// Names of the columns that a table of `schema.rs` has, read from the statement that selects all of them.
    fn declared<T: Table>(table: T) -> Vec<String>
    where
        T::AllColumns: QueryFragment<Db>,
    {
        let _ = table;
        let text = diesel::debug_query::<Db, _>(&T::all_columns()).to_string();
        let columns = text.split(" -- binds").next().unwrap_or_default();
        columns
            .split(", ")
            .filter_map(|column| column.rsplit('.').next())
            .map(|column| column.trim_matches('`').to_owned())
            .collect()
    }

    #[test]
    fn the_hand_kept_schema_names_every_column_of_every_table() {
        let mut connection = connection();
        connection.run_pending_migrations(MIGRATIONS).unwrap();
        macro_rules! declared_tables {
            ($($table:ident),+ $(,)?) => {
                BTreeMap::from([$((stringify!($table), declared(schema::$table::table)),)+])
            };
        }
        let declared = declared_tables!(
            sites,
            indexes,
            index_spaces,
            sync_runs,
            synced_pages,
            page_links,
            document_counts,
            store_objects,
            holdings,
            bodies,
            body_totals,
            comments,
            people,
            checkpoints,
            events,
            notices,
            told,
            tokens,
            token_indexes,
            audit,
            section_edits,
            access_changes,
            read_restrictions,
            space_readers,
            read_groups,
            group_members,
            member_emails,
            mapped_emails,
            closed_accounts,
            questions,
            evaluations,
            evaluation_results,
            confluence_grants,
            remembered,
            mcp_sessions,
            page_sessions,
            run_pages,
        );
        let tables = objects(&mut connection)
            .into_iter()
            .filter(|(_, sql)| sql.starts_with("CREATE TABLE"))
            .map(|(name, _)| name);
        let mut found = 0;
        for table in tables {
            let columns: Vec<Column> =
                diesel::sql_query("SELECT name FROM pragma_table_xinfo(?) ORDER BY cid")
                    .bind::<Text, _>(&table)
                    .load(&mut connection)
                    .unwrap();
            let columns: Vec<String> = columns.into_iter().map(|column| column.name).collect();
            assert_eq!(declared.get(table.as_str()), Some(&columns), "{table}");
            found += 1;
        }
        assert_eq!(found, declared.len());
    }

    #[test]
    fn the_frequent_questions_are_answered_from_their_index() {
        use schema::{holdings, sync_runs, synced_pages};
        let mut connection = connection();
        connection.run_pending_migrations(MIGRATIONS).unwrap();
        let mut plan = |statement: String| {
            let statement = statement
                .split(" -- binds")
                .next()
                .unwrap_or_default()
                .to_owned();
            let steps: Vec<Step> = diesel::sql_query(format!("EXPLAIN QUERY PLAN {statement}"))
                .load(&mut connection)
                .unwrap();
            let steps: Vec<String> = steps.into_iter().map(|step| step.detail).collect();
            steps.join("; ")
        };
        macro_rules! plan_of {
            ($query:expr) => {
                plan(diesel::debug_query::<Db, _>(&$query).to_string())
            };
        }
        macro_rules! uses {
            ($index:literal, $query:expr) => {{
                let plan = plan_of!($query);
                assert!(plan.contains($index), "{}: {plan}", $index);
                plan
            }};
        }
        let of_index = synced_pages::table.filter(synced_pages::index_id.eq("i"));
        uses!(
            "synced_pages_body_due",
            of_index
                .filter(synced_pages::body_due)
                .order(synced_pages::page_id)
                .select(synced_pages::page_id)
        );
        uses!(
            "synced_pages_by_state",
            of_index
                .filter(synced_pages::state.eq("pending"))
                .order(synced_pages::page_id)
                .select(synced_pages::page_id)
        );
        let briefs = uses!(
            "synced_pages_by_space",
            of_index
                .filter(synced_pages::space_id.eq("s"))
                .order(synced_pages::page_id)
                .select(synced_pages::title)
        );
        assert!(!briefs.contains("TEMP B-TREE"), "{briefs}");
        uses!(
            "synced_pages_by_title",
            synced_pages::table
                .filter(synced_pages::space_id.eq("s"))
                .filter(synced_pages::title_lower.eq("t"))
                .select(synced_pages::url)
        );
        uses!(
            "synced_pages_by_change",
            of_index
                .filter(synced_pages::changed_at.gt(chrono::NaiveDateTime::MIN))
                .order((
                    synced_pages::changed_at.desc(),
                    synced_pages::page_id.desc()
                ))
                .select(synced_pages::page_id)
        );
        let open = holdings::table
            .filter(holdings::object_id.eq(1))
            .filter(holdings::open);
        let due = uses!(
            "USING INDEX holdings_open",
            open.filter(holdings::next_try_at.le(chrono::NaiveDateTime::MIN))
                .order((holdings::next_try_at, holdings::page_id))
                .select(holdings::want)
        );
        assert!(!due.contains("TEMP B-TREE"), "{due}");
        for covered in [
            plan_of!(open.select(diesel::dsl::min(holdings::next_try_at))),
            plan_of!(open.select(diesel::dsl::min(holdings::since))),
            plan_of!(open.filter(holdings::claimed_by.is_not_null()).count()),
            plan_of!(open.filter(holdings::accepted_at.is_not_null()).count()),
        ] {
            assert!(
                covered.contains("USING COVERING INDEX holdings_open"),
                "{covered}"
            );
        }
        uses!(
            "sync_runs_newest",
            sync_runs::table
                .filter(sync_runs::index_id.eq("i"))
                .filter(sync_runs::dry_run.eq(false))
                .order(sync_runs::id.desc())
                .select(sync_runs::id)
        );
        uses!(
            "USING INDEX sync_runs_one_open",
            crate::ops::runs::open_runs().select(sync_runs::index_id)
        );
    }

    #[test]
    fn the_database_itself_allows_one_open_run_per_index() {
        let mut connection = connection();
        connection.run_pending_migrations(MIGRATIONS).unwrap();
        let index = domain::IndexId::generate();
        let now = chrono::Utc::now();
        let run = || {
            crate::rows::RunRow::pending(
                domain::RunId::generate(),
                index,
                domain::run::RunKind::Delta,
                false,
                now,
            )
        };
        connection
            .batch_execute("PRAGMA foreign_keys = OFF")
            .unwrap();
        let mut put = |row: &crate::rows::RunRow| {
            diesel::insert_into(schema::sync_runs::table)
                .values(row)
                .execute(&mut connection)
        };
        put(&run()).unwrap();
        assert!(put(&run()).is_err());
        let over = crate::rows::RunRow {
            status: "failed".into(),
            ..run()
        };
        put(&over).unwrap();
    }
}
