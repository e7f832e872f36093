//! The best passages for a question. Blocking.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Double, Text};
use diesel::sqlite::{Sqlite, SqliteConnection};
use domain::DocumentId;
use domain::query::{Filters, Passage, RetrievalQuery};

use crate::error::LocalIndexError;
use crate::options::{Ranking, Tokenizer};
use crate::plan::{Counted, Plan};
use crate::schema::{self, HEADING_SEPARATOR, chunks, documents};
use crate::words::{self, Terms};
use crate::write;

/// Weights of title, headings, breadcrumb, text.
const WEIGHTS: &str = "4.0, 2.0, 0.5, 1.0";

/// How many chunks hold a term, remembered between questions.
///
/// Counts only steer the plan; they may lag behind the table a little ([`Statistics::changed`]). But for the count of a word that
/// no chunk holds: that leaves the word out of the question, and is never remembered.
#[derive(Default)]
pub(crate) struct Statistics(Mutex<HashMap<i64, Counts>>);

#[derive(Default)]
struct Counts {
    total: u64,
    changed: u64,
    terms: HashMap<String, u64>,
}

/// Terms remembered per collection at most.
const MAX_REMEMBERED: usize = 20_000;

impl Statistics {
    fn with<T>(&self, collection: i64, read: impl FnOnce(&mut Counts) -> T) -> T {
        read(
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .entry(collection)
                .or_default(),
        )
    }

    /// Says that chunks came or went. The counts of rare terms, which are cheap to take and quick to be wrong, are taken anew at
    /// once, all others when a fiftieth of all chunks changed.
    pub(crate) fn changed(&self, collection: i64, chunks: u64) {
        self.with(collection, |counts| {
            counts.changed += chunks;
            if counts.changed * 50 > counts.total {
                *counts = Counts::default();
            } else {
                let total = counts.total;
                counts.terms.retain(|_, chunks| *chunks * 50 > total);
            }
        });
    }

    /// Forgets a collection.
    pub(crate) fn forget(&self, collection: i64) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&collection);
    }
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

#[derive(QueryableByName)]
struct Hit {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Double)]
    score: f64,
}

/// Answers a question from one collection.
pub(crate) fn search(
    connection: &mut SqliteConnection,
    statistics: &Statistics,
    remote_id: &str,
    query: &RetrievalQuery,
    tokenizer: Tokenizer,
    ranking: Ranking,
) -> Result<Vec<Passage>, LocalIndexError> {
    // One snapshot for counting, ranking and reading.
    connection.transaction(|connection| {
        let collection = write::collection(connection, remote_id)?.id;
        let Terms { quoted, fragments } = words::terms(&query.text, tokenizer);
        let hits = if !quoted.is_empty() {
            ranked(connection, statistics, collection, quoted, query, ranking)?
        } else if !fragments.is_empty() {
            containing(connection, collection, &fragments, query)?
        } else {
            Vec::new()
        };
        Ok(passages(connection, hits)?)
    })
}

fn ranked(
    connection: &mut SqliteConnection,
    statistics: &Statistics,
    collection: i64,
    quoted: Vec<String>,
    query: &RetrievalQuery,
    ranking: Ranking,
) -> QueryResult<Vec<Hit>> {
    let wanted = u64::from(query.top_k);
    let mut plan = match ranking {
        Ranking::Exhaustive => Plan::exhaustive(
            quoted
                .into_iter()
                .map(|quoted| Counted { quoted, chunks: 0 })
                .collect(),
        ),
        Ranking::Pruned => {
            let (terms, total) = count(connection, statistics, collection, quoted)?;
            Plan::new(terms, total, wanted)
        }
    };
    if plan.is_empty() {
        return Ok(Vec::new());
    }
    loop {
        let hits = matching(connection, collection, &plan, query)?;
        let full = hits.len() as u64 == wanted;
        let last = hits.last().filter(|_| full).map_or(0.0, |hit| hit.score);
        match plan.widened(last) {
            Some(wider) => plan = wider,
            None => return Ok(hits),
        }
    }
}

/// How many chunks hold each term, and how many there are.
fn count(
    connection: &mut SqliteConnection,
    statistics: &Statistics,
    collection: i64,
    quoted: Vec<String>,
) -> QueryResult<(Vec<Counted>, u64)> {
    let table = schema::fts_table(collection);
    let mut number = |sql: String, term: Option<&str>| -> QueryResult<u64> {
        let count: Count = match term {
            Some(term) => diesel::sql_query(sql)
                .bind::<Text, _>(term)
                .get_result(connection)?,
            None => diesel::sql_query(sql).get_result(connection)?,
        };
        Ok(count.n.unsigned_abs())
    };
    let known: Vec<Option<u64>> = statistics.with(collection, |counts| {
        quoted
            .iter()
            .map(|term| counts.terms.get(term).copied())
            .collect()
    });
    let mut total = statistics.with(collection, |counts| counts.total);
    if total == 0 {
        total = number(format!("SELECT count(*) AS n FROM {table}"), None)?;
    }
    let mut terms = Vec::with_capacity(quoted.len());
    for (quoted, known) in quoted.into_iter().zip(known) {
        let chunks = match known {
            Some(chunks) => chunks,
            None => number(
                format!("SELECT count(*) AS n FROM {table} WHERE {table} MATCH ?"),
                Some(&quoted),
            )?,
        };
        terms.push(Counted { quoted, chunks });
    }
    statistics.with(collection, |counts| {
        counts.total = total;
        if counts.terms.len() + terms.len() > MAX_REMEMBERED {
            counts.terms.clear();
        }
        let held = terms.iter().filter(|term| term.chunks > 0);
        counts
            .terms
            .extend(held.map(|term| (term.quoted.clone(), term.chunks)));
    });
    Ok((terms, total))
}

/// The best chunks of a plan; ties in the order of their making.
fn matching(
    connection: &mut SqliteConnection,
    collection: i64,
    plan: &Plan,
    query: &RetrievalQuery,
) -> QueryResult<Vec<Hit>> {
    let table = schema::fts_table(collection);
    let (expression, factor) = plan.expression();
    let conditions = Conditions::of(&query.filters);
    // Joined only when something of the document is asked for: most questions need the full-text table alone.
    let joined = if conditions.is_empty() {
        String::new()
    } else {
        format!(
            "CROSS JOIN chunks c ON c.id = {table}.rowid CROSS JOIN documents d ON d.key = c.document"
        )
    };
    let sql = format!(
        "SELECT {table}.rowid AS id, -bm25({table}, {WEIGHTS}) AS score FROM {table} {joined}
         WHERE {table} MATCH ? {} ORDER BY score DESC, {table}.rowid LIMIT ?",
        conditions.sql
    );
    let bound = conditions.bind(
        diesel::sql_query(sql)
            .into_boxed()
            .bind::<Text, _>(expression),
    );
    let mut hits: Vec<Hit> = bound
        .bind::<BigInt, _>(i64::from(query.top_k))
        .load(connection)?;
    for hit in &mut hits {
        hit.score /= factor;
    }
    Ok(hits)
}

/// Chunks that contain fragments too short for the tokenizer: a scan, best those with most of them.
fn containing(
    connection: &mut SqliteConnection,
    collection: i64,
    fragments: &[String],
    query: &RetrievalQuery,
) -> QueryResult<Vec<Hit>> {
    let conditions = Conditions::of(&query.filters);
    let one =
        "(instr(c.text, ?) > 0) + 2.0 * (instr(c.headings, ?) > 0) + 4.0 * (instr(d.title, ?) > 0)";
    let score = vec![one; fragments.len()].join(" + ");
    let sql = format!(
        "SELECT id, score FROM (
             SELECT c.id AS id, {score} AS score FROM documents d JOIN chunks c ON c.document = d.key
             WHERE d.collection = ? {}
         ) WHERE score > 0 ORDER BY score DESC, id LIMIT ?",
        conditions.sql
    );
    let mut bound = diesel::sql_query(sql).into_boxed();
    for fragment in fragments {
        for _ in 0..3 {
            bound = bound.bind::<Text, _>(fragment.clone());
        }
    }
    conditions
        .bind(bound.bind::<BigInt, _>(collection))
        .bind::<BigInt, _>(i64::from(query.top_k))
        .load(connection)
}

/// Filters as SQL on the document `d`.
struct Conditions {
    sql: String,
    texts: Vec<String>,
    after: Option<i64>,
}

type Bound<'a> = diesel::query_builder::BoxedSqlQuery<'a, Sqlite, diesel::query_builder::SqlQuery>;

impl Conditions {
    fn of(filters: &Filters) -> Self {
        let mut conditions = Self {
            sql: String::new(),
            texts: Vec::new(),
            after: None,
        };
        if let Some(space) = &filters.space {
            conditions.sql.push_str(" AND d.space = ?");
            conditions.texts.push(space.as_str().to_owned());
        }
        if let Some(label) = &filters.label {
            conditions.sql.push_str(" AND instr(d.labels, ?) > 0");
            conditions.texts.push(format!("|{label}|"));
        }
        if let Some(after) = filters.updated_after {
            conditions.sql.push_str(" AND d.updated > ?");
            conditions.after = Some(after.timestamp());
        }
        conditions
    }

    fn is_empty(&self) -> bool {
        self.sql.is_empty()
    }

    /// Binds in the order of the question marks.
    fn bind<'a>(self, mut query: Bound<'a>) -> Bound<'a> {
        for text in self.texts {
            query = query.bind::<Text, _>(text);
        }
        match self.after {
            Some(after) => query.bind::<BigInt, _>(after),
            None => query,
        }
    }
}

/// Reads the chunks behind the hits, in their order.
fn passages(connection: &mut SqliteConnection, hits: Vec<Hit>) -> QueryResult<Vec<Passage>> {
    type Row = (i64, String, String, Option<String>, String);
    let rows: Vec<Row> = chunks::table
        .inner_join(documents::table)
        .filter(chunks::id.eq_any(hits.iter().map(|hit| hit.id)))
        .select((
            chunks::id,
            documents::id,
            chunks::headings,
            chunks::anchor,
            chunks::text,
        ))
        .load(connection)?;
    let mut rows: HashMap<i64, Row> = rows.into_iter().map(|row| (row.0, row)).collect();
    let passages = hits.into_iter().filter_map(|hit| {
        let (_, document, headings, anchor, text) = rows.remove(&hit.id)?;
        let heading_path = headings
            .split(HEADING_SEPARATOR)
            .filter(|h| !h.is_empty())
            .map(str::to_owned)
            .collect();
        Some(Passage {
            document: DocumentId::new(document),
            text,
            score: hit.score,
            heading_path,
            anchor,
        })
    });
    Ok(passages.collect())
}
