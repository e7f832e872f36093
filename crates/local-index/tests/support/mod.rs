//! A made-up wiki for tests and benchmarks: pages of sections whose words follow Zipf's law, with topics, so that some
//! words are everywhere, some stand for a topic, and some name one page only. The same seed gives the same wiki.
#![allow(dead_code, missing_docs)]

use chrono::{DateTime, TimeDelta};
use domain::content::ContentKind;
use domain::document::{Document, DocumentFacts, compose, markdown_hash};
use domain::{IndexId, PageId, SpaceKey};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

/// The most frequent words of English prose, which lead every frequency list.
const COMMON: &[&str] = &[
    "the", "of", "to", "and", "a", "in", "is", "for", "that", "on", "with", "as", "this", "are",
    "be", "it", "by", "or", "from", "can", "if", "not", "an", "you", "when", "how", "do", "i",
    "what", "we", "will", "use", "which", "has", "used", "service", "page", "data", "set", "team",
    "run", "file", "new", "value", "server", "name", "request", "system", "change", "user",
    "default", "version", "time",
];

/// Words by falling frequency.
struct Zipf {
    words: Vec<String>,
    cumulative: Vec<f64>,
}

impl Zipf {
    fn new(words: Vec<String>) -> Self {
        let mut sum = 0.0;
        let cumulative = (0..words.len())
            .map(|rank| {
                sum += 1.0 / (rank as f64 + 2.7);
                sum
            })
            .collect();
        Self { words, cumulative }
    }

    fn draw(&self, rng: &mut StdRng) -> &str {
        let total = self.cumulative.last().copied().unwrap_or(1.0);
        let at = rng.random_range(0.0..total);
        &self.words[self
            .cumulative
            .partition_point(|c| *c < at)
            .min(self.words.len() - 1)]
    }
}

fn invented(rng: &mut StdRng) -> String {
    const HEADS: &[&str] = &[
        "b", "br", "c", "cl", "d", "dr", "f", "fl", "g", "gr", "h", "j", "k", "l", "m", "n", "p",
        "pr", "qu", "r", "s", "st", "t", "tr", "v", "w", "z",
    ];
    const VOWELS: &[&str] = &["a", "e", "i", "o", "u", "ai", "ea", "ou"];
    const TAILS: &[&str] = &["", "", "n", "r", "s", "l", "t", "m", "nd", "ck", "x"];
    (0..rng.random_range(2..=4))
        .map(|_| {
            [HEADS, VOWELS, TAILS]
                .map(|of| *of.choose(rng).unwrap_or(&""))
                .concat()
        })
        .collect()
}

/// A question whose answer is known.
#[derive(Clone, Debug)]
pub struct KnownItem {
    pub question: String,
    pub page: usize,
    pub section: usize,
}

pub struct Wiki {
    pub documents: Vec<Document>,
    /// Words of every section, by page.
    sections: Vec<Vec<Vec<String>>>,
    /// The words that name a page.
    own: Vec<Vec<String>>,
    rng: StdRng,
}

impl Wiki {
    /// `pages` of `sections` sections with some 150 words each.
    pub fn new(index: IndexId, pages: usize, sections: usize, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut words: Vec<String> = COMMON.iter().map(|&word| word.to_owned()).collect();
        words.extend((0..30_000).map(|_| invented(&mut rng)));
        let all = Zipf::new(words);
        let topics: Vec<Zipf> = (0..120)
            .map(|_| {
                Zipf::new(
                    (0..200)
                        .map(|_| all.words[rng.random_range(60..all.words.len())].clone())
                        .collect(),
                )
            })
            .collect();
        let mut wiki = Self {
            documents: Vec::new(),
            sections: Vec::new(),
            own: Vec::new(),
            rng,
        };
        for page in 0..pages {
            wiki.page(index, page, sections, &all, &topics);
        }
        wiki
    }

    fn page(
        &mut self,
        index: IndexId,
        number: usize,
        sections: usize,
        all: &Zipf,
        topics: &[Zipf],
    ) {
        let rng = &mut self.rng;
        let topic = &topics[rng.random_range(0..topics.len())];
        let own: Vec<String> = (0..12)
            .map(|_| all.words[rng.random_range(200..all.words.len())].clone())
            .collect();
        let title = format!("{} {} {}", topic.draw(rng), own[0], own[1]);
        let mut markdown = String::new();
        let mut texts = Vec::new();
        for section in 0..sections {
            let words: Vec<String> = (0..rng.random_range(90..=210))
                .map(|_| match rng.random_range(0..100) {
                    0..70 => all.draw(rng).to_owned(),
                    70..94 => topic.draw(rng).to_owned(),
                    _ => own[rng.random_range(0..own.len())].clone(),
                })
                .collect();
            markdown.push_str(&format!(
                "## {} {} {section}\n\n",
                topic.draw(rng),
                own[rng.random_range(0..own.len())]
            ));
            for sentence in words.chunks(14) {
                markdown.push_str(&sentence.join(" "));
                markdown.push_str(".\n");
            }
            markdown.push('\n');
            texts.push(words);
        }
        let labels = [format!("label-{}", number % 7)];
        let space_number = number % 5;
        self.documents.push(compose(
            &DocumentFacts {
                index,
                page_id: &PageId::from((1000 + number).to_string()),
                kind: ContentKind::Page,
                title: &title,
                url: &format!(
                    "https://example.atlassian.net/wiki/spaces/S{space_number}/pages/{}",
                    1000 + number
                ),
                space: &SpaceKey::from(format!("S{space_number}")),
                space_name: &format!("Space {space_number}"),
                version: 1,
                modified: DateTime::UNIX_EPOCH + TimeDelta::days(number as i64),
                labels: &labels,
                breadcrumb: &["Handbook".to_owned()],
            },
            &markdown,
            &markdown_hash(&markdown),
        ));
        self.sections.push(texts);
        self.own.push(own);
    }

    /// Questions as people type them: some of a section's telling words, some of its ordinary ones, and filling.
    pub fn questions(&mut self, count: usize) -> Vec<KnownItem> {
        (0..count)
            .map(|_| {
                let rng = &mut self.rng;
                let page = rng.random_range(0..self.sections.len());
                let section = rng.random_range(0..self.sections[page].len());
                let words = &self.sections[page][section];
                let telling: Vec<&String> = words
                    .iter()
                    .filter(|word| self.own[page].contains(word))
                    .collect();
                let mut question = vec!["how", "do", "I"];
                question.extend(
                    (0..rng.random_range(1..=2))
                        .filter_map(|_| telling.choose(rng).map(|word| word.as_str())),
                );
                question.extend(
                    (0..rng.random_range(2..=4))
                        .filter_map(|_| words.choose(rng).map(String::as_str)),
                );
                question.push("the");
                KnownItem {
                    question: question.join(" "),
                    page,
                    section,
                }
            })
            .collect()
    }

    /// A sentence that stands in the section a question asks for.
    pub fn answers(&self, item: &KnownItem, text: &str) -> bool {
        text.contains(&self.sections[item.page][item.section][..14].join(" "))
    }
}
