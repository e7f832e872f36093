//! Many pages at once, for measurements.

use super::Site;
use crate::confluence::model::ContentId;

impl Site {
    /// Fills a space with this many pages for measurements: a tree ten wide, some labels, bodies of about `body_bytes`.
    /// Returns their ids. The same arguments make the same pages.
    pub fn populate(&self, space: &str, pages: usize, body_bytes: usize) -> Vec<ContentId> {
        const WORDS: &[&str] = &[
            "deploy", "service", "queue", "invoice", "restart", "database", "replica", "customer",
            "backup", "release", "token", "schedule", "metric", "alert", "owner", "region",
            "cluster", "window", "review", "budget",
        ];
        let home = self.homepage(space);
        let mut ids: Vec<ContentId> = Vec::with_capacity(pages);
        let mut seed: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut word = move || {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            WORDS[(seed >> 33) as usize % WORDS.len()]
        };
        for n in 0..pages {
            let parent = if n < 10 { home } else { ids[n / 10 - 1] };
            let mut body = format!("<h2>Part {n}</h2><p>");
            while body.len() < body_bytes {
                body.push_str(word());
                body.push(if body.len() % 97 < 8 { '.' } else { ' ' });
                if body.len() % 389 < 8 {
                    body.push_str("</p><p>");
                }
            }
            body.push_str("</p>");
            let title = format!("{space} {} {} {n}", word(), word());
            let id = self.create_page(space, Some(parent), &title, &body);
            if n % 7 == 0 {
                self.label(id, word());
            }
            ids.push(id);
        }
        ids
    }
}
