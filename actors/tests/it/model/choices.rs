//! What an administrator asks of an index, and changes of mind.

use domain::content::{ContentKind, ContentStatus};
use domain::index::{IndexSettings, RestrictedPages};
use domain::{IndexId, SpaceKey};

use super::pages::ids;
use crate::bench::Bench;
use crate::luck::Luck;

/// Settings to begin with.
pub(super) fn at_first(bench: &Bench, luck: &mut Luck, agent: &str) -> IndexSettings {
    let mut settings = bench.index_settings(agent, &["ENG", "OPS"]);
    // Runs are ordered here; scheduled ones come rarely between.
    settings.interval_minutes = luck.pick(&[60, 24 * 60]).unwrap();
    settings.include_blog_posts = luck.once_in(3);
    settings.include_comments = luck.once_in(2);
    settings.include_attachments = luck.once_in(2);
    for _ in 0..luck.next(3) {
        change(bench, luck, &mut settings);
    }
    settings
}

/// One choice is another from now on.
pub(super) async fn change_one(bench: &Bench, luck: &mut Luck, index: IndexId) {
    let mut settings = bench.index(index).await.settings;
    change(bench, luck, &mut settings);
    bench.patch(index, |now| *now = settings).await;
}

fn change(bench: &Bench, luck: &mut Luck, settings: &mut IndexSettings) {
    let label = |luck: &mut Luck| luck.pick(&["l1", "b"]).unwrap().to_owned();
    match luck.next(10) {
        0 => settings.include_blog_posts = !settings.include_blog_posts,
        1 | 2 => settings.include_comments = !settings.include_comments,
        3 | 4 => settings.include_attachments = !settings.include_attachments,
        5 => {
            settings.labels = match settings.labels.is_empty() && luck.once_in(2) {
                true => vec![label(luck)],
                false => Vec::new(),
            };
        }
        6 => {
            settings.exclude_labels = match settings.exclude_labels.is_empty() {
                true => vec![label(luck)],
                false => Vec::new(),
            };
        }
        7 => {
            let pages = ids(bench, |page| {
                page.kind == ContentKind::Page && page.status == ContentStatus::Current
            });
            let root = luck.pick(&pages).filter(|_| luck.once_in(2));
            settings.root_page_ids = root.iter().map(u64::to_string).collect();
        }
        8 => {
            settings.restricted_pages = match settings.restricted_pages {
                RestrictedPages::Skip => RestrictedPages::Include,
                RestrictedPages::Include => RestrictedPages::Skip,
            };
        }
        _ => {
            let choices: [&[&str]; 4] = [&["ENG"], &["OPS", "ELSE"], &["ENG", "OPS"], &["OPS"]];
            let keys = luck.pick(&choices).unwrap();
            settings.confluence_spaces = keys.iter().map(|key| SpaceKey::from(*key)).collect();
        }
    }
}
