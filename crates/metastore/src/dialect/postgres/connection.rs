//! A diesel connection to PostgreSQL without libpq: `diesel-async` over `tokio-postgres`, waited for on the calling thread.
//!
//! What it promises: it may be used on any thread, also on one of a runtime, since the sockets are driven by a thread of their own
//! ([`runtime`]) and the caller only sleeps until the answer is there. It must not know tables.

use std::any::Any;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use diesel::connection::{
    CacheSize, Connection, ConnectionSealed, Instrumentation, LoadConnection, SimpleConnection,
    TransactionManager, TransactionManagerStatus,
};
use diesel::internal::derives::multiconnection::MultiConnectionHelper;
use diesel::migration::{CREATE_MIGRATIONS_TABLE, MigrationConnection};
use diesel::pg::{Pg, PgMetadataLookup, PgTypeMetadata};
use diesel::query_builder::{Query, QueryFragment, QueryId};
use diesel::r2d2::R2D2Connection;
use diesel::sql_types::TypeMetadata;
use diesel::{ConnectionError, ConnectionResult, QueryResult};
use diesel_async::AsyncPgConnection;
use diesel_async::async_connection_wrapper::{AsyncConnectionWrapper, BlockOn};
use tokio::runtime::Runtime;

use super::call;
use crate::url::{DatabaseUrl, ServerUrl};

/// The thread that drives the sockets of every connection of this process. Made once, whoever asks first: a second one could not be dropped
/// on a thread of another runtime.
pub(crate) fn runtime() -> Result<&'static Runtime, &'static std::io::Error> {
    static RUNTIME: LazyLock<std::io::Result<Runtime>> = LazyLock::new(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("postgres")
            .enable_all()
            .build()
    });
    RUNTIME.as_ref()
}

/// Waits for a future without any runtime on this thread: what it waits for is done on [`runtime`].
pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    struct Sleeper(Thread);
    impl Wake for Sleeper {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Sleeper(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    // A thread of another runtime gives its tasks only so many steps before they have to yield, and this one never does: without its budget
    // it would be told to come again for ever.
    let mut future = pin!(tokio::task::unconstrained(future));
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// [`wait`], as diesel-async asks for it.
pub struct Waiting;

impl BlockOn for Waiting {
    fn block_on<F: Future>(&self, future: F) -> F::Output {
        wait(future)
    }
    fn get_runtime() -> Self {
        Self
    }
}

type Inner = AsyncConnectionWrapper<AsyncPgConnection, Waiting>;
type InnerTransactions = <Inner as Connection>::TransactionManager;

/// The connection.
pub struct PgConn(Inner);

impl PgConn {
    /// Connects as the URL says.
    pub(crate) fn open(server: &ServerUrl) -> ConnectionResult<Self> {
        let bad = |why: String| ConnectionError::BadConnection(why);
        let runtime = runtime().map_err(|error| bad(error.to_string()))?;
        // What drives the connection is spawned there.
        let _inside = runtime.enter();
        let connection = wait(async {
            let (client, driver) = call(server).await.map_err(bad)?;
            AsyncPgConnection::try_from_client_and_connection(client, driver).await
        })?;
        Ok(Self(connection.into()))
    }
}

impl SimpleConnection for PgConn {
    fn batch_execute(&mut self, query: &str) -> QueryResult<()> {
        self.0.batch_execute(query)
    }
}

impl ConnectionSealed for PgConn {}

impl Connection for PgConn {
    type Backend = Pg;
    type TransactionManager = Transactions;

    fn establish(url: &str) -> ConnectionResult<Self> {
        match url.parse() {
            Ok(DatabaseUrl::Server(server)) => Self::open(&server),
            _ => Err(ConnectionError::InvalidConnectionUrl(
                "this is no URL of a PostgreSQL server".to_owned(),
            )),
        }
    }

    fn execute_returning_count<T>(&mut self, source: &T) -> QueryResult<usize>
    where
        T: QueryFragment<Pg> + QueryId,
    {
        self.0.execute_returning_count(source)
    }

    fn transaction_state(
        &mut self,
    ) -> &mut <Transactions as TransactionManager<Self>>::TransactionStateData {
        self.0.transaction_state()
    }

    fn instrumentation(&mut self) -> &mut dyn Instrumentation {
        self.0.instrumentation()
    }

    fn set_instrumentation(&mut self, instrumentation: impl Instrumentation) {
        self.0.set_instrumentation(instrumentation);
    }

    fn set_prepared_statement_cache_size(&mut self, size: CacheSize) {
        self.0.set_prepared_statement_cache_size(size);
    }
}

impl LoadConnection for PgConn {
    type Cursor<'conn, 'query> = <Inner as LoadConnection>::Cursor<'conn, 'query>;
    type Row<'conn, 'query> = <Inner as LoadConnection>::Row<'conn, 'query>;

    fn load<'conn, 'query, T>(
        &'conn mut self,
        source: T,
    ) -> QueryResult<Self::Cursor<'conn, 'query>>
    where
        T: Query + QueryFragment<Pg> + QueryId + 'query,
        Pg: diesel::expression::QueryMetadata<T::SqlType>,
    {
        LoadConnection::load(&mut self.0, source)
    }
}

/// Begins, commits and rolls back on the connection within.
pub struct Transactions;

impl TransactionManager<PgConn> for Transactions {
    type TransactionStateData =
        <InnerTransactions as TransactionManager<Inner>>::TransactionStateData;

    fn begin_transaction(conn: &mut PgConn) -> QueryResult<()> {
        InnerTransactions::begin_transaction(&mut conn.0)
    }

    fn rollback_transaction(conn: &mut PgConn) -> QueryResult<()> {
        InnerTransactions::rollback_transaction(&mut conn.0)
    }

    fn commit_transaction(conn: &mut PgConn) -> QueryResult<()> {
        InnerTransactions::commit_transaction(&mut conn.0)
    }

    fn transaction_manager_status_mut(conn: &mut PgConn) -> &mut TransactionManagerStatus {
        <InnerTransactions as TransactionManager<Inner>>::transaction_manager_status_mut(
            &mut conn.0,
        )
    }

    fn is_broken_transaction_manager(conn: &mut PgConn) -> bool {
        InnerTransactions::is_broken_transaction_manager(&mut conn.0)
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
        self.0.is_broken()
    }
}

/// Looks up no type: every column is of a type whose number PostgreSQL never changes.
struct BuiltIn;

impl PgMetadataLookup for BuiltIn {
    fn lookup_type(&mut self, _: &str, _: Option<&str>) -> PgTypeMetadata {
        // Numbers of no type, which the server refuses.
        PgTypeMetadata::new(0, 0)
    }
}

impl MultiConnectionHelper for PgConn {
    // The lookup of diesel-async cannot be seen through `Any`, and none is needed. Nothing is allocated for a type without size.
    fn to_any<'a>(_: &mut <Pg as TypeMetadata>::MetadataLookup) -> &mut (dyn Any + 'a) {
        Box::leak(Box::new(BuiltIn))
    }

    fn from_any(lookup: &mut dyn Any) -> Option<&mut <Pg as TypeMetadata>::MetadataLookup> {
        let lookup = lookup.downcast_mut::<BuiltIn>()?;
        Some(lookup)
    }
}
