//! What goes wrong with answers of the site and of the store.

use domain::content::ContentKind;
use domain::{DocumentId, PageId};
use simulators::confluence::{ContentId, Kind};

use crate::bench::Bench;
use crate::fakes::Fault;
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
    match luck.next(6) {
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
            if let Some(id) = luck.pick(&pages(bench)) {
                bench.site.with(|requests| requests.poison.insert(id));
            }
        }
        2 => refuse_one(bench, luck),
        3 => silence_a_folder(bench, luck),
        _ => bench.site.fail(what, 1 + luck.next(4), fault),
    }
}

fn pages(bench: &Bench) -> Vec<ContentId> {
    let pages = bench.site.every_page().into_iter();
    pages.map(|page| page.id).collect()
}

/// Search does not know something for a while, or all that it did not know.
pub(super) fn lag(bench: &Bench, luck: &mut Luck) {
    let site = &bench.site;
    let all = match luck.next(4) {
        0 => pages(bench),
        1 => site.every_comment().into_iter().map(|c| c.id).collect(),
        2 => site.every_file().into_iter().map(|file| file.id).collect(),
        _ => return site.with(|requests| requests.lagging.clear()),
    };
    if let Some(id) = luck.pick(&all) {
        site.lag(id, true);
    }
}

/// Of a folder cannot be said who may read it, for as long as no sequence asks often enough.
fn silence_a_folder(bench: &Bench, luck: &mut Luck) {
    let folders: Vec<ContentId> = bench.site.every_folder().iter().map(|f| f.id).collect();
    let Some(id) = luck.pick(&folders) else {
        return;
    };
    let fault = luck.pick(&[Fault::Unavailable, Fault::Forbidden, Fault::NotFound]);
    if luck.once_in(2) {
        let what = format!("facts of one container {id}");
        bench.site.fail(&what, 10_000, fault.unwrap());
    } else {
        bench.site.with(|requests| requests.unseen.insert(id));
    }
}

/// The store has something against a single document, until it has nothing against any.
fn refuse_one(bench: &Bench, luck: &mut Luck) {
    let pages = bench.site.every_page().into_iter().map(|page| {
        let kind = match page.kind {
            Kind::BlogPost => ContentKind::BlogPost,
            _ => ContentKind::Page,
        };
        DocumentId::of(kind, &PageId::from(page.id.to_string()))
    });
    let files = bench.site.every_file().into_iter().map(|file| {
        let id = PageId::from(format!("att{}", file.id));
        DocumentId::of(ContentKind::Attachment, &id)
    });
    let documents: Vec<DocumentId> = pages.chain(files).collect();
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
