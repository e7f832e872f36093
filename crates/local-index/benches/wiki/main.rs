//! Quality and speed of embedded search over a realistic wiki with questions whose right pages are known.
//!
//! `WIKI_CORPUS=FOLDER/pages.json WIKI_QUESTIONS=questions.json cargo bench -p local-index --bench wiki`; results in
//! `docs/benchmarks/search.md`. The wiki: `{space: [{key, title, parent, body, labels}]}`, bodies in storage format. The questions:
//! `[{id, cls, question, pages: ["SPACE:key"], answer: ["regular expression", "this && that"]}]`. Without them it says so and ends.
//! `WIKI_EMBEDDERS=FILE` names what gives vectors, each of which is measured beside words alone: `[{name, url, model}, {name, folder}]`, an
//! endpoint of OpenAI's form or the folder of a model, with `question_prefix` and `passage_prefix` where it wants them. `WIKI_EVERY=n` keeps every nth page and all
//! right ones, where there is no time for all. `WIKI_INDEX=FILE` keeps the index, so that another run asks for no vector twice.
//! `WIKI_TUNE=1` shows other weights of meaning, and what links to a page would change, by each half of the questions.
//! `WIKI_MISSES=1` names the questions that were missed, `WIKI_ROUNDS` says how often all are asked for the times; 0 leaves the times out.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use domain::content::ContentKind;
use domain::document::{Document, DocumentFacts, compose, markdown_hash};
use domain::index::Remote;
use domain::ports::retrieval::{RetrievalBackend, StoreSpec};
use domain::query::{DEFAULT_ROOM, Filters, Passage, RetrievalQuery};
use domain::{IndexId, PageId, SpaceKey};
use local_index::{LocalIndex, LocalIndexOptions, MeaningWeights};
use regex::Regex;
use serde::Deserialize;
use storage_markdown::{NoResolver, Options, convert_storage};

mod embedders;
mod links;

use links::Links;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

#[derive(Deserialize)]
struct WikiPage {
    key: String,
    title: String,
    parent: Option<String>,
    body: String,
    #[serde(default)]
    labels: Vec<String>,
}

#[derive(Clone, Deserialize)]
struct Question {
    id: String,
    cls: String,
    question: String,
    pages: Vec<String>,
    #[serde(default)]
    answer: Vec<String>,
}

/// SQLite's own full-text search over the same passages: stemmed by Porter's rules, any word of the question, weighted columns.
struct Fts5(SqliteConnection);

#[derive(QueryableByName)]
struct Hit {
    #[diesel(sql_type = diesel::sql_types::Text)]
    document: String,
    #[diesel(sql_type = diesel::sql_types::Text)]
    text: String,
}

impl Fts5 {
    fn over(index: &std::path::Path, folder: &std::path::Path) -> Outcome<Self> {
        let mut connection = SqliteConnection::establish(&folder.join("fts5").to_string_lossy())?;
        connection.batch_execute(&format!(
            "ATTACH '{}' AS ours;
             CREATE VIRTUAL TABLE words USING fts5(title, headings, breadcrumb, text,
                 content = '', tokenize = 'porter unicode61 remove_diacritics 2');
             INSERT INTO words (rowid, title, headings, breadcrumb, text)
                 SELECT c.id, d.title, c.headings, d.breadcrumb, c.text
                 FROM ours.documents d JOIN ours.chunks c ON c.document = d.key ORDER BY c.id;
             INSERT INTO words (words) VALUES ('optimize');",
            index.display()
        ))?;
        Ok(Self(connection))
    }

    fn search(&mut self, question: &str, top_k: u32) -> Outcome<Vec<Passage>> {
        let words: Vec<String> = question
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(|word| format!("\"{word}\""))
            .collect();
        let hits: Vec<Hit> = diesel::sql_query(format!(
            "SELECT d.id AS document, c.text AS text FROM (
                 SELECT rowid AS id, bm25(words, 4.0, 2.0, 0.5, 1.0) AS score FROM words
                 WHERE words MATCH ? ORDER BY score LIMIT {top_k}) h
             JOIN ours.chunks c ON c.id = h.id JOIN ours.documents d ON d.key = c.document ORDER BY h.score"
        ))
        .bind::<diesel::sql_types::Text, _>(words.join(" OR "))
        .load(&mut self.0)?;
        let passage = |hit: Hit| Passage {
            document: domain::DocumentId::new(hit.document),
            text: hit.text,
            score: 0.0,
            heading_path: Vec::new(),
            anchor: None,
        };
        Ok(hits.into_iter().map(passage).collect())
    }
}

/// How one question went.
struct Went {
    /// Place of the first right page among the pages, from 1.
    rank: Option<usize>,
    /// Place of the first passage of a right page that holds the answer, from 1.
    answer: Option<usize>,
}

/// A number of the environment.
fn number(name: &str, usual: usize) -> usize {
    let value = std::env::var(name).ok();
    value.and_then(|value| value.parse().ok()).unwrap_or(usual)
}

/// The wiki in one index, with its questions.
struct Bench {
    questions: Vec<Question>,
    keys: HashMap<String, String>,
    remote: Remote,
    path: std::path::PathBuf,
}

impl Bench {
    fn open(&self, meaning: MeaningWeights) -> Outcome<LocalIndex> {
        let options = LocalIndexOptions {
            meaning,
            ..LocalIndexOptions::default()
        };
        Ok(LocalIndex::open(&self.path, options)?)
    }

    /// Asks every question, for eight passages and for fifty.
    async fn asked(&self, local: &LocalIndex) -> Outcome<Vec<Answers>> {
        let mut all = Vec::new();
        for question in &self.questions {
            let eight = search(local, &self.remote, &question.question, 8).await?;
            let fifty = search(local, &self.remote, &question.question, 50).await?;
            all.push(Answers { eight, fifty });
        }
        Ok(all)
    }

    fn judged(&self, answers: &[Answers]) -> Outcome<Vec<Went>> {
        let all = self.questions.iter().zip(answers);
        all.map(|(question, answers)| judged(question, &answers.eight, &answers.fifty, &self.keys))
            .collect()
    }

    fn table(&self, name: &str, went: &[Went]) {
        let all: Vec<(&Question, &Went)> = self.questions.iter().zip(went).collect();
        table(name, &all);
        if std::env::var_os("WIKI_MISSES").is_some() {
            misses(&all);
        }
    }
}

/// What came for one question.
struct Answers {
    eight: Vec<Passage>,
    fifty: Vec<Passage>,
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let (Ok(corpus), Ok(questions)) = (
        std::env::var("WIKI_CORPUS"),
        std::env::var("WIKI_QUESTIONS"),
    ) else {
        println!("skipped: WIKI_CORPUS and WIKI_QUESTIONS name no wiki and no questions");
        return Ok(());
    };
    let index = IndexId::generate();
    let questions: Vec<Question> = serde_json::from_str(&std::fs::read_to_string(questions)?)?;
    let spaces = wiki(&corpus, &questions)?;
    let (documents, keys) = documents(index, &spaces, |_| Vec::new());

    let folder = tempfile::tempdir()?;
    let path = match std::env::var("WIKI_INDEX") {
        Ok(path) => path.into(),
        Err(_) => folder.path().join("index.db"),
    };
    let local = LocalIndex::open(&path, LocalIndexOptions::default())?;
    let (begun, spent) = (Instant::now(), cpu());
    let remote = filled(&local, index, &documents).await?;
    let (took, spent) = (begun.elapsed(), cpu() - spent);
    println!(
        "{} pages stored in {:.1} s ({:.1} s of processor time); file {:.1} MB; {}",
        documents.len(),
        took.as_secs_f64(),
        spent.as_secs_f64(),
        std::fs::metadata(&path)?.len() as f64 / 1e6,
        load(),
    );
    let bench = Bench {
        questions,
        keys,
        remote,
        path,
    };

    table("", &[]);
    let mut fts5 = Fts5::over(&bench.path, folder.path())?;
    let mut theirs = Vec::new();
    for question in &bench.questions {
        let eight = fts5.search(&question.question, 8)?;
        let fifty = fts5.search(&question.question, 50)?;
        theirs.push(Answers { eight, fifty });
    }
    let theirs = bench.judged(&theirs)?;
    row(
        "all, plain FTS5",
        &bench.questions.iter().zip(&theirs).collect::<Vec<_>>(),
    );
    let words = bench.asked(&local).await?;
    bench.table("words alone", &bench.judged(&words)?);

    let tune = std::env::var_os("WIKI_TUNE").is_some();
    let mut with_meaning = Vec::new();
    for named in embedders::named()? {
        let embedder = named.embedder()?;
        let local = bench
            .open(MeaningWeights::default())?
            .with_embedder(embedder.clone());
        embedders::fill(&local, &named.name).await?;
        let answers = bench.asked(&local).await?;
        bench.table(
            &format!("words and {}", named.name),
            &bench.judged(&answers)?,
        );
        if tune {
            println!(
                "\n| {}: beside words, beyond words | hit@1 | hit@3 | hit@10 | MRR@10 | answer in 8 | other half: hit@1 | hit@3 | hit@10 | MRR@10 | answer in 8 |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
                named.name
            );
            for beside_words in [0.25, 0.5, 0.75, 1.0, 1.5] {
                for beyond_words in [1.0, 2.0, 3.0, 5.0] {
                    let weights = MeaningWeights {
                        beside_words,
                        beyond_words,
                    };
                    let local = bench.open(weights)?.with_embedder(embedder.clone());
                    let went = bench.judged(&bench.asked(&local).await?)?;
                    println!(
                        "| {beside_words}, {beyond_words} | {} | {} |",
                        links::summary(&went, 0),
                        links::summary(&went, 1)
                    );
                }
            }
        }
        with_meaning.push((named.name, local, answers));
    }
    if tune {
        let mut all = vec![("words alone", &words)];
        all.extend(
            with_meaning
                .iter()
                .map(|(name, _, answers)| (name.as_str(), answers)),
        );
        with_links(&bench, &spaces, &local, &all).await?;
    }

    let rounds = number("WIKI_ROUNDS", 20);
    if rounds > 0 {
        times(&bench, &local, &mut fts5, &with_meaning, rounds).await?;
    }
    drop(with_meaning);
    if std::env::var_os("WIKI_INDEX").is_some() {
        local.remove(&spec(index)?, &bench.remote).await?;
        return Ok(());
    }

    const EDITS: usize = 300;
    let pages = documents.len();
    let edited: Vec<Document> = documents
        .into_iter()
        .step_by(pages.div_ceil(EDITS))
        .collect();
    edits(&local, &bench.remote, &edited).await?;
    drop(local);
    // As the first start does with a file of format 1, or after a change of `SEARCH_LANGUAGE`.
    for language in ["none", "auto"] {
        let (begun, spent) = (Instant::now(), cpu());
        let language = language.to_owned();
        let options = LocalIndexOptions {
            language,
            ..LocalIndexOptions::default()
        };
        drop(LocalIndex::open(&bench.path, options)?);
        println!(
            "all text read anew in {:.1} s ({:.1} s of processor time)",
            begun.elapsed().as_secs_f64(),
            (cpu() - spent).as_secs_f64(),
        );
    }
    Ok(())
}

/// The wiki, or so much of it as `WIKI_EVERY` keeps.
fn wiki(corpus: &str, questions: &[Question]) -> Outcome<BTreeMap<String, Vec<WikiPage>>> {
    let mut spaces: BTreeMap<String, Vec<WikiPage>> =
        serde_json::from_str(&std::fs::read_to_string(corpus)?)?;
    let every = number("WIKI_EVERY", 1);
    let mut at = 0;
    for (space, pages) in &mut spaces {
        pages.retain(|page| {
            at += 1;
            let key = format!("{space}:{}", page.key);
            at % every == 0
                || questions
                    .iter()
                    .any(|question| question.pages.contains(&key))
        });
    }
    Ok(spaces)
}

fn spec(index: IndexId) -> Outcome<StoreSpec> {
    Ok(StoreSpec {
        index,
        // One for each: the store knows its objects by their names.
        agent: format!("wiki-{}", index.to_string().to_lowercase()).parse()?,
    })
}

async fn filled(local: &LocalIndex, index: IndexId, documents: &[Document]) -> Outcome<Remote> {
    let remote = local.ensure(&spec(index)?, None).await?;
    for batch in documents.chunks(local.capabilities().max_batch_documents) {
        local.upsert(&remote, batch).await?;
    }
    local.commit(&remote).await?;
    Ok(remote)
}

fn misses(all: &[(&Question, &Went)]) {
    for (question, went) in all {
        if went.rank.is_none_or(|rank| rank > 3) || went.answer.is_none() {
            println!(
                "{} {} rank {:?} answer {:?}: {} {:?}",
                question.id,
                question.cls,
                went.rank,
                went.answer,
                question.question,
                question.pages
            );
        }
    }
}

/// What links to a page would change, by each half of the questions: their number as a prior over what was found, and their words as
/// a part of the page's place in the wiki (which counts half of what text does).
async fn with_links(
    bench: &Bench,
    spaces: &BTreeMap<String, Vec<WikiPage>>,
    local: &LocalIndex,
    all: &[(&str, &Vec<Answers>)],
) -> Outcome<()> {
    let links = Links::of(spaces)?;
    println!(
        "\n| links | hit@1 | hit@3 | hit@10 | MRR@10 | answer in 8 | other half: hit@1 | hit@3 | hit@10 | MRR@10 | answer in 8 |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    );
    let show = |name: &str, went: &[Went]| {
        println!(
            "| {name} | {} | {} |",
            links::summary(went, 0),
            links::summary(went, 1)
        );
    };
    for (name, answers) in all {
        for weight in [0.0, 0.01, 0.02, 0.05, 0.1, 0.2] {
            let ranked: Vec<Answers> = answers
                .iter()
                .map(|one| {
                    let fifty =
                        links.ranked(&one.fifty, weight, |passage| key_of(passage, &bench.keys));
                    let eight = fifty.iter().take(8).cloned().collect();
                    Answers { eight, fifty }
                })
                .collect();
            show(
                &format!("{name}, number by {weight}"),
                &bench.judged(&ranked)?,
            );
        }
    }
    for most in [3, 10] {
        let index = IndexId::generate();
        let (documents, keys) = documents(index, spaces, |key| links.words(key, most).to_vec());
        let other = Bench {
            questions: bench.questions.clone(),
            keys,
            remote: filled(local, index, &documents).await?,
            path: bench.path.clone(),
        };
        show(
            &format!("words alone, {most} words of links"),
            &other.judged(&other.asked(local).await?)?,
        );
        local.remove(&spec(index)?, &other.remote).await?;
    }
    Ok(())
}

/// How long questions take, by words alone and by each that gives vectors.
async fn times(
    bench: &Bench,
    local: &LocalIndex,
    fts5: &mut Fts5,
    with_meaning: &[(String, LocalIndex, Vec<Answers>)],
    rounds: usize,
) -> Outcome<()> {
    println!(
        "\n| asking at once | questions | p50 ms | p95 ms | p99 ms | processor ms a question | questions/s |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    let spent = cpu();
    let mut times = Vec::new();
    for _ in 0..rounds.div_ceil(5) {
        for question in &bench.questions {
            let begun = Instant::now();
            fts5.search(&question.question, 8)?;
            times.push(begun.elapsed());
        }
    }
    let spent = (cpu() - spent).as_secs_f64() * 1e3 / times.len() as f64;
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    println!(
        "| 1, plain FTS5 | {} | {:.2} | {:.2} | {:.2} | {spent:.2} | |",
        times.len(),
        at(0.5),
        at(0.95),
        at(0.99)
    );
    for clients in [1, 8, 64] {
        timed(local, &bench.remote, &bench.questions, rounds, clients, "").await?;
    }
    for (name, local, _) in with_meaning {
        let name = format!(", {name}, the vectors of the questions known");
        for clients in [1, 8, 64] {
            timed(
                local,
                &bench.remote,
                &bench.questions,
                rounds,
                clients,
                &name,
            )
            .await?;
        }
    }
    Ok(())
}

/// One page of one passage at a time, as an edit comes in.
async fn edits(local: &LocalIndex, remote: &Remote, edited: &[Document]) -> Outcome<()> {
    let (begun, spent) = (Instant::now(), cpu());
    for (number, document) in edited.iter().enumerate() {
        let markdown = format!("Edit {number} of {}.", document.metadata.title);
        let mut edited = document.clone();
        edited.text = markdown.clone();
        edited.metadata.hash = markdown_hash(&markdown);
        local.upsert(remote, &[edited]).await?;
    }
    println!(
        "\none page of one passage stored in {:.2} ms, {:.2} ms of processor time (mean of {}); memory {:.0} MB, peak {:.0} MB (of which a part is left from making the wiki)",
        begun.elapsed().as_secs_f64() * 1e3 / edited.len() as f64,
        (cpu() - spent).as_secs_f64() * 1e3 / edited.len() as f64,
        edited.len(),
        memory("VmRSS"),
        memory("VmHWM"),
    );
    Ok(())
}

/// The wiki as documents, with more words in front of their place, and the `SPACE:key` of each page id.
fn documents(
    index: IndexId,
    spaces: &BTreeMap<String, Vec<WikiPage>>,
    more: impl Fn(&str) -> Vec<String>,
) -> (Vec<Document>, HashMap<String, String>) {
    let mut documents = Vec::new();
    let mut keys = HashMap::new();
    for (space, pages) in spaces {
        let by_key: HashMap<&str, &WikiPage> = pages.iter().map(|p| (p.key.as_str(), p)).collect();
        for page in pages {
            let id = PageId::from((100_000 + keys.len()).to_string());
            let key = format!("{space}:{}", page.key);
            let mut breadcrumb = Vec::new();
            let mut above = page.parent.as_deref();
            while let Some(parent) = above.and_then(|key| by_key.get(key))
                && breadcrumb.len() < 20
            {
                breadcrumb.insert(0, parent.title.clone());
                above = parent.parent.as_deref();
            }
            breadcrumb.extend(more(&key));
            keys.insert(id.to_string(), key);
            let markdown = convert_storage(&page.body, &Options::default(), &NoResolver).markdown;
            let facts = DocumentFacts {
                index,
                page_id: &id,
                kind: ContentKind::Page,
                title: &page.title,
                url: &format!("https://example.atlassian.net/wiki/spaces/{space}/pages/{id}"),
                space: &SpaceKey::from(space.clone()),
                space_name: space,
                version: 1,
                modified: chrono::DateTime::UNIX_EPOCH,
                labels: &page.labels,
                breadcrumb: &breadcrumb,
            };
            documents.push(compose(&facts, &markdown, &markdown_hash(&markdown)));
        }
    }
    (documents, keys)
}

async fn search(
    local: &LocalIndex,
    remote: &Remote,
    text: &str,
    top_k: u32,
) -> Outcome<Vec<Passage>> {
    let query = RetrievalQuery {
        text: text.to_owned(),
        top_k,
        filters: Filters::default(),
        room: DEFAULT_ROOM,
    };
    Ok(local.search(remote, &query).await?.passages)
}

/// The `SPACE:key` of a passage's page.
fn key_of(passage: &Passage, keys: &HashMap<String, String>) -> String {
    let page = passage.document.page().map(|(_, id)| id.to_string());
    page.and_then(|id| keys.get(&id))
        .cloned()
        .unwrap_or_default()
}

/// Judges the answers of eight and of fifty passages.
fn judged(
    question: &Question,
    eight: &[Passage],
    fifty: &[Passage],
    keys: &HashMap<String, String>,
) -> Outcome<Went> {
    let key = |passage: &Passage| key_of(passage, keys);
    let mut pages: Vec<String> = Vec::new();
    for passage in fifty {
        let page = key(passage);
        if !pages.contains(&page) {
            pages.push(page);
        }
    }
    let rank = pages
        .iter()
        .take(10)
        .position(|page| question.pages.contains(page));
    let mut expressions = Vec::new();
    for answer in &question.answer {
        let all: Result<Vec<Regex>, _> = answer
            .split("&&")
            .map(|one| Regex::new(&format!("(?is){}", one.trim())))
            .collect();
        expressions.push(all?);
    }
    let answer = eight.iter().position(|passage| {
        let holds = |all: &Vec<Regex>| all.iter().all(|one| one.is_match(&passage.text));
        let answers = expressions.is_empty() || expressions.iter().any(holds);
        question.pages.contains(&key(passage)) && answers
    });
    Ok(Went {
        rank: rank.map(|at| at + 1),
        answer: answer.map(|at| at + 1),
    })
}

/// Rows of all questions, of each half, and of each kind; without any, the head of the table.
fn table(by: &str, all: &[(&Question, &Went)]) {
    if all.is_empty() {
        println!(
            "\n| questions | n | hit@1 | hit@3 | hit@10 | MRR@10 | answer first | answer in 8 |"
        );
        println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
        return;
    }
    row(&format!("all, {by}"), all);
    for half in 0..2 {
        let some: Vec<_> = all.iter().skip(half).step_by(2).copied().collect();
        row(["one half", "other half"][half], &some);
    }
    let mut kinds: BTreeMap<&str, Vec<(&Question, &Went)>> = BTreeMap::new();
    for one in all {
        kinds.entry(&one.0.cls).or_default().push(*one);
    }
    for (kind, some) in &kinds {
        row(kind, some);
    }
}

fn row(name: &str, some: &[(&Question, &Went)]) {
    let share = |test: &dyn Fn(&Went) -> f64| {
        some.iter().map(|(_, went)| test(went)).sum::<f64>() / some.len().max(1) as f64
    };
    let within =
        |place: Option<usize>, most: usize| f64::from(u8::from(place.is_some_and(|at| at <= most)));
    println!(
        "| {name} | {} | {:.3} | {:.3} | {:.3} | {:.3} | {:.3} | {:.3} |",
        some.len(),
        share(&|went| within(went.rank, 1)),
        share(&|went| within(went.rank, 3)),
        share(&|went| within(went.rank, 10)),
        share(&|went| went.rank.map_or(0.0, |rank| 1.0 / rank as f64)),
        share(&|went| within(went.answer, 1)),
        share(&|went| within(went.answer, 8)),
    );
}

async fn timed(
    local: &LocalIndex,
    remote: &Remote,
    questions: &[Question],
    rounds: usize,
    clients: usize,
    name: &str,
) -> Outcome<()> {
    let work: Vec<String> = (0..rounds)
        .flat_map(|_| questions.iter().map(|question| question.question.clone()))
        .collect();
    let (begun, spent) = (Instant::now(), cpu());
    let mut asking = Vec::new();
    for client in 0..clients {
        let (local, remote) = (local.clone(), remote.clone());
        let mine: Vec<String> = work.iter().skip(client).step_by(clients).cloned().collect();
        asking.push(tokio::spawn(async move {
            let mut times = Vec::with_capacity(mine.len());
            for text in mine {
                let begun = Instant::now();
                if search(&local, &remote, &text, 8).await.is_err() {
                    break;
                }
                times.push(begun.elapsed());
            }
            times
        }));
    }
    let mut times: Vec<Duration> = Vec::new();
    for one in asking {
        times.extend(one.await?);
    }
    let (took, spent) = (begun.elapsed(), cpu() - spent);
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    println!(
        "| {clients}{name} | {} | {:.2} | {:.2} | {:.2} | {:.2} | {:.0} |",
        times.len(),
        at(0.5),
        at(0.95),
        at(0.99),
        spent.as_secs_f64() * 1e3 / times.len() as f64,
        times.len() as f64 / took.as_secs_f64()
    );
    Ok(())
}

/// Processor time of this process.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<u64> = behind
        .split_whitespace()
        .map(|f| f.parse().unwrap_or(0))
        .collect();
    // In ticks of a hundredth of a second.
    Duration::from_millis(10 * (fields.get(11).unwrap_or(&0) + fields.get(12).unwrap_or(&0)))
}

fn memory(what: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find(|line| line.starts_with(what))
        .unwrap_or_default();
    let kilobytes = line
        .split_whitespace()
        .nth(1)
        .and_then(|n| n.parse::<f64>().ok());
    kilobytes.unwrap_or_default() / 1e3
}

fn load() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!(
        "load {}",
        load.split_whitespace().next().unwrap_or("unknown")
    )
}
