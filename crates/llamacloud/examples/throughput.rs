//! How fast documents go into LlamaCloud, by generation: documents a second, requests for 1,000 documents, and how long the
//! last upload takes to be searchable, against the simulator on loopback with a set latency. Prints a Markdown table and ends.
//!
//! `cargo run --release -p llamacloud --example throughput -- [DOCUMENTS…]` (1,000 when none is named)

use std::time::{Duration, Instant};

use backend_conformance::samples::Sample;
use domain::document::Document;
use domain::ports::retrieval::{RetrievalBackend, StoreSpec};
use domain::{DocumentId, IndexId};
use futures_util::{StreamExt, stream};
use llamacloud::{IndexApi, LlamaCloud, LlamaCloudConfig};
use simulators::llamacloud::{LlamaCloudSim, Switches};

const LATENCY: Duration = Duration::from_millis(100);
/// How long the service takes to ingest what it accepted.
const INGESTION: Duration = Duration::from_secs(1);
/// Batches in flight, as the engine has them.
const BATCHES: usize = 4;

struct Row {
    api: &'static str,
    documents: usize,
    seconds: f64,
    requests: u64,
    to_searchable: f64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    let sizes: Vec<usize> = std::env::args()
        .skip(1)
        .filter_map(|a| a.parse().ok())
        .collect();
    let sizes = if sizes.is_empty() { vec![1000] } else { sizes };
    println!(
        "| generation | documents | documents/s | requests per 1,000 | last upload to searchable |"
    );
    println!("|---|---|---|---|---|");
    for documents in sizes {
        for (name, api) in [
            ("v1, pipelines", IndexApi::V1),
            ("v2, directories", IndexApi::V2),
        ] {
            let row = measure(name, api, documents).await?;
            #[expect(clippy::cast_precision_loss, reason = "shown rounded")]
            let (number, requests) = (row.documents as f64, row.requests as f64);
            println!(
                "| {} | {} | {:.0} | {:.0} | {:.1} s |",
                row.api,
                row.documents,
                number / row.seconds,
                requests * 1000.0 / number,
                row.to_searchable
            );
        }
    }
    Ok(())
}

fn documents(index: IndexId, count: usize) -> Vec<Document> {
    let text = "The lantern hangs above the door and is lit at dusk by whoever comes home first. "
        .repeat(40);
    (0..count)
        .map(|n| Sample::new(&(10_000 + n).to_string(), "Lantern", &text).document(index))
        .collect()
}

async fn measure(
    name: &'static str,
    api: IndexApi,
    count: usize,
) -> Result<Row, Box<dyn std::error::Error>> {
    let switches = Switches {
        latency: LATENCY,
        needs_sync: true,
        ingestion_takes: INGESTION,
        index_sync_takes: INGESTION,
        ..Switches::default()
    };
    let sim = LlamaCloudSim::builder().switches(switches).start().await?;
    let backend = LlamaCloud::new(LlamaCloudConfig {
        base_url: sim.base_url().parse()?,
        index_api: api,
        max_requests_per_second: 1000,
        max_concurrent_requests: 8,
        ..LlamaCloudConfig::new(LlamaCloudSim::KEY.to_owned().into())
    })?;
    let spec = StoreSpec {
        index: IndexId::generate(),
        agent: "bench".parse()?,
    };
    let all = documents(spec.index, count);
    let ids: Vec<DocumentId> = all.iter().map(|document| document.id.clone()).collect();
    let begun = Instant::now();
    let remote = backend.ensure(&spec, None).await?;
    let batch = backend.capabilities().max_batch_documents;
    let (backend, remote) = (&backend, &remote);
    let taken: Vec<_> = stream::iter(all.chunks(batch))
        .map(|batch| backend.upsert(remote, batch))
        .buffer_unordered(BATCHES)
        .collect()
        .await;
    for outcomes in taken {
        outcomes?;
    }
    let uploaded = Instant::now();
    backend.commit(remote).await?;
    let mut open = ids;
    while !open.is_empty() {
        let report = backend.progress(remote, &open, &[]).await?;
        if let Some((id, reason)) = report.failed.first() {
            return Err(format!("{id} failed: {reason}").into());
        }
        open = report.working;
        if !open.is_empty() {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
    Ok(Row {
        api: name,
        documents: count,
        seconds: begun.elapsed().as_secs_f64(),
        requests: sim.request_count(),
        to_searchable: uploaded.elapsed().as_secs_f64(),
    })
}
