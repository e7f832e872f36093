//! Serves both simulators until it is stopped: for trying things by hand and for measurements in another process.
//!
//! `cargo run -p simulators --example serve -- --spaces 20 --pages 10000 --latency-ms 40` prints the settings to use.
//! Without `--pages` it serves the sample site.

use std::time::Duration;

use simulators::confluence::{ConfluenceSim, Site};
use simulators::llamacloud::LlamaCloudSim;

fn number(name: &str) -> Option<usize> {
    let mut arguments = std::env::args();
    arguments.find(|a| a == name)?;
    arguments.next()?.parse().ok()
}

fn main() -> std::io::Result<()> {
    let site = match number("--pages") {
        None => simulators::demo::site(),
        Some(pages) => {
            let spaces = number("--spaces").unwrap_or(1).max(1);
            let site = Site::new();
            for n in 0..spaces {
                let key = format!("S{n}");
                site.add_space(&key, &format!("Space {n}"));
                // The home page counts.
                site.populate(
                    &key,
                    (pages / spaces).saturating_sub(1),
                    number("--body-bytes").unwrap_or(3000),
                );
            }
            site
        }
    };
    let port = |name| {
        number(name)
            .and_then(|p| u16::try_from(p).ok())
            .unwrap_or(0)
    };
    let confluence = ConfluenceSim::builder()
        .site(site)
        .port(port("--confluence-port"))
        .start_blocking()?;
    let llamacloud = LlamaCloudSim::builder()
        .port(port("--llamacloud-port"))
        .start_blocking()?;
    let latency = |name| Duration::from_millis(number(name).unwrap_or(0) as u64);
    confluence.switches(|s| s.latency = latency("--latency-ms"));
    llamacloud.switches(|s| s.latency = latency("--store-latency-ms"));
    println!("CONFLUENCE_BASE_URL={}", confluence.base_url());
    println!("CONFLUENCE_EMAIL={}", ConfluenceSim::EMAIL);
    println!("CONFLUENCE_API_TOKEN={}", ConfluenceSim::TOKEN);
    println!(
        "CONFLUENCE_CLOUD_ID={}  # only to go through the gateway",
        confluence.cloud_id()
    );
    println!("CONFLUENCE_GATEWAY_URL={}", confluence.base_url());
    println!("LLAMA_CLOUD_BASE_URL={}", llamacloud.base_url());
    println!("LLAMA_CLOUD_API_KEY={}", LlamaCloudSim::KEY);
    let mut seen = 0;
    loop {
        std::thread::sleep(Duration::from_secs(10));
        let now = confluence.request_count() + llamacloud.request_count();
        if now != seen {
            eprintln!(
                "Confluence {} requests, LlamaCloud {}",
                confluence.request_count(),
                llamacloud.request_count()
            );
            seen = now;
        }
    }
}
