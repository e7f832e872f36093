//! What an index should hold by the rules of the contract, worked out from the site alone, and what a store does hold, in the
//! same words: one line of facts and the text.

use std::collections::{BTreeMap, BTreeSet};

use domain::content::{ContentKind, ContentStatus};
use domain::document::Document;
use domain::index::{IndexSettings, RestrictedPages};
use domain::{DocumentId, PageId, Timestamp};

use crate::fakes::FakeRetrieval;
use crate::fakes::confluence::{FakePage, Site};

/// A comment as a person should read it.
pub struct Said {
    /// How many comments it replies to, one above the other.
    pub depth: usize,
    pub by: String,
    /// The piece of text that it, or what it replies to, was made on.
    pub on: Option<String>,
    /// The site's word for how it stands to that text.
    pub standing: String,
    pub when: Timestamp,
    pub text: String,
}

/// What a store should hold, in words.
pub struct Truth<'a> {
    pub version: i32,
    pub labels: Vec<&'a str>,
    pub title: &'a str,
    /// The space and what stands above, from the top down.
    pub above: Vec<&'a str>,
    pub text: &'a str,
    /// In the order in which they stand in the document.
    pub comments: Vec<Said>,
}

impl Truth<'_> {
    pub fn in_words(&self) -> String {
        let comments = told(&self.comments);
        format!(
            "v{} [{}] # {} / {} / {}{comments}",
            self.version,
            self.labels.join(","),
            self.title,
            self.above.join(" > "),
            self.text.replace("<p>", "").replace("</p>", "")
        )
    }
}

fn told(comments: &[Said]) -> String {
    let mut text = String::new();
    for comment in comments {
        let marks = |depth: usize| vec![">"; depth].join(" ");
        let around = marks(comment.depth);
        let mut heading = format!("{around} **{}**", comment.by);
        let inline = comment.on.as_ref().filter(|_| comment.depth == 0);
        if let Some(on) = inline {
            heading.push_str(&format!(" on “{on}”"));
        }
        heading.push_str(&format!(", {}", comment.when.format("%Y-%m-%d")));
        heading.push_str(match comment.standing.as_str() {
            "resolved" if inline.is_some() => " (resolved)",
            "dangling" if inline.is_some() => " (that text is no longer on the page)",
            _ => "",
        });
        let (heading, within) = (heading.trim_start(), marks(comment.depth + 1));
        let said = comment.text.replace("<p>", "").replace("</p>", "");
        text.push_str(&format!(
            "\n{around}\n{heading}:\n{around}\n{within} {said}"
        ));
    }
    if text.is_empty() {
        text
    } else {
        format!("\n\n# Comments{text}")
    }
}

/// The texts that an index of these settings should hold.
pub fn truth_of(site: &Site, settings: &IndexSettings) -> BTreeMap<DocumentId, String> {
    let mut truth = BTreeMap::new();
    for page in site
        .pages
        .values()
        .filter(|page| is_member(site, settings, page))
    {
        let mut above = vec![site.spaces[&page.space].name.as_str()];
        above.extend(
            site.ancestors(page.id)
                .into_iter()
                .filter_map(|id| site.pages.get(&id))
                .filter(|above| above.kind != ContentKind::Container && is_shown(site, above))
                .map(|above| above.title.as_str()),
        );
        let mut labels: Vec<&str> = page.labels.iter().map(String::as_str).collect();
        labels.sort_unstable();
        if settings.include_attachments {
            let files = site.files.values();
            for file in files.filter(|f| f.page == page.id && !f.trashed && f.has_text()) {
                let above = above.iter().copied().chain([page.title.as_str()]).collect();
                let file_truth = Truth {
                    version: file.version,
                    labels: labels.clone(),
                    title: &file.name,
                    above,
                    text: std::str::from_utf8(&file.data).unwrap(),
                    comments: Vec::new(),
                };
                let id = PageId::from(format!("att{}", file.id));
                let id = DocumentId::of(ContentKind::Attachment, &id);
                truth.insert(id, file_truth.in_words());
            }
        }
        let comments = if settings.include_comments {
            said_on(site, page.id)
        } else {
            Vec::new()
        };
        let page_truth = Truth {
            version: page.version,
            labels,
            title: &page.title,
            above,
            text: &page.body,
            comments,
        };
        let id = DocumentId::of(page.kind, &PageId::from(page.id.to_string()));
        truth.insert(id, page_truth.in_words());
    }
    truth
}

fn is_shown(site: &Site, page: &FakePage) -> bool {
    site.visible(page) && page.status == ContentStatus::Current
}

fn is_member(site: &Site, settings: &IndexSettings, page: &FakePage) -> bool {
    let space = &site.spaces[&page.space];
    let chain: Vec<&FakePage> = site
        .ancestors(page.id)
        .into_iter()
        .filter_map(|above| site.pages.get(&above))
        .collect();
    let restricted = page.restricted || chain.iter().any(|above| above.restricted);
    let roots = &settings.root_page_ids;
    let is_root = |page: &FakePage| roots.contains(&page.id.to_string());
    let has = |label: &String| page.labels.contains(label);
    settings
        .confluence_spaces
        .iter()
        .any(|key| key.as_str() == space.key)
        && (page.kind == ContentKind::Page
            || page.kind == ContentKind::BlogPost && settings.include_blog_posts)
        && is_shown(site, page)
        && (settings.restricted_pages == RestrictedPages::Include || !restricted)
        && (roots.is_empty() || is_root(page) || chain.iter().any(|above| is_root(above)))
        && (settings.labels.is_empty() || settings.labels.iter().any(has))
        && !settings.exclude_labels.iter().any(has)
}

/// The comments of a page, each followed by what replies to it, in the order of making.
fn said_on(site: &Site, page: u64) -> Vec<Said> {
    fn below(site: &Site, page: u64, parent: Option<u64>, depth: usize, all: &mut Vec<Said>) {
        let comments = site.comments.values();
        for comment in comments.filter(|c| c.page == page && c.parent == parent) {
            all.push(Said {
                depth,
                by: "Name of 557058:aa".to_owned(),
                on: comment.on.clone(),
                standing: comment.standing.as_str().to_owned(),
                when: comment.modified,
                text: comment.body.clone(),
            });
            below(site, page, Some(comment.id), depth + 1, all);
        }
    }
    let mut all = Vec::new();
    below(site, page, None, 0, &mut all);
    all
}

/// What the one object of a store holds.
pub fn held_by(shelf: &FakeRetrieval) -> BTreeMap<DocumentId, String> {
    in_words(&shelf.documents())
}

/// What one object of a store holds.
pub fn held_under(shelf: &FakeRetrieval, object: &str) -> BTreeMap<DocumentId, String> {
    let documents = shelf.with(|shelf| shelf.documents.get(object).cloned());
    in_words(&documents.unwrap_or_default())
}

fn in_words(documents: &BTreeMap<DocumentId, Document>) -> BTreeMap<DocumentId, String> {
    let told = documents.iter().map(|(id, document)| {
        let body = document.text.splitn(5, '\n').nth(4).unwrap_or_default();
        let m = &document.metadata;
        let labels = m.labels.trim_matches('|').replace('|', ",");
        let text = format!(
            "v{} [{labels}] # {} / {} / {}",
            m.version,
            m.title,
            m.breadcrumb,
            body.trim()
        );
        (id.clone(), text)
    });
    told.collect()
}

/// Fails with the documents that are not as they should be, and with nothing else.
#[track_caller]
pub fn assert_same(
    held: &BTreeMap<DocumentId, String>,
    truth: &BTreeMap<DocumentId, String>,
    what: &str,
) {
    if held == truth {
        return;
    }
    let ids: BTreeSet<&DocumentId> = held.keys().chain(truth.keys()).collect();
    let others: Vec<String> = ids
        .into_iter()
        .filter(|id| held.get(*id) != truth.get(*id))
        .map(|id| {
            format!(
                "{id}\n  held: {:?}\n  true: {:?}",
                held.get(id),
                truth.get(id)
            )
        })
        .collect();
    panic!(
        "{what}: {} of {}\n{}",
        others.len(),
        truth.len(),
        others.join("\n")
    );
}
