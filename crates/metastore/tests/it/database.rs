//! A database of its own for a test: a SQLite file in a temporary folder or, where `TEST_POSTGRES_URL` names a server and the feature
//! `postgres` is on, a schema there. Both go with the test.

use super::DatabaseUrl;

/// Where the databases of the tests are made, if not in files.
const SERVER: &str = "TEST_POSTGRES_URL";

pub struct Database {
    pub url: DatabaseUrl,
    #[allow(dead_code)] // Held, and asked for where files are looked at.
    pub folder: tempfile::TempDir,
    #[cfg(feature = "postgres")]
    schema: Option<server::Schema>,
}

impl Database {
    /// As the environment says.
    pub fn new() -> Self {
        #[cfg(feature = "postgres")]
        if let Ok(url) = std::env::var(SERVER) {
            let schema = server::Schema::make(&url);
            return Self {
                url: schema.url(),
                folder: tempfile::tempdir().unwrap(),
                schema: Some(schema),
            };
        }
        Self::in_a_file()
    }

    /// For what is about files.
    pub fn in_a_file() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            url: DatabaseUrl::of_file(folder.path().join("store.db")),
            folder,
            #[cfg(feature = "postgres")]
            schema: None,
        }
    }

    /// Its URL as text, and the host and port in it.
    #[cfg(feature = "postgres")]
    #[allow(dead_code)]
    pub fn text_and_server(&self) -> (String, String) {
        let text = self.schema.as_ref().unwrap().text();
        let after = text.split_once("://").unwrap().1;
        let host = after.split(['/', '?']).next().unwrap();
        let host = host.rsplit('@').next().unwrap().to_owned();
        (text, host)
    }

    /// Runs statements on a connection of its own; answers of the last one how many rows it changed.
    #[allow(dead_code)] // Not everybody who includes this needs all of it.
    pub fn execute(&self, statements: &str) -> usize {
        use diesel::{Connection, connection::SimpleConnection};
        #[cfg(feature = "postgres")]
        if let Some(schema) = &self.schema {
            return schema.execute(statements);
        }
        let file = self.url.file().unwrap().to_string_lossy();
        let mut connection = diesel::SqliteConnection::establish(&file).unwrap();
        connection.batch_execute(statements).unwrap();
        let changed = self.numbers_of(&mut connection, "SELECT '' AS name, changes() AS number");
        usize::try_from(changed[0].1).unwrap()
    }

    /// What a question for columns `name` and `number` is answered.
    #[allow(dead_code)]
    pub fn numbers(&self, question: &str) -> Vec<(String, i64)> {
        use diesel::Connection;
        #[cfg(feature = "postgres")]
        if let Some(schema) = &self.schema {
            return schema.numbers(question);
        }
        let file = self.url.file().unwrap().to_string_lossy();
        let mut connection = diesel::SqliteConnection::establish(&file).unwrap();
        self.numbers_of(&mut connection, question)
    }

    #[allow(clippy::unused_self)]
    fn numbers_of(
        &self,
        connection: &mut diesel::SqliteConnection,
        question: &str,
    ) -> Vec<(String, i64)> {
        use diesel::RunQueryDsl;
        #[derive(diesel::QueryableByName)]
        struct Number {
            #[diesel(sql_type = diesel::sql_types::Text)]
            name: String,
            #[diesel(sql_type = diesel::sql_types::BigInt)]
            number: i64,
        }
        let found: Vec<Number> = diesel::sql_query(question).load(connection).unwrap();
        found
            .into_iter()
            .map(|row| (row.name, row.number))
            .collect()
    }
}

/// Says whether the databases of this run are on a server, and if not, why.
#[allow(dead_code)]
pub fn are_on_a_server() -> bool {
    let named = std::env::var_os(SERVER).is_some();
    match (named, cfg!(feature = "postgres")) {
        (true, true) => return true,
        (true, false) => println!("skipped on PostgreSQL: the feature `postgres` is off"),
        (false, _) => println!("skipped on PostgreSQL: {SERVER} names no server"),
    }
    false
}

#[cfg(feature = "postgres")]
mod server {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio_postgres::{NoTls, SimpleQueryMessage};

    use super::DatabaseUrl;

    static MADE: AtomicUsize = AtomicUsize::new(0);

    pub struct Schema {
        server: String,
        name: String,
    }

    impl Schema {
        pub fn make(server: &str) -> Self {
            let number = MADE.fetch_add(1, Ordering::Relaxed);
            let name = format!("test_{}_{number}", std::process::id());
            let server = server.to_owned();
            ask(
                &server,
                &format!("DROP SCHEMA IF EXISTS {name} CASCADE; CREATE SCHEMA {name}"),
            );
            Self { server, name }
        }

        pub fn url(&self) -> DatabaseUrl {
            self.text().parse().unwrap()
        }

        pub fn text(&self) -> String {
            let sign = if self.server.contains('?') { '&' } else { '?' };
            let name = &self.name;
            format!(
                "{}{sign}application_name={name}&options=-c%20search_path%3D{name}",
                self.server
            )
        }

        pub fn execute(&self, statements: &str) -> usize {
            let answers = ask(&self.text(), statements);
            let changed = answers.iter().rev().find_map(|answer| match answer {
                SimpleQueryMessage::CommandComplete(rows) => usize::try_from(*rows).ok(),
                _ => None,
            });
            changed.unwrap_or_default()
        }

        pub fn numbers(&self, question: &str) -> Vec<(String, i64)> {
            let answers = ask(&self.text(), question);
            let rows = answers.iter().filter_map(|answer| match answer {
                SimpleQueryMessage::Row(row) => Some(row),
                _ => None,
            });
            rows.map(|row| {
                let name = row.get("name").unwrap_or_default().to_owned();
                (name, row.get("number").unwrap().parse().unwrap())
            })
            .collect()
        }
    }

    impl Drop for Schema {
        fn drop(&mut self) {
            // What still works on it must not stop the test.
            let name = &self.name;
            try_to_ask(
                &self.server,
                &format!("SET lock_timeout = 2000; DROP SCHEMA {name} CASCADE"),
            )
            .ok();
        }
    }

    fn ask(url: &str, statements: &str) -> Vec<SimpleQueryMessage> {
        try_to_ask(url, statements).unwrap()
    }

    /// On a thread of its own: tests run on threads of a runtime, which must not block.
    fn try_to_ask(
        url: &str,
        statements: &str,
    ) -> Result<Vec<SimpleQueryMessage>, tokio_postgres::Error> {
        let work = async || {
            let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
            let driven = tokio::spawn(connection);
            let answers = client.simple_query(statements).await;
            drop(client);
            driven.await.ok();
            answers
        };
        std::thread::scope(|scope| {
            let asking = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                runtime.block_on(work())
            });
            asking.join().unwrap()
        })
    }
}
