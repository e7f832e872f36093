//! What people say on pages and attach to them.

use domain::comments::Standing;
use domain::content::{ContentKind, ContentStatus};

use super::pages::ids;
use crate::bench::Bench;
use crate::luck::Luck;

/// Replies stand no deeper than this.
const DEEPEST: usize = 4;

/// A comment or reply more, or something happens to one.
pub(super) fn comments(bench: &Bench, luck: &mut Luck) {
    let all: Vec<u64> = bench
        .site
        .with(|site| site.comments.keys().copied().collect());
    let Some(id) = luck.pick(&all).filter(|_| luck.next(5) > 1) else {
        return say(bench, luck);
    };
    match luck.next(6) {
        0 | 1 if depth(bench, id) < DEEPEST => {
            let number = luck.next(100_000);
            let reply = bench.site.reply(id, &format!("answered {number}"));
            lag(bench, luck, reply);
        }
        0..=2 => {
            let number = luck.next(100_000);
            bench.site.edit_comment(id, &format!("said anew {number}"));
        }
        3 => {
            let all = [Standing::Open, Standing::Resolved, Standing::Dangling];
            let standing = luck.pick(&all).unwrap();
            bench.site.change_comment(id, |comment| {
                // Only what stands in the text is ever settled, or loses its place.
                if comment.on.is_some() {
                    comment.standing = standing;
                }
            });
        }
        _ => bench.site.delete_thread(id),
    }
}

fn say(bench: &Bench, luck: &mut Luck) {
    let Some(page) = luck.pick(&current(bench)) else {
        return;
    };
    let text = format!("said {}", luck.next(100_000));
    let id = if luck.once_in(2) {
        bench.site.comment(page, &text)
    } else {
        bench.site.inline_comment(page, "a few words", &text)
    };
    lag(bench, luck, id);
}

fn lag(bench: &Bench, luck: &mut Luck, comment: u64) {
    let lags = luck.once_in(4);
    bench
        .site
        .change_comment(comment, |comment| comment.lags = lags);
}

fn depth(bench: &Bench, id: u64) -> usize {
    bench.site.with(|site| {
        let above = |id: &u64| site.comments.get(id).and_then(|comment| comment.parent);
        std::iter::successors(above(&id), above).count()
    })
}

/// A file more, or something happens to one.
pub(super) fn files(bench: &Bench, luck: &mut Luck) {
    let all: Vec<u64> = bench.site.with(|site| site.files.keys().copied().collect());
    let Some(id) = luck.pick(&all).filter(|_| luck.next(5) > 1) else {
        return attach(bench, luck);
    };
    let number = luck.next(100_000);
    let now = bench.site.with(|site| site.files[&id].version);
    match luck.next(6) {
        0 | 1 => bench
            .site
            .replace_file(id, format!("words anew {number}").as_bytes()),
        2 => bench.site.change_file(id, |file| {
            let (_, extension) = file.name.rsplit_once('.').unwrap();
            file.name = format!("renamed {number}.{extension}");
        }),
        3 => {
            // Moved to another page.
            let Some(page) = luck.pick(&current(bench)) else {
                return;
            };
            bench.site.change_file(id, |file| {
                file.page = page;
                file.version = now + 1;
            });
        }
        _ => bench
            .site
            .change_file(id, |file| file.trashed = !file.trashed),
    }
}

fn attach(bench: &Bench, luck: &mut Luck) {
    let Some(page) = luck.pick(&current(bench)) else {
        return;
    };
    let number = luck.next(100_000);
    let kinds = [
        ("txt", "text/plain"),
        ("md", "text/markdown"),
        ("png", "image/png"),
    ];
    let (extension, media_type) = luck.pick(&kinds).unwrap();
    let (name, words) = (
        format!("file {number}.{extension}"),
        format!("words {number}"),
    );
    let id = bench.site.attach(page, &name, media_type, words.as_bytes());
    let lags = luck.once_in(4);
    bench.site.change_file(id, |file| file.lags = lags);
}

/// Pages and posts that something can be put on.
fn current(bench: &Bench) -> Vec<u64> {
    ids(bench, |page| {
        page.status == ContentStatus::Current && page.kind != ContentKind::Container
    })
}
