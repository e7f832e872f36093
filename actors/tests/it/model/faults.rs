//! What goes wrong with answers of the site and of the store.

use domain::content::ContentKind;
use domain::{DocumentId, PageId};

use super::pages::ids;
use crate::bench::Bench;
use crate::fakes::Fault;
use crate::fakes::confluence::FakePage;
use crate::fakes::retrieval::{Shelf, StoreFault};
use crate::luck::Luck;

/// So long waits who meets a quota that is used up: the run waits too, up to an hour; longer it is a failure.
const REFILLS: [u64; 3] = [5, 15 * 60, 2 * 3600];

pub(super) fn fault(bench: &Bench, luck: &mut Luck) {
    let what = luck
        .pick(&[
            "list",
            "by ids",
            "facts",
            "one",
            "spaces",
            "whoami",
            "people",
            "newest",
            "comments of",
            "comment",
            "files of",
            "file",
            "download",
        ])
        .unwrap();
    let refill = luck.pick(&REFILLS).unwrap();
    let fault = luck
        .pick(&[
            Fault::Unavailable,
            Fault::TooLarge,
            Fault::BadCursor,
            Fault::NotFound,
            Fault::Forbidden,
            Fault::RateLimited(refill),
            Fault::Panic,
            Fault::Empty,
        ])
        .unwrap();
    let fault = match (what, fault) {
        // Of one file it is the truth about that version, not a fault.
        ("download", Fault::TooLarge) => Fault::Unavailable,
        (_, fault) => fault,
    };
    match luck.next(5) {
        0 => {
            let fault = luck
                .pick(&[
                    StoreFault::Unavailable,
                    StoreFault::TooLarge,
                    StoreFault::LostAnswer,
                    StoreFault::Panic,
                ])
                .unwrap();
            bench.shelf.fail(1 + luck.next(3), fault);
        }
        1 => {
            let all = ids(bench, |_| true);
            if let Some(id) = luck.pick(&all) {
                bench.site.with(|site| site.poison.insert(id));
            }
        }
        2 => refuse_one(bench, luck),
        _ => bench.site.fail(what, 1 + luck.next(4), fault),
    }
}

/// The store has something against a single document, until it has nothing against any.
fn refuse_one(bench: &Bench, luck: &mut Luck) {
    let documents = bench.site.with(|site| {
        let pages = site.pages.values();
        let page = |p: &FakePage| DocumentId::of(p.kind, &PageId::from(p.id.to_string()));
        let file = |id: &u64| {
            let id = PageId::from(format!("att{id}"));
            DocumentId::of(ContentKind::Attachment, &id)
        };
        let all = pages.map(page).chain(site.files.keys().map(file));
        all.collect::<Vec<_>>()
    });
    let id = luck.pick(&documents).unwrap().to_string();
    let reason = || "a fault of the test".to_owned();
    // What an immediate store accepts is done.
    let what = luck.next(if bench.shelf.immediate { 4 } else { 8 });
    bench.shelf.with(|shelf| match what {
        0 => drop(shelf.refuse.insert(id, reason())),
        1 => drop(shelf.refuse_delete.insert(id, reason())),
        2 => _ = shelf.unanswered.insert(id),
        4 => _ = shelf.fail_ingestion.insert(id),
        5 => _ = shelf.never_ingest.insert(id),
        6 => _ = shelf.never_gone.insert(id),
        _ => accept_all(shelf),
    });
}

/// The store has nothing against any document.
pub(super) fn accept_all(shelf: &mut Shelf) {
    shelf.refuse.clear();
    shelf.refuse_delete.clear();
    shelf.unanswered.clear();
    shelf.fail_ingestion.clear();
    shelf.never_ingest.clear();
    shelf.never_gone.clear();
}
