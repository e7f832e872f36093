//! Comments of the site in memory: made, edited, settled, deleted; listed newest first and by space, as the real one does.

use domain::PageId;
use domain::comments::{CommentPlace, SourceComment, Standing};
use domain::content::ContentStatus;
use domain::ports::source::{Batch, CommentsQuery, Cursor, SourceError};

use super::confluence::{FakeConfluence, Site};

#[derive(Clone, Debug)]
pub struct FakeComment {
    pub id: u64,
    pub page: u64,
    pub parent: Option<u64>,
    pub on: Option<String>,
    pub body: String,
    pub version: i32,
    pub modified: domain::Timestamp,
    pub standing: Standing,
    /// Search does not know it yet.
    pub lags: bool,
}

impl FakeConfluence {
    pub fn comment(&self, page: u64, text: &str) -> u64 {
        self.add_comment(page, None, None, text)
    }

    pub fn inline_comment(&self, page: u64, on: &str, text: &str) -> u64 {
        self.add_comment(page, None, Some(on.to_owned()), text)
    }

    pub fn reply(&self, to: u64, text: &str) -> u64 {
        let (page, on) = self.with(|site| {
            let comment = &site.comments[&to];
            (comment.page, comment.on.clone())
        });
        self.add_comment(page, Some(to), on, text)
    }

    fn add_comment(&self, page: u64, parent: Option<u64>, on: Option<String>, text: &str) -> u64 {
        let now = self.clock().true_now();
        self.with(|site| {
            let id = site.fresh_id();
            let comment = FakeComment {
                id,
                page,
                parent,
                on,
                body: format!("<p>{text}</p>"),
                version: 1,
                modified: now,
                standing: Standing::Open,
                lags: false,
            };
            site.comments.insert(id, comment);
            id
        })
    }

    pub fn change_comment(&self, id: u64, change: impl FnOnce(&mut FakeComment)) {
        self.with(|site| change(site.comments.get_mut(&id).unwrap()));
    }

    pub fn edit_comment(&self, id: u64, text: &str) {
        let now = self.clock().true_now();
        self.change_comment(id, |comment| {
            comment.body = format!("<p>{text}</p>");
            comment.version += 1;
            comment.modified = now;
        });
    }

    pub fn delete_comment(&self, id: u64) {
        self.with(|site| site.comments.remove(&id));
    }

    /// The comment and all that replies to it, as the real site deletes.
    pub fn delete_thread(&self, id: u64) {
        self.with(|site| {
            let mut doomed = vec![id];
            while let Some(id) = doomed.pop() {
                site.comments.remove(&id);
                let replies = site.comments.values().filter(|c| c.parent == Some(id));
                doomed.extend(replies.map(|reply| reply.id));
            }
        });
    }
}

impl FakeComment {
    fn place(&self) -> CommentPlace {
        if self.on.is_some() {
            CommentPlace::Inline
        } else {
            CommentPlace::Footer
        }
    }

    fn source(&self, body: bool) -> SourceComment {
        let id = |id: u64| PageId::from(id.to_string());
        SourceComment {
            id: id(self.id),
            status: ContentStatus::Current,
            page: Some(id(self.page)),
            parent: self.parent.map(id),
            place: self.place(),
            version: self.version,
            modified: self.modified,
            author: Some("557058:aa".into()),
            standing: self.standing,
            quoted: self.on.clone(),
            url: format!(
                "https://wiki.example/wiki/spaces/10/pages/{}?focusedCommentId={}",
                self.page, self.id
            ),
            body: body.then(|| self.body.clone()),
        }
    }
}

impl Site {
    fn shows(&self, comment: &FakeComment) -> bool {
        let page = self.pages.get(&comment.page);
        page.is_some_and(|page| page.status == ContentStatus::Current && self.visible(page))
    }
}

fn part(all: Vec<SourceComment>, cursor: Option<&Cursor>, limit: usize) -> Batch<SourceComment> {
    let from: usize = cursor.map_or(0, |Cursor(text)| text.parse().unwrap());
    let more = from + limit < all.len();
    Batch {
        items: all.into_iter().skip(from).take(limit).collect(),
        next: more.then(|| Cursor((from + limit).to_string())),
    }
}

pub async fn recent(
    site: &FakeConfluence,
    place: CommentPlace,
    limit: usize,
    cursor: Option<&Cursor>,
) -> Result<Batch<SourceComment>, SourceError> {
    let any = site
        .request(format!("newest {} comments limit={limit}", place.as_str()))
        .await?;
    let mut all: Vec<SourceComment> = site.with(|site| {
        let comments = site.comments.values();
        comments
            .filter(|c| any && c.place() == place && site.shows(c))
            .map(|c| c.source(true))
            .collect()
    });
    all.sort_by_key(|c| std::cmp::Reverse(c.modified));
    Ok(part(all, cursor, limit))
}

pub async fn by(
    site: &FakeConfluence,
    query: &CommentsQuery,
    cursor: Option<&Cursor>,
) -> Result<Batch<SourceComment>, SourceError> {
    let (CommentsQuery::Space { reach, .. } | CommentsQuery::Ids(_, reach)) = query;
    let (words, bodies, limit) = match query {
        CommentsQuery::Space { key, bodies, .. } => (
            format!("comments of space {key} bodies={bodies}"),
            *bodies,
            if *bodies { 50 } else { 200 },
        ),
        CommentsQuery::Ids(ids, _) => (format!("comments of ids {}", ids.len()), true, 50),
    };
    let any = site.request(words).await?;
    let all = site.with(|site| {
        let wanted = |comment: &FakeComment| match query {
            CommentsQuery::Space { key, .. } => {
                site.spaces[&site.pages[&comment.page].space].key == key.as_str()
            }
            CommentsQuery::Ids(ids, _) => ids.contains(&PageId::from(comment.id.to_string())),
        };
        let comments = site.comments.values();
        comments
            .filter(|c| any && !c.lags && site.shows(c) && wanted(c))
            .filter(|c| site.reaches(&site.pages[&c.page].space, reach))
            .map(|c| c.source(bodies))
            .collect()
    });
    Ok(part(all, cursor, limit))
}

pub async fn one(
    site: &FakeConfluence,
    place: CommentPlace,
    id: &PageId,
) -> Result<Option<SourceComment>, SourceError> {
    let any = site
        .request(format!("one {} comment {id}", place.as_str()))
        .await?;
    Ok(site.with(|site| {
        let comment = site.comments.get(&id.as_str().parse().unwrap())?;
        (any && site.shows(comment)).then(|| comment.source(true))
    }))
}
