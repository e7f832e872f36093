//! The endpoints that the client uses, each with the scope that a scoped token needs for it.
//!
//! Names are method and path template; they are also the classes in which bursts are limited. Nothing else is ever asked.

/// One endpoint of the official documents.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Endpoint {
    /// Method and path template, as the official documents write it.
    pub name: &'static str,
    /// Granular scope.
    pub scope: &'static str,
    /// Whether the path names no item, so that a 404 or 403 says nothing about one.
    pub collection: bool,
}

impl Endpoint {
    /// What each object of an answer costs under the quota of points.
    pub fn points_each(&self) -> u64 {
        let of_identities = [
            &USERS_BULK,
            &USER_CURRENT,
            &GROUPS,
            &GROUP_MEMBERS,
            &SPACE_PERMISSIONS,
            &SPACE_ROLES,
            &ROLE_ASSIGNMENTS,
            &RESTRICTION,
            &PERMISSION_CHECK,
        ];
        if of_identities.contains(&self) { 2 } else { 1 }
    }
}

const fn of(name: &'static str, scope: &'static str, collection: bool) -> Endpoint {
    Endpoint {
        name,
        scope,
        collection,
    }
}

const PAGE: &str = "read:page:confluence";
const COMMENT: &str = "read:comment:confluence";
const ATTACHMENT: &str = "read:attachment:confluence";
const DETAILS: &str = "read:content-details:confluence";
const SPACE_PERMISSION: &str = "read:space.permission:confluence";
const GROUP: &str = "read:group:confluence";

pub(crate) static USER_CURRENT: Endpoint = of("GET /rest/api/user/current", DETAILS, true);
/// A 404 here says that the account may not see people's profiles.
pub(crate) static USERS_BULK: Endpoint =
    of("POST /api/v2/users-bulk", "read:user:confluence", false);
pub(crate) static SPACES: Endpoint = of("GET /api/v2/spaces", "read:space:confluence", true);
pub(crate) static PAGES: Endpoint = of("GET /api/v2/pages", PAGE, true);
pub(crate) static SPACE_PAGES: Endpoint = of("GET /api/v2/spaces/{id}/pages", PAGE, false);
pub(crate) static ONE_PAGE: Endpoint = of("GET /api/v2/pages/{id}", PAGE, false);
pub(crate) static PAGE_LABELS: Endpoint = of("GET /api/v2/pages/{id}/labels", PAGE, false);
pub(crate) static BLOGPOSTS: Endpoint = of("GET /api/v2/blogposts", PAGE, true);
pub(crate) static SPACE_BLOGPOSTS: Endpoint = of("GET /api/v2/spaces/{id}/blogposts", PAGE, false);
pub(crate) static ONE_BLOGPOST: Endpoint = of("GET /api/v2/blogposts/{id}", PAGE, false);
pub(crate) static BLOGPOST_LABELS: Endpoint = of("GET /api/v2/blogposts/{id}/labels", PAGE, false);
pub(crate) static CONTENT_SEARCH: Endpoint = of("GET /rest/api/content/search", DETAILS, true);
pub(crate) static SEARCH: Endpoint = of("GET /rest/api/search", DETAILS, true);
pub(crate) static RESTRICTION: Endpoint = of(
    "GET /rest/api/content/{id}/restriction/byOperation/read",
    DETAILS,
    false,
);
pub(crate) static SPACE_PERMISSIONS: Endpoint = of(
    "GET /api/v2/spaces/{id}/permissions",
    "read:space:confluence",
    false,
);
/// A 404 here says that the site has no roles, or does not tell.
pub(crate) static SPACE_ROLE_MODE: Endpoint = of(
    "GET /api/v2/space-role-mode",
    "read:configuration:confluence",
    false,
);
pub(crate) static SPACE_ROLES: Endpoint = of("GET /api/v2/space-roles", SPACE_PERMISSION, true);
pub(crate) static ROLE_ASSIGNMENTS: Endpoint = of(
    "GET /api/v2/spaces/{id}/role-assignments",
    SPACE_PERMISSION,
    false,
);
pub(crate) static GROUPS: Endpoint = of("GET /rest/api/group", GROUP, true);
/// Takes `read:user:confluence` too, as the names of people do.
pub(crate) static GROUP_MEMBERS: Endpoint = of(
    "GET /rest/api/group/{groupId}/membersByGroupId",
    GROUP,
    false,
);
pub(crate) static PERMISSION_CHECK: Endpoint = of(
    "POST /rest/api/content/{id}/permission/check",
    "read:content.permission:confluence",
    false,
);
pub(crate) static AUDIT: Endpoint = of("GET /rest/api/audit", "read:audit-log:confluence", true);
pub(crate) static FOOTER_COMMENTS: Endpoint = of("GET /api/v2/footer-comments", COMMENT, true);
pub(crate) static INLINE_COMMENTS: Endpoint = of("GET /api/v2/inline-comments", COMMENT, true);
pub(crate) static ONE_FOOTER_COMMENT: Endpoint =
    of("GET /api/v2/footer-comments/{id}", COMMENT, false);
pub(crate) static ONE_INLINE_COMMENT: Endpoint =
    of("GET /api/v2/inline-comments/{id}", COMMENT, false);
pub(crate) static ATTACHMENTS: Endpoint = of("GET /api/v2/attachments", ATTACHMENT, true);
pub(crate) static ONE_ATTACHMENT: Endpoint = of("GET /api/v2/attachments/{id}", ATTACHMENT, false);
pub(crate) static DOWNLOAD: Endpoint = of(
    "GET /rest/api/content/{id}/child/attachment/{attachmentId}/download",
    ATTACHMENT,
    false,
);
