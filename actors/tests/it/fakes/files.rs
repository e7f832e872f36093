//! Attached files of the site in memory, listed newest first and by space, and fetched.

use domain::content::{ContentStatus, FileFacts, SourceFile};
use domain::ports::source::{Batch, Cursor, Reach, SourceError};
use domain::{PageId, SpaceKey};

use super::confluence::{FakeConfluence, Site};

#[derive(Clone, Debug)]
pub struct FakeFile {
    pub id: u64,
    pub page: u64,
    pub name: String,
    pub media_type: String,
    pub data: Vec<u8>,
    /// What the listing says of its size.
    pub told_size: u64,
    pub version: i32,
    pub modified: domain::Timestamp,
    pub trashed: bool,
    /// Search does not know it yet.
    pub lags: bool,
}

impl FakeConfluence {
    pub fn attach(&self, page: u64, name: &str, media_type: &str, data: &[u8]) -> u64 {
        let now = self.clock().true_now();
        self.with(|site| {
            let id = site.fresh_id();
            let file = FakeFile {
                id,
                page,
                name: name.to_owned(),
                media_type: media_type.to_owned(),
                data: data.to_vec(),
                told_size: u64::try_from(data.len()).unwrap(),
                version: 1,
                modified: now,
                trashed: false,
                lags: false,
            };
            site.files.insert(id, file);
            id
        })
    }

    pub fn change_file(&self, id: u64, change: impl FnOnce(&mut FakeFile)) {
        self.with(|site| change(site.files.get_mut(&id).unwrap()));
    }

    pub fn replace_file(&self, id: u64, data: &[u8]) {
        let now = self.clock().true_now();
        self.change_file(id, |file| {
            file.data = data.to_vec();
            file.told_size = u64::try_from(data.len()).unwrap();
            file.version += 1;
            file.modified = now;
        });
    }
}

impl FakeFile {
    /// Whether there is text in it that we read.
    pub fn has_text(&self) -> bool {
        self.media_type.starts_with("text/")
    }

    fn source(&self) -> SourceFile {
        SourceFile {
            id: PageId::from(format!("att{}", self.id)),
            status: if self.trashed {
                ContentStatus::Trashed
            } else {
                ContentStatus::Current
            },
            name: self.name.clone(),
            page: Some(PageId::from(self.page.to_string())),
            version: self.version,
            modified: self.modified,
            url: format!("https://wiki.example/wiki/file/{}", self.id),
            facts: FileFacts {
                media_type: Some(self.media_type.clone()),
                size: Some(self.told_size),
            },
        }
    }
}

impl Site {
    fn shows_file(&self, file: &FakeFile) -> bool {
        let page = self.pages.get(&file.page);
        page.is_some_and(|page| page.status == ContentStatus::Current && self.visible(page))
    }

    fn file(&self, id: &PageId) -> Option<&FakeFile> {
        let id = id.as_str().strip_prefix("att").unwrap().parse().unwrap();
        self.files.get(&id).filter(|file| self.shows_file(file))
    }
}

fn part(all: Vec<SourceFile>, cursor: Option<&Cursor>, limit: usize) -> Batch<SourceFile> {
    let from: usize = cursor.map_or(0, |Cursor(text)| text.parse().unwrap());
    let more = from + limit < all.len();
    Batch {
        items: all.into_iter().skip(from).take(limit).collect(),
        next: more.then(|| Cursor((from + limit).to_string())),
    }
}

pub async fn recent(
    site: &FakeConfluence,
    limit: usize,
    cursor: Option<&Cursor>,
) -> Result<Batch<SourceFile>, SourceError> {
    let any = site.request(format!("newest files limit={limit}")).await?;
    let mut all: Vec<SourceFile> = site.with(|site| {
        let files = site.files.values();
        files
            .filter(|f| any && !f.trashed && site.shows_file(f))
            .map(FakeFile::source)
            .collect()
    });
    all.sort_by_key(|file| std::cmp::Reverse(file.modified));
    Ok(part(all, cursor, limit))
}

pub async fn of_space(
    site: &FakeConfluence,
    space: &SpaceKey,
    reach: Reach,
    cursor: Option<&Cursor>,
) -> Result<Batch<SourceFile>, SourceError> {
    let any = site.request(format!("files of space {space}")).await?;
    let all = site.with(|site| {
        let here = |f: &FakeFile| site.spaces[&site.pages[&f.page].space].key == space.as_str();
        let files = site.files.values();
        files
            .filter(|f| any && !f.trashed && !f.lags && site.shows_file(f) && here(f))
            .filter(|f| site.reaches(&site.pages[&f.page].space, &reach))
            .map(FakeFile::source)
            .collect()
    });
    Ok(part(all, cursor, 200))
}

pub async fn one(site: &FakeConfluence, id: &PageId) -> Result<Option<SourceFile>, SourceError> {
    let any = site.request(format!("one file {id}")).await?;
    Ok(site.with(|site| site.file(id).filter(|_| any).map(FakeFile::source)))
}

pub async fn download(
    site: &FakeConfluence,
    page: &PageId,
    id: &PageId,
    max_bytes: usize,
) -> Result<Vec<u8>, SourceError> {
    let what = format!("download {id}");
    site.request(what.clone()).await?;
    let data = site.with(|site| {
        let file = site.file(id)?;
        (file.page.to_string() == page.as_str()).then(|| file.data.clone())
    });
    match data {
        None => Err(SourceError::NotFound { what }),
        Some(data) if data.len() > max_bytes => Err(SourceError::TooLarge {
            what,
            detail: "more bytes than allowed".to_owned(),
        }),
        Some(data) => Ok(data),
    }
}
