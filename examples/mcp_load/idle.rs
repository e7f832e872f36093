//! What idle SSE sessions cost.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use serde_json::json;

use crate::Outcome;
use crate::client::{Client, SseClient};
use crate::load::at;
use crate::program::memory;

/// Opens so many streams, leaves them alone, and reads the memory of the process before, with and after them.
pub async fn sessions(base: &str, wanted: usize, pid: Option<u32>, query: &str) -> Outcome<()> {
    let before = memory(pid);
    let opener = SseClient::new(base)?;
    let began = Instant::now();
    let mut open = Vec::with_capacity(wanted);
    while open.len() < wanted {
        let batch = (0..100.min(wanted - open.len())).map(|_| async {
            let mut response = opener.open().await?;
            let first = response.chunk().await?;
            Outcome::Ok((response, first))
        });
        open.extend(try_join_all(batch).await?);
    }
    let opened = began.elapsed();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let with = memory(pid);
    println!(
        "\n{wanted} idle SSE sessions opened in {:.2} s",
        opened.as_secs_f64()
    );
    if let (Some(before), Some(with)) = (before, with) {
        let each = (with - before) * 1024.0 / wanted as f64;
        println!("memory {before:.1} MB before, {with:.1} MB with them: {each:.1} kB each");
    }
    let url: Arc<str> = format!("{base}/mcp").into();
    let client = Client::open(&url).await?;
    let mut took = Vec::new();
    for _ in 0..200 {
        let began = Instant::now();
        client
            .call("search_confluence", &json!({"query": query}))
            .await?;
        took.push(began.elapsed());
    }
    took.sort_unstable();
    println!(
        "search_confluence beside them: p50 {:.2} ms, p95 {:.2} ms",
        at(&took, 0.5),
        at(&took, 0.95)
    );
    drop(open);
    tokio::time::sleep(Duration::from_secs(2)).await;
    if let Some(after) = memory(pid) {
        println!("memory {after:.1} MB after they closed");
    }
    Ok(())
}
