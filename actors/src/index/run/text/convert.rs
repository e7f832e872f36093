//! Bodies to Markdown, a batch at a time on a blocking thread: first to learn what the bodies point at, then, with titles
//! and people looked up in bulk, again for those that point at something. Where the operator allows it, macros that only
//! Confluence can resolve are taken from the rendered form of their page: from the one that was had last, where a run may not
//! ask for another. A body that breaks the converter fails by itself.
//!
//! The Markdown is that of all indexes: it says which pages are meant and what the author wrote, and tells nothing of those
//! pages. What a document of an index may tell of them is put in when it is composed ([`crate::document`]).

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use domain::content::ContentKind;
use domain::document::markdown_hash;
use domain::failure::FailureCause;
use domain::page::{CachedBody, CachedText, PageFacts};
use domain::part::Part;
use domain::{AccountId, PageId, SpaceId};
use futures_util::StreamExt;
use storage_markdown::{
    DynamicMacro, NoResolver, Options, Resolver, convert_storage, splice_rendered,
};

use crate::EngineError;
use crate::index::run::{RunCtx, retry};
use crate::shared::Shared;
use crate::stop::RunError;

/// Raised when the converter gives other Markdown for the same body, so that kept bodies are converted anew.
pub(crate) const CONVERTER: i32 = 2;
/// People that one request may name.
const PEOPLE: usize = 250;
/// Rendering costs the site time: so many are asked for at once.
const RENDERED_AT_ONCE: usize = 2;

/// A body as it came.
#[derive(Clone)]
pub(crate) struct RawBody {
    pub(crate) page: PageId,
    pub(crate) kind: ContentKind,
    pub(crate) version: i32,
    pub(crate) space: SpaceId,
    pub(crate) url: String,
    pub(crate) storage: String,
}

impl RawBody {
    /// A body that is kept, at the place of its page.
    pub(crate) fn kept(body: CachedBody, page: &PageFacts) -> Self {
        Self {
            page: body.text.page_id,
            kind: body.text.kind,
            version: body.text.version,
            space: page.space_id.clone(),
            url: page.url.clone(),
            storage: body.storage,
        }
    }
}

/// A body with its Markdown.
pub(crate) struct Converted {
    pub(crate) body: CachedBody,
    /// Whether everything it points at was looked up; if not, it is converted again when the listing is complete.
    pub(crate) complete: bool,
}

/// What came of a batch.
#[derive(Default)]
pub(crate) struct Conversions {
    pub(crate) done: Vec<Converted>,
    pub(crate) failed: Vec<Unconverted>,
}

/// A body that the converter broke on: the fault is ours, and no other body pays for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Unconverted {
    pub(crate) page: PageId,
    /// What broke, and on what.
    pub(crate) reason: String,
}

/// Records that kept bodies could not be converted. They are fetched again when they are due.
pub(crate) async fn note_failed(ctx: &RunCtx, bodies: &[Unconverted]) -> Result<(), RunError> {
    if bodies.is_empty() {
        return Ok(());
    }
    let ids: Vec<PageId> = bodies.iter().map(|body| body.page.clone()).collect();
    {
        let _rows = ctx.rows.lock().await;
        let mut records = ctx.store().pages_by_id(ctx.index(), &ids).await?;
        for record in &mut records {
            let body = bodies.iter().find(|body| body.page == record.page_id);
            let reason = body.map(|body| body.reason.clone()).unwrap_or_default();
            record.body_version = None;
            retry::fail(ctx, record, reason);
        }
        ctx.store().save_pages(&records, &[], Vec::new()).await?;
    }
    retry::tell(ctx, &ids, FailureCause::Unconverted).await;
    Ok(())
}

/// When to look up what bodies point at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Links {
    /// Everything is listed: look up, ask for unknown people, and take what is not found as not to be found, and what is not
    /// known to be shown as not to be named.
    Resolve,
    /// The listing goes on: take what is known already.
    AsKnown,
}

/// Converts a batch.
pub(crate) async fn convert(
    ctx: &RunCtx,
    bodies: Vec<RawBody>,
    links: Links,
) -> Result<Conversions, RunError> {
    if bodies.is_empty() {
        return Ok(Conversions::default());
    }
    let bodies = Arc::new(bodies);
    let spaces = Arc::clone(&ctx.link_spaces);
    let (mut first, asked, mut dynamic) = {
        let (bodies, spaces) = (Arc::clone(&bodies), Arc::clone(&spaces));
        let shared = Arc::clone(&ctx.shared);
        on_blocking_thread(move || first_pass(&shared, &bodies, &spaces)).await?
    };
    dynamic.retain(|at, _| may_render(ctx) && bodies[*at].kind != ContentKind::Container);
    let mut complete = vec![true; bodies.len()];
    // What may not be asked for anew, or cannot be had, stays as it was rendered last.
    let mut rendered = rendered_last(ctx, &bodies, &dynamic).await?;
    match links {
        Links::Resolve => rendered.extend(ask_for_rendered(ctx, &bodies, &dynamic).await?),
        Links::AsKnown => {
            for at in dynamic.keys() {
                complete[*at] = false;
            }
        }
    }
    let rendered = Arc::new(rendered);
    let again: Vec<usize> = (0..bodies.len())
        .filter(|at| first[*at].is_ok())
        .filter(|at| !asked[*at].is_empty() || rendered.contains_key(at))
        .collect();
    if !again.is_empty() {
        let known = Arc::new(look_up(ctx, &asked, links).await?);
        for at in &again {
            complete[*at] &= links == Links::Resolve || asked[*at].all_in(&known);
        }
        let (bodies, rendered) = (Arc::clone(&bodies), Arc::clone(&rendered));
        first = on_blocking_thread(move || {
            for at in again {
                let rendered = rendered.get(&at).map(String::as_str);
                first[at] = markdown(&bodies[at], rendered, &spaces, &known);
            }
            first
        })
        .await?;
    }
    // Nobody else holds them any more; a copy is dear, and loses none.
    let bodies = Arc::unwrap_or_clone(bodies);
    let mut rendered = Arc::unwrap_or_clone(rendered);
    let mut all = Conversions::default();
    let results = bodies.into_iter().zip(first).zip(complete);
    for (at, ((raw, markdown), complete)) in results.enumerate() {
        match markdown {
            Ok(markdown) => all.done.push(Converted {
                body: CachedBody {
                    text: CachedText {
                        page_id: raw.page,
                        kind: raw.kind,
                        version: raw.version,
                        markdown_hash: markdown_hash(&markdown),
                        markdown,
                        converter: CONVERTER,
                    },
                    storage: raw.storage,
                    rendered: rendered.remove(&at),
                },
                complete,
            }),
            Err(broke) => {
                let (page, version) = (&raw.page, raw.version);
                let reason = format!(
                    "version {version} of {page} cannot be converted: {broke}. This is a fault of the converter, which a newer release may not have; it is tried again"
                );
                tracing::error!(index = %ctx.index(), %page, version, broke, "a body cannot be converted; the others go on");
                all.failed.push(Unconverted {
                    page: raw.page,
                    reason,
                });
            }
        }
    }
    Ok(all)
}

pub(crate) async fn on_blocking_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, RunError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        RunError::Fatal(EngineError::Busy {
            detail: format!("the converter ended early: {error}"),
        })
    })
}

/// Work on one body or file, whose panic is its own: what it said.
pub(crate) fn alone<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    // What the work wrote on is dropped with it.
    std::panic::catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let said = panic.downcast_ref::<&str>().map(|said| (*said).to_owned());
        let said = said.or_else(|| panic.downcast_ref::<String>().cloned());
        said.unwrap_or_else(|| "it did not say why".to_owned())
    })
}

/// What one body points at.
#[derive(Default)]
struct Asked {
    titles: HashSet<(SpaceId, String)>,
    people: HashSet<AccountId>,
}

impl Asked {
    fn is_empty(&self) -> bool {
        self.titles.is_empty() && self.people.is_empty()
    }

    fn all_in(&self, known: &Known) -> bool {
        self.titles.iter().all(|t| known.titles.contains_key(t))
            && self.people.iter().all(|p| known.people.contains_key(p))
    }
}

/// What was looked up.
#[derive(Default)]
struct Known {
    titles: HashMap<(SpaceId, String), PageId>,
    people: HashMap<AccountId, String>,
}

type LinkSpaces = HashMap<String, SpaceId>;

/// Macros that storage format cannot resolve, by the place of their body in the batch.
type Dynamic = BTreeMap<usize, Vec<DynamicMacro>>;

/// Markdown of each body, what each points at, and the macros that storage format cannot resolve.
fn first_pass(
    shared: &Shared,
    bodies: &[RawBody],
    spaces: &LinkSpaces,
) -> (Vec<Result<String, String>>, Vec<Asked>, Dynamic) {
    let nothing = Known::default();
    let mut dynamic = Dynamic::new();
    let (markdown, asked) = bodies
        .iter()
        .enumerate()
        .map(|(at, body)| {
            let resolver = Lookup::new(body, spaces, &nothing);
            let conversion = alone(|| {
                shared.fail_point_of("converting", &body.page);
                convert_storage(&body.storage, &Options::default(), &resolver)
            });
            let markdown = conversion.map(|conversion| {
                if !conversion.dynamic_macros.is_empty() {
                    dynamic.insert(at, conversion.dynamic_macros);
                }
                conversion.markdown
            });
            (markdown, resolver.asked.into_inner())
        })
        .unzip();
    (markdown, asked, dynamic)
}

fn markdown(
    body: &RawBody,
    rendered: Option<&str>,
    spaces: &LinkSpaces,
    known: &Known,
) -> Result<String, String> {
    let resolver = Lookup::new(body, spaces, known);
    let options = Options::default();
    let plain = || alone(|| convert_storage(&body.storage, &options, &resolver));
    let conversion = match rendered {
        // As where the rendered form cannot be had: storage stands.
        Some(rendered) => alone(|| splice_rendered(&body.storage, rendered, &options, &resolver))
            .or_else(|_| plain()),
        None => plain(),
    };
    Ok(conversion?.markdown)
}

fn may_render(ctx: &RunCtx) -> bool {
    ctx.shared.settings.rendered_pages_per_run > 0
}

/// The rendered forms that are kept of bodies whose dynamic macros are still the same.
async fn rendered_last(
    ctx: &RunCtx,
    bodies: &[RawBody],
    dynamic: &Dynamic,
) -> Result<HashMap<usize, String>, RunError> {
    let mut rendered = HashMap::new();
    for &at in dynamic.keys() {
        // One by one: such a body has three forms.
        let kept = ctx.store().bodies(std::slice::from_ref(&bodies[at].page));
        let Some(kept) = kept.await?.pop() else {
            continue;
        };
        let Some(html) = kept.rendered else {
            continue;
        };
        let same = kept.storage == bodies[at].storage || {
            let storage = kept.storage;
            let macros = move || alone(|| dynamic_macros(&storage));
            on_blocking_thread(macros).await?.as_ref() == Ok(&dynamic[&at])
        };
        if same {
            rendered.insert(at, html);
        }
    }
    Ok(rendered)
}

fn dynamic_macros(storage: &str) -> Vec<DynamicMacro> {
    convert_storage(storage, &Options::default(), &NoResolver).dynamic_macros
}

/// Rendered forms of bodies with dynamic macros, within the run's budget. One that cannot be had is no reason to hold a page
/// back: what was rendered last stands, or storage.
async fn ask_for_rendered(
    ctx: &RunCtx,
    bodies: &[RawBody],
    dynamic: &Dynamic,
) -> Result<HashMap<usize, String>, RunError> {
    let may_ask = |_: &&usize| !ctx.is_refused(Part::Rendered) && ctx.rendered.take();
    let asked = dynamic.keys().filter(may_ask).map(|&at| {
        let body = &bodies[at];
        async move { (at, ctx.source.rendered(body.kind, &body.page).await) }
    });
    let mut answers = futures_util::stream::iter(asked).buffer_unordered(RENDERED_AT_ONCE);
    let mut rendered = HashMap::new();
    while let Some((at, answer)) = answers.next().await {
        let what = format!("those of {} could not be fetched", bodies[at].page);
        let html = ctx.optional(Part::Rendered, &what, answer)?.flatten();
        rendered.extend(html.map(|html| (at, html)));
    }
    Ok(rendered)
}

async fn look_up(ctx: &RunCtx, asked: &[Asked], links: Links) -> Result<Known, RunError> {
    let mut known = Known::default();
    let titles: Vec<(SpaceId, String)> = distinct(asked.iter().flat_map(|a| &a.titles));
    let people: Vec<AccountId> = distinct(asked.iter().flat_map(|a| &a.people));
    if !titles.is_empty() {
        let found = ctx.store().find_titles(&titles).await?;
        let found = titles.into_iter().zip(found);
        known.titles = found
            .filter_map(|(wanted, page)| Some((wanted, page?)))
            .collect();
    }
    if !people.is_empty() {
        known.people = ctx
            .store()
            .known_people(&people)
            .await?
            .into_iter()
            .collect();
        if links == Links::Resolve {
            ask_for_people(ctx, &people, &mut known.people).await?;
        }
    }
    Ok(known)
}

/// Names that are not known yet, in bulk; remembered, so that each person is asked for once. A name that cannot be had is no
/// reason to hold a page back.
pub(crate) async fn ask_for_people(
    ctx: &RunCtx,
    wanted: &[AccountId],
    known: &mut HashMap<AccountId, String>,
) -> Result<(), RunError> {
    let missing: Vec<AccountId> = wanted
        .iter()
        .filter(|id| !known.contains_key(id))
        .cloned()
        .collect();
    for ids in missing.chunks(PEOPLE) {
        if ctx.is_refused(Part::Names) {
            break;
        }
        match ctx.source.people(ids).await {
            Ok(people) => {
                let names: Vec<(AccountId, String)> = people
                    .into_iter()
                    .map(|person| (person.id, person.display_name))
                    .collect();
                ctx.store().remember_people(&names).await?;
                known.extend(names);
            }
            Err(failure) => {
                let error = failure.recoverable_for(Part::Names)?;
                if error.disposition().ends_run(None) {
                    ctx.note_missing(Part::Names, "some could not be looked up", &error);
                } else {
                    tracing::warn!(index = %ctx.index(), %error, "names of people could not be looked up; a later run asks again");
                }
            }
        }
    }
    Ok(())
}

fn distinct<'a, T: Clone + Ord + 'a>(all: impl Iterator<Item = &'a T>) -> Vec<T> {
    let mut all: Vec<T> = all.cloned().collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Answers from what was looked up, and notes what was asked.
struct Lookup<'a> {
    body: &'a RawBody,
    spaces: &'a LinkSpaces,
    known: &'a Known,
    site: Option<&'a str>,
    asked: RefCell<Asked>,
}

impl<'a> Lookup<'a> {
    fn new(body: &'a RawBody, spaces: &'a LinkSpaces, known: &'a Known) -> Self {
        const CONTEXT: &str = "/wiki";
        let site = body
            .url
            .find("/wiki/")
            .map(|at| &body.url[..at + CONTEXT.len()]);
        Self {
            body,
            spaces,
            known,
            site,
            asked: RefCell::default(),
        }
    }

    fn by_title(&self, space_key: Option<&str>, title: &str) -> Option<String> {
        let space = match space_key {
            Some(key) => self.spaces.get(key)?.clone(),
            None => self.body.space.clone(),
        };
        let wanted = (space, title.to_lowercase());
        let found = self.known.titles.get(&wanted).map(PageId::to_string);
        self.asked.borrow_mut().titles.insert(wanted);
        found
    }
}

impl Resolver for Lookup<'_> {
    fn page_by_title(&self, space_key: Option<&str>, title: &str) -> Option<String> {
        self.by_title(space_key, title)
    }

    fn blog_post(
        &self,
        space_key: Option<&str>,
        title: &str,
        _posting_day: Option<&str>,
    ) -> Option<String> {
        self.by_title(space_key, title)
    }

    fn knows_page(&self, _id: &str) -> bool {
        // Whether there is such a page is asked for each index, when a document is composed.
        true
    }

    fn user(&self, account_id: &str) -> Option<String> {
        let wanted = AccountId::from(account_id);
        let found = self.known.people.get(&wanted).cloned();
        self.asked.borrow_mut().people.insert(wanted);
        found
    }

    fn site_base(&self) -> Option<&str> {
        self.site
    }
}
