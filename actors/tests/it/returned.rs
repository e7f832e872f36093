//! A page that was away and is met again: what the store holds of it is of the time before it left, and who may read it now is not
//! known yet. So nobody is told of it before it is decided anew, in an index that answers everyone alike, too.

use domain::IndexId;
use domain::page::Page;
use domain::ports::store::PageFilter;
use domain::query::{Filters, PageQuery, RetrievalQuery};
use domain::run::RunStatus;
use simulators::Fault;
use simulators::confluence::{ContentId, Principal, Site, Wish};

use crate::real::{Real, run};

#[test]
fn what_was_away_is_told_of_only_once_it_is_decided_anew() {
    run(|| async {
        let site = Site::new();
        site.add_space("ENG", "Space ENG");
        let away = site.create_page("ENG", None, "Away", "<p>words</p>");
        let stays = site.create_page("ENG", None, "Stays", "<p>words</p>");
        let wish = Wish::of(&site, &["ENG"]);
        let real = Real::new(site).await;
        let site = real.sim.site();
        let index = real.index(&wish).await;
        real.over(index).await;
        assert_eq!(told(&real, index, &[away, stays]).await, [away, stays]);

        site.trash(away);
        real.sweep(index).await;
        assert_eq!(told(&real, index, &[away, stays]).await, [stays]);

        // It comes back for few, and the run that lists it comes no further. Of what was never away the old text is told meanwhile.
        let account = Principal::User(real.sim.account_id());
        site.restore(away);
        site.edit(away, "<p>other words</p>");
        site.restrict(away, &[account]);
        site.edit(stays, "<p>other words</p>");
        real.sim.fail_always("/content/search", Fault::Status(500));
        let run = real.sweep(index).await;
        assert_ne!(run.status, RunStatus::Succeeded);
        assert_eq!(told(&real, index, &[away, stays]).await, [stays]);

        real.sim.clear_faults();
        real.ahead(3600);
        real.sweep(index).await;
        assert_eq!(told(&real, index, &[away, stays]).await, [stays]);

        site.unrestrict(away);
        real.sweep(index).await;
        assert_eq!(told(&real, index, &[away, stays]).await, [away, stays]);
    });
}

/// Which of these pages are told of: alike by a question, in lists, when they are read, and in the count of documents.
async fn told(real: &Real, index: IndexId, all: &[ContentId]) -> Vec<ContentId> {
    let query = RetrievalQuery {
        text: "words".to_owned(),
        top_k: 50,
        filters: Filters::default(),
        room: 0,
    };
    let found = real.engine.search(index, query).await.unwrap().results;
    let found = ids(all, found.into_iter().map(|result| result.page.page));
    let filter = PageFilter {
        shown: true,
        limit: 50,
        ..PageFilter::default()
    };
    let listed = real.engine.list_pages(index, filter).await.unwrap().items;
    let listed: Vec<Page> = listed.into_iter().map(|page| page.into_inner()).collect();
    let documents = real.engine.look(index).await.unwrap().document_count();
    assert_eq!(usize::try_from(documents).unwrap(), listed.len());
    assert_eq!(ids(all, listed.into_iter()), found);
    for id in all {
        let page = PageQuery::Id(id.to_string().into());
        let read = real.engine.read_page(index, page).await.unwrap();
        assert_eq!(read.is_some(), found.contains(id), "{id}");
    }
    found
}

fn ids(all: &[ContentId], pages: impl Iterator<Item = Page>) -> Vec<ContentId> {
    let pages: Vec<String> = pages.map(|page| page.id.to_string()).collect();
    let is_among = |id: &&ContentId| pages.contains(&id.to_string());
    all.iter().filter(is_among).copied().collect()
}
