//! Embedded migrations: all pending ones in one transaction, none that we do not know.

use std::collections::BTreeSet;

use diesel::migration::{Migration, MigrationSource, MigrationVersion};
use diesel::sqlite::Sqlite;
use diesel::{RunQueryDsl, SqliteConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

#[cfg(feature = "postgres")]
use crate::dialect::postgres;
use crate::dialect::{Conn, on_either, write_transaction};
use crate::error::{Done, Fault, OpenError, failed};
use crate::maintenance;
use crate::url::DatabaseUrl;

/// What `migrations/sqlite` held when this was built.
pub(crate) const SQLITE: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");
/// What `migrations/postgres` held.
#[cfg(feature = "postgres")]
pub(crate) const POSTGRES: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");

/// Every table, none before one that it refers to.
#[cfg(feature = "postgres")]
pub(crate) const TABLES: [&str; 37] = [
    "sites",
    "indexes",
    "index_spaces",
    "sync_runs",
    "synced_pages",
    "checkpoints",
    "events",
    "remembered",
    "store_objects",
    "holdings",
    "document_counts",
    "mcp_sessions",
    "notices",
    "bodies",
    "body_totals",
    "comments",
    "people",
    "page_sessions",
    "run_pages",
    "page_links",
    "told",
    "section_edits",
    "questions",
    "evaluations",
    "evaluation_results",
    "tokens",
    "token_indexes",
    "audit",
    "read_restrictions",
    "space_readers",
    "read_groups",
    "group_members",
    "member_emails",
    "mapped_emails",
    "closed_accounts",
    "access_changes",
    "confluence_grants",
];
/// The columns that the database numbers.
#[cfg(feature = "postgres")]
pub(crate) const NUMBERED: [(&str, &str); 3] =
    [("events", "seq"), ("store_objects", "id"), ("audit", "id")];

type Any = Box<dyn std::error::Error + Send + Sync>;

/// The versions of a file that this build knows.
pub(crate) fn known_of_sqlite() -> BTreeSet<String> {
    let all: Vec<Box<dyn Migration<Sqlite>>> = SQLITE.migrations().unwrap_or_default();
    all.iter().map(|m| m.name().version().to_string()).collect()
}

/// The versions of the same database that this build knows.
#[cfg(not(feature = "postgres"))]
fn known(_: &Conn) -> BTreeSet<String> {
    known_of_sqlite()
}
#[cfg(feature = "postgres")]
fn known(connection: &Conn) -> BTreeSet<String> {
    match connection {
        Conn::Sqlite(_) => known_of_sqlite(),
        Conn::Postgres(_) => {
            let all: Vec<Box<dyn Migration<diesel::pg::Pg>>> =
                POSTGRES.migrations().unwrap_or_default();
            all.iter().map(|m| m.name().version().to_string()).collect()
        }
    }
}

/// How a database stands to what this build knows.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Standing {
    /// Nothing is in it yet.
    New,
    /// Something is pending; the newest that it has.
    Outdated(String),
    /// Nothing is pending.
    Current,
}

fn file_has_migrations(connection: &mut SqliteConnection) -> diesel::QueryResult<bool> {
    let tables: i64 = diesel::dsl::sql::<diesel::sql_types::BigInt>(
        "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = '__diesel_schema_migrations'",
    )
    .get_result(connection)?;
    Ok(tables > 0)
}

#[cfg(not(feature = "postgres"))]
fn has_migrations(connection: &mut Conn) -> diesel::QueryResult<bool> {
    file_has_migrations(connection)
}
#[cfg(feature = "postgres")]
fn has_migrations(connection: &mut Conn) -> diesel::QueryResult<bool> {
    match connection {
        Conn::Sqlite(file) => file_has_migrations(file),
        Conn::Postgres(server) => postgres::has_migrations(server),
    }
}

#[cfg(not(feature = "postgres"))]
fn run_pending(connection: &mut Conn) -> Result<(), Any> {
    connection.run_pending_migrations(SQLITE).map(drop)
}
#[cfg(feature = "postgres")]
fn run_pending(connection: &mut Conn) -> Result<(), Any> {
    match connection {
        Conn::Sqlite(file) => file.run_pending_migrations(SQLITE).map(drop),
        Conn::Postgres(server) => server.run_pending_migrations(POSTGRES).map(drop),
    }
}

/// Looks how a database stands; refuses one of a newer version.
pub(crate) fn standing(connection: &mut Conn, url: &DatabaseUrl) -> Result<Standing, OpenError> {
    let has_table = has_migrations(connection).map_err(|error| OpenError::unusable(url, &error))?;
    if !has_table {
        return Ok(Standing::New);
    }
    let known = known(connection);
    let applied: Result<Vec<MigrationVersion<'_>>, Any> =
        on_either!(connection => connection.applied_migrations());
    let applied: BTreeSet<String> = applied
        .map_err(|error| OpenError::unusable(url, &error))?
        .iter()
        .map(ToString::to_string)
        .collect();
    if let Some(unknown) = applied.difference(&known).next() {
        return Err(OpenError::TooNew {
            database: url.place(),
            migration: unknown.clone(),
        });
    }
    Ok(match applied.last() {
        None => Standing::New,
        Some(_) if applied == known => Standing::Current,
        Some(newest) => Standing::Outdated(newest.clone()),
    })
}

/// Runs what is pending. Of a file a copy of what was there before is kept as `<database>.before-upgrade-<its newest migration>`; that of
/// the upgrade before goes. Refuses a database of a newer version.
pub(crate) fn up_to_date(connection: &mut Conn, url: &DatabaseUrl) -> Result<(), OpenError> {
    let impossible = |fault: Fault| OpenError::Migration {
        database: url.place(),
        detail: domain::ports::store::StoreError::from(fault).to_string(),
    };
    match (standing(connection, url)?, url.file()) {
        (Standing::Current, _) => return Ok(()),
        (Standing::New, _) => {}
        (Standing::Outdated(newest), Some(path)) => {
            let copy =
                maintenance::keep_before_upgrade(connection, path, &newest).map_err(impossible)?;
            tracing::info!(
                copy = %copy.display(), from = newest,
                "the database was made by an older version; it is brought up to date now, and a copy of it as it was is kept"
            );
        }
        (Standing::Outdated(newest), None) => tracing::info!(
            from = newest,
            "the database was made by an older version; it is brought up to date now"
        ),
    }
    write_transaction(connection, run_and_derive).map_err(impossible)
}

fn run_and_derive(connection: &mut Conn) -> Done<()> {
    run_pending(connection).map_err(|e| failed(e.to_string()))?;
    let now = crate::convert::db_time(chrono::Utc::now());
    crate::ops::holdings::derive_everywhere(connection, now)
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

    fn connection() -> SqliteConnection {
        let mut connection = SqliteConnection::establish(":memory:").unwrap();
        connection
            .batch_execute("PRAGMA foreign_keys = ON")
            .unwrap();
        connection
    }

    fn objects(connection: &mut SqliteConnection) -> BTreeMap<String, String> {
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
        let all: Vec<Box<dyn Migration<Sqlite>>> = SQLITE.migrations().unwrap();
        assert_eq!(
            all.len(),
            known_of_sqlite().len(),
            "of two with one number only one would run"
        );
    }

    #[test]
    fn up_down_and_up_again_ends_in_the_same_schema() {
        let mut connection = connection();
        connection.run_pending_migrations(SQLITE).unwrap();
        let first = objects(&mut connection);
        assert!(first.contains_key("synced_pages") && first.contains_key("sync_runs_one_open"));
        connection.revert_all_migrations(SQLITE).unwrap();
        assert_eq!(
            objects(&mut connection),
            BTreeMap::new(),
            "down leaves nothing"
        );
        connection.run_pending_migrations(SQLITE).unwrap();
        assert_eq!(objects(&mut connection), first);
    }

    #[test]
    fn a_database_of_a_newer_version_is_refused() {
        let mut connection = crate::dialect::sqlite::either(connection());
        let url = DatabaseUrl::of_file("a.db");
        up_to_date(&mut connection, &url).unwrap();
        up_to_date(&mut connection, &url).unwrap();
        connection
            .batch_execute(
                "INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000000')",
            )
            .unwrap();
        let error = up_to_date(&mut connection, &url).unwrap_err();
        assert!(
            matches!(&error, OpenError::TooNew { migration, .. } if migration == "29990101000000")
        );
        assert!(error.to_string().contains("newer version"), "{error}");
    }

    /// Names of the columns that a table of `schema.rs` has, read from the statement that selects all of them.
    fn declared<T: Table>(table: T) -> Vec<String>
    where
        T::AllColumns: QueryFragment<Sqlite>,
    {
        let _ = table;
        let text = diesel::debug_query::<Sqlite, _>(&T::all_columns()).to_string();
        let columns = text.split(" -- binds").next().unwrap_or_default();
        columns
            .split(", ")
            .filter_map(|column| column.rsplit('.').next())
            .map(|column| column.trim_matches('`').to_owned())
            .collect()
    }

    /// The columns of every table of `schema.rs`.
    fn all_declared() -> BTreeMap<&'static str, Vec<String>> {
        macro_rules! declared_tables {
            ($($table:ident),+ $(,)?) => {
                BTreeMap::from([$((stringify!($table), declared(schema::$table::table)),)+])
            };
        }
        declared_tables!(
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
        )
    }

    #[test]
    fn the_hand_kept_schema_names_every_column_of_every_table() {
        let mut connection = connection();
        connection.run_pending_migrations(SQLITE).unwrap();
        let declared = all_declared();
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
        connection.run_pending_migrations(SQLITE).unwrap();
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
                plan(diesel::debug_query::<Sqlite, _>(&$query).to_string())
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
        connection.run_pending_migrations(SQLITE).unwrap();
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

    #[cfg(feature = "postgres")]
    mod on_a_server {
        use std::time::Duration;

        use diesel::sql_types::{BigInt, Bool};
        use test_database::Database;

        use super::*;
        use crate::dialect::Purpose;
        use crate::dialect::postgres::{self, PgConn};

        /// A column as both databases can say it: its name, its type in diesel's words, whether it may be null, its place in the key.
        #[derive(QueryableByName, PartialEq, Eq, Debug)]
        struct Described {
            #[diesel(sql_type = Text)]
            name: String,
            #[diesel(sql_type = Text)]
            kind: String,
            #[diesel(sql_type = Bool)]
            required: bool,
            #[diesel(sql_type = BigInt)]
            key: i64,
        }

        fn server(database: &Database) -> PgConn {
            let DatabaseUrl::Server(server) = &database.url() else {
                panic!("{}", database.url::<String>());
            };
            postgres::open(server, Purpose::Write, Duration::from_secs(10)).unwrap()
        }

        /// Everything that a migration made.
        fn made(connection: &mut PgConn) -> Vec<String> {
            let all: Vec<Column> = diesel::sql_query(
                "SELECT name FROM (
                     SELECT 'table ' || tablename AS name FROM pg_tables WHERE schemaname = current_schema()
                     UNION ALL
                     SELECT indexdef FROM pg_indexes WHERE schemaname = current_schema()
                     UNION ALL
                     SELECT 'function ' || proname || prosrc FROM pg_proc WHERE pronamespace = current_schema()::regnamespace
                     UNION ALL
                     SELECT pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
                     WHERE NOT tgisinternal AND relnamespace = current_schema()::regnamespace
                     UNION ALL
                     SELECT conrelid::regclass || pg_get_constraintdef(oid) FROM pg_constraint
                     WHERE connamespace = current_schema()::regnamespace
                 ) AS made WHERE name NOT LIKE '%__diesel%' ORDER BY name",
            )
            .load(connection)
            .unwrap();
            all.into_iter().map(|made| made.name).collect()
        }

        #[test]
        fn up_down_and_up_again_ends_in_the_same_schema() {
            let Some(database) = Database::on_a_server() else {
                return;
            };
            let mut connection = server(&database);
            connection.run_pending_migrations(POSTGRES).unwrap();
            let first = made(&mut connection);
            assert!(first.iter().any(|made| made == "table synced_pages"));
            connection.revert_all_migrations(POSTGRES).unwrap();
            assert_eq!(made(&mut connection), [""; 0], "down leaves nothing");
            connection.run_pending_migrations(POSTGRES).unwrap();
            assert_eq!(made(&mut connection), first);
        }

        #[test]
        fn both_databases_have_the_same_tables_column_by_column() {
            let Some(database) = Database::on_a_server() else {
                return;
            };
            let mut server = server(&database);
            server.run_pending_migrations(POSTGRES).unwrap();
            let mut file = connection();
            file.run_pending_migrations(SQLITE).unwrap();
            let declared = all_declared();
            let tables: BTreeMap<&str, ()> = TABLES.iter().map(|table| (*table, ())).collect();
            assert!(tables.keys().eq(declared.keys()), "TABLES names every one");
            for table in TABLES {
                // SQLite numbers with INTEGER what is a BIGINT for everybody else, and knows no collation but by bytes.
                let of_file: Vec<Described> = diesel::sql_query(
                    "SELECT name, CASE WHEN (?1, name) IN (VALUES ('events', 'seq'), ('store_objects', 'id'), ('audit', 'id'), \
                                                          ('holdings', 'object_id')) \
                                  THEN 'BIGINT' ELSE type END AS kind, \
                            \"notnull\" = 1 AS required, pk AS key \
                     FROM pragma_table_xinfo(?1) ORDER BY name",
                )
                .bind::<Text, _>(table)
                .load(&mut file)
                .unwrap();
                let of_server: Vec<Described> = diesel::sql_query(
                    "SELECT a.attname::text AS name, \
                            CASE format_type(a.atttypid, a.atttypmod) \
                                WHEN 'text' THEN CASE WHEN l.collname = 'C' THEN 'TEXT' ELSE 'TEXT of ' || l.collname END \
                                WHEN 'bytea' THEN 'BLOB' \
                                WHEN 'timestamp without time zone' THEN 'TIMESTAMP' \
                                ELSE upper(format_type(a.atttypid, a.atttypmod)) END AS kind, \
                            a.attnotnull AS required, \
                            COALESCE(array_position(i.indkey::int2[], a.attnum) + 1, 0)::bigint AS key \
                     FROM pg_attribute a LEFT JOIN pg_collation l ON l.oid = a.attcollation \
                     LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary \
                     WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped \
                     ORDER BY a.attname COLLATE \"C\"",
                )
                .bind::<Text, _>(table)
                .load(&mut server)
                .unwrap();
                assert_eq!(of_server, of_file, "{table}");
                let mut names = declared[table].clone();
                names.sort_unstable();
                let there: Vec<&String> = of_server.iter().map(|column| &column.name).collect();
                assert_eq!(there, names.iter().collect::<Vec<_>>(), "{table}");
            }
        }

        #[test]
        fn a_database_of_a_newer_version_is_refused() {
            let Some(database) = Database::on_a_server() else {
                return;
            };
            let mut connection = Conn::Postgres(server(&database));
            up_to_date(&mut connection, &database.url()).unwrap();
            up_to_date(&mut connection, &database.url()).unwrap();
            connection
                .batch_execute(
                    "INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000000')",
                )
                .unwrap();
            let error = up_to_date(&mut connection, &database.url()).unwrap_err();
            assert!(
                matches!(&error, OpenError::TooNew { migration, .. } if migration == "29990101000000")
            );
        }
    }
}
