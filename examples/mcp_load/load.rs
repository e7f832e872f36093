//! Calls a second and how long they take.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::{join_all, try_join_all};
use serde_json::Value;

use crate::Outcome;
use crate::client::Client;

/// A tool and the arguments with which it is called in turn.
pub type Load = (String, Arc<Vec<Value>>);

/// Clients at once.
pub const CLIENTS: [usize; 3] = [1, 8, 64];

/// One measurement.
pub struct Row {
    pub tool: String,
    pub clients: usize,
    pub per_second: f64,
    sorted: Vec<Duration>,
}

/// Milliseconds at a share of sorted durations.
pub fn at(sorted: &[Duration], share: f64) -> f64 {
    let place = (share * sorted.len().saturating_sub(1) as f64).round() as usize;
    sorted.get(place).map_or(0.0, |d| d.as_secs_f64() * 1_000.0)
}

impl Row {
    pub fn milliseconds(&self, share: f64) -> f64 {
        at(&self.sorted, share)
    }

    fn print(&self) {
        println!(
            "| {} | {} | {:.2} | {:.2} | {:.2} | {:.0} |",
            self.tool,
            self.clients,
            self.milliseconds(0.5),
            self.milliseconds(0.95),
            self.milliseconds(0.99),
            self.per_second
        );
    }
}

/// Measures every load at 1, 8 and 64 clients and prints a table of it.
pub async fn table(url: &Arc<str>, loads: &[Load], time: Duration) -> Outcome<Vec<Row>> {
    println!(
        "| tool | clients | p50 ms | p95 ms | p99 ms | calls/s |\n| --- | ---: | ---: | ---: | ---: | ---: |"
    );
    let mut rows = Vec::new();
    for (tool, variants) in loads {
        for clients in CLIENTS {
            let row = measure(url, tool, variants, clients, time).await?;
            row.print();
            rows.push(row);
        }
    }
    Ok(rows)
}

async fn measure(
    url: &Arc<str>,
    tool: &str,
    variants: &Arc<Vec<Value>>,
    clients: usize,
    time: Duration,
) -> Outcome<Row> {
    let open = try_join_all((0..clients).map(|_| Client::open(url))).await?;
    for client in &open {
        client.call(tool, &variants[0]).await?;
    }
    let started = Instant::now();
    let work = open.into_iter().enumerate().map(|(number, client)| {
        let (variants, tool) = (variants.clone(), tool.to_owned());
        tokio::spawn(async move {
            let mut took = Vec::new();
            let mut turn = number;
            while started.elapsed() < time {
                let began = Instant::now();
                client.call(&tool, &variants[turn % variants.len()]).await?;
                took.push(began.elapsed());
                turn += 1;
            }
            Outcome::Ok(took)
        })
    });
    let mut sorted = Vec::new();
    for took in join_all(work).await {
        sorted.extend(took??);
    }
    let seconds = started.elapsed().as_secs_f64();
    sorted.sort_unstable();
    Ok(Row {
        tool: tool.to_owned(),
        clients,
        per_second: sorted.len() as f64 / seconds,
        sorted,
    })
}
