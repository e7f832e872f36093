//! What is PostgreSQL's alone: locks of connections, connections that are cut, a server that is away. Without a server these tests say
//! that they are skipped.

use test_database::are_on_a_server;

#[test]
fn it_is_said_where_the_suite_runs() {
    if are_on_a_server() {
        println!(
            "the databases of this run are schemas of the server that TEST_POSTGRES_URL names"
        );
    }
}

#[cfg(feature = "postgres")]
mod on_a_server {
    use std::net::SocketAddr;
    use std::time::Duration;

    use domain::ports::store::{AdminStore, QueryStore, StoreError};
    use metastore::{DatabaseUrl, LocalKey, LockError, Metastore, MetastoreOptions, OpenError};
    use test_database::{Database, are_on_a_server};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::task::JoinHandle;
    use tokio::time::{sleep, timeout};

    use crate::bed::Bed;

    /// Nothing here takes longer.
    const PATIENCE: Duration = Duration::from_secs(30);

    fn options() -> MetastoreOptions {
        MetastoreOptions::default()
    }

    fn held(result: Result<(Metastore, metastore::EngineLock), OpenError>) -> LockError {
        match result {
            Err(OpenError::Lock(error)) => error,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn one_engine_has_the_database_and_others_are_told_which() {
        let Some(database) = Database::on_a_server() else {
            return;
        };
        let url = &database.url();
        assert_eq!(metastore::lock_holder(url), None);
        let (store, mut lock) = Metastore::open_locked(url, options()).unwrap();
        // In a database that was empty when the lock was taken.
        assert_eq!(metastore::lock_holder(url).as_ref(), Some(lock.holder()));
        lock.set_address("http://127.0.0.1:8001", LocalKey::new("for-us".into()))
            .unwrap();
        let LockError::Held { holder, .. } = held(Metastore::open_locked(url, options())) else {
            panic!("the lock is held");
        };
        let holder = holder.unwrap();
        assert_eq!(&holder, lock.holder());
        assert_eq!(holder.pid, std::process::id());
        assert_eq!(holder.address.as_deref(), Some("http://127.0.0.1:8001"));
        assert_eq!(store.read_lock_holder().as_ref(), Some(&holder));
        // Beside the engine, the rest of the store can be used.
        let second = Metastore::open(url, options()).unwrap();
        second.remember("a", "b").await.unwrap();
        assert!(second.lock_engine().is_err());
        drop(lock);
        assert_eq!(metastore::lock_holder(url), None);
        let again = second.lock_engine().unwrap();
        assert!(store.lock_engine().is_err());
        drop(again);
        let refreshing = store.refreshing().await.unwrap();
        let other = tokio::spawn(async move { second.refreshing().await.map(drop) });
        sleep(Duration::from_millis(200)).await;
        assert!(!other.is_finished(), "one at a time");
        drop(refreshing);
        timeout(PATIENCE, other).await.unwrap().unwrap().unwrap();
    }

    #[tokio::test]
    async fn an_engine_whose_lock_is_lost_is_told_and_writes_nothing_more() {
        let Some(database) = Database::on_a_server() else {
            return;
        };
        let (store, lock) = Metastore::open_locked(&database.url(), options()).unwrap();
        store.remember("a", "1").await.unwrap();
        assert!(!lock.is_lost());
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_locks \
                   WHERE locktype = 'advisory' AND granted AND classid = 1296254547 \
                   AND objid::bigint = hashtext(current_schema()::text)::bigint & 4294967295";
        database.execute(cut);
        timeout(PATIENCE, lock.lost()).await.unwrap();
        assert!(lock.is_lost());
        let refused = store.remember("a", "2").await.unwrap_err();
        assert!(
            matches!(&refused, StoreError::Failed { detail } if detail.contains("lock is lost")),
            "{refused}"
        );
        assert_eq!(store.remembered("a").await.unwrap().as_deref(), Some("1"));
        let (next, lock) = Metastore::open_locked(&database.url(), options()).unwrap();
        next.remember("a", "3").await.unwrap();
        assert!(!lock.is_lost());
    }

    #[tokio::test]
    async fn connections_that_were_cut_are_replaced_and_nobody_notices() {
        if !are_on_a_server() {
            return;
        }
        let bed = Bed::new();
        for turn in 0..3 {
            bed.store.remember("turn", &turn.to_string()).await.unwrap();
            bed.store.query_targets().await.unwrap();
            let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                       WHERE application_name = current_schema() AND pid <> pg_backend_pid()";
            assert!(bed.database.execute(cut) > 0);
            // What was cut is known once its end was read.
            sleep(Duration::from_millis(200)).await;
            let remembered = bed.store.remembered("turn").await.unwrap();
            assert_eq!(remembered, Some(turn.to_string()));
        }
    }

    /// Between the store and the server, so that the server can go away and come back.
    struct Line {
        at: SocketAddr,
        to: String,
        open: Option<JoinHandle<()>>,
    }

    impl Line {
        async fn open(to: &str) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let at = listener.local_addr().unwrap();
            let mut line = Self {
                at,
                to: to.to_owned(),
                open: None,
            };
            line.carry(listener);
            line
        }

        fn carry(&mut self, listener: TcpListener) {
            let to = self.to.clone();
            self.open = Some(tokio::spawn(async move {
                // Ends with this task, and each of its connections with it.
                let mut carried = tokio::task::JoinSet::new();
                loop {
                    let Ok((mut near, _)) = listener.accept().await else {
                        continue;
                    };
                    let to = to.clone();
                    carried.spawn(async move {
                        let mut far = TcpStream::connect(to).await.unwrap();
                        tokio::io::copy_bidirectional(&mut near, &mut far)
                            .await
                            .ok();
                    });
                }
            }));
        }

        async fn cut(&mut self) {
            let open = self.open.take().unwrap();
            open.abort();
            open.await.unwrap_err();
        }

        async fn mend(&mut self) {
            let listener = TcpListener::bind(self.at).await.unwrap();
            self.carry(listener);
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_server_that_is_away_makes_the_store_busy_until_it_is_back() {
        let Some(database) = Database::on_a_server() else {
            return;
        };
        let (text, server) = (database.url::<String>(), database.server());
        let mut line = Line::open(&server).await;
        let url: DatabaseUrl = text
            .replacen(&server, &line.at.to_string(), 1)
            .parse()
            .unwrap();
        let brief = MetastoreOptions {
            busy_timeout: Duration::from_millis(100),
            ..options()
        };
        let (store, lock) = Metastore::open_locked(&url, brief.clone()).unwrap();
        store.remember("a", "1").await.unwrap();
        line.cut().await;
        timeout(PATIENCE, lock.lost()).await.unwrap();
        drop(lock);
        let second = Metastore::open(&url, brief.clone()).unwrap_err();
        assert!(matches!(second, OpenError::Unreachable { .. }), "{second}");
        let second = held(Metastore::open_locked(&url, brief.clone()));
        assert!(matches!(second, LockError::Unreachable { .. }), "{second}");
        let read = store.remembered("a").await.unwrap_err();
        assert!(matches!(read, StoreError::Busy { .. }), "{read}");
        line.mend().await;
        let back = async {
            while let Err(error) = store.remembered("a").await {
                assert!(matches!(error, StoreError::Busy { .. }), "{error}");
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(PATIENCE, back).await.unwrap();
        let (store, _lock) = Metastore::open_locked(&url, brief).unwrap();
        assert_eq!(store.remembered("a").await.unwrap().as_deref(), Some("1"));
        store.remember("a", "2").await.unwrap();
    }

    #[tokio::test]
    async fn what_copies_files_says_how_a_server_is_backed_up() {
        if !are_on_a_server() {
            return;
        }
        let bed = Bed::new();
        let file = bed.folder().join("backup.db");
        let refused = [
            bed.store.backup(&file).await.unwrap_err(),
            bed.store.back_up_beside(1).await.unwrap_err(),
            metastore::restore_backup(&file, &bed.url()).unwrap_err(),
        ];
        for error in refused {
            assert!(
                matches!(&error, StoreError::Conflict { what } if what.contains("pg_dump")),
                "{error}"
            );
        }
        assert!(!file.exists());
        assert_eq!(bed.store.backed_up_at(), None);
        bed.store.checkpoint_wal().await.unwrap();
        assert!(bed.store.disk_use().await.unwrap().database_bytes > 1_000_000);
    }

    #[tokio::test]
    async fn a_server_is_believed_when_its_certificate_is_of_a_known_authority() {
        let Some(database) = Database::on_a_server() else {
            return;
        };
        let Ok(authority) = std::env::var("TEST_POSTGRES_CA") else {
            println!("skipped: TEST_POSTGRES_CA names no file with the server's authority");
            return;
        };
        let text: String = database.url();
        let secure =
            |options: &str| -> DatabaseUrl { format!("{text}&sslmode={options}").parse().unwrap() };
        for (mode, encrypted) in [
            (format!("verify-full&sslrootcert={authority}"), true),
            (format!("verify-ca&sslrootcert={authority}"), true),
            (format!("require&sslrootcert={authority}"), true),
            ("require".to_owned(), true),
            ("prefer".to_owned(), true),
            ("disable".to_owned(), false),
        ] {
            let store = Metastore::open(&secure(&mode), options()).unwrap();
            store.remember("a", &mode).await.unwrap();
            let connections = database.numbers(
                "SELECT ssl::text AS name, count(*) AS number FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                 WHERE application_name = current_schema() AND pid <> pg_backend_pid() GROUP BY ssl",
            );
            assert_eq!(connections.len(), 1, "{mode}: {connections:?}");
            assert_eq!(connections[0].0, encrypted.to_string(), "{mode}");
            drop(store);
            // Until the server has let go of them.
            sleep(Duration::from_millis(300)).await;
        }
        let unknown = [
            // Of nobody whom the system trusts.
            secure("verify-full"),
            secure("verify-ca"),
            secure("verify-full&sslrootcert=%2Fnowhere"),
        ];
        for url in unknown {
            let error = Metastore::open(&url, options()).unwrap_err();
            assert!(matches!(error, OpenError::Unreachable { .. }), "{error}");
        }
    }

    #[tokio::test]
    async fn another_name_than_that_of_the_certificate_is_taken_by_verify_ca_alone() {
        let authority = std::env::var("TEST_POSTGRES_CA");
        let (true, Ok(authority)) = (are_on_a_server(), authority) else {
            return;
        };
        let database = Database::new();
        let (text, server) = (database.url::<String>(), database.server());
        // The certificate is of 127.0.0.1.
        let text = text.replacen("127.0.0.1", "localhost", 1);
        if !server.starts_with("127.0.0.1") {
            println!("skipped: the server is called {server}");
            return;
        }
        let open = |mode: &str, authority: &str| {
            let url = format!("{text}&sslmode={mode}&sslrootcert={authority}");
            Metastore::open(&url.parse().unwrap(), options())
        };
        let store = open("verify-ca", &authority).unwrap();
        store.remember("a", "1").await.unwrap();
        for mode in ["verify-full", "require"] {
            let error = open(mode, &authority).unwrap_err();
            let OpenError::Unreachable { detail, .. } = &error else {
                panic!("{mode}: {error}");
            };
            assert!(detail.contains("localhost"), "{mode}: {detail}");
        }
        // By another authority, the name helps nobody: the server's own certificate vouches for none.
        let own = authority.replace("ca.pem", "server.pem");
        let error = open("verify-ca", &own).unwrap_err();
        assert!(matches!(error, OpenError::Unreachable { .. }), "{error}");
    }

    #[tokio::test]
    async fn a_server_that_takes_calls_and_says_nothing_is_given_up() {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = silent.local_addr().unwrap();
        let url: DatabaseUrl = format!("postgres://me@{at}/sync?connect_timeout=1")
            .parse()
            .unwrap();
        let opened = tokio::task::spawn_blocking(move || Metastore::open(&url, options()));
        let error = timeout(PATIENCE, opened).await.unwrap().unwrap();
        let error = error.unwrap_err();
        assert!(matches!(error, OpenError::Unreachable { .. }), "{error}");
        assert!(error.to_string().contains("says nothing"), "{error}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_user_with_few_connections_is_served_by_those_and_told_when_there_is_none() {
        let Some(database) = Database::on_a_server() else {
            return;
        };
        let text: String = database.url();
        let role = format!("few_{}", std::process::id());
        database.execute(&format!(
            "CREATE ROLE {role} LOGIN CONNECTION LIMIT 3; \
             DO $$ BEGIN EXECUTE format('ALTER SCHEMA %I OWNER TO {role}', current_schema()); END $$"
        ));
        let url: DatabaseUrl = format!("{text}&user={role}").parse().unwrap();
        // One connection of each kind.
        let small = MetastoreOptions {
            busy_timeout: Duration::from_millis(100),
            pool_size: MetastoreOptions::LEAST,
            ..options()
        };
        let store = Metastore::open(&url, small.clone()).unwrap();
        store.remember("a", "1").await.unwrap();
        store.query_targets().await.unwrap();
        let second = Metastore::open(&url, small).unwrap_err();
        let said = second.to_string();
        assert!(matches!(second, OpenError::Unreachable { .. }), "{said}");
        for part in ["53300", "CONNECTION LIMIT", "DATABASE_POOL_SIZE"] {
            assert!(said.contains(part), "{said}");
        }
        // Many at once.
        let mut many = tokio::task::JoinSet::new();
        for _ in 0..12 {
            let store = store.clone();
            many.spawn(async move { store.remembered("a").await });
        }
        while let Some(found) = many.join_next().await {
            assert_eq!(found.unwrap().unwrap().as_deref(), Some("1"));
        }
        database.execute(&format!("ALTER ROLE {role} CONNECTION LIMIT 0"));
        database.execute(&format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'"
        ));
        sleep(Duration::from_millis(200)).await;
        let busy = store.remember("a", "2").await.unwrap_err();
        assert!(
            matches!(&busy, StoreError::Busy { detail } if detail.contains("53300")),
            "{busy}"
        );
        database.execute(&format!("ALTER ROLE {role} CONNECTION LIMIT 3"));
        let back = async {
            while let Err(error) = store.remember("a", "3").await {
                assert!(matches!(error, StoreError::Busy { .. }), "{error}");
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(PATIENCE, back).await.unwrap();
        drop(store);
        database.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
    }

    #[tokio::test]
    async fn a_database_that_is_not_there_is_told_as_that() {
        let Some(database) = Database::on_a_server() else {
            return;
        };
        let missing = Metastore::open_existing(&database.url(), options()).unwrap_err();
        assert!(matches!(missing, OpenError::Missing { .. }), "{missing}");
        let text: String = database.url();
        let wrong: DatabaseUrl = format!("{text}&dbname=nowhere").parse().unwrap();
        let error = Metastore::open(&wrong, options()).unwrap_err();
        assert!(matches!(error, OpenError::Unreachable { .. }), "{error}");
        let said = error.to_string();
        assert!(
            said.contains("nowhere") && said.contains("DATABASE_URL"),
            "{said}"
        );
    }
}
