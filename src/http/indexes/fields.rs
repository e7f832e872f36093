//! The fields of an index: what a request may set, within which bounds.

use domain::access::Access;
use domain::index::{BackendKind, IndexPatch, IndexSettings, RestrictedPages};
use domain::quiet::{QuietHours, QuietHoursText};
use domain::{AgentId, SpaceKey};
use serde::Deserialize;

use crate::http::fields::{Check, Field, Unknown, wrong_name};
use crate::http::problem::ApiResult;
use crate::settings::MAX_INTERVAL_MINUTES;

/// Spaces that one index may have.
const MAX_SPACES: usize = 100;
/// Entries that `labels`, `exclude_labels` and `root_page_ids` may have.
const MAX_ENTRIES: usize = 200;
/// Characters that a name, a label or an id may have.
const MAX_TEXT: usize = 255;

/// Everything about an index that may be set. Creating one needs `name`, `agent_id` and `confluence_spaces`; a change names
/// what changes. `null` stands for the default.
#[derive(Deserialize, utoipa::ToSchema, Default)]
pub struct IndexFields {
    /// The name shown to people.
    #[serde(default)]
    #[schema(value_type = String, min_length = 1, max_length = 255, example = "Engineering handbook")]
    name: Field<String>,
    /// The agent that asks this index: 1 to 128 of A-Z, a-z, 0-9, `_` and `-`; unique.
    #[serde(default)]
    #[schema(value_type = String, min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9_-]+$", example = "agent_handbook")]
    agent_id: Field<AgentId>,
    /// Keys of the spaces, 1 to 100, distinct; personal ones (`~…`) too.
    #[serde(default)]
    #[schema(value_type = Vec<String>, min_items = 1, max_items = 100, example = json!(["ENG", "OPS"]))]
    confluence_spaces: Field<Vec<String>>,
    /// Minutes between scheduled runs.
    #[serde(default)]
    #[schema(value_type = u32, minimum = 1, example = 60)]
    interval_minutes: Field<u32>,
    /// Whether scheduled runs happen.
    #[serde(default)]
    #[schema(value_type = bool)]
    enabled: Field<bool>,
    /// Hours in which no scheduled run starts; runs asked for by hand do. The text of the setting does, too
    /// (`22:00-06:00 Europe/Berlin`). `null`: those of the service, if it has any.
    #[serde(default)]
    #[schema(value_type = Option<QuietHoursText>)]
    quiet_hours: Field<QuietHours>,
    /// Which store holds it. A change moves the index there from what is kept here, without asking Confluence; the
    /// present store answers until the new one is complete (`moving`). Naming the present one gives a move up.
    #[serde(default)]
    #[schema(value_type = BackendKind)]
    backend: Field<BackendKind>,
    /// Blog posts of the spaces too.
    #[serde(default)]
    #[schema(value_type = bool)]
    include_blog_posts: Field<bool>,
    /// Comments of the pages (below them and in their text, with replies) under a heading of their page's document. Costs 2
    /// Confluence requests a poll; a sweep costs 2, and 1 for every 200 comments of a space (at least 1 a space); new and
    /// changed ones are read 50 a request. Resolved ones stay, and say so.
    #[serde(default)]
    #[schema(value_type = bool)]
    include_comments: Field<bool>,
    /// Files attached to pages as documents of their own, where they hold text (plain text, Markdown, CSV, HTML, PDF, DOCX; at
    /// most 20 MiB). They follow their page; what cannot be read is listed as skipped, with the reason. Costs 1 Confluence request
    /// a poll; a sweep costs 1, and 1 for every 200 files of a space (at least 1 a space); each new or changed file that can be
    /// read is one download.
    #[serde(default)]
    #[schema(value_type = bool)]
    include_attachments: Field<bool>,
    /// Only pages with at least one of these labels.
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 200, example = json!(["runbook"]))]
    labels: Field<Vec<String>>,
    /// No page with any of these labels.
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 200, example = json!(["runbook"]))]
    exclude_labels: Field<Vec<String>>,
    /// Only these pages and all below them.
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 200, example = json!(["98312"]))]
    root_page_ids: Field<Vec<String>>,
    /// What becomes of pages whose reading is restricted.
    #[serde(default)]
    #[schema(value_type = RestrictedPages)]
    restricted_pages: Field<RestrictedPages>,
    /// Whom it answers. `per_user`: the person who is named with a question (`X-User-Email` of a token that may speak for others, or an
    /// OAuth access token), with what that person may read in Confluence; restricted pages are indexed too. Costs some requests a sweep:
    /// one or a few a space, and one for each 200 members of the groups that are named. `per_user_checked`: and each page of an answer is
    /// asked for at Confluence for that person, one request each.
    #[serde(default)]
    #[schema(value_type = Access)]
    access: Field<Access>,
    #[serde(flatten)]
    #[schema(ignore)]
    unknown: Unknown,
}

/// The names of all fields.
pub(crate) const FIELDS: &[&str] = &[
    "name",
    "agent_id",
    "confluence_spaces",
    "interval_minutes",
    "enabled",
    "quiet_hours",
    "backend",
    "include_blog_posts",
    "include_comments",
    "include_attachments",
    "labels",
    "exclude_labels",
    "root_page_ids",
    "restricted_pages",
    "access",
];

/// A change of an index as a request names it.
#[derive(Debug)]
pub(crate) struct IndexChange {
    /// The settings.
    pub(crate) patch: IndexPatch,
    /// The store in which it is to be.
    pub(crate) backend: Option<BackendKind>,
}

/// A field that has no default.
fn named<T>(check: &mut Check, name: &str, field: Field<T>) -> Option<T> {
    match field {
        Field::Absent => None,
        field => check.required(name, field),
    }
}

/// A field that has one: `null` goes back to it.
fn chosen<T>(check: &mut Check, name: &str, field: Field<T>, default: T) -> Option<T> {
    match field {
        Field::Null => Some(default),
        field => check.optional(name, field),
    }
}

impl IndexFields {
    /// The settings of a new index.
    pub(crate) fn create(self, defaults: &IndexSettings) -> ApiResult<IndexSettings> {
        let mut check = Check::default();
        for (name, is_absent) in [
            ("name", self.name == Field::Absent),
            ("agent_id", self.agent_id == Field::Absent),
            ("confluence_spaces", self.confluence_spaces == Field::Absent),
        ] {
            if is_absent {
                check.fail(name, "is required");
            }
        }
        let IndexChange { patch, backend } = self.read(&mut check, defaults);
        check.done()?;
        Ok(patch.apply(IndexSettings {
            backend: backend.unwrap_or(defaults.backend),
            ..defaults.clone()
        }))
    }

    /// The change that the request names.
    pub(crate) fn change(self, defaults: &IndexSettings) -> ApiResult<IndexChange> {
        let mut check = Check::default();
        let change = self.read(&mut check, defaults);
        check.done()?;
        Ok(change)
    }

    fn read(self, check: &mut Check, defaults: &IndexSettings) -> IndexChange {
        let name = named(check, "name", self.name);
        let agent_id = named(check, "agent_id", self.agent_id);
        let spaces = named(check, "confluence_spaces", self.confluence_spaces);
        let interval = defaults.interval_minutes;
        let patch = IndexPatch {
            name: name.map(|name| name.trim().to_owned()),
            agent_id,
            confluence_spaces: spaces.map(|keys| keys.into_iter().map(SpaceKey::from).collect()),
            interval_minutes: chosen(check, "interval_minutes", self.interval_minutes, interval),
            enabled: chosen(check, "enabled", self.enabled, defaults.enabled),
            quiet_hours: match self.quiet_hours {
                Field::Absent => None,
                field => Some(check.optional("quiet_hours", field)),
            },
            include_blog_posts: chosen(
                check,
                "include_blog_posts",
                self.include_blog_posts,
                defaults.include_blog_posts,
            ),
            include_comments: chosen(
                check,
                "include_comments",
                self.include_comments,
                defaults.include_comments,
            ),
            include_attachments: chosen(
                check,
                "include_attachments",
                self.include_attachments,
                defaults.include_attachments,
            ),
            labels: chosen(check, "labels", self.labels, Vec::new()),
            exclude_labels: chosen(check, "exclude_labels", self.exclude_labels, Vec::new()),
            root_page_ids: chosen(check, "root_page_ids", self.root_page_ids, Vec::new()),
            restricted_pages: chosen(
                check,
                "restricted_pages",
                self.restricted_pages,
                defaults.restricted_pages,
            ),
            access: chosen(check, "access", self.access, defaults.access),
        };
        let backend = chosen(check, "backend", self.backend, defaults.backend);
        check.unknown("", &self.unknown, FIELDS);
        limits(check, &patch);
        IndexChange { patch, backend }
    }
}

/// The bounds of the fields that are named. None depends on another field, so what is not named needs no look.
fn limits(check: &mut Check, patch: &IndexPatch) {
    let wrong = patch.name.as_deref();
    if let Some(wrong) = wrong.and_then(|name| wrong_name(name, MAX_TEXT)) {
        check.fail("name", wrong);
    }
    let minutes = 1..=MAX_INTERVAL_MINUTES;
    if patch
        .interval_minutes
        .is_some_and(|n| !minutes.contains(&n))
    {
        check.fail(
            "interval_minutes",
            format!("must be from 1 to {MAX_INTERVAL_MINUTES}"),
        );
    }
    if let Some(spaces) = &patch.confluence_spaces {
        space_limits(check, spaces);
    }
    for (name, entries) in [
        ("labels", &patch.labels),
        ("exclude_labels", &patch.exclude_labels),
        ("root_page_ids", &patch.root_page_ids),
    ] {
        let Some(entries) = entries else {
            continue;
        };
        if entries.len() > MAX_ENTRIES {
            check.fail(name, format!("must hold at most {MAX_ENTRIES} entries"));
        }
        let mut wrong = entries
            .iter()
            .filter_map(|e| wrong_name(e.trim(), MAX_TEXT));
        if let Some(wrong) = wrong.next() {
            check.fail(name, format!("each entry {wrong}"));
        }
    }
    let is_id = |id: &String| !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric());
    if !patch.root_page_ids.iter().flatten().all(is_id) {
        check.fail(
            "root_page_ids",
            "each entry must be a page id, such as 98312",
        );
    }
}

fn space_limits(check: &mut Check, spaces: &[SpaceKey]) {
    if spaces.is_empty() || spaces.len() > MAX_SPACES {
        check.fail(
            "confluence_spaces",
            format!("must hold 1 to {MAX_SPACES} space keys"),
        );
    }
    let is_key = |key: &str| {
        (1..=MAX_TEXT).contains(&key.len())
            && !key
                .chars()
                .any(|c| c.is_whitespace() || c.is_control() || c == '"')
    };
    if let Some(bad) = spaces.iter().find(|key| !is_key(key.as_str())) {
        check.fail(
            "confluence_spaces",
            format!("{:?} is no space key", bad.as_str()),
        );
    }
    let mut seen = std::collections::BTreeSet::new();
    if let Some(double) = spaces
        .iter()
        .find(|key| !seen.insert(key.as_str().to_lowercase()))
    {
        check.fail("confluence_spaces", format!("{double} stands there twice"));
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// What an index has that names nothing.
    pub(crate) fn some_defaults() -> IndexSettings {
        IndexSettings {
            name: String::new(),
            agent_id: "agent".parse().unwrap(),
            confluence_spaces: Vec::new(),
            interval_minutes: 60,
            enabled: true,
            quiet_hours: None,
            backend: BackendKind::Local,
            include_blog_posts: false,
            include_comments: false,
            include_attachments: false,
            labels: Vec::new(),
            exclude_labels: Vec::new(),
            root_page_ids: Vec::new(),
            restricted_pages: RestrictedPages::default(),
            access: domain::access::Access::default(),
        }
    }

    fn read(json: serde_json::Value) -> IndexFields {
        serde_json::from_value(json).unwrap()
    }

    fn bad_fields<T>(result: ApiResult<T>) -> Vec<String> {
        match result {
            Ok(_) => Vec::new(),
            Err(error) => error.problem.errors.into_iter().map(|e| e.field).collect(),
        }
    }

    #[test]
    fn creating_names_every_bad_field() {
        let good = read(
            serde_json::json!({"name": "n", "agent_id": "a", "confluence_spaces": ["ENG", "~me"]}),
        );
        let settings = good.create(&some_defaults()).unwrap();
        assert_eq!((settings.interval_minutes, settings.enabled), (60, true));

        for (json, fields) in [
            (
                serde_json::json!({}),
                vec!["name", "agent_id", "confluence_spaces"],
            ),
            (
                serde_json::json!({"name": "a\u{1b}[2Jb", "agent_id": "a", "confluence_spaces": ["ENG"], "labels": ["a\nb"]}),
                vec!["name", "labels"],
            ),
            (
                serde_json::json!({"name": "a\u{202E}b", "agent_id": "a", "confluence_spaces": ["ENG"]}),
                vec!["name"],
            ),
            (
                serde_json::json!({"name": " ", "agent_id": "a b", "confluence_spaces": [], "interval_minutes": 0, "colour": 1}),
                vec![
                    "agent_id",
                    "colour",
                    "name",
                    "interval_minutes",
                    "confluence_spaces",
                ],
            ),
            (
                serde_json::json!({"name": "n", "agent_id": "a", "confluence_spaces": ["ENG", "eng"]}),
                vec!["confluence_spaces"],
            ),
            (
                serde_json::json!({"name": "n", "agent_id": "a", "confluence_spaces": ["A B"], "restricted_pages": "show", "root_page_ids": ["x/y"]}),
                vec!["restricted_pages", "confluence_spaces", "root_page_ids"],
            ),
            (
                serde_json::json!({"name": "n", "agent_id": "a", "confluence_spaces": ["A"], "quiet_hours": {"from": "22:00", "to": "22:00"}}),
                vec!["quiet_hours"],
            ),
            (
                serde_json::json!({"name": "n", "agent_id": "a", "confluence_spaces": ["A"], "quiet_hours": "at night"}),
                vec!["quiet_hours"],
            ),
        ] {
            assert_eq!(
                bad_fields(read(json.clone()).create(&some_defaults())),
                fields,
                "{json}"
            );
        }
        let too_many: Vec<String> = (0..101).map(|n| format!("S{n}")).collect();
        let json = serde_json::json!({"name": "n", "agent_id": "a", "confluence_spaces": too_many});
        assert_eq!(
            bad_fields(read(json).create(&some_defaults())),
            ["confluence_spaces"]
        );
    }

    #[test]
    fn a_change_is_what_it_names() {
        let change = |json| read(json).change(&some_defaults());
        let changed = change(serde_json::json!({"interval_minutes": null, "enabled": false}));
        let changed = changed.unwrap();
        let expected = IndexPatch {
            interval_minutes: Some(60),
            enabled: Some(false),
            ..IndexPatch::default()
        };
        assert_eq!((changed.patch, changed.backend), (expected, None));
        let night =
            serde_json::json!({"from": "22:00", "to": "06:00", "time_zone": "Europe/Berlin"});
        let quiet = change(serde_json::json!({"quiet_hours": night})).unwrap();
        assert_eq!(
            quiet.patch.quiet_hours,
            Some(Some("22:00-06:00 Europe/Berlin".parse().unwrap()))
        );
        let as_set = change(serde_json::json!({"quiet_hours": "22:00-06:00 Europe/Berlin"}));
        assert_eq!(
            as_set.unwrap().patch.quiet_hours,
            quiet.patch.quiet_hours,
            "as the setting has it"
        );
        let loud = change(serde_json::json!({"quiet_hours": null})).unwrap();
        assert_eq!(loud.patch.quiet_hours, Some(None));
        let refused = change(serde_json::json!({"name": null, "backend": "paper"}));
        assert_eq!(bad_fields(refused), ["name", "backend"]);
        let moved = change(serde_json::json!({"backend": "llamacloud"})).unwrap();
        assert_eq!(
            (moved.patch, moved.backend),
            (IndexPatch::default(), Some(BackendKind::LlamaCloud))
        );
    }
}
