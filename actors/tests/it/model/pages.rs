//! What people do to spaces, pages, folders and blog posts.

use domain::content::{ContentKind, ContentStatus};

use crate::bench::Bench;
use crate::fakes::confluence::FakePage;
use crate::luck::Luck;

/// The title of the pages that nothing happens to.
pub(super) const KEPT: &str = "Kept";

pub(super) fn ids(bench: &Bench, which: impl Fn(&FakePage) -> bool) -> Vec<u64> {
    bench.site.with(|site| {
        let pages = site.pages.values().filter(|page| which(page));
        pages.map(|page| page.id).collect()
    })
}

pub(super) fn add(bench: &Bench, luck: &mut Luck) {
    let kind = luck
        .pick(&[
            ContentKind::Page,
            ContentKind::Page,
            ContentKind::Page,
            ContentKind::BlogPost,
            ContentKind::Container,
        ])
        .unwrap();
    add_kind(bench, luck, kind);
}

pub(super) fn add_kind(bench: &Bench, luck: &mut Luck, kind: ContentKind) {
    let space = luck.pick(&["10", "10", "11", "99"]).unwrap();
    let above = ids(bench, |page| {
        page.space == space
            && page.kind != ContentKind::BlogPost
            && page.status == ContentStatus::Current
            && page.title != KEPT
            && !page.hidden
    });
    let parent = (kind != ContentKind::BlogPost && luck.next(3) > 0)
        .then(|| luck.pick(&above))
        .flatten();
    let number = luck.next(100_000);
    let id = bench.site.add_kind(
        kind,
        space,
        parent,
        &format!("Title {number}"),
        &format!("<p>body {number}</p>"),
    );
    let lags = luck.next(4) == 0;
    let restricted = luck.next(8) == 0;
    let labelled = luck.next(4) == 0;
    bench.site.change(id, |page| {
        page.lags = lags;
        page.restricted = restricted;
        if labelled && kind != ContentKind::Container {
            page.labels = vec!["l1".into(), "b".into()];
        }
    });
}

/// Everything below a page, itself included.
fn tree(bench: &Bench, top: u64) -> Vec<u64> {
    bench.site.with(|site| {
        let below = |id: &u64| *id == top || site.ancestors(*id).contains(&top);
        site.pages.keys().copied().filter(below).collect()
    })
}

/// Within or between spaces, with all that stands below; version and date stay. Nothing can stand below itself.
pub(super) fn move_somewhere(bench: &Bench, luck: &mut Luck, id: u64) {
    let own = tree(bench, id);
    let space = luck.pick(&["10", "11", "99"]).unwrap();
    let kind = bench.site.with(|site| site.pages[&id].kind);
    let above = ids(bench, |page| {
        page.space == space
            && page.kind != ContentKind::BlogPost
            && page.status == ContentStatus::Current
            && !page.hidden
            && !own.contains(&page.id)
    });
    let parent = (kind != ContentKind::BlogPost)
        .then(|| luck.pick(&above))
        .flatten();
    for moved in &own {
        bench
            .site
            .change(*moved, |page| page.space = space.to_owned());
    }
    bench.site.change(id, |page| page.parent = parent);
}

/// With all that stands below.
pub(super) fn trash(bench: &Bench, id: u64) {
    for id in tree(bench, id) {
        bench
            .site
            .change(id, |page| page.status = ContentStatus::Trashed);
    }
}

/// With all that stands below.
pub(super) fn purge(bench: &Bench, id: u64) {
    for id in tree(bench, id) {
        bench.site.purge(id);
    }
}

pub(super) fn disturb(bench: &Bench, luck: &mut Luck) {
    let current = ids(bench, |page| {
        page.status == ContentStatus::Current
            && page.kind != ContentKind::Container
            && page.title != KEPT
    });
    let Some(id) = luck.pick(&current) else {
        return add(bench, luck);
    };
    match luck.next(15) {
        0..=2 => bench
            .site
            .edit(id, &format!("<p>edit {}</p>", luck.next(100_000))),
        3 => bench
            .site
            .rename(id, &format!("Renamed {}", luck.next(100_000))),
        4 => move_somewhere(bench, luck, id),
        5 => trash(bench, id),
        6 => {
            for id in tree(bench, id) {
                bench
                    .site
                    .change(id, |page| page.status = ContentStatus::Archived);
            }
        }
        7 => purge(bench, id),
        8 => {
            // Back from the trash, to the top of its space.
            let trashed = ids(bench, |page| {
                page.status != ContentStatus::Current && page.kind != ContentKind::Container
            });
            if let Some(id) = luck.pick(&trashed) {
                bench.site.change(id, |page| {
                    page.status = ContentStatus::Current;
                    page.parent = None;
                });
            }
        }
        9 => bench
            .site
            .change(id, |page| page.restricted = !page.restricted),
        10 => {
            // What the account does not see it sees nothing below, either.
            let (hidden, below_hidden) = bench.site.with(|site| {
                let above = site.ancestors(id);
                let below_hidden = above.iter().any(|id| site.pages[id].hidden);
                (!site.pages[&id].hidden, below_hidden)
            });
            if below_hidden {
                return;
            }
            for id in tree(bench, id) {
                bench.site.change(id, |page| page.hidden = hidden);
            }
        }
        11 => bench.site.change(id, |page| {
            page.labels = if page.labels.is_empty() {
                vec!["l1".into()]
            } else {
                Vec::new()
            };
        }),
        12 => bench.site.with(|site| {
            let space = site.spaces.get_mut("11").unwrap();
            space.visible = !space.visible;
        }),
        13 => {
            let space = luck.pick(&["10", "11", "99"]).unwrap();
            bench.site.with(|site| {
                let space = site.spaces.get_mut(space).unwrap();
                space.archived = !space.archived;
            });
        }
        _ => add(bench, luck),
    }
}
