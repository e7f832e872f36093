//! Speed and quality of embedded search over a made-up wiki of 20,000 chunks.
//!
//! `cargo bench -p local-index --bench search`; results in `docs/benchmarks/search.md`.
//! Three ways over the same file: FTS5 as it comes (every word of the question, quoted and joined with OR, ordered by
//! `rank`), the plain OR of the terms we keep with our column weights, and what the index really does.
//! `PAGES=…` changes the number of pages (8 chunks each).

use std::collections::HashSet;
use std::path::Path;
use std::time::{Duration, Instant};

use diesel::prelude::*;
use diesel::sql_types::Text;
use domain::index::Remote;
use domain::ports::retrieval::{RetrievalBackend, StoreSpec};
use domain::query::{Filters, Passage, RetrievalQuery};
use domain::{IndexId, SpaceKey};
use local_index::{LocalIndex, LocalIndexOptions, Ranking};

#[path = "../tests/support/mod.rs"]
mod support;
use support::{KnownItem, Wiki};

const QUESTIONS: usize = 500;
const TOP_K: u32 = 8;

#[derive(Default)]
struct Measured {
    times: Vec<Duration>,
    answers: Vec<Vec<Passage>>,
}

impl Measured {
    async fn time(
        &mut self,
        search: impl Future<Output = Outcome>,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let begun = Instant::now();
        let answer = search.await?;
        self.times.push(begun.elapsed());
        self.answers.push(answer);
        Ok(())
    }

    fn percentile(&self, share: f64) -> f64 {
        let mut sorted = self.times.clone();
        sorted.sort();
        let at = ((sorted.len() - 1) as f64 * share).round() as usize;
        sorted[at].as_secs_f64() * 1000.0
    }

    /// Mean reciprocal rank and share of questions whose section is among the results.
    fn quality(&self, wiki: &Wiki, items: &[KnownItem]) -> (f64, f64) {
        let ranks = self.answers.iter().zip(items).map(|(passages, item)| {
            passages
                .iter()
                .position(|passage| wiki.answers(item, &passage.text))
        });
        let (mut reciprocal, mut hits) = (0.0, 0.0);
        for rank in ranks.flatten() {
            reciprocal += 1.0 / (rank + 1) as f64;
            hits += 1.0;
        }
        (reciprocal / items.len() as f64, hits / items.len() as f64)
    }

    /// Share of the other's passages that are here too.
    fn recall_of(&self, other: &Self) -> f64 {
        let (mut found, mut all) = (0_usize, 0_usize);
        for (mine, theirs) in self.answers.iter().zip(&other.answers) {
            let mine: HashSet<&str> = mine.iter().map(|passage| passage.text.as_str()).collect();
            all += theirs.len();
            found += theirs
                .iter()
                .filter(|passage| mine.contains(passage.text.as_str()))
                .count();
        }
        found as f64 / all.max(1) as f64
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pages: usize = std::env::var("PAGES")
        .ok()
        .and_then(|pages| pages.parse().ok())
        .unwrap_or(2500);
    let index = IndexId::generate();
    let mut wiki = Wiki::new(index, pages, 8, 42);
    let items = wiki.questions(QUESTIONS);
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("index.db");
    let open = |ranking| {
        LocalIndex::open(
            &path,
            LocalIndexOptions {
                ranking,
                ..LocalIndexOptions::default()
            },
        )
    };

    let pruned = open(Ranking::Pruned)?;
    let spec = StoreSpec {
        index,
        agent: "bench".parse()?,
    };
    let remote = pruned.ensure(&spec, None).await?;
    let begun = Instant::now();
    for batch in wiki
        .documents
        .chunks(pruned.capabilities().max_batch_documents)
    {
        pruned.upsert(&remote, batch).await?;
    }
    let stored = begun.elapsed();
    pruned.commit(&remote).await?;
    let committed = begun.elapsed();
    println!(
        "{pages} pages of 8 chunks stored in {:.2} s, {:.0} chunks/s; commit {:.2} s; file {:.1} MB",
        stored.as_secs_f64(),
        (pages * 8) as f64 / stored.as_secs_f64(),
        (committed - stored).as_secs_f64(),
        std::fs::metadata(&path)?.len() as f64 / 1e6
    );

    let exhaustive = open(Ranking::Exhaustive)?;
    let in_space = Filters {
        space: Some(SpaceKey::from("S3")),
        ..Filters::default()
    };
    let all = Filters::default();
    let mut bare = Bare::open(&path, &remote.id)?;
    // Every question is asked in every way before the next one, so that noise on the machine falls on all alike.
    let [
        mut as_it_comes,
        mut plain,
        mut ours,
        mut again,
        mut plain_space,
        mut ours_space,
    ] = std::array::from_fn(|_| Measured::default());
    for item in &items {
        as_it_comes
            .time(async { bare.search(&item.question) })
            .await?;
        plain.time(ask(&exhaustive, &remote, item, &all)).await?;
        ours.time(ask(&pruned, &remote, item, &all)).await?;
        again.time(ask(&pruned, &remote, item, &all)).await?;
        plain_space
            .time(ask(&exhaustive, &remote, item, &in_space))
            .await?;
        ours_space
            .time(ask(&pruned, &remote, item, &in_space))
            .await?;
    }
    println!("| search | p50 ms | p95 ms | max ms | MRR@8 | hit@8 | recall@8 of the plain OR |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for (name, measured, yardstick) in [
        ("FTS5 as it comes", &as_it_comes, &plain),
        ("plain OR, weighted, no stop words", &plain, &plain),
        ("ours", &ours, &plain),
        ("ours, the same again", &again, &plain),
        ("plain OR, one space of five", &plain_space, &plain_space),
        ("ours, one space of five", &ours_space, &plain_space),
    ] {
        let (reciprocal, hits) = measured.quality(&wiki, &items);
        println!(
            "| {name} | {:.2} | {:.2} | {:.2} | {reciprocal:.3} | {hits:.3} | {:.4} |",
            measured.percentile(0.5),
            measured.percentile(0.95),
            measured.percentile(1.0),
            measured.recall_of(yardstick)
        );
    }
    Ok(())
}

type Outcome = Result<Vec<Passage>, Box<dyn std::error::Error>>;

async fn ask(
    backend: &LocalIndex,
    remote: &Remote,
    item: &KnownItem,
    filters: &Filters,
) -> Outcome {
    let query = RetrievalQuery {
        text: item.question.clone(),
        top_k: TOP_K,
        filters: filters.clone(),
    };
    Ok(backend.search(remote, &query).await?)
}

/// FTS5 without any of our doing.
struct Bare {
    connection: SqliteConnection,
    sql: String,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    text: String,
}

impl Bare {
    fn open(path: &Path, collection: &str) -> ConnectionResult<Self> {
        let table = format!("chunks_fts_{collection}");
        let sql = format!(
            "SELECT c.text AS text
             FROM (SELECT rowid AS id, rank FROM {table} WHERE {table} MATCH ? ORDER BY rank LIMIT {TOP_K}) h
             JOIN chunks c ON c.id = h.id ORDER BY h.rank"
        );
        Ok(Self {
            connection: SqliteConnection::establish(&path.to_string_lossy())?,
            sql,
        })
    }

    fn search(&mut self, question: &str) -> Outcome {
        let words: Vec<String> = question
            .split_whitespace()
            .map(|word| format!("\"{word}\""))
            .collect();
        let rows: Vec<Row> = diesel::sql_query(&self.sql)
            .bind::<Text, _>(words.join(" OR "))
            .load(&mut self.connection)?;
        let passage = |row: Row| Passage {
            document: domain::DocumentId::from("unknown"),
            text: row.text,
            score: 0.0,
            heading_path: Vec::new(),
            anchor: None,
        };
        Ok(rows.into_iter().map(passage).collect())
    }
}
