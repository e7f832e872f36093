//! Whether links that point to a page should count in the ranking: what a mild prior by their number, or their words as text of the page,
//! would change.

use std::collections::{BTreeMap, HashMap, HashSet};

use domain::query::Passage;
use regex::Regex;

use crate::{Outcome, Went, WikiPage};

/// Links to a page, by its `SPACE:key`.
#[derive(Default)]
pub struct Links {
    /// Pages that link to it.
    pages: HashMap<String, u32>,
    /// The words of the links, each once, the most frequent first.
    words: HashMap<String, Vec<String>>,
}

impl Links {
    pub fn of(spaces: &BTreeMap<String, Vec<WikiPage>>) -> Outcome<Self> {
        let link = Regex::new(
            r#"<ac:link[^>]*><ri:page ri:content-title="([^"]*)"[^>]*/>(?:<ac:link-body>([^<]*)</ac:link-body>)?"#,
        )?;
        let plain = |text: &str| {
            let text = text.replace("&quot;", "\"").replace("&#x27;", "'");
            text.replace("&lt;", "<")
                .replace("&gt;", ">")
                .replace("&amp;", "&")
        };
        let mut links = Self::default();
        let mut counted: HashMap<String, HashMap<String, u32>> = HashMap::new();
        for (space, pages) in spaces {
            let by_title: HashMap<&str, &WikiPage> =
                pages.iter().map(|p| (p.title.as_str(), p)).collect();
            for page in pages {
                let mut targets = HashSet::new();
                for found in link.captures_iter(&page.body) {
                    let Some(target) = by_title.get(plain(&found[1]).as_str()) else {
                        continue;
                    };
                    if target.key == page.key {
                        continue;
                    }
                    let target = format!("{space}:{}", target.key);
                    if let Some(words) = found.get(2) {
                        let words = plain(words.as_str()).trim().to_lowercase();
                        *counted
                            .entry(target.clone())
                            .or_default()
                            .entry(words)
                            .or_default() += 1;
                    }
                    targets.insert(target);
                }
                for target in targets {
                    *links.pages.entry(target).or_default() += 1;
                }
            }
        }
        for (target, counted) in counted {
            let mut words: Vec<(u32, String)> =
                counted.into_iter().map(|(words, n)| (n, words)).collect();
            words.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
            let words = words.into_iter().map(|(_, words)| words);
            links
                .words
                .insert(target, words.filter(|words| words.len() > 2).collect());
        }
        Ok(links)
    }

    /// The words by which others link to a page, so many different ones.
    pub fn words(&self, key: &str, most: usize) -> &[String] {
        let words = self.words.get(key).map_or(&[][..], Vec::as_slice);
        &words[..words.len().min(most)]
    }

    /// The passages in the order that they would have if a page with e − 1 links to it counted `weight` more, one with e² − 1 twice that.
    pub fn ranked(
        &self,
        passages: &[Passage],
        weight: f64,
        key: impl Fn(&Passage) -> String,
    ) -> Vec<Passage> {
        let mut ranked = passages.to_vec();
        for passage in &mut ranked {
            let links = self.pages.get(&key(passage)).copied().unwrap_or(0);
            passage.score *= 1.0 + weight * f64::from(1 + links).ln();
        }
        ranked.sort_by(|a, b| b.score.total_cmp(&a.score));
        ranked
    }
}

/// Mean reciprocal rank, hits among three and ten, answers in eight: of every second question from `half` on.
pub fn summary(went: &[Went], half: usize) -> String {
    let some: Vec<&Went> = went.iter().skip(half).step_by(2).collect();
    let share = |test: &dyn Fn(&Went) -> f64| {
        some.iter().map(|went| test(went)).sum::<f64>() / some.len().max(1) as f64
    };
    let within =
        |place: Option<usize>, most| f64::from(u8::from(place.is_some_and(|at| at <= most)));
    format!(
        "{:.3} | {:.3} | {:.3} | {:.3} | {:.3}",
        share(&|went| within(went.rank, 1)),
        share(&|went| within(went.rank, 3)),
        share(&|went| within(went.rank, 10)),
        share(&|went| went.rank.map_or(0.0, |rank| 1.0 / rank as f64)),
        share(&|went| within(went.answer, 8)),
    )
}
