//! Answers that differ by person, at random: whatever people do to the simulated site and to who may read it, whatever goes wrong with
//! answers and wherever runs are put down, no question of anybody is answered with a page that this person could not read by facts that
//! still count; after a sweep that read everything, with exactly the pages that Confluence would show; and with
//! none once the facts are too old. The store of these tests filters nothing, so what holds it back is the engine alone.
//!
//! `VIEWS_SEEDS=2000` runs so many sequences, `VIEWS_FROM` begins elsewhere; a failing seed is named.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use actors::{Engine, EngineSettings};
use domain::access::{Access, Asker, Email};
use domain::page::PageState;
use domain::ports::store::{AdminStore, PageFilter};
use domain::query::{Filters, PageQuery, RetrievalQuery};
use domain::run::RunStatus;
use domain::{IndexId, PageId, Timestamp};
use rand::Rng;
use simulators::confluence::{
    COVERED, ContentId, Life, PEOPLE, Rights, RoleMode, Site, Wish, address_of,
};

use crate::luck::each_seed;
use crate::real::{Real, run};

/// Whose accounts the operator names; whose the others' addresses are, Confluence shows, or not.
const MAPPED: [&str; 3] = ["p:ann", "p:bob", "p:cat"];

#[test]
fn nobody_is_shown_what_confluence_would_not_show() {
    each_seed("VIEWS", 10, 4, |seed| run(|| sequence(seed)));
}

async fn sequence(seed: u64) {
    let site = Site::new();
    let mut life = Life::begin(&site, seed);
    site.set_switches(|switches| {
        let luck = life.luck();
        switches.role_mode = [
            RoleMode::Untold,
            RoleMode::PreRoles,
            RoleMode::Transition,
            RoleMode::Roles,
        ][luck.random_range(0..4)];
        switches.restriction_cap = luck.random_range(1..30);
        switches.members_cap = luck.random_range(1..5);
        switches.moves_bump_version = luck.random();
        switches.moves_keep_modified_date = luck.random();
        switches.unknown_fields = luck.random();
    });
    let wish = Wish {
        blog_posts: life.luck().random(),
        comments: life.luck().random(),
        attachments: life.luck().random(),
        restricted: true,
        ..Wish::of(&site, &COVERED)
    };
    let settings = EngineSettings {
        audit_log: life.luck().random(),
        ..EngineSettings::default()
    };
    let mut real = Real::with(site, settings).await;
    life.begin_people(&real.sim);
    let mapped = MAPPED.map(|account| (email(account), account.into()));
    real.store
        .map_people(&BTreeMap::from(mapped))
        .await
        .unwrap();
    let mut world = World {
        seed,
        possible: Rights::now(real.sim.site()),
        history: Rights::default(),
        ever: BTreeMap::new(),
        hung: BTreeMap::new(),
        looks: 0,
    };
    let index = real.index_for(&wish, Access::PerUser).await;
    world
        .assert_at_most(&real, index, "before the first run has ended")
        .await;
    real.over(index).await;
    for round in 0..life.luck().random_range(2..6) {
        for _ in 0..life.luck().random_range(0..5) {
            life.disturb(&real.sim);
        }
        for _ in 0..life.luck().random_range(1..6) {
            life.disturb_people(&real.sim);
        }
        let mut day_passed = false;
        let now = Rights::now(real.sim.site());
        world.possible.join(&now);
        world.assert_at_most(&real, index, "after changes").await;
        for _ in 0..life.luck().random_range(0..4) {
            life.fault(&real.sim, false);
        }
        match life.luck().random_range(0..6) {
            0 | 1 => drop(real.sweep(index).await),
            2 => drop(real.order(index, Some(false)).await),
            3 => {
                // Put down in the middle.
                let order = actors::SyncOrder::default();
                real.engine.sync(index, order).await.unwrap();
                let wait = Duration::from_millis(life.luck().random_range(0..40));
                tokio::time::sleep(wait).await;
                world
                    .assert_at_most(&real, index, "in the middle of a run")
                    .await;
                real.restart().await;
                real.over(index).await;
            }
            4 => {
                // What was read so long ago counts no longer.
                day_passed = true;
                real.ahead(25 * 3600);
                world.assert_nothing(&real, index).await;
            }
            _ => {}
        }
        world
            .assert_at_most(&real, index, "after a run with faults")
            .await;
        life.calm(&real.sim);
        world.possible.join(&Rights::now(real.sim.site()));
        if rest(&real, index).await {
            if day_passed {
                world.possible = now;
            }
            let what = format!("at rest, round {round}");
            world.assert_same(&real, index, &wish, &what).await;
        }
    }
    real.engine.drain(Duration::from_secs(10)).await;
}

/// Sweeps until nothing is owed; whether all of it was read in the last one. Twice in a row, since what one of them misses (a space that the
/// account sees no more) is believed of the next.
async fn rest(real: &Real, index: IndexId) -> bool {
    let mut quiet = 0;
    for _ in 0..9 {
        // Beyond every back-off of a page that failed once or twice.
        real.ahead(3600);
        let last = real.sweep(index).await;
        if last.status == RunStatus::NeedsConfirmation {
            real.store.answer_guard(last.id, true).await.unwrap();
            continue;
        }
        let counts = last.counts;
        let moved = counts.uploaded + counts.fetched + counts.deleted;
        quiet = match last.status == RunStatus::Succeeded && moved == 0 {
            true => quiet + 1,
            false => 0,
        };
        if quiet == 2 {
            return true;
        }
    }
    false
}

fn email(account: &str) -> Email {
    Email::parse(&address_of(account)).unwrap()
}

/// What an engine tells one person.
#[derive(Default, Debug)]
struct Told {
    /// Pages and posts.
    pages: BTreeSet<ContentId>,
    /// Titles that stand above and beside.
    titles: BTreeSet<String>,
    removed: BTreeSet<ContentId>,
    files: BTreeSet<ContentId>,
    removed_files: BTreeSet<ContentId>,
    counted: i64,
    documents: usize,
}

struct World {
    seed: u64,
    /// Who may have read what, as far back as facts count: groups that are not named for a while are not read meanwhile.
    possible: Rights,
    /// Who may have read what at any time, for what is gone.
    history: Rights,
    /// Pages by the ids of what was ever seen, with the title that they had.
    ever: BTreeMap<ContentId, BTreeSet<String>>,
    /// The pages on which each file hung.
    hung: BTreeMap<ContentId, BTreeSet<ContentId>>,
    /// How often it was looked who is told what.
    looks: usize,
}

impl World {
    fn learn(&mut self, site: &Site) {
        let mut all = site.every_page();
        all.extend(site.every_folder());
        for page in all {
            self.ever.entry(page.id).or_default().insert(page.title);
        }
        for file in site.every_file() {
            self.hung.entry(file.id).or_default().insert(file.on);
        }
    }

    /// The accounts that an address may have named since.
    fn accounts(&self, account: &str) -> BTreeSet<String> {
        if MAPPED.contains(&account) {
            return BTreeSet::from([account.to_owned()]);
        }
        self.possible.accounts_of(&address_of(account))
    }

    async fn assert_at_most(&mut self, real: &Real, index: IndexId, when: &str) {
        let site = real.sim.site();
        self.learn(site);
        self.history.join(&self.possible);
        self.looks += 1;
        for (at, person) in PEOPLE.into_iter().enumerate() {
            // Page by page, somebody else each time.
            let whole = self.looks % PEOPLE.len() == at;
            let pages = self.ever.keys().filter(|_| whole);
            let told = ask(real, index, person, pages).await;
            let accounts = self.accounts(person);
            let may = |page: &ContentId| {
                let mut accounts = accounts.iter();
                accounts.any(|account| self.possible.may_read(account, *page))
            };
            let what = format!("seed {}, {when}, {person}", self.seed);
            if let Some(leaked) = told.pages.iter().find(|page| !may(page)) {
                let engine = real.engine.asked_for(Asker::Person(email(person)));
                let page = PageId::from(leaked.to_string());
                let why = engine.explain(index, page).await;
                panic!("{what}: {leaked:?}, {why:?}");
            }
            let of_hidden = |file: &&ContentId| {
                let pages = self.hung.get(file);
                !pages.is_some_and(|pages| pages.iter().any(may))
            };
            let leaked: Vec<_> = told.files.iter().filter(of_hidden).collect();
            assert!(leaked.is_empty(), "{what}: files {leaked:?}");
            let read_once = |page: &&ContentId| {
                let mut accounts = accounts.iter();
                accounts.any(|account| self.history.may_read(account, **page))
            };
            let removed = told.removed_files.iter();
            let removed = removed.filter_map(|file| self.hung.get(file)?.first());
            let removed = removed.chain(&told.removed);
            let leaked: Vec<_> = removed.filter(|page| !read_once(page)).collect();
            assert!(leaked.is_empty(), "{what}: {leaked:?}, which are gone");
            // A title is told of what may be read, or may be another page's of the same title.
            for title in &told.titles {
                let known = self.ever.iter();
                let mut of_title = known.filter(|(_, titles)| titles.contains(title));
                let whose = || {
                    let pages = site.every_page().into_iter().chain(site.every_folder());
                    let mut pages = pages.filter(|page| page.title == *title);
                    pages.next()
                };
                let may_be_told = of_title.any(|(page, _)| may(page));
                assert!(may_be_told, "{what}: {title}, {:?}, {told:?}", whose());
            }
        }
        let nobody = real.engine.asked_for(Asker::Unnamed);
        let told = told(&nobody, index, [].iter()).await;
        assert!(told.pages.is_empty() && told.counted == 0, "{when}");
    }

    async fn assert_nothing(&self, real: &Real, index: IndexId) {
        for person in PEOPLE {
            let pages = self.ever.keys().take(4);
            let told = ask(real, index, person, pages).await;
            let pages = &told.pages;
            assert!(
                pages.is_empty() && told.counted == 0 && told.removed.is_empty(),
                "seed {}: {person} is told by facts that are too old: {pages:?}",
                self.seed
            );
        }
    }

    async fn assert_same(&mut self, real: &Real, index: IndexId, wish: &Wish, when: &str) {
        self.assert_at_most(real, index, when).await;
        let site = real.sim.site();
        let members = wish.members(&real.sim);
        for (at, person) in MAPPED.into_iter().enumerate() {
            let whole = self.looks % MAPPED.len() == at;
            let pages = self.ever.keys().filter(|_| whole);
            let told = ask(real, index, person, pages).await;
            let mut documents = 0;
            let mut may = BTreeSet::new();
            for page in members.iter().filter(|p| site.may_read(person, p.id)) {
                may.insert(page.id);
                documents += 1 + wish.files_on(site, page.id).len();
            }
            let what = format!("seed {}, {when}, {person}", self.seed);
            let mut odd = Vec::new();
            for page in told.pages.symmetric_difference(&may) {
                let engine = real.engine.asked_for(Asker::Person(email(person)));
                let why = engine.explain(index, page.to_string().into()).await;
                odd.push((site.true_page(*page), why));
            }
            assert_eq!(told.pages, may, "{what}: {odd:#?}");
            let files = site.every_file().into_iter();
            let mut files = files.filter(|file| told.files.contains(&file.id));
            let stray = files.find(|file| !may.contains(&file.on));
            assert!(stray.is_none(), "{what}: {stray:?}");
            assert_eq!(told.documents, documents, "{what}: documents");
            let counted = usize::try_from(told.counted).unwrap();
            assert_eq!(counted, documents, "{what}: counts");
        }
    }
}

async fn ask(
    real: &Real,
    index: IndexId,
    person: &str,
    pages: impl Iterator<Item = &ContentId>,
) -> Told {
    let engine = real.engine.asked_for(Asker::Person(email(person)));
    told(&engine, index, pages).await
}

/// Asks whatever can be asked.
async fn told(engine: &Engine, index: IndexId, all: impl Iterator<Item = &ContentId>) -> Told {
    let mut told = Told::default();
    let mut documents = BTreeSet::new();
    let query = RetrievalQuery {
        text: "ords ".to_owned(),
        top_k: 1_000,
        filters: Filters::default(),
        room: 0,
    };
    let found = engine.search(index, query).await.unwrap();
    let results = found.results.into_iter().map(|result| result.page.page);
    let filter = PageFilter {
        shown: true,
        limit: 500,
        ..PageFilter::default()
    };
    let listed = engine.list_pages(index, filter).await.unwrap().items;
    let listed = listed.into_iter().map(|page| page.into_inner());
    let changed = engine
        .recent_changes(index, Timestamp::UNIX_EPOCH, None, 500)
        .await
        .unwrap();
    let changed = changed.into_iter().map(|changed| changed.page.into_inner());
    for page in results.chain(listed).chain(changed) {
        let title = page.title.clone();
        let above = page.breadcrumb.iter().skip(1).cloned();
        match page.id.as_str().strip_prefix("att") {
            // The page of a file stands last above it.
            Some(id) if page.state == PageState::Removed => {
                told.removed_files.extend(id.parse().ok().map(ContentId));
            }
            Some(id) => {
                told.titles.extend(above);
                told.files.extend(id.parse().ok().map(ContentId));
            }
            None if page.state == PageState::Removed => {
                told.removed.extend(content(&page.id));
            }
            None => {
                told.titles.extend(above.chain([title]));
                told.pages.extend(content(&page.id));
            }
        }
        if page.state != PageState::Removed {
            documents.insert(page.id);
        }
    }
    for id in all {
        let page = PageId::from(id.to_string());
        let read = engine.read_page(index, PageQuery::Id(page.clone())).await;
        if let Some(text) = read.unwrap() {
            let page = text.page.into_inner();
            told.pages.insert(*id);
            told.titles.extend(page.breadcrumb.iter().skip(1).cloned());
        }
        let around = engine.around(index, page).await.unwrap();
        let beside = around.children.pages.into_iter();
        let beside = beside.chain(around.linked_from.pages).chain(around.parent);
        for page in beside.map(|page| page.into_inner()) {
            told.pages.extend(content(&page.id));
        }
    }
    told.counted = engine.look(index).await.unwrap().document_count();
    told.documents = documents.len();
    told
}

/// A page by its id; none of a file.
fn content(id: &PageId) -> Option<ContentId> {
    id.as_str().parse().ok().map(ContentId)
}
