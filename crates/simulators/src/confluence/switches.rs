//! Everything about the site's behaviour that can be turned while it runs.

use std::collections::BTreeSet;
use std::time::Duration;

use super::model::ContentId;
use crate::server::RateLimit;

/// The switches of a Confluence simulator. The defaults are the behaviour that was measured on live sites.
#[derive(Clone, Debug)]
pub struct Switches {
    /// Added to every answer.
    pub latency: Duration,
    /// Refuse bursts, per endpoint.
    pub rate_limit: Option<RateLimit>,
    /// Points an hour (reset at the full hour of the site's clock); beyond them everything is 429.
    pub points_per_hour: Option<u32>,
    /// Send `X-RateLimit-*` headers with every answer when a quota is set.
    pub quota_headers: bool,
    /// The quota is only announced: structured headers carry the prefix `Beta-` and nothing is refused for it.
    pub quota_is_beta: bool,

    /// Most results of a CQL page with expansions other than bodies.
    pub cql_cap: u32,
    /// Most results of a CQL page with a body expansion.
    pub cql_body_cap: u32,
    /// After the last CQL page with results, one empty page that still has a `next`.
    pub cql_empty_last_page: bool,
    /// How far search lags behind.
    pub search_lag: Duration,
    /// Zone of CQL date literals, minutes east of UTC.
    pub cql_zone_minutes: i32,
    /// What `text ~` and `title ~` find comes in no order that means anything; only `siteSearch ~` ranks.
    pub cql_ranks_site_search_only: bool,
    /// Fields and types that this site's CQL does not know: a query with one of them is refused.
    pub cql_refuses: BTreeSet<&'static str>,
    /// By which of its keys `space = …` finds a renamed space.
    pub cql_space_keys: CqlSpaceKeys,

    /// 500-class answer to any listing whose `limit` is above the number: (limit, status).
    pub fails_above_limit: Option<(u32, u16)>,
    /// As above, only when bodies are asked for.
    pub fails_above_limit_with_body: Option<(u32, u16)>,
    /// Pages that turn any answer that would hold their body into a 500.
    pub poison_pages: BTreeSet<ContentId>,
    /// Of the ids that a list is asked for, only so many are answered; the rest is left out without a word.
    pub ids_answered: usize,
    /// Lists of pages come by id, whatever `sort` asks for.
    pub sort_is_ignored: bool,
    /// How the links of v2 lists lead on.
    pub next_links: NextLinks,

    /// What wrong credentials get at the site.
    pub bad_credentials: BadCredentials,
    /// What a token with scopes gets at the site.
    pub scoped_at_site: ScopedAtSite,
    /// Credentials stop working after this many requests in all.
    pub token_expires_after: Option<u64>,

    /// What becomes of the children of a trashed page.
    pub orphans: Orphans,
    /// `GET /pages/{id}` of a trashed page: 200 with `status: trashed`, otherwise 404.
    pub trashed_by_id: bool,
    /// Moving a page makes a version.
    pub moves_bump_version: bool,
    /// Moving a page leaves its modified date alone.
    pub moves_keep_modified_date: bool,
    /// Restoring from the trash makes a version.
    pub restore_bumps_version: bool,
    /// Archiving, trashing and the like make a version.
    pub status_changes_bump_version: bool,

    /// v1 answers name a renamed space by the key that people see, as v2 does in `currentActiveAlias`.
    pub v1_names_spaces_by_alias: bool,

    /// The withdrawn v1 reads of one content object and its properties still answer, for clients that know nothing newer.
    pub v1_content_reads: bool,

    /// Unknown fields in every object.
    pub unknown_fields: bool,
    /// Enum values nobody has heard of: parent, space and status types.
    pub unknown_enums: bool,
    /// `parentId` and `position` are null everywhere.
    pub null_parents: bool,
    /// Pages come without `body` although a format was asked for.
    pub missing_body: bool,
    /// How the site says who may use its spaces.
    pub role_mode: RoleMode,
    /// Most users, and most groups, that one answer about a restriction names, whatever `limit` asks for.
    pub restriction_cap: usize,
    /// Most members of a group in one answer, which repeats the `limit` that was asked for all the same.
    pub members_cap: usize,
    /// Most records of the audit log in one answer, which repeats the `limit` that was asked for all the same.
    pub audit_cap: usize,
    /// How far the audit log lags behind.
    pub audit_lag: Duration,
    /// Users' emails are empty, as on sites that hide them.
    pub hide_emails: bool,
    /// `/spaces` and the page listings are silently empty: an account that suddenly sees nothing.
    pub sees_nothing: bool,
    /// `/direct-children` in default order breaks after the first page when positions are null.
    pub child_position_bug: bool,
    /// The lists of all comments of the site leave replies out.
    pub site_comments_without_replies: bool,
    /// Media URLs stop working after this long.
    pub media_url_lives: Duration,
}

/// By which of its keys CQL finds a renamed space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CqlSpaceKeys {
    /// The first one, which v2 calls `key`.
    First,
    /// The one that people see, which v2 calls `currentActiveAlias`.
    Shown,
    /// Either.
    Both,
}

/// How the link of a list leads to its next part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextLinks {
    /// By a cursor, in the body and in the `Link` header.
    Cursor,
    /// By a cursor, in the `Link` header alone.
    HeaderOnly,
    /// By the number of items before it, as v1 had it.
    Offset,
}

/// What wrong credentials get at the site form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadCredentials {
    /// v1: 403 JSON; v2: 404. As measured most often.
    ForbiddenAndNotFound,
    /// 401 JSON with `X-Failure-Category` on both.
    Unauthorized,
    /// 401 with an HTML page on both.
    HtmlUnauthorized,
    /// Taken as anonymous: v2 lists are empty with 200, v1 user is `anonymous`.
    Anonymous,
}

/// What a token with scopes gets at the site form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopedAtSite {
    /// 401 with a page of Tomcat, as measured.
    TomcatPage,
    /// 401 JSON with `X-Failure-Category`, as reported.
    AuthMismatch,
}

/// How the site says who may use its spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoleMode {
    /// By rows of permissions, and of roles it says nothing: 404.
    Untold,
    /// By rows of permissions.
    PreRoles,
    /// By roles for groups, and by rows of permissions for people, and for spaces that are open to all, who have no role yet.
    Transition,
    /// By roles.
    Roles,
}

/// What becomes of children when their parent goes to the trash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Orphans {
    /// Archived, without a parent (as measured).
    Archived,
    /// Attached to the parent's parent.
    MoveUp,
    /// Trashed as well.
    Trashed,
    /// Left where they are, below a trashed parent.
    Stay,
}

impl Default for Switches {
    fn default() -> Self {
        Switches {
            latency: Duration::ZERO,
            rate_limit: None,
            points_per_hour: None,
            quota_headers: true,
            quota_is_beta: false,
            cql_cap: 200,
            cql_body_cap: 50,
            cql_empty_last_page: false,
            search_lag: Duration::ZERO,
            cql_zone_minutes: 0,
            cql_ranks_site_search_only: false,
            cql_refuses: BTreeSet::new(),
            cql_space_keys: CqlSpaceKeys::First,
            fails_above_limit: None,
            fails_above_limit_with_body: None,
            poison_pages: BTreeSet::new(),
            ids_answered: usize::MAX,
            sort_is_ignored: false,
            next_links: NextLinks::Cursor,
            bad_credentials: BadCredentials::ForbiddenAndNotFound,
            scoped_at_site: ScopedAtSite::TomcatPage,
            token_expires_after: None,
            orphans: Orphans::Archived,
            trashed_by_id: true,
            moves_bump_version: false,
            moves_keep_modified_date: true,
            restore_bumps_version: true,
            status_changes_bump_version: false,
            v1_names_spaces_by_alias: false,
            v1_content_reads: false,
            unknown_fields: false,
            unknown_enums: false,
            null_parents: false,
            missing_body: false,
            role_mode: RoleMode::PreRoles,
            restriction_cap: 200,
            members_cap: 200,
            audit_cap: 1000,
            audit_lag: Duration::ZERO,
            hide_emails: false,
            sees_nothing: false,
            child_position_bug: true,
            site_comments_without_replies: false,
            media_url_lives: Duration::from_secs(60),
        }
    }
}
