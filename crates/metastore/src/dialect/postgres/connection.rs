//! A diesel connection to PostgreSQL without libpq: over `tokio-postgres`, waited for on the calling thread.
//!
//! What it promises: it may be used on any thread, also on one of a runtime, since the sockets are driven by a thread of their own
//! ([`runtime`]) and the caller only sleeps until the answer is there, or for so long at most. It keeps the server's own code of the first
//! error. It must not know tables.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use diesel::connection::{
    AnsiTransactionManager, CacheSize, Connection, ConnectionSealed, Instrumentation,
    LoadConnection, SimpleConnection, TransactionManager,
};
use diesel::internal::derives::multiconnection::MultiConnectionHelper;
use diesel::migration::{CREATE_MIGRATIONS_TABLE, MigrationConnection};
use diesel::pg::Pg;
use diesel::query_builder::{Query, QueryFragment, QueryId};
use diesel::r2d2::R2D2Connection;
use diesel::sql_types::TypeMetadata;
use diesel::{ConnectionError, ConnectionResult, QueryResult};
use futures_util::TryStreamExt as _;
use tokio::task::AbortHandle;
use tokio_postgres::{Client, Row, Statement};

use super::asked::{Asked, BuiltIn};
use super::failure::Failure;
use super::row::PgRow;
use super::{client, wait, within};
use crate::dialect::Purpose;
use crate::url::{DatabaseUrl, ServerUrl};

/// The connection.
pub struct PgConn {
    client: Arc<Client>,
    driver: AbortHandle,
    purpose: Purpose,
    /// How long an answer may take.
    longest: Option<Duration>,
    /// Those that are asked again in the same words.
    prepared: HashMap<String, Statement>,
    transactions: AnsiTransactionManager,
    instrumentation: Option<Box<dyn Instrumentation>>,
    /// The first since somebody asked for it: what fails after it fails because of it.
    failure: Option<Failure>,
    lost: bool,
}

impl PgConn {
    /// Connects as the URL says.
    pub(super) fn open(
        server: &ServerUrl,
        purpose: Purpose,
        longest: Option<Duration>,
    ) -> ConnectionResult<Self> {
        let (client, driver) = client(server).map_err(ConnectionError::BadConnection)?;
        Ok(Self {
            client: Arc::new(client),
            driver: driver.abort_handle(),
            purpose,
            longest,
            prepared: HashMap::new(),
            transactions: AnsiTransactionManager::default(),
            instrumentation: None,
            failure: None,
            lost: false,
        })
    }

    /// What the connection is for.
    pub(crate) const fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// The first failure since this was asked.
    pub(crate) const fn take_failure(&mut self) -> Option<Failure> {
        self.failure.take()
    }

    /// Asks the server and waits for its answer.
    fn run<T>(
        &mut self,
        work: impl AsyncFnOnce(&Client) -> Result<T, tokio_postgres::Error>,
    ) -> QueryResult<T> {
        if self.lost {
            let failure = self.failure.get_or_insert_with(Failure::lost);
            return Err(failure.diesel_error());
        }
        let client = Arc::clone(&self.client);
        let answer = match self.longest {
            Some(longest) => {
                within(longest, work(&client)).ok_or_else(|| Failure::silence(longest))
            }
            None => Ok(wait(work(&client))),
        };
        let failure = match answer {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => Failure::of(&error).and_lost(client.is_closed()),
            Err(silence) => silence,
        };
        if failure.is_lost() {
            self.lost = true;
            // Nobody waits for what it may still say.
            self.driver.abort();
        }
        let error = failure.diesel_error();
        self.failure.get_or_insert(failure);
        Err(error)
    }

    /// The rows of the answer, and how many rows were changed.
    fn ask(&mut self, asked: Asked) -> QueryResult<(Vec<Row>, u64)> {
        let Asked {
            sql,
            values,
            types,
            again,
        } = asked;
        if !again {
            return self.run(async |client| {
                let values = values.into_iter().zip(types);
                all(client.query_typed_raw(&sql, values).await?).await
            });
        }
        let known = self.prepared.get(&sql).cloned();
        let statement = match known {
            Some(statement) => statement,
            None => {
                let made = self.run(async |client| client.prepare_typed(&sql, &types).await)?;
                self.prepared.insert(sql, made.clone());
                made
            }
        };
        self.run(async |client| all(client.query_raw(&statement, values).await?).await)
    }
}

async fn all(answer: tokio_postgres::RowStream) -> Result<(Vec<Row>, u64), tokio_postgres::Error> {
    let mut answer = pin!(answer);
    let mut rows = Vec::new();
    while let Some(row) = answer.try_next().await? {
        rows.push(row);
    }
    Ok((rows, answer.rows_affected().unwrap_or_default()))
}

impl fmt::Debug for PgConn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgConn")
            .field("purpose", &self.purpose)
            .field("lost", &self.lost)
            .finish_non_exhaustive()
    }
}

impl SimpleConnection for PgConn {
    fn batch_execute(&mut self, query: &str) -> QueryResult<()> {
        self.run(async |client| client.batch_execute(query).await)
    }
}

impl ConnectionSealed for PgConn {}

impl Connection for PgConn {
    type Backend = Pg;
    type TransactionManager = AnsiTransactionManager;

    fn establish(url: &str) -> ConnectionResult<Self> {
        match url.parse() {
            Ok(DatabaseUrl::Server(server)) => Self::open(&server, Purpose::Write, None),
            _ => Err(ConnectionError::InvalidConnectionUrl(
                "this is no URL of a PostgreSQL server".to_owned(),
            )),
        }
    }

    fn execute_returning_count<T>(&mut self, source: &T) -> QueryResult<usize>
    where
        T: QueryFragment<Pg> + QueryId,
    {
        let (_, changed) = self.ask(Asked::of(source)?)?;
        Ok(usize::try_from(changed).unwrap_or(usize::MAX))
    }

    fn transaction_state(&mut self) -> &mut AnsiTransactionManager {
        &mut self.transactions
    }

    fn instrumentation(&mut self) -> &mut dyn Instrumentation {
        &mut self.instrumentation
    }

    fn set_instrumentation(&mut self, instrumentation: impl Instrumentation) {
        self.instrumentation = Some(Box::new(instrumentation));
    }

    fn set_prepared_statement_cache_size(&mut self, _: CacheSize) {}
}

impl LoadConnection for PgConn {
    type Cursor<'conn, 'query> = std::vec::IntoIter<QueryResult<PgRow>>;
    type Row<'conn, 'query> = PgRow;

    fn load<'conn, 'query, T>(
        &'conn mut self,
        source: T,
    ) -> QueryResult<Self::Cursor<'conn, 'query>>
    where
        T: Query + QueryFragment<Pg> + QueryId + 'query,
        Pg: diesel::expression::QueryMetadata<T::SqlType>,
    {
        let (rows, _) = self.ask(Asked::of(&source)?)?;
        let rows: Vec<_> = PgRow::all(rows).map(Ok).collect();
        Ok(rows.into_iter())
    }
}

impl MigrationConnection for PgConn {
    fn setup(&mut self) -> QueryResult<usize> {
        self.batch_execute(CREATE_MIGRATIONS_TABLE).map(|()| 0)
    }
}

impl R2D2Connection for PgConn {
    fn ping(&mut self) -> QueryResult<()> {
        self.batch_execute("SELECT 1")
    }

    /// Asks nobody: whether the socket is closed is known here.
    fn is_broken(&mut self) -> bool {
        self.lost
            || self.client.is_closed()
            || AnsiTransactionManager::is_broken_transaction_manager(self)
    }
}

impl MultiConnectionHelper for PgConn {
    // Nothing is allocated for a type without size.
    fn to_any<'a>(_: &mut <Pg as TypeMetadata>::MetadataLookup) -> &mut (dyn Any + 'a) {
        Box::leak(Box::new(BuiltIn))
    }

    fn from_any(lookup: &mut dyn Any) -> Option<&mut <Pg as TypeMetadata>::MetadataLookup> {
        let lookup = lookup.downcast_mut::<BuiltIn>()?;
        Some(lookup)
    }
}

#[cfg(test)]
mod tests {
    use diesel::sql_types::Text;
    use diesel::{QueryableByName, RunQueryDsl as _};
    use domain::ports::store::StoreError;
    use test_database::Database;

    use super::*;

    #[derive(QueryableByName, Debug)]
    struct Found {
        #[diesel(sql_type = Text)]
        text: String,
    }

    fn open(database: &Database, purpose: Purpose, longest: Duration) -> PgConn {
        let DatabaseUrl::Server(server) = &database.url() else {
            panic!("it is on a server");
        };
        PgConn::open(server, purpose, Some(longest)).unwrap()
    }

    fn why(connection: &mut PgConn) -> StoreError {
        let failure = connection.take_failure().unwrap();
        failure.store_error(connection.purpose()).unwrap()
    }

    #[test]
    fn an_answer_that_does_not_come_costs_the_connection_and_nothing_else() {
        let Some(database) = Database::on_a_server() else {
            return;
        };
        let mut connection = open(&database, Purpose::Write, Duration::from_millis(200));
        connection.batch_execute("SELECT pg_sleep(30)").unwrap_err();
        assert!(connection.is_broken());
        // At once, and what is told is why it began.
        connection.batch_execute("ROLLBACK").unwrap_err();
        let error = why(&mut connection);
        assert!(error.to_string().contains("no answer within"), "{error}");
        assert!(matches!(error, StoreError::Busy { .. }));
    }

    #[test]
    fn a_statement_that_the_server_gave_up_leaves_the_connection_of_use() {
        let Some(database) = Database::on_a_server() else {
            return;
        };
        let mut connection = open(&database, Purpose::Write, Duration::from_secs(30));
        connection
            .batch_execute("SET statement_timeout = 50")
            .unwrap();
        connection.batch_execute("SELECT pg_sleep(30)").unwrap_err();
        let error = why(&mut connection);
        assert!(error.to_string().contains("57014"), "{error}");
        assert!(matches!(error, StoreError::Busy { .. }));
        assert!(!connection.is_broken());
        let asked = diesel::sql_query("SELECT $1 || $2 AS text")
            .bind::<Text, _>("a\0")
            .bind::<Text, _>("b");
        let found: Found = asked.get_result(&mut connection).unwrap();
        assert_eq!(found.text, "a\u{fffd}b");
    }

    #[test]
    fn a_server_that_takes_no_writes_any_more_is_called_again_elsewhere() {
        let Some(database) = Database::on_a_server() else {
            return;
        };
        let mut connection = open(&database, Purpose::Write, Duration::from_secs(30));
        connection
            .batch_execute("CREATE TABLE a (b int); SET default_transaction_read_only = on")
            .unwrap();
        let put = "INSERT INTO a VALUES (1)";
        diesel::sql_query(put).execute(&mut connection).unwrap_err();
        let error = why(&mut connection);
        assert!(error.to_string().contains("25006"), "{error}");
        assert!(matches!(error, StoreError::Busy { .. }));
        assert!(connection.is_broken());
    }
}
