//! Which endpoints there are, and the scope each one wants of a scoped token.

use super::call::{Answer, Call, Handler};
use super::{errors, v1, v2, web};
use crate::server::{Reply, Route};

pub(crate) struct Endpoint {
    pub run: Handler,
    /// Scopes of which one is enough; empty: none is needed.
    pub scopes: &'static [&'static str],
    pub open: bool,
}

const fn get(
    template: &'static str,
    run: Handler,
    scopes: &'static [&'static str],
) -> Route<Endpoint> {
    Route {
        method: "GET",
        template,
        handler: Endpoint {
            run,
            scopes,
            open: false,
        },
    }
}

const fn post(
    template: &'static str,
    run: Handler,
    scopes: &'static [&'static str],
) -> Route<Endpoint> {
    Route {
        method: "POST",
        template,
        handler: Endpoint {
            run,
            scopes,
            open: false,
        },
    }
}

const fn open(template: &'static str, run: Handler) -> Route<Endpoint> {
    Route {
        method: "GET",
        template,
        handler: Endpoint {
            run,
            scopes: &[],
            open: true,
        },
    }
}

const SPACE: &[&str] = &["read:space:confluence"];
const SPACE_PERMISSION: &[&str] = &["read:space.permission:confluence"];
const CONFIGURATION: &[&str] = &["read:configuration:confluence"];
const PAGE: &[&str] = &["read:page:confluence"];
const COMMENT: &[&str] = &["read:comment:confluence"];
const ATTACHMENT: &[&str] = &["read:attachment:confluence"];
const DOWNLOAD: &[&str] = &[
    "read:attachment:confluence",
    "readonly:content.attachment:confluence",
];
const SEARCH: &[&str] = &["read:content-details:confluence", "search:confluence"];
const DETAILS: &[&str] = &[
    "read:content-details:confluence",
    "read:confluence-content.all",
];
const USER_V1: &[&str] = &["read:content-details:confluence", "read:confluence-user"];
const METADATA: &[&str] = &["read:content.metadata:confluence"];
const TREE: &[&str] = &["read:hierarchical-content:confluence"];
const AUDIT: &[&str] = &["read:audit-log:confluence"];
const USER: &[&str] = &["read:user:confluence"];
const GROUP: &[&str] = &["read:group:confluence", "read:confluence-groups"];
const CHECK: &[&str] = &[
    "read:content.permission:confluence",
    "read:confluence-content.permission",
];
const SYSTEM: &[&str] = &[
    "read:configuration:confluence",
    "manage:confluence-configuration",
];

pub(crate) static ROUTES: &[Route<Endpoint>] = &[
    open("/_edge/tenant_info", tenant_info),
    get("/wiki/api/v2/spaces", v2::spaces::list, SPACE),
    get("/wiki/api/v2/spaces/{id}", v2::spaces::get, SPACE),
    get(
        "/wiki/api/v2/spaces/{id}/pages",
        v2::content::pages_of_space,
        PAGE,
    ),
    get(
        "/wiki/api/v2/spaces/{id}/blogposts",
        v2::content::blog_posts_of_space,
        PAGE,
    ),
    get("/wiki/api/v2/spaces/{id}/labels", v2::spaces::labels, SPACE),
    get(
        "/wiki/api/v2/spaces/{id}/permissions",
        v2::permissions::permissions,
        SPACE,
    ),
    get(
        "/wiki/api/v2/spaces/{id}/role-assignments",
        v2::permissions::role_assignments,
        SPACE_PERMISSION,
    ),
    get(
        "/wiki/api/v2/space-roles",
        v2::permissions::roles,
        SPACE_PERMISSION,
    ),
    get(
        "/wiki/api/v2/space-role-mode",
        v2::permissions::role_mode,
        CONFIGURATION,
    ),
    get("/wiki/api/v2/pages", v2::content::pages, PAGE),
    get("/wiki/api/v2/pages/{id}", v2::content::page, PAGE),
    get(
        "/wiki/api/v2/pages/{id}/versions",
        v2::content::page_versions,
        PAGE,
    ),
    get(
        "/wiki/api/v2/pages/{page-id}/versions/{version-number}",
        v2::content::page_version,
        PAGE,
    ),
    get(
        "/wiki/api/v2/pages/{id}/labels",
        v2::content::page_labels,
        PAGE,
    ),
    get(
        "/wiki/api/v2/pages/{id}/ancestors",
        v2::tree::ancestors,
        METADATA,
    ),
    get(
        "/wiki/api/v2/pages/{id}/direct-children",
        v2::tree::direct_children,
        TREE,
    ),
    get("/wiki/api/v2/pages/{id}/children", v2::tree::children, PAGE),
    get(
        "/wiki/api/v2/pages/{id}/descendants",
        v2::tree::descendants,
        TREE,
    ),
    get(
        "/wiki/api/v2/pages/{id}/footer-comments",
        v2::comments::footer_of_content,
        COMMENT,
    ),
    get(
        "/wiki/api/v2/pages/{id}/inline-comments",
        v2::comments::inline_of_content,
        COMMENT,
    ),
    get(
        "/wiki/api/v2/pages/{id}/attachments",
        v2::attachments::of_content,
        ATTACHMENT,
    ),
    get("/wiki/api/v2/blogposts", v2::content::blog_posts, PAGE),
    get("/wiki/api/v2/blogposts/{id}", v2::content::blog_post, PAGE),
    get(
        "/wiki/api/v2/blogposts/{id}/versions",
        v2::content::post_versions,
        PAGE,
    ),
    get(
        "/wiki/api/v2/blogposts/{id}/labels",
        v2::content::post_labels,
        PAGE,
    ),
    get(
        "/wiki/api/v2/blogposts/{id}/footer-comments",
        v2::comments::footer_of_content,
        COMMENT,
    ),
    get(
        "/wiki/api/v2/blogposts/{id}/inline-comments",
        v2::comments::inline_of_content,
        COMMENT,
    ),
    get(
        "/wiki/api/v2/blogposts/{id}/attachments",
        v2::attachments::of_content,
        ATTACHMENT,
    ),
    get(
        "/wiki/api/v2/folders/{id}",
        v2::tree::folder,
        &["read:folder:confluence"],
    ),
    get(
        "/wiki/api/v2/folders/{id}/direct-children",
        v2::tree::direct_children,
        TREE,
    ),
    get(
        "/wiki/api/v2/folders/{id}/ancestors",
        v2::tree::ancestors,
        METADATA,
    ),
    get(
        "/wiki/api/v2/folders/{id}/descendants",
        v2::tree::descendants,
        TREE,
    ),
    get(
        "/wiki/api/v2/whiteboards/{id}",
        v2::tree::whiteboard,
        &["read:whiteboard:confluence"],
    ),
    get(
        "/wiki/api/v2/databases/{id}",
        v2::tree::database,
        &["read:database:confluence"],
    ),
    get(
        "/wiki/api/v2/embeds/{id}",
        v2::tree::embed,
        &["read:embed:confluence"],
    ),
    get(
        "/wiki/api/v2/footer-comments",
        v2::comments::footer_of_site,
        COMMENT,
    ),
    get(
        "/wiki/api/v2/footer-comments/{id}",
        v2::comments::get_footer,
        COMMENT,
    ),
    get(
        "/wiki/api/v2/footer-comments/{id}/children",
        v2::comments::replies,
        COMMENT,
    ),
    get(
        "/wiki/api/v2/inline-comments",
        v2::comments::inline_of_site,
        COMMENT,
    ),
    get(
        "/wiki/api/v2/inline-comments/{id}",
        v2::comments::get_inline,
        COMMENT,
    ),
    get(
        "/wiki/api/v2/inline-comments/{id}/children",
        v2::comments::replies,
        COMMENT,
    ),
    get(
        "/wiki/api/v2/attachments",
        v2::attachments::of_site,
        ATTACHMENT,
    ),
    get(
        "/wiki/api/v2/attachments/{id}",
        v2::attachments::get,
        ATTACHMENT,
    ),
    get(
        "/wiki/api/v2/attachments/{id}/labels",
        v2::attachments::labels,
        ATTACHMENT,
    ),
    post("/wiki/api/v2/users-bulk", v2::people::users_bulk, USER),
    post(
        "/wiki/api/v2/content/convert-ids-to-types",
        v2::content::convert_ids,
        METADATA,
    ),
    get(
        "/wiki/rest/api/content/search",
        v1::search::content_search,
        SEARCH,
    ),
    get("/wiki/rest/api/search", v1::search::search, SEARCH),
    get(
        "/wiki/rest/api/content/{id}/restriction",
        v1::restrictions::all,
        DETAILS,
    ),
    get(
        "/wiki/rest/api/content/{id}/restriction/byOperation",
        v1::restrictions::by_operation,
        DETAILS,
    ),
    get(
        "/wiki/rest/api/content/{id}/restriction/byOperation/{operationKey}",
        v1::restrictions::of_operation,
        DETAILS,
    ),
    get(
        "/wiki/rest/api/content/{id}/restriction/byOperation/{operationKey}/user",
        v1::restrictions::names_user,
        DETAILS,
    ),
    post(
        "/wiki/rest/api/content/{id}/permission/check",
        v1::restrictions::check,
        CHECK,
    ),
    get(
        "/wiki/rest/api/content/{id}/child/attachment/{attachmentId}/download",
        v1::files::download,
        DOWNLOAD,
    ),
    get("/wiki/rest/api/audit", v1::audit::records, AUDIT),
    get("/wiki/rest/api/user/current", v1::people::current, USER_V1),
    get("/wiki/rest/api/user", v1::people::one, USER_V1),
    get("/wiki/rest/api/user/bulk", v1::people::bulk, USER_V1),
    get("/wiki/rest/api/group", v1::people::groups, GROUP),
    get(
        "/wiki/rest/api/group/{groupId}/membersByGroupId",
        v1::people::members,
        GROUP,
    ),
    get(
        "/wiki/rest/api/settings/systemInfo",
        v1::people::system_info,
        SYSTEM,
    ),
    get("/wiki/rest/api/content", gone, &[]),
    get("/wiki/rest/api/content/{id}", v1::content::read, &[]),
    get("/wiki/rest/api/content/{id}/label", gone, &[]),
    get(
        "/wiki/rest/api/content/{id}/property",
        v1::content::properties,
        &[],
    ),
    get("/wiki/rest/api/content/{id}/child", gone, &[]),
    get("/wiki/rest/api/content/{id}/child/{type}", gone, &[]),
    get("/wiki/rest/api/content/{id}/descendant/{type}", gone, &[]),
    get("/wiki/rest/api/content/{id}/history", gone, &[]),
    get("/wiki/rest/api/space", gone, &[]),
    get("/wiki/rest/api/space/{key}", gone, &[]),
    get("/wiki/rest/api/space/{key}/content", gone, &[]),
    open("/wiki/download/attachments/{id}/{name}", v1::files::servlet),
    open("/wiki/spaces/{key}", web::space),
    open("/wiki/spaces/{key}/overview", web::space),
    open("/wiki/spaces/{key}/pages/{id}", web::page),
    open("/wiki/spaces/{key}/pages/{id}/{title}", web::page),
    open(
        "/wiki/spaces/{key}/blog/{y}/{m}/{d}/{id}/{title}",
        web::post,
    ),
    open("/wiki", web::home),
    open("/", web::home),
];

/// The API endpoints that answer: neither withdrawn nor for browsers.
pub(crate) fn served() -> impl Iterator<Item = (&'static str, &'static str)> {
    ROUTES
        .iter()
        .filter(|r| !r.handler.open && !r.handler.scopes.is_empty())
        .map(|r| (r.method, r.template))
}

fn gone(_: &Call<'_>) -> Answer {
    Err(errors::gone())
}

fn tenant_info(call: &Call<'_>) -> Answer {
    Ok(Reply::ok(serde_json::json!({"cloudId": call.cloud_id})))
}
