//! A database of its own for a test: a SQLite file in a temporary folder or, where `TEST_POSTGRES_URL` names a server, a schema there.
//! Both go with the test.
//!
//! For tests alone. It knows statements and addresses, neither the store nor its tables, so that the store's own tests can use it.
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

    /// As settings name it, or as who asks reads it.
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
    pub fn file(&self) -> PathBuf {
        self.path().join("sync.db")
    }

    /// Whether it is a file.
    pub fn is_a_file(&self) -> bool {
        self.schema.is_none()
    }

    /// Host and port of its server.
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

/// Who works on a database, in the words of the service's lock: beside the file, or in the table `remembered`.
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
