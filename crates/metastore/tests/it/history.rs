//! What runs did page by page.

use chrono::TimeDelta;
use domain::RunId;
use domain::content::ContentKind;
use domain::event::NewEvent;
use domain::history::{KEPT_IN_A_RUN, PageChange, RunPage};
use domain::holding::Outcome;
use domain::index::IndexStatus;
use domain::page::PageState;
use domain::ports::store::{AdminStore, RunPageFilter, SyncStore};
use domain::run::{RunKind, RunStatus};

use crate::bed::{Bed, claim, end, page, said, want};

async fn of(bed: &Bed, run: RunId, change: Option<PageChange>) -> Vec<RunPage> {
    let filter = RunPageFilter {
        change,
        cursor: None,
        limit: 500,
    };
    bed.store.run_pages(run, &filter).await.unwrap().items
}

#[tokio::test]
async fn a_page_is_kept_with_the_run_under_way_and_goes_with_it() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let record = page(index, "1", PageState::Pending);
    let other = page(index, "2", PageState::Pending);
    bed.save(&[record.clone(), other.clone()]).await;
    let object = bed.serving(index).await;
    let send = |hash: &str| [want(hash), claim(hash), said(hash, Outcome::Settled)];
    // Outside of a run nobody asks.
    bed.change(object, &other, &send("before")).await;

    let first = bed.running(index, RunKind::First).await.run_id;
    bed.change(object, &record, &send("a")).await;
    // Named as failed, be it of the same run: that counts.
    let failing = other.to_page("ENG".into());
    let event = NewEvent::page_failed(&failing, index, first);
    bed.store.append_event(&event).await.unwrap();
    let finished = end(RunStatus::Partial, IndexStatus::Ok);
    bed.store.finish_run(first, &finished).await.unwrap();
    let told = of(&bed, first, None).await;
    let told: Vec<_> = told
        .iter()
        .map(|page| (page.page_id.as_str(), page.change, page.state))
        .collect();
    let now = Some(PageState::Pending);
    let expected = [
        ("1", PageChange::Added, now),
        ("2", PageChange::Failed, now),
    ];
    assert_eq!(told, expected);

    bed.clock.advance(TimeDelta::days(10));
    let second = bed.running(index, RunKind::Sweep).await.run_id;
    bed.change(object, &record, &send("b")).await;
    bed.store
        .finish_run(second, &end(RunStatus::Succeeded, IndexStatus::Ok))
        .await
        .unwrap();
    let told = of(&bed, second, None).await;
    assert_eq!(
        (told.len(), told[0].change, told[0].title.as_deref()),
        (1, PageChange::Changed, Some(record.facts.title.as_str()))
    );
    bed.store
        .prune(bed.now() - TimeDelta::days(5))
        .await
        .unwrap();
    assert!(bed.store.run(first).await.is_err());
    assert_eq!(of(&bed, second, None).await.len(), 1);
}

#[tokio::test]
async fn of_each_change_of_a_run_the_first_are_kept() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let run = bed.running(index, RunKind::Sweep).await.run_id;
    let planned = |n: usize, change| RunPage {
        page_id: format!("{n:05}").into(),
        kind: ContentKind::Page,
        change,
        reason: None,
        title: Some(format!("Page {n}")),
        url: None,
        state: None,
    };
    let many: Vec<RunPage> = (0..KEPT_IN_A_RUN + 50)
        .map(|n| planned(n, PageChange::Added))
        .chain([planned(9_999, PageChange::Removed)])
        .collect();
    for some in many.chunks(300) {
        bed.store.note_run_pages(run, some).await.unwrap();
    }
    let mut kept = Vec::new();
    let mut filter = RunPageFilter {
        limit: 400,
        ..RunPageFilter::default()
    };
    loop {
        let listed = bed.store.run_pages(run, &filter).await.unwrap();
        kept.extend(listed.items);
        filter.cursor = listed.next_cursor;
        if filter.cursor.is_none() {
            break;
        }
    }
    assert_eq!(kept.len(), KEPT_IN_A_RUN + 1);
    assert_eq!(kept[0].title.as_deref(), Some("Page 0"));
    assert_eq!(of(&bed, run, Some(PageChange::Removed)).await.len(), 1);
}
