//! What happens on the sample site while somebody watches: edits, a new page, a rename, labels, a page that goes.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::content::{account, text};
use crate::confluence::{ContentId, Site};

/// A loop of small events, told one at a time. After a whole round the site is as before, but for versions and dates.
#[derive(Debug)]
pub struct Story {
    site: Site,
    next: usize,
    round: u32,
    originals: Vec<(ContentId, String)>,
    page: Option<ContentId>,
}

/// One event: it changes the site and says in a sentence what happened.
type Event = fn(&mut Story) -> String;

const EVENTS: &[Event] = &[
    |s| s.add_note("jonas", "OPS", "On-call handbook", "handover"),
    |s| s.publish_post_mortem(),
    |s| s.label_post_mortem(),
    |s| s.add_note("aiko", "ENG", "Release 2026.11", "release-fix"),
    |s| {
        s.rename(
            "tomas",
            "ENG",
            "RFC 15: Search with vectors",
            "RFC 15: Search with words and vectors",
        )
    },
    |s| s.comment(),
    |s| s.add_note("elena", "PEOPLE", "Open positions", "positions"),
    |s| s.move_post_mortem(),
    |s| s.add_note("jonas", "OPS", "Incident response", "incident-tip"),
    |s| s.trash_post_mortem(),
    |s| s.tidy_up(),
];

impl Story {
    /// A story on a site made by [`super::site`].
    pub fn new(site: Site) -> Story {
        Story {
            site,
            next: 0,
            round: 1,
            originals: Vec::new(),
            page: None,
        }
    }

    /// How many events a round has.
    pub fn round_length() -> usize {
        EVENTS.len()
    }

    /// Lets the next event happen and says what it was, e.g. `Jonas edited "On-call handbook" in OPS`.
    pub fn step(&mut self) -> String {
        let event = EVENTS[self.next];
        self.next += 1;
        let told = event(self);
        if self.next == EVENTS.len() {
            self.next = 0;
            self.round += 1;
        }
        told
    }

    /// Tells the story on a thread of its own, an event every so often, until the runner is dropped.
    /// Each sentence goes to `tell`.
    pub fn run(
        mut self,
        every: Duration,
        mut tell: impl FnMut(String) + Send + 'static,
    ) -> std::io::Result<StoryRunner> {
        let (stop, stopped) = mpsc::channel::<()>();
        let thread = std::thread::Builder::new()
            .name("demo-story".into())
            .spawn(move || {
                while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                    tell(self.step());
                }
            })?;
        Ok(StoryRunner {
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    fn by(&self, handle: &str) -> Site {
        self.site.by(account(handle))
    }

    fn find(&self, space: &str, title: &str) -> Option<ContentId> {
        self.site.find(space, title)
    }

    fn post_mortem_title(&self) -> String {
        match self.round {
            1 => "2026-11 Slow search".into(),
            n => format!("2026-11 Slow search, part {n}"),
        }
    }

    /// Puts a paragraph below the original body of a page.
    fn add_note(&mut self, who: &str, space: &str, title: &str, note: &str) -> String {
        let Some(id) = self.find(space, title) else {
            return format!("{space} has no page {title:?} any more");
        };
        let original = match self.originals.iter().find(|(known, _)| *known == id) {
            Some((_, body)) => body.clone(),
            None => {
                let body = self.site.true_page(id).map(|p| p.body).unwrap_or_default();
                self.originals.push((id, body.clone()));
                body
            }
        };
        let stamp = self.site.clock().now().format("%-d %B, %H:%M UTC");
        let body = format!(
            "{original}\n{}\n<p><em>Added on {stamp}.</em></p>",
            text(&format!("story/{note}.xml"))
        );
        self.by(who).edit(id, &body);
        format!("{} edited {title:?} in {space}", name(who))
    }

    fn publish_post_mortem(&mut self) -> String {
        let Some(parent) = self.find("OPS", "Post-mortems") else {
            return "OPS has no \"Post-mortems\" any more".into();
        };
        let title = self.post_mortem_title();
        self.page = Some(self.by("priya").create_page(
            "OPS",
            Some(parent),
            &title,
            &text("story/postmortem.xml"),
        ));
        format!("Priya published {title:?} in OPS")
    }

    fn label_post_mortem(&mut self) -> String {
        let Some(id) = self.page else {
            return "nothing to label".into();
        };
        self.by("priya").label(id, "post-mortem");
        self.by("priya").label(id, "search");
        "Priya labelled it post-mortem and search".into()
    }

    /// Back and forth, a round each.
    fn rename(&mut self, who: &str, space: &str, first: &str, second: &str) -> String {
        let (from, to) = if self.find(space, first).is_some() {
            (first, second)
        } else {
            (second, first)
        };
        let Some(id) = self.find(space, from) else {
            return format!("{space} has no page {from:?} any more");
        };
        self.by(who).rename(id, to);
        format!("{} renamed {from:?} to {to:?}", name(who))
    }

    fn comment(&mut self) -> String {
        let Some(id) = self.page else {
            return "nothing to comment".into();
        };
        self.by("grace").comment(
            id,
            "<p>Eleven customers wrote to support. I told them what happened.</p>",
        );
        "Grace commented on the post-mortem".into()
    }

    fn move_post_mortem(&mut self) -> String {
        let (Some(id), Some(parent)) = (self.page, self.find("OPS", "Bookings return errors"))
        else {
            return "nothing to move".into();
        };
        self.by("jonas").move_under(id, Some(parent));
        "Jonas moved the post-mortem under \"Bookings return errors\"".into()
    }

    fn trash_post_mortem(&mut self) -> String {
        let Some(id) = self.page.take() else {
            return "nothing to trash".into();
        };
        self.by("priya").trash(id);
        format!("Priya moved {:?} to the trash", self.post_mortem_title())
    }

    /// The notes go again, so that pages do not grow for ever.
    fn tidy_up(&mut self) -> String {
        for (id, body) in std::mem::take(&mut self.originals) {
            if self.site.true_page(id).is_some() {
                self.by("maria").edit(id, &body);
            }
        }
        "Maria tidied up the notes of the week".into()
    }
}

fn name(handle: &str) -> String {
    let mut letters = handle.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

/// A story that is being told. Dropping it ends it.
#[derive(Debug)]
pub struct StoryRunner {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for StoryRunner {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
