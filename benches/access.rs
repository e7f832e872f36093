//! What answers that differ by person cost, and whether they lack anything: the real program against a simulated Confluence with 500
//! people in 50 groups.
//!
//! ```sh
//! cargo bench --bench access -- [PAGES…]
//! ```
//!
//! Prints three Markdown tables and ends. Requests: a first sync and a sweep in which nothing changed, with `access: per_user` and with
//! `everyone`, each by a program of its own. Questions: milliseconds over REST, one at a time. Recall: the hits of people on the shared
//! index, against the hits of a program whose account is that person, and which so holds this person's pages alone. Each is measured
//! on a site where a tenth of the subtrees is restricted, and on one where nine tenths are.

mod service;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use reqwest::Client;
use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::{Value, json};
use service::{Program, get, post, seconds, until_over};
use simulators::confluence::{Account, ConfluenceSim, Principal, Site};
use tempfile::TempDir;

/// Spaces that the pages are spread over; a fourth of them is for some groups.
const SPACES: usize = 20;
const PEOPLE: usize = 500;
/// Groups; each person is in two.
const GROUPS: usize = 50;
/// Pages of a subtree, its top included.
const SUBTREE: usize = 20;
/// The administrator's.
const KEY: &str = "administrator-key";
/// Words that pages are made of.
const WORDS: usize = 3_000;
/// Questions that are timed, and those for which Confluence is asked as well.
const QUESTIONS: usize = 400;
const CHECKED: usize = 60;
/// Questions and people of the comparison of hits.
const COMPARED: usize = 100;
const READERS: usize = 4;
const HITS: usize = 10;

/// Numbers that look random and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default() % bound.max(1)
    }

    /// The number of a word; the first are frequent, the last are rare.
    fn word(&mut self) -> usize {
        self.below(WORDS) * self.below(WORDS) / WORDS
    }
}

/// A word of letters, so that it has no ending in any language.
fn word(number: usize) -> String {
    const PARTS: [&str; 10] = ["ka", "lo", "mi", "nu", "ra", "so", "ti", "vu", "xa", "zo"];
    let digits = format!("{:04}", number * 7 % 10_000);
    digits
        .bytes()
        .map(|digit| PARTS[usize::from(digit - b'0')])
        .collect()
}

fn account(person: usize) -> String {
    format!("712020:{person:04}")
}

fn address(person: usize) -> String {
    format!("person{person}@example.org")
}

/// How much of a site is restricted, of ten subtrees.
#[derive(Clone, Copy)]
struct Restricted(usize);

impl Restricted {
    const fn in_words(self) -> &'static str {
        match self.0 {
            1 => "a tenth",
            _ => "nine tenths",
        }
    }
}

/// The site, and a text to ask from for each page.
fn site(pages: usize, restricted: Restricted) -> (Site, Vec<Vec<usize>>) {
    let site = Site::new();
    let mut numbers = Numbers(7);
    for person in 0..PEOPLE {
        site.add_user(
            &account(person),
            &format!("Person {person}"),
            &address(person),
        );
    }
    let groups: Vec<Principal> = (0..GROUPS)
        .map(|group| {
            let members =
                (0..PEOPLE).filter(|p| p % GROUPS == group || p * 7 / GROUPS % GROUPS == group);
            let members: Vec<String> = members.map(account).collect();
            let members: Vec<&str> = members.iter().map(String::as_str).collect();
            Principal::Group(site.add_group(&format!("group-{group}"), &members))
        })
        .collect();
    let sync = Account::classic(ConfluenceSim::EMAIL, ConfluenceSim::TOKEN).account_id;
    let sync = || Principal::User(sync.clone());
    for space in 0..SPACES {
        let key = format!("SP{space}");
        site.add_space(&key, &format!("Space {space}"));
        if space % 4 == 0 {
            let mut readers: Vec<Principal> = groups
                .iter()
                .skip(space)
                .take(GROUPS / 2)
                .cloned()
                .collect();
            readers.push(sync());
            site.limit_space_to(&key, &readers);
        }
    }
    let mut texts = Vec::new();
    let mut tops = vec![None; SPACES];
    for page in 0..pages.saturating_sub(SPACES) {
        let (space, of_space) = (page % SPACES, page / SPACES);
        let words: Vec<usize> = (0..150).map(|_| numbers.word()).collect();
        let is_top = of_space.is_multiple_of(SUBTREE);
        let parent = if is_top { None } else { tops[space] };
        let some = |from, to| text(words.iter().copied().skip(from).take(to - from));
        let body = format!(
            "<h2>{}</h2><p>{}</p><h2>{}</h2><p>{}</p>",
            some(0, 2),
            some(2, 80),
            some(80, 81),
            some(81, 150)
        );
        let id = site.create_page(
            &format!("SP{space}"),
            parent,
            &format!("Page {page}"),
            &body,
        );
        if is_top {
            tops[space] = Some(id);
            let subtree = space + of_space / SUBTREE;
            if subtree % 10 < restricted.0 {
                let one = &groups[numbers.below(GROUPS)];
                let other = &groups[numbers.below(GROUPS)];
                site.restrict(id, &[one.clone(), other.clone(), sync()]);
            }
        }
        texts.push(words);
    }
    (site, texts)
}

/// A program of its own over the site.
struct Service {
    http: Client,
    base: String,
    _program: Program,
    _folder: TempDir,
}

impl Service {
    async fn start(sim: &ConfluenceSim, person: Option<usize>) -> Self {
        Self::start_with(sim, person, "off").await
    }

    /// `noted`: what is kept of questions (`AUDIT_QUESTIONS`).
    async fn start_with(sim: &ConfluenceSim, person: Option<usize>, noted: &str) -> Self {
        let mut key = HeaderMap::new();
        key.insert("X-API-Key", HeaderValue::from_static(KEY));
        let http = Client::builder().no_proxy().default_headers(key).build();
        let http = http.expect("a client");
        let folder = tempfile::tempdir().expect("a folder");
        let (mut command, base) = service::command(folder.path(), sim);
        command
            .env("CONFLUENCE_MAX_REQUESTS_PER_SECOND", "1000")
            .env("AUDIT_QUESTIONS", noted)
            .env("API_KEY", KEY);
        if let Some(person) = person {
            command
                .env("CONFLUENCE_EMAIL", address(person))
                .env("CONFLUENCE_API_TOKEN", account(person));
        }
        Self {
            _program: Program::start(command, &http, &base).await,
            http,
            base,
            _folder: folder,
        }
    }

    /// An index of all spaces with its first sync.
    async fn index(
        &self,
        agent: &str,
        access: &str,
        restricted_pages: &str,
        spaces: &[String],
    ) -> Value {
        let body = json!({"name": agent, "agent_id": agent, "confluence_spaces": spaces, "access": access, "restricted_pages": restricted_pages});
        let index = post(&self.http, &format!("{}/api/indexes/", self.base), &body).await;
        until_over(&self.http, &self.base, &index["last_run"]).await
    }

    async fn sweep(&self, agent: &str) -> Value {
        let sync = format!("{}/api/indexes/agent/{agent}/sync", self.base);
        let run = post(&self.http, &sync, &json!({})).await;
        until_over(&self.http, &self.base, &run).await
    }

    /// What a question finds.
    async fn asks(&self, agent: &str, person: Option<usize>, question: &str, hits: usize) -> Found {
        let url = format!("{}/api/indexes/agent/{agent}/query", self.base);
        let mut request = self
            .http
            .post(url)
            .json(&json!({"query": question, "top_k": hits}));
        if let Some(person) = person {
            request = request.header("X-User-Email", address(person));
        }
        let answer = request.send().await.expect("an answer");
        assert!(answer.status().is_success(), "{}", answer.status());
        let answer: Value = answer.json().await.expect("JSON");
        let hits = answer["results"].as_array().expect("results").iter();
        let pages = hits
            .clone()
            .filter_map(|hit| hit["page"]["id"].as_str().map(str::to_owned));
        let scores = hits.filter_map(|hit| hit["score"].as_f64());
        Found {
            pages: pages.collect(),
            scores: scores.map(|score| format!("{score:.4}")).collect(),
        }
    }
}

/// The hits of an answer: their pages, and how well they answer, place by place.
struct Found {
    pages: BTreeSet<String>,
    scores: Vec<String>,
}

/// How often what was asked of Confluence.
fn by_endpoint(sim: &ConfluenceSim) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for request in sim.requests() {
        let is_id = |part: &str| part.len() > 2 && part.contains(|c: char| c.is_ascii_digit());
        let parts = request.path.split('/');
        let parts = parts.map(|part| if is_id(part) { "…" } else { part });
        let path = parts.collect::<Vec<_>>().join("/");
        *counts.entry(path).or_default() += 1;
    }
    counts
        .iter()
        .map(|(path, count)| format!("{count:6} {path}\n"))
        .collect()
}

/// Words of a text.
fn text(words: impl Iterator<Item = usize>) -> String {
    words.map(word).collect::<Vec<_>>().join(" ")
}

/// Three words of a page, whichever; or its two rarest, which few pages have.
fn question(texts: &[Vec<usize>], numbers: &mut Numbers, rare: bool) -> String {
    let mut words = texts[numbers.below(texts.len())].clone();
    if rare {
        words.sort_unstable();
        words.dedup();
        return text(words.into_iter().rev().take(2));
    }
    text((0..3).map(|_| words[numbers.below(words.len())]))
}

fn percentiles(mut times: Vec<Duration>) -> (f64, f64) {
    times.sort_unstable();
    let at = |share: usize| {
        let place = (times.len() * share / 100).min(times.len().saturating_sub(1));
        times
            .get(place)
            .map_or(f64::NAN, |time| time.as_secs_f64() * 1_000.0)
    };
    (at(50), at(95))
}

/// The tables, row by row.
#[derive(Default)]
struct Tables {
    requests: Vec<String>,
    questions: Vec<String>,
    recall: Vec<String>,
}

async fn measure(pages: usize, restricted: Restricted, tables: &mut Tables) {
    let (site, texts) = site(pages, restricted);
    let mut sim = ConfluenceSim::builder()
        .site(site)
        .account(Account::classic(ConfluenceSim::EMAIL, ConfluenceSim::TOKEN).admin());
    let readers: Vec<usize> = (0..READERS).map(|n| n * 131 % PEOPLE).collect();
    for person in &readers {
        let own = Account::classic(&address(*person), &account(*person));
        sim = sim.account(own.acting_as(&account(*person)));
    }
    let sim = sim.start().await.expect("a port");
    let spaces: Vec<String> = (0..SPACES).map(|n| format!("SP{n}")).collect();
    let what = restricted.in_words();

    let alike = Service::start(&sim, None).await;
    let first = alike.index("alike", "everyone", "skip", &spaces).await;
    let sweep = alike.sweep("alike").await;
    let each = Service::start(&sim, None).await;
    let first_each = each.index("each", "per_user", "skip", &spaces).await;
    let sweep_each = each.sweep("each").await;
    let requests = |run: &Value| run["requests"]["confluence"].as_i64().unwrap_or(-1);
    for (kind, alike, each) in [
        ("first sync", &first, &first_each),
        ("sweep", &sweep, &sweep_each),
    ] {
        let (before, after) = (requests(alike), requests(each));
        #[expect(clippy::cast_precision_loss)]
        let ratio = after as f64 / before as f64;
        tables.requests.push(format!(
            "| {pages} | {what} | {kind} | {before} ({:.1} s) | {after} ({:.1} s) | {} | {ratio:.2} |",
            seconds(alike),
            seconds(each),
            after - before,
        ));
    }
    drop(alike);
    eprintln!(
        "{pages} pages, {what}: requests of both programs, by what is asked\n{}",
        by_endpoint(&sim)
    );

    // The same documents, for whoever asks; and where Confluence is asked about each page of an answer.
    each.index("whole", "everyone", "include", &spaces).await;
    each.index("checked", "per_user_checked", "skip", &spaces)
        .await;
    // The same again where each question goes into the audit.
    let noted = Service::start_with(&sim, None, "text").await;
    noted.index("whole", "everyone", "include", &spaces).await;
    let mut medians = Vec::new();
    for (service, agent, access, times) in [
        (&each, "whole", "`everyone`", QUESTIONS),
        (
            &noted,
            "whole",
            "`everyone`, with `AUDIT_QUESTIONS=text`",
            QUESTIONS,
        ),
        (&each, "each", "`per_user`", QUESTIONS),
        (&each, "checked", "`per_user_checked`", CHECKED),
    ] {
        let mut numbers = Numbers(11);
        let mut took = Vec::new();
        for turn in 0..times + 20 {
            let text = question(&texts, &mut numbers, false);
            let began = Instant::now();
            service
                .asks(agent, Some(turn * 37 % PEOPLE), &text, HITS)
                .await;
            // The first ones find nothing in memory.
            if turn >= 20 {
                took.push(began.elapsed());
            }
        }
        let (p50, p95) = percentiles(took);
        medians.push(p50);
        tables.questions.push(format!(
            "| {pages} | {what} | {access} | {times} | {p50:.1} ms | {p95:.1} ms | {:.2} |",
            p50 / medians[0],
        ));
    }
    let id = get(&each.http, &format!("{}/api/indexes/agent/each", each.base)).await;
    let id = id
        .and_then(|index| index["id"].as_str().map(str::to_owned))
        .unwrap_or_default();
    let tokens = format!("{}/api/indexes/{id}/tokens", each.base);
    let token = post(
        &each.http,
        &tokens,
        &json!({"name": "chat", "speaks_for_others": true}),
    )
    .await;
    let token = token["token"].as_str().unwrap_or_default();
    let chat = Client::builder().no_proxy().build().expect("a client");
    let mut took = Vec::new();
    for turn in 0..40 {
        let began = Instant::now();
        let url = format!("{}/api/indexes/{id}", each.base);
        let request = chat.get(url).bearer_auth(token);
        let request = request.header("X-User-Email", address(turn * 37 % PEOPLE));
        let answer = request.send().await.expect("an answer");
        assert!(answer.status().is_success(), "{}", answer.status());
        took.push(began.elapsed());
    }
    let (p50, p95) = percentiles(took);
    tables.questions.push(format!(
        "| {pages} | {what} | `per_user`: the index as a person sees it | 40 | {p50:.1} ms | {p95:.1} ms | |"
    ));

    for person in readers {
        // A person's own account sees these spaces only.
        let own = Service::start(&sim, Some(person)).await;
        let visible = get(&own.http, &format!("{}/api/spaces", own.base))
            .await
            .expect("spaces");
        let visible: Vec<String> = visible["items"]
            .as_array()
            .expect("spaces")
            .iter()
            .filter_map(|space| space["key"].as_str().map(str::to_owned))
            .collect();
        let run = own.index("own", "everyone", "include", &visible).await;
        let documents = run["counts"]["searchable"].as_i64().unwrap_or(-1);
        for (rare, hits, kind) in [(false, HITS, "three words"), (true, 50, "two rare words")] {
            let mut numbers = Numbers(13);
            let (mut found, mut of, mut equal, mut as_good) = (0, 0, 0, 0);
            for _ in 0..COMPARED {
                let text = question(&texts, &mut numbers, rare);
                let own = own.asks("own", None, &text, hits).await;
                let shared = each.asks("each", Some(person), &text, hits).await;
                of += own.pages.len();
                found += own.pages.intersection(&shared.pages).count();
                equal += usize::from(own.pages == shared.pages);
                as_good += usize::from(own.scores == shared.scores);
                if own.scores != shared.scores {
                    eprintln!(
                        "person {person}, {text:?}: {:?} of an own index, {:?}",
                        own.scores, shared.scores
                    );
                }
            }
            #[expect(clippy::cast_precision_loss)]
            let recall = found as f64 / of as f64;
            tables.recall.push(format!(
                "| {pages} | {what} | {documents} | {kind}, {hits} hits | {of} | {recall:.3} | {equal} of {COMPARED} | {as_good} of {COMPARED} |"
            ));
        }
    }
}

fn main() {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    let arguments = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench");
    let mut sizes: Vec<usize> = arguments
        .map(|a| a.parse().expect("a number of pages"))
        .collect();
    if sizes.is_empty() {
        sizes = vec![1_000, 10_000];
    }
    actix_web::rt::System::new().block_on(async {
        let mut tables = Tables::default();
        for pages in sizes {
            for restricted in [Restricted(1), Restricted(9)] {
                measure(pages, restricted, &mut tables).await;
            }
        }
        let print = |head: &[&str], rows: &[String]| {
            println!(
                "\n| {} |\n|{}\n{}",
                head.join(" | "),
                "---|".repeat(head.len()),
                rows.join("\n")
            );
        };
        print(
            &[
                "pages",
                "subtrees restricted",
                "run",
                "requests, `everyone`",
                "requests, `per_user`",
                "in addition",
                "ratio",
            ],
            &tables.requests,
        );
        print(
            &[
                "pages",
                "subtrees restricted",
                "access",
                "questions",
                "p50",
                "p95",
                "p50 against `everyone`",
            ],
            &tables.questions,
        );
        print(
            &[
                "pages",
                "subtrees restricted",
                "pages of a person",
                "question",
                "pages found on an index of these alone",
                "of these on the shared index",
                "the same pages",
                "the same scores, place by place",
            ],
            &tables.recall,
        );
    });
}
