//! What goes wrong with answers of the site and of the store.

use super::pages::ids;
use crate::bench::Bench;
use crate::fakes::Fault;
use crate::fakes::retrieval::StoreFault;
use crate::luck::Luck;

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
    let fault = luck
        .pick(&[
            Fault::Unavailable,
            Fault::TooLarge,
            Fault::BadCursor,
            Fault::NotFound,
            Fault::Forbidden,
            Fault::RateLimited(5),
            Fault::Panic,
            Fault::Empty,
        ])
        .unwrap();
    let fault = match (what, fault) {
        // Of one file it is the truth about that version, not a fault.
        ("download", Fault::TooLarge) => Fault::Unavailable,
        (_, fault) => fault,
    };
    match luck.next(4) {
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
        _ => bench.site.fail(what, 1 + luck.next(4), fault),
    }
}
