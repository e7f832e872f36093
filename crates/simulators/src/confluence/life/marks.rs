//! What people say on pages and attach to them.

use rand::Rng;
use rand::seq::IndexedRandom as _;

use super::Life;
use crate::confluence::model::{ContentId, Status};
use crate::confluence::site::Site;

/// Replies stand no deeper than this.
const DEEPEST: usize = 4;

impl Life {
    /// A comment or reply more, or something happens to one.
    pub(super) fn disturb_comments(&mut self, site: &Site) {
        let all = site.every_comment();
        let old = self.luck.random_bool(0.6);
        let Some(comment) = all.choose(&mut self.luck).filter(|_| old) else {
            return self.say(site);
        };
        let words = self.words();
        match self.luck.random_range(0..6) {
            0 | 1 if comment.depth < DEEPEST => {
                site.reply(comment.id, &words);
            }
            0..=2 => site.edit_comment(comment.id, &words),
            3 if comment.selection.is_some() => {
                let words = ["open", "resolved", "reopened", "dangling"];
                let resolution = words.choose(&mut self.luck).unwrap_or(&"open");
                site.resolve_comment(comment.id, resolution);
            }
            _ => site.delete_comment(comment.id),
        }
    }

    fn say(&mut self, site: &Site) {
        let Some(page) = self.current(site) else {
            return;
        };
        let words = self.words();
        if self.luck.random_bool(0.5) {
            site.comment(page, &words);
        } else {
            site.inline_comment(page, "a few words", &words);
        }
    }

    /// A file more, or something happens to one.
    pub(super) fn disturb_files(&mut self, site: &Site) {
        let all = site.every_file();
        let old = self.luck.random_bool(0.6);
        let Some(file) = all.choose(&mut self.luck).filter(|_| old) else {
            return self.attach(site);
        };
        let number = self.number();
        match self.luck.random_range(0..6) {
            0 | 1 => site.replace_attachment(file.id, format!("words anew {number}").as_bytes()),
            2 => {
                let extension = file.name.rsplit_once('.').map_or("txt", |(_, after)| after);
                site.rename_attachment(file.id, &format!("renamed {number}.{extension}"));
            }
            3 => {
                if let Some(page) = self.current(site) {
                    site.move_attachment(file.id, page);
                }
            }
            _ if file.trashed => site.restore_attachment(file.id),
            _ => site.trash_attachment(file.id),
        }
    }

    fn attach(&mut self, site: &Site) {
        let Some(page) = self.current(site) else {
            return;
        };
        let kinds = [
            ("txt", "text/plain"),
            ("md", "text/markdown"),
            ("png", "image/png"),
        ];
        let (extension, media_type) = *kinds.choose(&mut self.luck).unwrap_or(&kinds[0]);
        let number = self.number();
        let (name, words) = (
            format!("file {number}.{extension}"),
            format!("words {number}"),
        );
        site.attach(page, &name, media_type, words.as_bytes());
    }

    fn current(&mut self, site: &Site) -> Option<ContentId> {
        let page = self.one_of(site, |page| page.status == Status::Current)?;
        Some(page.id)
    }
}
