//! How fast bodies become Markdown, beside what merely reading them costs and what other converters take.
//!
//! `cargo bench -p storage-markdown --bench convert`; real pages are added when `CONFLUENCE_CORPUS_DIR` is set. After
//! the criterion runs a table is printed, measured in turns in this same process: the share of the floor is what the
//! converter takes beside quick-xml reading the same bytes as events.

mod fixtures;

use std::alloc::System;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use storage_markdown::{NoResolver, Options, convert_storage};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

struct Set {
    name: &'static str,
    pages: Vec<String>,
}

impl Set {
    fn bytes(&self) -> usize {
        self.pages.iter().map(String::len).sum()
    }
}

type Run = fn(&str) -> usize;

const RUNS: [(&str, Run); 4] = [
    ("storage-markdown", ours),
    ("quick-xml events", floor),
    ("htmd", htmd),
    ("html2text", html2text),
];

fn ours(body: &str) -> usize {
    convert_storage(body, &Options::default(), &NoResolver)
        .markdown
        .len()
}

/// The floor: every event is read, nothing is done with it.
fn floor(body: &str) -> usize {
    let mut reader = quick_xml::Reader::from_str(body);
    reader.config_mut().check_end_names = false;
    let mut events = 0;
    loop {
        match reader.read_event() {
            Ok(quick_xml::events::Event::Eof) | Err(_) => return events,
            Ok(event) => {
                black_box(&event);
                events += 1;
            }
        }
    }
}

fn htmd(body: &str) -> usize {
    htmd::convert(body).map_or(0, |m| m.len())
}

fn html2text(body: &str) -> usize {
    html2text::from_read(body.as_bytes(), 200).map_or(0, |m| m.len())
}

fn sets() -> Vec<Set> {
    let mut sets = vec![
        Set {
            name: "generated pages",
            pages: (0..20).map(fixtures::mixed_page).collect(),
        },
        Set {
            name: "generated wide table",
            pages: vec![fixtures::wide_table(700)],
        },
        Set {
            name: "generated prose",
            pages: vec![fixtures::prose(1000)],
        },
        Set {
            name: "generated 400 nested lists",
            pages: vec![fixtures::nested_lists(400)],
        },
    ];
    let Some(root) = std::env::var_os("CONFLUENCE_CORPUS_DIR") else {
        println!("CONFLUENCE_CORPUS_DIR is not set: generated bodies only");
        return sets;
    };
    let folder = std::path::PathBuf::from(root).join("storage");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("{} cannot be read: generated bodies only", folder.display());
        return sets;
    };
    let mut real = Vec::new();
    for path in entries
        .flatten()
        .map(|e| e.path())
        .filter(|p| p.extension().is_some_and(|e| e == "xml"))
    {
        let name = path
            .file_name()
            .map(|n| n.to_string_lossy().into_owned())
            .unwrap_or_default();
        let Ok(body) = std::fs::read_to_string(&path) else {
            continue;
        };
        match name.as_str() {
            "big-01-mixed-300k.xml" => sets.push(Set {
                name: "mixed 300 kB",
                pages: vec![body],
            }),
            "big-02-wide-table-250k.xml" => sets.push(Set {
                name: "wide table 250 kB",
                pages: vec![body],
            }),
            "big-03-code-1m.xml" => sets.push(Set {
                name: "code 1 MB",
                pages: vec![body],
            }),
            "big-04-prose-500k.xml" => sets.push(Set {
                name: "prose 450 kB",
                pages: vec![body],
            }),
            "big-05-deep-nesting.xml" => sets.push(Set {
                name: "deep nesting",
                pages: vec![body],
            }),
            _ => real.push((name, body)),
        }
    }
    real.sort();
    sets.insert(
        0,
        Set {
            name: "real pages",
            pages: real.into_iter().map(|(_, body)| body).collect(),
        },
    );
    sets
}

fn criterion_runs(sets: &[Set]) {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(20)
        .configure_from_args();
    for set in sets {
        let mut group = criterion.benchmark_group(set.name);
        group.throughput(Throughput::Bytes(set.bytes() as u64));
        for (name, run) in RUNS.iter().take(2) {
            group.bench_function(*name, |b| {
                b.iter(|| set.pages.iter().map(|p| run(black_box(p))).sum::<usize>())
            });
        }
        group.finish();
    }
    criterion.final_summary();
}

/// The fastest twentieth of runs taken in turns: on a machine that does other things too, a median measures the
/// others, and the longer run more than the shorter.
fn table(sets: &[Set]) {
    println!("\n| bodies | kB | converter | MB/s | pages/s | of the floor | allocations/page |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for set in sets {
        let mut times: Vec<Vec<f64>> = vec![Vec::new(); RUNS.len()];
        let started = Instant::now();
        let mut round = 0;
        while (started.elapsed() < Duration::from_secs(4) && round < 1000) || round < 3 {
            for (n, (_, run)) in RUNS.iter().enumerate() {
                // The peers take their time; a few rounds of them say enough.
                if n >= 2 && round >= 5 {
                    continue;
                }
                let start = Instant::now();
                for page in &set.pages {
                    black_box(run(black_box(page)));
                }
                times[n].push(start.elapsed().as_secs_f64());
            }
            round += 1;
        }
        let best: Vec<f64> = times
            .iter_mut()
            .map(|t| {
                t.sort_by(f64::total_cmp);
                t[t.len() / 20]
            })
            .collect();
        for (n, (name, run)) in RUNS.iter().enumerate() {
            let region = Region::new(ALLOCATOR);
            for page in &set.pages {
                black_box(run(page));
            }
            let stats = region.change();
            println!(
                "| {} | {} | {} | {:.1} | {:.0} | {:.2} | {:.0} |",
                set.name,
                set.bytes() / 1000,
                name,
                set.bytes() as f64 / 1e6 / best[n],
                set.pages.len() as f64 / best[n],
                best[1] / best[n],
                (stats.allocations + stats.reallocations) as f64 / set.pages.len() as f64
            );
        }
    }
}

fn main() {
    let sets = sets();
    // `cargo test --benches` only wants to know that it runs.
    if std::env::args().any(|a| a == "--test") {
        return;
    }
    if !std::env::args().any(|a| a == "--table") {
        criterion_runs(&sets);
    }
    table(&sets);
}
