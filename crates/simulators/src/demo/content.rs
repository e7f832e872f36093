//! Loads the embedded sample content into a [`Site`].

use chrono::{DateTime, Duration, NaiveDate, NaiveTime, TimeZone, Utc};
use rust_embed::RustEmbed;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::Clock;
use crate::confluence::{ContentId, Edit, Site};

#[derive(RustEmbed)]
#[folder = "demo"]
struct Files;

/// The spaces of the sample site, in order.
const SPACES: &[&str] = &["ENG", "OPS", "PEOPLE"];

/// Handles and account ids of the people who write on the sample site.
pub const AUTHORS: &[(&str, &str)] = &[
    ("maria", "712020:3d9b1f0a-7c52-4e18-9a61-5f20c1d7e804"),
    ("jonas", "712020:8a41c6d2-0b3e-4f97-8c15-2e7d90b6a331"),
    ("priya", "712020:c2f7e590-64ab-4d0c-b8f3-91a0d7e45c12"),
    ("tomas", "712020:5e08b7a4-f3d1-46c2-9e7a-0c4b82d6f975"),
    ("aiko", "712020:e91d3c60-28f4-4b7e-a5d9-736f0b1c84ea"),
    ("elena", "712020:06c5fa92-d74b-4831-8f20-b9e3a1750d46"),
    ("samir", "712020:b7204e1f-95c8-4a63-8d0b-e16f37c2a590"),
    ("grace", "712020:41fa8d35-1e6c-4927-b3a8-d05c92e7f618"),
];

#[derive(Deserialize)]
struct People {
    people: Vec<Person>,
}

#[derive(Deserialize)]
struct Person {
    account_id: String,
    name: String,
    email: String,
}

#[derive(Deserialize)]
struct SpaceFile {
    key: String,
    name: String,
    description: String,
    pages: Vec<PageEntry>,
}

#[derive(Deserialize)]
struct PageEntry {
    file: String,
    title: String,
    author: String,
    created: NaiveDate,
    versions: u32,
    edited: NaiveDate,
    #[serde(default)]
    labels: Vec<String>,
    #[serde(default)]
    children: Vec<PageEntry>,
}

#[derive(Deserialize)]
struct Extras {
    blog_posts: Vec<Post>,
    attachments: Vec<FileEntry>,
    comments: Vec<CommentEntry>,
    restricted: Vec<Restricted>,
}

#[derive(Deserialize)]
struct Post {
    space: String,
    file: String,
    title: String,
    author: String,
    on: NaiveDate,
}

#[derive(Deserialize)]
struct FileEntry {
    space: String,
    page: String,
    file: String,
    media_type: String,
    author: String,
    on: NaiveDate,
}

#[derive(Deserialize)]
struct CommentEntry {
    space: String,
    page: String,
    author: String,
    on: NaiveDate,
    selection: Option<String>,
    text: String,
    #[serde(default)]
    replies: Vec<Reply>,
}

#[derive(Deserialize)]
struct Reply {
    author: String,
    on: NaiveDate,
    text: String,
}

#[derive(Deserialize)]
struct Restricted {
    space: String,
    page: String,
    to: Vec<String>,
}

/// Account id of a handle.
pub(super) fn account(handle: &str) -> &'static str {
    let found = AUTHORS.iter().find(|(h, _)| *h == handle);
    found
        .map(|(_, id)| *id)
        .unwrap_or_else(|| panic!("nobody on the sample site is called {handle}"))
}

/// An embedded text file. The files are part of the build, so a missing one is a mistake in this crate.
pub(super) fn text(path: &str) -> String {
    let file = Files::get(path).unwrap_or_else(|| panic!("demo/{path} is not embedded"));
    String::from_utf8_lossy(&file.data).trim_end().to_owned()
}

fn yaml<T: DeserializeOwned>(path: &str) -> T {
    serde_saphyr::from_str(&text(path)).unwrap_or_else(|error| panic!("demo/{path}: {error}"))
}

/// The sample site on the machine's clock.
pub fn site() -> Site {
    site_with_clock(Clock::real())
}

/// The sample site on this clock. Its history ends before the clock's present: dates move back by whole days if need be.
pub fn site_with_clock(clock: Clock) -> Site {
    let loader = Loader {
        shift: shift_for(clock.now()),
        site: Site::with_clock(clock),
    };
    for person in yaml::<People>("people.yaml").people {
        loader
            .site
            .add_user(&person.account_id, &person.name, &person.email);
    }
    for key in SPACES {
        loader.space(&yaml(&format!("{key}/space.yaml")));
    }
    loader.extras(&yaml("extras.yaml"));
    loader.site
}

/// The last day of the sample site's history.
const LAST_DAY: (i32, u32, u32) = (2026, 11, 21);

fn shift_for(now: DateTime<Utc>) -> Duration {
    let last = NaiveDate::from_ymd_opt(LAST_DAY.0, LAST_DAY.1, LAST_DAY.2).unwrap_or_default();
    let today = now.date_naive();
    if today > last {
        Duration::zero()
    } else {
        (last - today) + Duration::days(1)
    }
}

struct Loader {
    site: Site,
    shift: Duration,
}

impl Loader {
    /// A working hour of that day that differs from title to title.
    fn moment(&self, day: NaiveDate, salt: &str) -> DateTime<Utc> {
        let sum = salt
            .bytes()
            .fold(0_u32, |s, b| s.wrapping_mul(31).wrapping_add(u32::from(b)));
        let time = NaiveTime::from_hms_opt(8 + sum % 9, (sum / 9) % 60, (sum / 540) % 60)
            .unwrap_or_default();
        Utc.from_utc_datetime(&day.and_time(time)) - self.shift
    }

    fn acting(&self, handle: &str, day: NaiveDate, salt: &str) -> Site {
        self.site.at(self.moment(day, salt)).by(account(handle))
    }

    fn space(&self, space: &SpaceFile) {
        let Some(home) = space.pages.first() else {
            return;
        };
        self.acting(&home.author, home.created, &space.name)
            .add_space(&space.key, &space.name);
        self.site.describe_space(&space.key, &space.description);
        let id = self.site.homepage(&space.key);
        self.history(space, home, id);
        self.children(space, home, id);
    }

    fn children(&self, space: &SpaceFile, entry: &PageEntry, id: ContentId) {
        for child in &entry.children {
            let body = text(&format!("{}/{}", space.key, child.file));
            let site = self.acting(&child.author, child.created, &child.title);
            let child_id = site.create_page(&space.key, Some(id), &child.title, &body);
            self.history(space, child, child_id);
            self.children(space, child, child_id);
        }
    }

    /// Labels, and the versions after the first, spread between the first day and the last edit.
    fn history(&self, space: &SpaceFile, entry: &PageEntry, id: ContentId) {
        for label in &entry.labels {
            self.site.label(id, label);
        }
        let body = text(&format!("{}/{}", space.key, entry.file));
        let days = (entry.edited - entry.created).num_days();
        let edits = entry.versions.saturating_sub(1);
        for edit in 1..=edits {
            let day =
                entry.created + Duration::days(days * i64::from(edit) / i64::from(edits.max(1)));
            let last = edit == edits;
            let site = self.acting(&entry.author, day, &format!("{}{edit}", entry.title));
            let message = if last { "Brought up to date" } else { "" };
            site.edit_with(
                id,
                Edit {
                    title: Some(entry.title.clone()),
                    body: Some(body.clone()),
                    minor: !last && edit % 3 == 0,
                    message: message.into(),
                },
            );
        }
    }

    fn page(&self, space: &str, title: &str) -> ContentId {
        self.site
            .find(space, title)
            .unwrap_or_else(|| panic!("demo/extras.yaml names {space}/{title}, which is not there"))
    }

    fn extras(&self, extras: &Extras) {
        for post in &extras.blog_posts {
            let body = text(&format!("blog/{}", post.file));
            self.acting(&post.author, post.on, &post.title)
                .create_blog_post(&post.space, &post.title, &body);
        }
        for entry in &extras.attachments {
            let data = text(&format!("files/{}", entry.file));
            let site = self.acting(&entry.author, entry.on, &entry.file);
            site.attach(
                self.page(&entry.space, &entry.page),
                &entry.file,
                &entry.media_type,
                data.as_bytes(),
            );
        }
        for entry in &extras.comments {
            let on = self.page(&entry.space, &entry.page);
            let site = self.acting(&entry.author, entry.on, &entry.text);
            let id = match &entry.selection {
                Some(selection) => site.inline_comment(on, selection, &entry.text),
                None => site.comment(on, &entry.text),
            };
            for reply in &entry.replies {
                self.acting(&reply.author, reply.on, &reply.text)
                    .reply(id, &reply.text);
            }
        }
        for entry in &extras.restricted {
            let id = self.page(&entry.space, &entry.page);
            for handle in &entry.to {
                self.site.restrict_to_user(id, account(handle));
            }
        }
    }
}
