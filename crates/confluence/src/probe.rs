//! What this client takes for granted of a site, each with the request that rests on it and a look whether it holds. The requests are
//! made by the same calls and constants as those of the sync; none of them changes anything.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::TimeDelta;
use domain::access::Grantee;
use domain::ports::source::{Cursor, MAX_BATCH};
use domain::{PageId, SpaceKey};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use upstream::Answer;
use upstream::probe::Verdict::{Broken, Held, Unknown};
use upstream::probe::{Assumption, Notebook, Seen, held_if, seen};

use crate::ConfluenceClient;
use crate::call::Call;
use crate::cql::{self, Match};
use crate::cursor::next_cursor;
use crate::endpoint;
use crate::facts::{EXPAND, FACTS_PER_ANSWER};
use crate::permissions::{Mode, PermissionRow, RoleRow, check_of};
use crate::wire::moment;

/// The table. In its order, since later entries use what earlier ones have read.
pub static ASSUMPTIONS: &[Assumption<Prober>] = &[
    Assumption {
        name: "the site says who we are",
        rests: "a 404 or an empty list is told from credentials that were taken as nobody's (GET /rest/api/user/current)",
        remedy: "check e-mail, token and CONFLUENCE_CLOUD_ID; with them right, report it",
        check: |prober| Box::pin(account(prober)),
    },
    Assumption {
        name: "a list gives 250 pages with their bodies",
        rests: "a first sync costs one request for 250 pages (GET /api/v2/pages)",
        remedy: "the sync works, with more requests; report how many came",
        check: |prober| Box::pin(full_lists(prober)),
    },
    Assumption {
        name: "a list goes on by the cursor of its next link",
        rests: "every walk (`_links.next` and the Link header)",
        remedy: "do not sync: pages could be missed; report the shape of the link",
        check: |prober| Box::pin(list_goes_on(prober)),
    },
    Assumption {
        name: "a search goes on by the cursor of its next link",
        rests: "labels, restrictions and comments of a whole space (GET /rest/api/content/search)",
        remedy: "report the shape of the link; until then pages whose restrictions are not known stay out",
        check: |prober| Box::pin(search_goes_on(prober)),
    },
    Assumption {
        name: "a list comes newest first by version.createdAt",
        rests: "a poll stops behind what it knows (sort=-modified-date)",
        remedy: "set SYNC_SWEEP_INTERVAL_MINUTES to the interval of the index, so that each run compares everything; report it",
        check: |prober| Box::pin(newest_first(prober)),
    },
    Assumption {
        name: "250 pages can be asked for by their ids",
        rests: "bodies of what changed, and the question whether pages are gone (GET /api/v2/pages?id=…)",
        remedy: "do not sync: pages that are there could count as gone; report how many came",
        check: |prober| Box::pin(by_ids(prober)),
    },
    Assumption {
        name: "CQL takes 100 ids and gives labels, restrictions and ancestors with them",
        rests: "labels and restrictions in bulk (GET /rest/api/content/search, `id in (…)`)",
        remedy: "the sync asks for smaller answers by itself; report how many came",
        check: |prober| Box::pin(facts(prober)),
    },
    Assumption {
        name: "CQL knows folder, whiteboard, database, embed and slide",
        rests: "what stands between pages in the tree, with its restrictions (`type in (…)`)",
        remedy: "the sync leaves out what the site does not know, and asks for it one by one; report which",
        check: |prober| Box::pin(containers(prober)),
    },
    Assumption {
        name: "what is no page tells its restrictions",
        rests: "pages below a restricted folder or whiteboard stay out (GET …/restriction/byOperation/read)",
        remedy: "such pages count as restricted, and stay out; report the kind",
        check: |prober| Box::pin(container_restrictions(prober)),
    },
    Assumption {
        name: "a restriction names people and groups by their ids",
        rests: "who may read a restricted page, for indexes that answer per person (`restrictions.read.restrictions.user`, `.group`)",
        remedy: "nobody reads too much: whoever has no id is not let in; report what names there are",
        check: |prober| Box::pin(readers(prober)),
    },
    Assumption {
        name: "a space says who may read it",
        rests: "indexes that answer per person (GET /api/v2/spaces/{id}/permissions, or …/role-assignments where there are roles)",
        remedy: "nobody reads too much: whoever is not told is not let in; report the form and the kinds of principals",
        check: |prober| Box::pin(space_readers(prober)),
    },
    Assumption {
        name: "a group gives its members, and behind the last of them nobody",
        rests: "indexes that answer per person (GET /rest/api/group/{groupId}/membersByGroupId, by `start`)",
        remedy: "nobody reads too much: whoever is not told to be a member is none; report how many came behind the last one",
        check: |prober| Box::pin(group_members(prober)),
    },
    Assumption {
        name: "the check of permissions answers for one's own account",
        rests: "indexes that answer `per_user_checked` (POST /rest/api/content/{id}/permission/check)",
        remedy: "let the indexes answer `per_user`; report status and shape",
        check: |prober| Box::pin(permission_check(prober)),
    },
    Assumption {
        name: "a record of the audit log names what it is about",
        rests: "restrictions and permissions that count with the next poll, with `SYNC_AUDIT_LOG` (GET /rest/api/audit)",
        remedy: "leave SYNC_AUDIT_LOG off, sweeps see all of it; report what a record is like",
        check: |prober| Box::pin(audit_records(prober)),
    },
    Assumption {
        name: "search gives expansions below `content.`",
        rests: "versions of live hits, and facts in archived spaces (GET /rest/api/search)",
        remedy: "live search shows no versions; pages of archived spaces count as restricted; report it",
        check: |prober| Box::pin(search_expands(prober)),
    },
    Assumption {
        name: "search takes `siteSearch ~`, which ranks",
        rests: "the order of live hits",
        remedy: "nothing: the hits are ranked here instead",
        check: |prober| Box::pin(site_search(prober)),
    },
    Assumption {
        name: "CQL finds a renamed space by its first key",
        rests: "labels, restrictions and live search of such a space (`space = …`); answers may name it by either key",
        remedy: "give the space its first key back, or its pages count as restricted and stay out; report which key finds it",
        check: |prober| Box::pin(renamed_spaces(prober)),
    },
    Assumption {
        name: "times in CQL are read in UTC",
        rests: "nothing yet: the sync names no time in CQL; worth knowing before anything does",
        remedy: "nothing; report by how much it differs",
        check: |prober| Box::pin(time_zone(prober)),
    },
    Assumption {
        name: "the lists of comments name page and version",
        rests: "a poll of comments (GET /api/v2/footer-comments, /inline-comments)",
        remedy: "leave `include_comments` off; report it",
        check: |prober| Box::pin(comments(prober)),
    },
    Assumption {
        name: "a file is where a redirect of the v1 address leads",
        rests: "`include_attachments` (GET …/child/attachment/{id}/download)",
        remedy: "leave `include_attachments` off; report status and Location",
        check: |prober| Box::pin(download(prober)),
    },
    Assumption {
        name: "people have names",
        rests: "mentions and authors of comments (POST /api/v2/users-bulk)",
        remedy: "nothing: mentions show no names",
        check: |prober| Box::pin(names(prober)),
    },
    Assumption {
        name: "the token has every scope",
        rests: "each endpoint above",
        remedy: "make a token with the scopes that are named; `doctor` says which the indexes need",
        check: |prober| Box::pin(scopes(prober)),
    },
    Assumption {
        name: "limits are told in headers that are known",
        rests: "requests slow down before they are refused",
        remedy: "report the names; the sync learns the rate from refusals",
        check: |prober| Box::pin(limits(prober)),
    },
];

/// Asks a site, notes what it answers, and keeps what later looks need.
pub struct Prober {
    client: ConfluenceClient,
    notebook: Arc<Notebook>,
    me: OnceCell<String>,
    pages: OnceCell<Vec<Value>>,
    facts: OnceCell<Vec<Value>>,
    group: OnceCell<String>,
    containers: Mutex<Vec<(String, String)>>,
    refused: Mutex<Vec<&'static str>>,
    limits: Mutex<Vec<String>>,
}

impl Prober {
    /// Over a client, within the budget of a notebook.
    #[must_use]
    pub fn new(client: ConfluenceClient, notebook: Arc<Notebook>) -> Self {
        Self {
            client,
            notebook,
            me: OnceCell::new(),
            pages: OnceCell::new(),
            facts: OnceCell::new(),
            group: OnceCell::new(),
            containers: Mutex::default(),
            refused: Mutex::default(),
            limits: Mutex::default(),
        }
    }

    async fn look(&self, call: &Call, cursor: Option<&Cursor>) -> Result<Answer, Seen> {
        self.notebook.take()?;
        let answer = self.client.transport.look(call, cursor).await;
        let answer = answer.map_err(|said| (Unknown, said))?;
        let status = answer.status.as_u16();
        let name = call.endpoint.name;
        let (headers, body) = (&answer.headers, &answer.body);
        self.notebook
            .note(name, &call.parameters(), status, headers, body);
        let told = headers.keys().map(ToString::to_string);
        let told = told.filter(|name| name.contains("ratelimit") || name == "retry-after");
        lock(&self.limits).extend(told);
        // What is refused there with a 403 is the account, which is no administrator.
        let of_administrators = call.endpoint == &endpoint::AUDIT;
        if status == 401 || status == 403 && !of_administrators {
            lock(&self.refused).push(call.endpoint.scope);
        }
        Ok(answer)
    }

    /// The JSON of a good answer.
    async fn value(&self, call: &Call, cursor: Option<&Cursor>) -> Result<Value, Seen> {
        json_of(call, &self.look(call, cursor).await?)
    }

    async fn results(&self, call: &Call) -> Result<Vec<Value>, Seen> {
        let found = self.value(call, None).await?;
        let rows = found["results"].as_array().cloned();
        rows.ok_or_else(|| (Broken, format!("{} gave no `results`", call.endpoint.name)))
    }

    /// Pages that were listed, at most 250.
    fn listed(&self) -> Result<&[Value], Seen> {
        match self.pages.get().map(Vec::as_slice) {
            Some(pages @ [_, ..]) => Ok(pages),
            _ => Err((Unknown, "no page could be listed".to_owned())),
        }
    }
}

fn lock<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The JSON of an answer, where it is a good one.
fn json_of(call: &Call, answer: &Answer) -> Result<Value, Seen> {
    let name = call.endpoint.name;
    match answer.status.as_u16() {
        200..=299 => answer
            .json()
            .map_err(|said| (Broken, format!("{name}: {said}"))),
        status @ (401 | 403 | 404 | 429 | 500..) => {
            Err((Unknown, format!("{name} was answered {status}")))
        }
        status => Err((Broken, format!("{name} was refused with {status}"))),
    }
}

fn ids_of(rows: &[Value]) -> Vec<PageId> {
    let ids = rows.iter().filter_map(|row| row["id"].as_str());
    ids.map(PageId::from).collect()
}

fn of_pages() -> Call {
    Call::new(&endpoint::PAGES, &[]).with_all("status", ["current", "archived"])
}

/// As many pages as one answer holds.
fn newest_pages() -> Call {
    of_pages().with("sort", "-modified-date").limit(MAX_BATCH)
}

fn links_of(answer: &Answer) -> impl Iterator<Item = &str> {
    let links = answer.headers.get_all(reqwest::header::LINK);
    links.into_iter().filter_map(|value| value.to_str().ok())
}

async fn account(prober: &Prober) -> Seen {
    let look = async {
        let user = prober
            .value(&Call::new(&endpoint::USER_CURRENT, &[]), None)
            .await?;
        let id = user["accountId"].as_str().filter(|id| !id.is_empty());
        let is_known = user["type"] == "known";
        if let Some(id) = id {
            _ = prober.me.set(id.to_owned());
        }
        let said = format!("account id: {}, known: {is_known}", id.is_some());
        Ok(held_if(id.is_some() && is_known, said))
    };
    seen(look.await)
}

async fn full_lists(prober: &Prober) -> Seen {
    let look = async {
        let call = newest_pages().with("body-format", "storage");
        let answer = prober.look(&call, None).await?;
        let list = json_of(&call, &answer)?;
        let rows = list["results"].as_array().cloned().unwrap_or_default();
        let has_body = |row: &&Value| row["body"]["storage"]["value"].is_string();
        let bodies = rows.iter().filter(has_body).count();
        let of_body = list["_links"]["next"].as_str();
        let goes_on = next_cursor(of_body, links_of(&answer)) != Ok(None);
        let said = format!(
            "{} pages came, {bodies} with a body; there are more: {goes_on}",
            rows.len()
        );
        let all = bodies == rows.len() && (!goes_on || rows.len() >= MAX_BATCH);
        if rows.is_empty() {
            return Err((Unknown, "the account sees no page".to_owned()));
        }
        _ = prober.pages.set(rows);
        Ok(held_if(all, said))
    };
    seen(look.await)
}

async fn list_goes_on(prober: &Prober) -> Seen {
    goes_on(prober, &of_pages().with("sort", "id").limit(1)).await
}

async fn search_goes_on(prober: &Prober) -> Seen {
    let call = Call::new(&endpoint::CONTENT_SEARCH, &[])
        .with("cql", "type = page order by created asc")
        .limit(1);
    goes_on(prober, &call).await
}

/// Whether an answer of one item leads to another one.
async fn goes_on(prober: &Prober, call: &Call) -> Seen {
    let look = async {
        let answer = prober.look(call, None).await?;
        let list = json_of(call, &answer)?;
        let first = list["results"][0]["id"].clone();
        let of_body = list["_links"]["next"].as_str();
        let by_body = next_cursor(of_body, std::iter::empty());
        let by_header = next_cursor(None, links_of(&answer));
        let (Ok(by_body), Ok(by_header)) = (by_body, by_header) else {
            return Err((Broken, "a next link holds no cursor".to_owned()));
        };
        let Some(cursor) = by_body.clone().or_else(|| by_header.clone()) else {
            let listed = prober.listed().map_or(0, <[Value]>::len);
            if listed > 1 {
                return Err((
                    Broken,
                    "no next link although there are more pages".to_owned(),
                ));
            }
            return Err((Unknown, "the account sees one page only".to_owned()));
        };
        let more = prober.value(call, Some(&cursor)).await?;
        let second = more["results"][0]["id"].clone();
        let goes_on = second.is_string() && second != first;
        let said = format!(
            "in the body: {}, in the header: {}; the second answer goes on: {goes_on}",
            by_body.is_some(),
            by_header.is_some()
        );
        Ok(held_if(goes_on, said))
    };
    seen(look.await)
}

async fn newest_first(prober: &Prober) -> Seen {
    let look = async {
        let pages = prober.listed()?;
        let times: Vec<_> = pages
            .iter()
            .filter_map(|page| moment(page["version"]["createdAt"].as_str()?))
            .collect();
        if times.len() < 2 {
            return Err((Unknown, "fewer than two pages have a time".to_owned()));
        }
        let rises = times.windows(2).filter(|pair| pair[0] < pair[1]).count();
        let said = format!("{} pages, {rises} newer than the one before", times.len());
        Ok(held_if(rises == 0, said))
    };
    seen(look.await)
}

async fn by_ids(prober: &Prober) -> Seen {
    let look = async {
        let ids = ids_of(prober.listed()?);
        let call = of_pages()
            .with_all("id", ids.iter().map(PageId::as_str))
            .limit(MAX_BATCH);
        let came = ids_of(&prober.results(&call).await?);
        let said = format!("{} of {} came", came.len(), ids.len());
        let missing: Vec<PageId> = ids.into_iter().filter(|id| !came.contains(id)).collect();
        if missing.is_empty() {
            return Ok((Held, said));
        }
        // What was deleted meanwhile is not listed any more either.
        let listed = ids_of(&prober.results(&newest_pages()).await?);
        let left_out = missing.iter().filter(|id| listed.contains(id)).count();
        let said = format!("{said}; {left_out} of the rest are listed still");
        Ok(held_if(left_out == 0, said))
    };
    seen(look.await)
}

async fn facts(prober: &Prober) -> Seen {
    let look = async {
        // Archived pages are not searched without being asked for.
        let pages = prober.listed()?.iter();
        let current: Vec<Value> = pages
            .filter(|page| page["status"] == "current")
            .take(FACTS_PER_ANSWER)
            .cloned()
            .collect();
        let ids = ids_of(&current);
        let Some(cql) = cql::these(&ids) else {
            return Err((Unknown, "no page is current".to_owned()));
        };
        let call = Call::new(&endpoint::CONTENT_SEARCH, &[])
            .with("cql", cql)
            .with("expand", EXPAND)
            .limit(FACTS_PER_ANSWER);
        let rows = prober.results(&call).await?;
        let is_whole = |row: &&Value| {
            row["metadata"]["labels"]["results"].is_array()
                && row["restrictions"]["read"]["restrictions"].is_object()
                && row["ancestors"].is_array()
        };
        let whole = rows.iter().filter(is_whole).count();
        let said = format!(
            "{} of {} came, {whole} with all of it",
            rows.len(),
            ids.len()
        );
        // Search lags behind: a page of the last minute may be missing.
        let all = whole == rows.len() && rows.len() + 3 >= ids.len();
        _ = prober.facts.set(rows);
        Ok(held_if(all, said))
    };
    seen(look.await)
}

async fn readers(prober: &Prober) -> Seen {
    let look = async {
        let rows = prober.facts.get().map(Vec::as_slice).unwrap_or_default();
        let (mut named, mut with_id) = (0, 0);
        for (list, field) in [("user", "accountId"), ("group", "id")] {
            let lists = rows
                .iter()
                .map(|row| &row["restrictions"]["read"]["restrictions"][list]["results"]);
            let subjects = lists.filter_map(Value::as_array).flatten();
            let has_id = |subject: &&Value| {
                let id = subject[field].as_str();
                id.is_some_and(|id| !id.is_empty())
            };
            named += subjects.clone().count();
            with_id += subjects.filter(has_id).count();
        }
        if named == 0 {
            return Err((
                Unknown,
                format!("none of {} pages is restricted", rows.len()),
            ));
        }
        let said = format!("{with_id} of {named} have one");
        Ok(held_if(named == with_id, said))
    };
    seen(look.await)
}

/// The word for the form in which the site tells permissions; empty where it tells none.
async fn form_of_permissions(prober: &Prober) -> Result<String, Seen> {
    let call = Call::new(&endpoint::SPACE_ROLE_MODE, &[]);
    let answer = prober.look(&call, None).await?;
    if answer.status.as_u16() == 404 {
        return Ok(String::new());
    }
    let told = json_of(&call, &answer)?;
    Ok(told["mode"].as_str().unwrap_or_default().to_owned())
}

async fn space_readers(prober: &Prober) -> Seen {
    let look = async {
        let space = prober.listed()?.iter().find_map(|p| p["spaceId"].as_str());
        let Some(space) = space else {
            return Err((Unknown, "no page says in which space it is".to_owned()));
        };
        let form = form_of_permissions(prober).await?;
        let mode = Mode::of(Some(&form));
        let mut let_in = Vec::new();
        if mode.has_permissions() {
            let call = Call::new(&endpoint::SPACE_PERMISSIONS, &[space]).limit(MAX_BATCH);
            let rows = rows_as::<PermissionRow>(&prober.results(&call).await?);
            let reading = rows.iter().filter(|row| row.lets_read());
            let_in.extend(reading.filter_map(PermissionRow::grantee));
        }
        if mode.has_roles() {
            let call = Call::new(&endpoint::ROLE_ASSIGNMENTS, &[space]).limit(MAX_BATCH);
            let rows = rows_as::<RoleRow>(&prober.results(&call).await?);
            let_in.extend(rows.iter().filter_map(RoleRow::grantee));
        }
        let kinds = |kind: fn(&Grantee) -> bool| let_in.iter().filter(|one| kind(one)).count();
        let said = format!(
            "form: {form:?}; people: {}, groups: {}, classes: {}",
            kinds(|one| matches!(one, Grantee::Person(_))),
            kinds(|one| matches!(one, Grantee::Group(_))),
            kinds(|one| matches!(one, Grantee::Licensed))
        );
        let group = let_in.iter().find_map(|one| match one {
            Grantee::Group(id) => Some(id.to_string()),
            Grantee::Licensed | Grantee::Person(_) => None,
        });
        if let Some(group) = group {
            _ = prober.group.set(group);
        }
        Ok(held_if(!let_in.is_empty(), said))
    };
    seen(look.await)
}

/// What can be read of rows as the sync reads them.
fn rows_as<T: DeserializeOwned>(rows: &[Value]) -> Vec<T> {
    let read = rows.iter().map(|row| serde_json::from_value(row.clone()));
    read.filter_map(Result::ok).collect()
}

/// Farther than any group goes.
const BEHIND_ALL: usize = 1_000_000;

async fn group_members(prober: &Prober) -> Seen {
    let look = async {
        let group = match prober.group.get() {
            Some(group) => group.clone(),
            None => {
                let call = Call::new(&endpoint::GROUPS, &[]).limit(1);
                let groups = prober.results(&call).await?;
                let id = groups.first().and_then(|group| group["id"].as_str());
                let id = id.ok_or((Unknown, "the account sees no group".to_owned()))?;
                id.to_owned()
            }
        };
        let call = Call::new(&endpoint::GROUP_MEMBERS, &[&group]);
        let first = call.clone().with("start", 0).limit(25);
        let some = prober.results(&first).await?;
        let behind = call.with("start", BEHIND_ALL).limit(25);
        let behind = prober.results(&behind).await?.len();
        let is_known = |user: &&Value| user["accountId"].is_string();
        let known = some.iter().filter(is_known).count();
        let shows = |user: &&Value| {
            user["email"]
                .as_str()
                .is_some_and(|email| !email.is_empty())
        };
        let said = format!(
            "{known} of {} with an account, {} with an address; behind the last one: {behind}",
            some.len(),
            some.iter().filter(shows).count()
        );
        Ok(held_if(known == some.len() && behind == 0, said))
    };
    seen(look.await)
}

async fn permission_check(prober: &Prober) -> Seen {
    let look = async {
        let page = prober.listed()?.iter().find_map(|p| p["id"].as_str());
        let (Some(page), Some(me)) = (page, prober.me.get()) else {
            return Err((Unknown, "nobody is known to ask for".to_owned()));
        };
        let told = prober.value(&check_of(me, page), None).await?;
        let said = format!("hasPermission: {}", told["hasPermission"]);
        // The page was listed for this very account.
        Ok(held_if(told["hasPermission"] == true, said))
    };
    seen(look.await)
}

async fn audit_records(prober: &Prober) -> Seen {
    let look = async {
        let call = Call::new(&endpoint::AUDIT, &[]).with("start", 0).limit(25);
        let records = prober.results(&call).await?;
        if records.is_empty() {
            return Err((Unknown, "the log holds nothing".to_owned()));
        }
        let kinds = records.iter().filter_map(|record| {
            let about = &record["affectedObject"];
            let is_told = record["creationDate"].is_i64() && about["name"].is_string();
            about["objectType"].as_str().filter(|_| is_told)
        });
        let (told, kinds) = (kinds.clone().count(), kinds.collect::<BTreeSet<_>>());
        let kinds: Vec<&str> = kinds.into_iter().collect();
        let said = format!("{told} of {} records: {}", records.len(), words(&kinds));
        Ok(held_if(told == records.len(), said))
    };
    seen(look.await)
}

async fn containers(prober: &Prober) -> Seen {
    let look = async {
        let mut refused = Vec::new();
        let mut found = Vec::new();
        for kind in cql::CONTAINERS[0] {
            let call = Call::new(&endpoint::CONTENT_SEARCH, &[])
                .with("cql", format!("type = {kind}"))
                .limit(1);
            match prober.results(&call).await {
                Ok(rows) => {
                    if let Some(id) = rows.first().and_then(|row| row["id"].as_str()) {
                        found.push(((*kind).to_owned(), id.to_owned()));
                    }
                }
                Err((Broken, _)) => refused.push(*kind),
                Err(unknown) => return Err(unknown),
            }
        }
        let kinds: Vec<&str> = found.iter().map(|(kind, _)| kind.as_str()).collect();
        let said = format!("refused: {}; seen: {}", words(&refused), words(&kinds));
        lock(&prober.containers).extend(found.clone());
        Ok(held_if(refused.is_empty(), said))
    };
    seen(look.await)
}

fn words(of: &[&str]) -> String {
    if of.is_empty() {
        "none".to_owned()
    } else {
        of.join(", ")
    }
}

async fn container_restrictions(prober: &Prober) -> Seen {
    let look = async {
        let found = lock(&prober.containers).clone();
        if found.is_empty() {
            return Err((Unknown, "the site has none that search finds".to_owned()));
        }
        let mut silent = Vec::new();
        for (kind, id) in &found {
            let call = Call::new(&endpoint::RESTRICTION, &[id]).with("limit", 1);
            let answer = prober.look(&call, None).await?;
            let told = match answer.status.as_u16() {
                404 => Value::Null,
                _ => json_of(&call, &answer)?,
            };
            if !told["restrictions"].is_object() {
                silent.push(kind.as_str());
            }
        }
        let said = format!(
            "{} asked; without an answer: {}",
            found.len(),
            words(&silent)
        );
        Ok(held_if(silent.is_empty(), said))
    };
    seen(look.await)
}

async fn search_expands(prober: &Prober) -> Seen {
    let look = async {
        let call = Call::new(&endpoint::SEARCH, &[])
            .with("cql", "type = page")
            .with("expand", "content.version,content.space")
            .with("excerpt", "none")
            .limit(5);
        let rows = prober.results(&call).await?;
        if rows.is_empty() {
            return Err((Unknown, "search finds no page".to_owned()));
        }
        let is_whole = |row: &&Value| {
            row["content"]["version"]["number"].is_number()
                && row["content"]["space"]["key"].is_string()
        };
        let whole = rows.iter().filter(is_whole).count();
        let said = format!("{whole} of {} rows with version and space", rows.len());
        Ok(held_if(whole == rows.len(), said))
    };
    seen(look.await)
}

async fn site_search(prober: &Prober) -> Seen {
    let look = async {
        let space = prober
            .value(&Call::new(&endpoint::SPACES, &[]).limit(1), None)
            .await?;
        let Some(key) = space["results"][0]["key"].as_str() else {
            return Err((Unknown, "the account sees no space".to_owned()));
        };
        let words = ["the".to_owned()];
        let query = cql::search(&words, &[SpaceKey::from(key)], Match::Ranked);
        let call = Call::new(&endpoint::SEARCH, &[])
            .with("cql", query)
            .with("excerpt", "none")
            .limit(1);
        prober.results(&call).await?;
        Ok((Held, "it is answered".to_owned()))
    };
    seen(look.await)
}

async fn renamed_spaces(prober: &Prober) -> Seen {
    let look = async {
        let call = Call::new(&endpoint::SPACES, &[]).limit(MAX_BATCH);
        let spaces = prober.results(&call).await?;
        let renamed = spaces.iter().find_map(|space| {
            let (key, alias) = (
                space["key"].as_str()?,
                space["currentActiveAlias"].as_str()?,
            );
            (key != alias && !alias.is_empty()).then(|| (key.to_owned(), alias.to_owned()))
        });
        let Some((key, alias)) = renamed else {
            return Err((
                Unknown,
                format!("none of {} spaces is renamed", spaces.len()),
            ));
        };
        let mut found = Vec::new();
        for name in [&key, &alias] {
            let query = format!("space = {} and type = page", cql::literal(name));
            let call = Call::new(&endpoint::CONTENT_SEARCH, &[])
                .with("cql", query)
                .with("expand", "space")
                .limit(1);
            found.push(prober.results(&call).await.unwrap_or_default());
        }
        let named = found
            .iter()
            .flatten()
            .find_map(|row| row["space"]["key"].as_str());
        let by = match named {
            Some(name) if name == alias => "the key that people see",
            Some(_) => "the first key",
            None => "neither",
        };
        let [by_first, by_shown] = [!found[0].is_empty(), !found[1].is_empty()];
        let said = format!(
            "by the first key: {by_first}, by the key that people see: {by_shown}; v1 names the space by {by}"
        );
        if !by_first && !by_shown {
            return Err((Unknown, "no page of a renamed space is found".to_owned()));
        }
        Ok(held_if(by_first, said))
    };
    seen(look.await)
}

async fn time_zone(prober: &Prober) -> Seen {
    let look = async {
        let current = |page: &&Value| page["status"] == "current";
        let newest = prober.listed()?.iter().find(current);
        let known = newest.and_then(|page| {
            let id = page["id"].as_str().filter(|id| cql::is_number(id))?;
            Some((id, moment(page["version"]["createdAt"].as_str()?)?))
        });
        let Some((id, time)) = known else {
            return Err((Unknown, "no page has a time".to_owned()));
        };
        let mut found = Vec::new();
        for minutes in [-2, 2] {
            let at = (time + TimeDelta::minutes(minutes)).format("%Y/%m/%d %H:%M");
            let query = format!("id = {id} and lastmodified >= \"{at}\"");
            let call = Call::new(&endpoint::CONTENT_SEARCH, &[])
                .with("cql", query)
                .limit(1);
            found.push(!prober.results(&call).await?.is_empty());
        }
        let said = match found[..] {
            [true, false] => "UTC",
            [true, true] => "a zone west of UTC, or search lags",
            [false, false] => "a zone east of UTC, or search lags",
            _ => "neither before nor after",
        };
        Ok(held_if(said == "UTC", said))
    };
    seen(look.await)
}

async fn comments(prober: &Prober) -> Seen {
    let look = async {
        let (mut all, mut whole) = (0, 0);
        for endpoint in [&endpoint::FOOTER_COMMENTS, &endpoint::INLINE_COMMENTS] {
            let call = Call::new(endpoint, &[])
                .with("body-format", "storage")
                .with("sort", "-modified-date")
                .limit(10);
            let rows = prober.results(&call).await?;
            all += rows.len();
            let is_whole = |row: &&Value| {
                let place = row["pageId"].is_string() || row["blogPostId"].is_string();
                // A reply may name its parent alone.
                (place || row["parentCommentId"].is_string())
                    && row["version"]["createdAt"].is_string()
            };
            whole += rows.iter().filter(is_whole).count();
        }
        if all == 0 {
            return Err((Unknown, "the site has no comments".to_owned()));
        }
        Ok(held_if(all == whole, format!("{whole} of {all}")))
    };
    seen(look.await)
}

async fn download(prober: &Prober) -> Seen {
    let look = async {
        let call = Call::new(&endpoint::ATTACHMENTS, &[]).limit(10);
        let files = prober.results(&call).await?;
        let file = files.iter().find_map(|file| {
            Some((
                file["pageId"].as_str()?.to_owned(),
                file["id"].as_str()?.to_owned(),
            ))
        });
        let Some((page, id)) = file else {
            return Err((Unknown, "no page has a file".to_owned()));
        };
        let answer = prober
            .look(&Call::new(&endpoint::DOWNLOAD, &[&page, &id]), None)
            .await?;
        let status = answer.status.as_u16();
        let leads = answer.headers.contains_key(reqwest::header::LOCATION);
        let said = format!("status {status}, with a place to go: {leads}");
        if matches!(status, 401 | 403) {
            return Err((Unknown, said));
        }
        Ok(held_if(status == 302 && leads, said))
    };
    seen(look.await)
}

async fn names(prober: &Prober) -> Seen {
    let look = async {
        let Some(me) = prober.me.get() else {
            return Err((Unknown, "nobody is known to ask for".to_owned()));
        };
        let mut call = Call::new(&endpoint::USERS_BULK, &[]);
        call.body = Some(json!({ "accountIds": [me] }));
        let people = prober.results(&call).await?;
        let has_name = |person: &&Value| {
            let named = |field: &str| person[field].as_str().is_some_and(|name| !name.is_empty());
            named("displayName") || named("publicName")
        };
        let named = people.iter().filter(has_name).count();
        Ok(held_if(
            named == 1,
            format!("{named} of 1 came with a name"),
        ))
    };
    seen(look.await)
}

async fn scopes(prober: &Prober) -> Seen {
    let mut refused = lock(&prober.refused).clone();
    refused.sort_unstable();
    refused.dedup();
    if refused.is_empty() {
        (Held, "no endpoint was refused for one".to_owned())
    } else {
        (
            Broken,
            format!("refused where these are needed: {}", refused.join(", ")),
        )
    }
}

/// Names that [`crate::limits`] reads.
const KNOWN_LIMITS: &[&str] = &[
    "retry-after",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "x-ratelimit-nearlimit",
    "ratelimit-reason",
    "ratelimit",
    "ratelimit-policy",
];

async fn limits(prober: &Prober) -> Seen {
    let mut told = lock(&prober.limits).clone();
    told.sort_unstable();
    told.dedup();
    let is_known = |name: &&str| {
        let name = name.trim_start_matches("x-").trim_start_matches("beta-");
        let known = |known: &&str| known.trim_start_matches("x-") == name;
        KNOWN_LIMITS.iter().any(known)
    };
    let unknown: Vec<&str> = told
        .iter()
        .map(String::as_str)
        .filter(|name| !is_known(name))
        .collect();
    let names: Vec<&str> = told.iter().map(String::as_str).collect();
    let said = format!("told: {}; unknown: {}", words(&names), words(&unknown));
    held_if(unknown.is_empty(), said)
}
