//! The v1 content object with its expansions.

use serde_json::{Map, Value, json};

use super::people::user_json;
use crate::confluence::call::{Answer, Call, when};
use crate::confluence::errors;
use crate::confluence::model::{Comment, Content, ContentId, Space, Status, VersionRecord};
use crate::confluence::render::Renderer;
use crate::confluence::{render, shapes};
use crate::server::Reply;

/// The expansions asked for, `content.` prefixes taken off where `/search` wants them.
pub(crate) struct Expand(Vec<String>);

const EXPANDABLE: &[&str] = &[
    "container",
    "metadata",
    "restrictions",
    "history",
    "body",
    "version",
    "descendants",
    "space",
    "childTypes",
    "schedulePublishInfo",
    "operations",
    "schedulePublishDate",
    "children",
    "macroRenderedOutput",
    "ancestors",
];

impl Expand {
    pub(crate) fn of(call: &Call<'_>, prefix: &str) -> Expand {
        let given = call.request.many("expand");
        Expand(
            given
                .into_iter()
                .filter_map(|e| e.strip_prefix(prefix))
                .map(str::to_owned)
                .collect(),
        )
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|e| {
            e == name
                || e.strip_prefix(name)
                    .is_some_and(|rest| rest.starts_with('.'))
        })
    }

    pub(crate) fn any(&self) -> bool {
        !self.0.is_empty()
    }

    /// Representations under `body.`.
    pub(crate) fn bodies(&self) -> Vec<&str> {
        self.0
            .iter()
            .filter_map(|e| e.strip_prefix("body."))
            .map(|e| e.split('.').next().unwrap_or(e))
            .collect()
    }
}

pub(crate) fn version_json(call: &Call<'_>, v: &VersionRecord) -> Value {
    json!({
        "by": user_json(call, &v.author), "when": when(v.created_at), "friendlyWhen": v.created_at.format("%b %d, %Y").to_string(),
        "message": v.message, "number": v.number, "minorEdit": v.minor, "contentTypeModified": false,
        "_expandable": {"collaborators": "", "content": ""}, "_links": {},
    })
}

pub(crate) fn space_json(call: &Call<'_>, space: &Space) -> Value {
    let key = if call.switches.v1_names_spaces_by_alias {
        space.shown_key()
    } else {
        &space.key
    };
    json!({
        "id": space.id.0, "key": key, "alias": space.shown_key(), "name": space.name, "type": space.kind,
        "status": if space.archived { "archived" } else { "current" },
        "_expandable": {"settings": "", "metadata": "", "operations": "", "lookAndFeel": "", "permissions": "",
            "icon": "", "description": "", "theme": "", "history": "", "homepage": ""},
        "_links": {"webui": shapes::space_path(space), "self": ""},
    })
}

/// A page, blog post or folder. The error is the 404 of a batch that reached for an ancestor it may not read.
pub(crate) fn content_json(
    call: &Call<'_>,
    content: &Content,
    expand: &Expand,
) -> Result<Value, Reply> {
    let mut value = base_json(
        content.id,
        content.kind.name(),
        content.status.name(),
        content.title(),
    );
    value["_links"] = json!({
        "webui": call.webui(content), "self": format!("{}/wiki/rest/api/content/{}", call.site_url, content.id),
        "tinyui": format!("/x/{}", shapes::tiny(content.id.0)),
        "editui": format!("/pages/resumedraft.action?draftId={}", content.id),
    });
    value["extensions"] = json!({"position": content.position});
    let mut left: Vec<&str> = EXPANDABLE.to_vec();
    let mut done = |name: &str| left.retain(|e| *e != name);
    if expand.has("version") {
        value["version"] = version_json(call, content.latest());
        done("version");
    }
    if expand.has("space")
        && let Some(space) = call.state.spaces.get(&content.space)
    {
        value["space"] = space_json(call, space);
        done("space");
    }
    if expand.has("ancestors") {
        let chain = call.state.ancestors(content.id);
        let deep = expand.has("ancestors.restrictions");
        let mut list = Vec::new();
        for ancestor in chain {
            let unreadable =
                !call.sees(ancestor) || matches!(ancestor.status, Status::Draft | Status::Trashed);
            if unreadable && deep {
                return Err(errors::v1(
                    404,
                    "com.atlassian.confluence.api.service.exceptions.NotFoundException: Cannot find content. \
                     Outdated version/old_draft/trashed? Please provide valid ContentId.",
                ));
            }
            if unreadable {
                continue;
            }
            let mut entry = base_json(
                ancestor.id,
                ancestor.kind.name(),
                ancestor.status.name(),
                ancestor.title(),
            );
            if deep {
                entry["restrictions"] = super::restrictions::both_json(call, ancestor);
            }
            list.push(entry);
        }
        value["ancestors"] = json!(list);
        done("ancestors");
    }
    if expand.has("metadata") {
        let mut metadata = json!({"_expandable": {"currentuser": "", "properties": "", "frontend": "", "editorHtml": ""}});
        if expand.has("metadata.labels") {
            metadata["labels"] = labels_json(call, content);
        } else {
            metadata["_expandable"]["labels"] = json!("");
        }
        value["metadata"] = metadata;
        done("metadata");
    }
    if expand.has("restrictions") {
        value["restrictions"] = super::restrictions::expanded_json(call, content, expand);
        done("restrictions");
    }
    if expand.has("history") {
        value["history"] = json!({
            "latest": true, "createdBy": user_json(call, &content.author), "createdDate": when(content.created_at),
            "lastUpdated": version_json(call, content.latest()),
            "_expandable": {"previousVersion": "", "contributors": "", "nextVersion": ""}, "_links": {},
        });
        done("history");
    }
    if expand.has("childTypes") {
        let pages = call
            .state
            .children_of(content.id)
            .iter()
            .any(|c| call.state.contents.contains_key(c));
        value["childTypes"] = json!({"page": {"value": pages, "_links": {}}, "_expandable": {"all": "", "attachment": "", "comment": ""}});
        done("childTypes");
    }
    if expand.has("body") {
        let mut body = Map::new();
        for representation in expand.bodies() {
            let renderer = Renderer {
                state: call.state,
                site_url: call.site_url,
                content,
            };
            if call.switches.poison_pages.contains(&content.id) {
                return Err(errors::v1(500, "An unexpected error occurred"));
            }
            let text = render::body(&content.latest().body, representation, &renderer);
            body.insert(
                representation.to_owned(),
                json!({"value": text, "representation": representation, "embeddedContent": [],
                    "_expandable": {"content": format!("/rest/api/content/{}", content.id)}}),
            );
        }
        value["body"] = Value::Object(body);
        done("body");
    }
    let expandable: Map<String, Value> = left
        .iter()
        .map(|name| ((*name).to_owned(), json!("")))
        .collect();
    value["_expandable"] = Value::Object(expandable);
    Ok(value)
}

/// One content object: withdrawn, unless [`v1_content_reads`](crate::confluence::Switches::v1_content_reads).
pub(crate) fn read(call: &Call<'_>) -> Answer {
    let content = withdrawn(call)?;
    let expand = Expand::of(call, "");
    let mut value = content_json(call, content, &expand)?;
    if expand.has("children.attachment") {
        value["children"] =
            json!({"attachment": {"results": [], "start": 0, "limit": 25, "size": 0}});
    }
    Ok(Reply::ok(value))
}

/// Its properties, of which it has none; withdrawn as well.
pub(crate) fn properties(call: &Call<'_>) -> Answer {
    withdrawn(call)?;
    Ok(Reply::ok(
        json!({"results": [], "start": 0, "limit": 10, "size": 0}),
    ))
}

fn withdrawn<'c>(call: &'c Call<'_>) -> Result<&'c Content, Reply> {
    if !call.switches.v1_content_reads {
        return Err(errors::gone());
    }
    let missing = |_| errors::v1(404, "No content found with id");
    call.visible(call.id(0).map_err(missing)?).map_err(missing)
}

fn base_json(id: ContentId, kind: &str, status: &str, title: &str) -> Value {
    json!({
        "id": id.to_string(), "type": kind, "status": status, "title": title,
        "macroRenderedOutput": {}, "extensions": {}, "_expandable": {}, "_links": {},
    })
}

fn labels_json(call: &Call<'_>, content: &Content) -> Value {
    let labels: Vec<Value> = content
        .labels
        .iter()
        .map(|name| json!({"prefix": "global", "name": name, "id": call.state.label_id(name).to_string(), "label": name}))
        .collect();
    json!({
        "results": labels, "start": 0, "limit": 200, "size": labels.len(),
        "_links": {"self": format!("{}/wiki/rest/api/content/{}/label", call.site_url, content.id)},
    })
}

/// Comments and attachments as search finds them.
pub(crate) fn other_json(
    call: &Call<'_>,
    id: ContentId,
    kind: &str,
    expand: &Expand,
) -> Option<Value> {
    let (title, version, on) = match kind {
        "comment" => call
            .state
            .comments
            .get(&id)
            .map(|c| (&c.version.title, &c.version, c.on))?,
        _ => call
            .state
            .attachments
            .get(&id)
            .map(|a| (&a.name, &a.version, a.on))?,
    };
    let mut value = base_json(id, kind, "current", title);
    if kind == "attachment" {
        value["id"] = json!(format!("att{id}"));
    }
    let webui = call
        .state
        .contents
        .get(&on)
        .map(|c| call.webui(c))
        .unwrap_or_default();
    value["_links"] =
        json!({"webui": webui, "self": format!("{}/wiki/rest/api/content/{id}", call.site_url)});
    let mut expandable = Map::new();
    if expand.has("version") {
        value["version"] = version_json(call, version);
    } else {
        expandable.insert("version".into(), json!(""));
    }
    if expand.has("container") {
        let on = call.state.contents.get(&on)?;
        value["container"] = base_json(on.id, on.kind.name(), on.status.name(), on.title());
    } else {
        expandable.insert("container".into(), json!(format!("/rest/api/content/{on}")));
    }
    if let Some(file) = call.state.attachments.get(&id) {
        let path = call.attachment_json(file)["_links"]["webui"].clone();
        value["_links"]["webui"] = path;
        value["extensions"] = json!({
            "mediaType": file.media_type, "fileSize": file.data.len(), "comment": file.comment, "fileId": file.file_id,
        });
        value["metadata"] = json!({"mediaType": file.media_type});
    }
    if let Some(comment) = call.state.comments.get(&id) {
        thread_json(call, comment, expand, &mut value);
    }
    if expand.bodies().contains(&"storage") {
        value["body"] =
            json!({"storage": {"value": version.body.as_ref(), "representation": "storage"}});
    }
    value["_expandable"] = Value::Object(expandable);
    Some(value)
}

/// Where a comment stands: its place, the comments above it, the text it was made on.
fn thread_json(call: &Call<'_>, comment: &Comment, expand: &Expand, value: &mut Value) {
    let resolved = comment.resolution == "resolved";
    value["extensions"]["location"] = json!(match (&comment.selection, resolved) {
        (None, _) => "footer",
        (Some(_), false) => "inline",
        (Some(_), true) => "resolved",
    });
    if let Some(selection) = &comment.selection {
        if expand.has("extensions.inlineProperties") {
            value["extensions"]["inlineProperties"] = json!({
                "originalSelection": selection, "markerRef": format!("marker-{}", comment.id),
            });
        }
        if expand.has("extensions.resolution") {
            value["extensions"]["resolution"] = json!({"status": comment.resolution});
        }
    }
    if expand.has("ancestors") {
        let mut above = Vec::new();
        let mut next = comment.parent;
        while let Some(parent) = next.and_then(|id| call.state.comments.get(&id)) {
            above.push(base_json(
                parent.id,
                "comment",
                "current",
                &parent.version.title,
            ));
            next = parent.parent;
        }
        above.reverse();
        value["ancestors"] = json!(above);
    }
    let links = value["_links"]["webui"].as_str().unwrap_or_default();
    value["_links"]["webui"] = json!(format!("{links}?focusedCommentId={}", comment.id));
}
