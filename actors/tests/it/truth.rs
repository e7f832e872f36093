//! What an index should hold by the rules of the contract, worked out from the site alone, and what a store does hold, in the
//! same words: one line of facts and the text.

use std::collections::{BTreeMap, BTreeSet};

use domain::content::ContentKind;
use domain::document::Document;
use domain::index::{IndexSettings, RestrictedPages};
use domain::{DocumentId, PageId};
use simulators::confluence::{ContentId, Kind, Site, Status, TrueComment, TruePage};

use crate::fakes::FakeRetrieval;

/// What of the pages an index holds beside their texts.
#[derive(Clone, Copy)]
pub struct Included {
    pub comments: bool,
    /// Files whose text can be read.
    pub files: bool,
}

/// What a store should hold of a page or a file, in words.
struct Truth<'a> {
    version: u32,
    labels: Vec<&'a str>,
    title: &'a str,
    /// The space and what stands above, from the top down.
    above: Vec<&'a str>,
    text: &'a str,
    /// In the order in which they stand in the document.
    comments: Vec<&'a TrueComment>,
}

impl Truth<'_> {
    fn in_words(&self) -> String {
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

fn told(comments: &[&TrueComment]) -> String {
    let mut text = String::new();
    for comment in comments {
        let marks = |depth: usize| vec![">"; depth].join(" ");
        let around = marks(comment.depth);
        let mut heading = format!("{around} **{}**", comment.author);
        let inline = comment.selection.as_ref().filter(|_| comment.depth == 0);
        if let Some(on) = inline {
            heading.push_str(&format!(" on “{on}”"));
        }
        heading.push_str(&format!(", {}", comment.modified_at.format("%Y-%m-%d")));
        heading.push_str(match comment.resolution.as_str() {
            "resolved" if inline.is_some() => " (resolved)",
            "dangling" if inline.is_some() => " (that text is no longer on the page)",
            _ => "",
        });
        let (heading, within) = (heading.trim_start(), marks(comment.depth + 1));
        let said = comment.body.replace("<p>", "").replace("</p>", "");
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

/// The texts that an index of these pages should hold, as this account sees the site.
pub fn truth_of(
    site: &Site,
    account: &str,
    members: &[TruePage],
    included: Included,
) -> BTreeMap<DocumentId, String> {
    let seen: BTreeMap<_, _> = site
        .all_for(account)
        .into_iter()
        .filter(|page| page.status == Status::Current)
        .map(|page| (page.id, page.title))
        .collect();
    let (mut comments, mut files) = (site.every_comment(), site.every_file());
    comments.retain(|_| included.comments);
    files.retain(|file| {
        let kind = file.media_type.as_deref();
        included.files && !file.trashed && kind.is_some_and(|kind| kind.starts_with("text/"))
    });
    let mut truth = BTreeMap::new();
    for page in members {
        // What the account does not see as a current page is not named.
        let above = ids_above(site, page);
        let above = above.iter().rev().filter_map(|id| seen.get(id));
        let page_truth = Truth {
            version: page.version,
            labels: page.labels.iter().map(String::as_str).collect(),
            title: &page.title,
            above: std::iter::once(&page.space_name)
                .chain(above)
                .map(String::as_str)
                .collect(),
            text: &page.body,
            comments: comments.iter().filter(|c| c.on == page.id).collect(),
        };
        for file in files.iter().filter(|file| file.on == page.id) {
            let mut above = page_truth.above.clone();
            above.push(&page.title);
            let file_truth = Truth {
                version: file.version,
                labels: page_truth.labels.clone(),
                title: &file.name,
                above,
                text: std::str::from_utf8(&file.data).unwrap(),
                comments: Vec::new(),
            };
            let id = PageId::from(format!("att{}", file.id));
            let id = DocumentId::of(ContentKind::Attachment, &id);
            truth.insert(id, file_truth.in_words());
        }
        let kind = match page.kind {
            Kind::BlogPost => ContentKind::BlogPost,
            _ => ContentKind::Page,
        };
        let id = DocumentId::of(kind, &PageId::from(page.id.to_string()));
        truth.insert(id, page_truth.in_words());
    }
    truth
}

/// What a page stands below, from the bottom up.
fn ids_above(site: &Site, page: &TruePage) -> Vec<ContentId> {
    let above = |id: &ContentId| site.true_page(*id).and_then(|page| page.parent);
    std::iter::successors(page.parent, above).collect()
}

/// Whether an index of these settings should hold a page that the account sees.
pub fn is_member(site: &Site, settings: &IndexSettings, page: &TruePage) -> bool {
    let roots = &settings.root_page_ids;
    let is_root = |id: &ContentId| roots.contains(&id.to_string());
    let has = |label: &String| page.labels.contains(label);
    let mut spaces = settings.confluence_spaces.iter();
    spaces.any(|key| key.as_str() == page.space_key)
        && (page.kind == Kind::Page || settings.include_blog_posts)
        && page.status == Status::Current
        && (settings.restricted_pages == RestrictedPages::Include || !page.restricted)
        && (roots.is_empty() || is_root(&page.id) || ids_above(site, page).iter().any(is_root))
        && (settings.labels.is_empty() || settings.labels.iter().any(has))
        && !settings.exclude_labels.iter().any(has)
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
