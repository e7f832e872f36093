//! A database of its own for a test: a SQLite file in a temporary folder or, where `TEST_POSTGRES_URL` names a server, a schema there.
//! Both go with the test.
//!
//! For tests alone; what does not work panics. It knows statements and addresses and where the service notes who has the database, but not
//! the store, so that the store's own tests can use it.
#![allow(clippy::unwrap_used)]

mod server;

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use diesel::connection::SimpleConnection;
use diesel::sql_types::{BigInt, Text};
use diesel::{Connection, QueryableByName, RunQueryDsl, SqliteConnection};
use tempfile::TempDir;

use self::server::Schema;

/// Where the databases of the tests are made, if not in files.
const SERVER: &str = "TEST_POSTGRES_URL";

/// A database, and a folder beside it.
pub struct Database {
    folder: TempDir,
    schema: Option<Schema>,
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = BigInt)]
    number: i64,
}

impl Default for Database {
    fn default() -> Self {
        Self::new()
    }
}

impl Database {
    /// As the environment says.
    pub fn new() -> Self {
        Self {
            schema: std::env::var(SERVER).ok().map(|url| Schema::make(&url)),
            ..Self::in_a_file()
        }
    }

    /// For what is about files.
    pub fn in_a_file() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            schema: None,
        }
    }

    /// For what is about servers; without one it is said that the test is skipped.
    pub fn on_a_server() -> Option<Self> {
        are_on_a_server().then(Self::new)
    }

    /// Its URL, as `DATABASE_URL` has it, read by whatever type is asked for.
    pub fn url<U: FromStr<Err: Debug>>(&self) -> U {
        let text = match &self.schema {
            Some(schema) => schema.url(),
            None => format!("sqlite:///{}", self.file().display()),
        };
        text.parse().unwrap()
    }

    /// The folder, whatever the database is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The file, where it is one.
    fn file(&self) -> PathBuf {
        self.path().join("sync.db")
    }

    /// Whether it is a file; says so if not, for what follows is about files.
    pub fn is_a_file(&self) -> bool {
        if self.schema.is_some() {
            println!("skipped on PostgreSQL: the rest is about files");
        }
        self.schema.is_none()
    }

    /// Host and port of its server, where it is on one.
    pub fn server(&self) -> String {
        let url = self.schema.as_ref().unwrap().url();
        let after = url.split_once("://").unwrap().1;
        let host = after.split(['/', '?']).next().unwrap();
        host.rsplit('@').next().unwrap().to_owned()
    }

    /// Runs statements on a connection of its own; answers of the last one how many rows it changed.
    pub fn execute(&self, statements: &str) -> usize {
        if let Some(schema) = &self.schema {
            return schema.execute(statements);
        }
        let mut connection = self.connection();
        connection.batch_execute(statements).unwrap();
        let changed = numbers(&mut connection, "SELECT '' AS name, changes() AS number");
        usize::try_from(changed[0].1).unwrap()
    }

    /// What a question for columns `name` and `number` is answered.
    pub fn numbers(&self, question: &str) -> Vec<(String, i64)> {
        match &self.schema {
            Some(schema) => schema.numbers(question),
            None => numbers(&mut self.connection(), question),
        }
    }

    fn connection(&self) -> SqliteConnection {
        SqliteConnection::establish(&self.file().to_string_lossy()).unwrap()
    }
}

fn numbers(connection: &mut SqliteConnection, question: &str) -> Vec<(String, i64)> {
    let found: Vec<Number> = diesel::sql_query(question).load(connection).unwrap();
    found
        .into_iter()
        .map(|row| (row.name, row.number))
        .collect()
}

impl AsRef<Path> for Database {
    fn as_ref(&self) -> &Path {
        self.path()
    }
}

/// Who has a database with this URL, as the service notes it (JSON): in the file of its lock, or in the table `remembered`. A note that was left
/// counts as well.
pub fn holder(url: &str) -> Option<String> {
    match url.strip_prefix("sqlite:///") {
        Some(file) => std::fs::read_to_string(format!("{file}.lock")).ok(),
        None => server::text(
            url,
            "SELECT value FROM remembered WHERE name = 'engine_lock'",
        ),
    }
}

/// Whether the databases of this run are on a server; says so if not.
pub fn are_on_a_server() -> bool {
    let named = std::env::var_os(SERVER).is_some();
    if !named {
        println!("skipped on PostgreSQL: {SERVER} names no server");
    }
    named
}
