//! What people do to folders, and folders that cannot be read for a while.

use domain::content::{ContentKind, ContentStatus};

use super::pages::{self, ids};
use crate::bench::Bench;
use crate::fakes::Fault;
use crate::luck::Luck;

/// More often than any sequence asks.
const FOR_A_WHILE: usize = 10_000;

/// A folder more, or something happens to one.
pub(super) fn disturb(bench: &Bench, luck: &mut Luck) {
    let folders = ids(bench, |page| {
        page.kind == ContentKind::Container && page.status == ContentStatus::Current && !page.hidden
    });
    let Some(id) = luck.pick(&folders).filter(|_| !luck.once_in(5)) else {
        return pages::add_kind(bench, luck, ContentKind::Container);
    };
    match luck.next(10) {
        0 => bench.site.change(id, |page| page.title = "Another".into()),
        1 | 2 => pages::move_somewhere(bench, luck, id),
        3 => dissolve(bench, id),
        4 => pages::trash(bench, id),
        5 => pages::purge(bench, id),
        6 | 7 => bench
            .site
            .change(id, |page| page.restricted = !page.restricted),
        8 => bench.site.with(|site| {
            if !site.unseen.remove(&id) {
                site.unseen.insert(id);
            }
        }),
        _ => {
            let fault = luck.pick(&[Fault::Unavailable, Fault::Forbidden, Fault::NotFound]);
            let what = format!("facts of one container {id}");
            bench.site.fail(&what, FOR_A_WHILE, fault.unwrap());
        }
    }
}

/// The folder goes; what stood in it moves to where it stood.
fn dissolve(bench: &Bench, id: u64) {
    let parent = bench.site.with(|site| site.pages[&id].parent);
    for child in ids(bench, |page| page.parent == Some(id)) {
        bench.site.change(child, |page| page.parent = parent);
    }
    bench.site.purge(id);
}
