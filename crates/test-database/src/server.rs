//! A schema on the server, and statements for it: each on a connection of its own, without TLS.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio_postgres::{Error, NoTls, SimpleQueryMessage, SimpleQueryRow};

static MADE: AtomicUsize = AtomicUsize::new(0);

pub(crate) struct Schema {
    server: String,
    name: String,
}

impl Schema {
    pub(crate) fn make(server: &str) -> Self {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{number}", std::process::id());
        let make = format!("DROP SCHEMA IF EXISTS {name} CASCADE; CREATE SCHEMA {name}");
        ask(server, &make).unwrap();
        Self {
            server: server.to_owned(),
            name,
        }
    }

    pub(crate) fn url(&self) -> String {
        let sign = if self.server.contains('?') { '&' } else { '?' };
        let name = &self.name;
        format!(
            "{}{sign}application_name={name}&options=-c%20search_path%3D{name}",
            self.server
        )
    }

    pub(crate) fn execute(&self, statements: &str) -> usize {
        let answers = ask(&self.url(), statements).unwrap();
        let changed = answers.iter().rev().find_map(|answer| match answer {
            SimpleQueryMessage::CommandComplete(rows) => usize::try_from(*rows).ok(),
            _ => None,
        });
        changed.unwrap_or_default()
    }

    pub(crate) fn numbers(&self, question: &str) -> Vec<(String, i64)> {
        let number = |row: SimpleQueryRow| {
            let name = row.get("name").unwrap_or_default().to_owned();
            (name, row.get("number").unwrap().parse().unwrap())
        };
        let answers = ask(&self.url(), question).unwrap();
        answers.into_iter().filter_map(row).map(number).collect()
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        // What still works on it must not stop the test.
        let drop = format!("SET lock_timeout = 2000; DROP SCHEMA {} CASCADE", self.name);
        ask(&self.server, &drop).ok();
    }
}

/// The first field of the first row, if there is any and its table is there.
pub(crate) fn text(url: &str, question: &str) -> Option<String> {
    let answers = ask(url, question).ok()?;
    Some(answers.into_iter().find_map(row)?.get(0)?.to_owned())
}

fn row(answer: SimpleQueryMessage) -> Option<SimpleQueryRow> {
    match answer {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    }
}

/// On a thread of its own: tests run on threads of a runtime, which must not block.
fn ask(url: &str, statements: &str) -> Result<Vec<SimpleQueryMessage>, Error> {
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
