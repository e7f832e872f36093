//! The JSON shapes of v2.

use serde_json::{Value, json};

use super::call::{Call, when};
use super::errors;
use super::model::{Attachment, Comment, Content, Kind, Space, Status, User, VersionRecord};
use super::render;
use crate::server::Reply;

/// Body formats of lists.
pub(crate) const BULK_FORMATS: &[&str] = &["storage", "atlas_doc_format"];
/// Body formats of single content.
pub(crate) const SINGLE_FORMATS: &[&str] = &[
    "storage",
    "atlas_doc_format",
    "view",
    "export_view",
    "anonymous_export_view",
    "styled_view",
    "editor",
];

pub(crate) fn version(v: &VersionRecord) -> Value {
    json!({
        "number": v.number, "createdAt": when(v.created_at), "message": v.message,
        "minorEdit": v.minor, "authorId": v.author,
    })
}

/// A title as it stands in a path.
pub(crate) fn slug(title: &str) -> String {
    url::form_urlencoded::byte_serialize(title.as_bytes()).collect()
}

pub(crate) fn space_path(space: &Space) -> String {
    format!("/spaces/{}", space.shown_key())
}

impl Call<'_> {
    pub(crate) fn webui(&self, content: &Content) -> String {
        let key = self
            .state
            .spaces
            .get(&content.space)
            .map(|s| s.key.as_str())
            .unwrap_or_default();
        let (id, title) = (content.id, slug(content.title()));
        match content.kind {
            Kind::BlogPost => {
                format!(
                    "/spaces/{key}/blog/{}/{id}/{title}",
                    content.created_at.format("%Y/%m/%d")
                )
            }
            Kind::Page => format!("/spaces/{key}/pages/{id}/{title}"),
            kind => format!("/spaces/{key}/{}/{id}", kind.name()),
        }
    }

    pub(crate) fn body(
        &self,
        content: &Content,
        version: &VersionRecord,
        format: Option<&str>,
    ) -> Result<Value, Reply> {
        let Some(format) = format else {
            return Ok(json!({}));
        };
        if self.switches.poison_pages.contains(&content.id) {
            return Err(errors::v2(500, "Internal Server Error", None));
        }
        if self.switches.missing_body {
            return Ok(json!({}));
        }
        let value = render::body(&version.body, format, &self.renderer(content));
        Ok(json!({format: {"representation": format, "value": value}}))
    }

    fn renderer<'c>(&'c self, content: &'c Content) -> render::Renderer<'c> {
        render::Renderer {
            state: self.state,
            site_url: self.site_url,
            content,
        }
    }

    /// A page or blog post, as lists and single answers share it.
    pub(crate) fn content_json(
        &self,
        content: &Content,
        version_shown: &VersionRecord,
        body: Value,
    ) -> Value {
        let id = content.id;
        let links = json!({
            "webui": self.webui(content),
            "editui": format!("/pages/resumedraft.action?draftId={id}"),
            "tinyui": format!("/x/{}", tiny(id.0)),
        });
        let mut value = json!({
            "id": id.to_string(), "status": content.status.name(), "title": version_shown.title,
            "spaceId": content.space.to_string(), "authorId": content.author,
            "createdAt": when(content.created_at), "version": version(version_shown),
            "body": body, "_links": links,
        });
        if content.kind == Kind::Page {
            let parent = content.parent.and_then(|p| self.state.contents.get(&p));
            value["parentId"] = json!(parent.map(|p| p.id.to_string()));
            value["parentType"] = json!(parent.map(|p| p.kind.name()));
            value["position"] = json!(content.position);
            value["ownerId"] = json!(content.author);
            value["lastOwnerId"] = Value::Null;
            value["subtype"] = json!(content.subtype);
            if self.switches.null_parents {
                value["parentId"] = Value::Null;
                value["parentType"] = Value::Null;
                value["position"] = Value::Null;
            }
            if self.switches.unknown_enums {
                value["subtype"] = json!("hologram");
                if content.parent.is_some() {
                    value["parentType"] = json!("constellation");
                }
            }
        }
        if self.switches.missing_body {
            value.as_object_mut().map(|o| o.remove("body"));
        }
        if let Some(Value::Object(extra)) = self.state.overrides.get(&id) {
            for (name, field) in extra {
                value[name] = field.clone();
            }
        }
        value
    }

    pub(crate) fn space_json(&self, space: &Space, single: bool) -> Value {
        let mut value = json!({
            "id": space.id.to_string(), "key": space.key, "name": space.name,
            "type": if self.switches.unknown_enums { "starship" } else { space.kind.as_str() },
            "status": if space.archived { "archived" } else { "current" },
            "authorId": space.author, "spaceOwnerId": space.author, "createdAt": when(space.created_at),
            "homepageId": space.homepage.map(|h| h.to_string()),
            "description": null, "icon": null,
            "_links": {"webui": space_path(space)},
        });
        if !single {
            value["currentActiveAlias"] = json!(space.shown_key());
        }
        if let Some(format) = self.request.one("description-format") {
            value["description"] =
                json!({format: {"representation": format, "value": space.description}});
        }
        value
    }

    pub(crate) fn comment_json(
        &self,
        comment: &Comment,
        format: Option<&str>,
        site_wide: bool,
    ) -> Value {
        let body = match format {
            Some(format) => {
                let value = if format == "storage" {
                    comment.version.body.to_string()
                } else {
                    render::adf(&comment.version.body)
                };
                json!({format: {"representation": format, "value": value}})
            }
            None => json!({}),
        };
        let on = self.state.contents.get(&comment.on);
        let webui = on
            .map(|c| format!("{}?focusedCommentId={}", self.webui(c), comment.id))
            .unwrap_or_default();
        let mut value = json!({
            "id": comment.id.to_string(),
            "status": if comment.trashed { "trashed" } else { "current" },
            "title": comment.version.title, "version": version(&comment.version), "body": body,
            "_links": {"webui": webui},
        });
        let on_blog = on.is_some_and(|c| c.kind == Kind::BlogPost);
        value[if on_blog { "blogPostId" } else { "pageId" }] = json!(comment.on.to_string());
        if let Some(parent) = comment.parent.filter(|_| site_wide) {
            value["parentCommentId"] = json!(parent.to_string());
        }
        if let Some(selection) = &comment.selection {
            value["resolutionStatus"] = json!(comment.resolution);
            value["properties"] = json!({
                "inlineMarkerRef": format!("marker-{}", comment.id), "inlineOriginalSelection": selection,
            });
        }
        value
    }

    pub(crate) fn attachment_json(&self, attachment: &Attachment) -> Value {
        let (id, on) = (attachment.id, attachment.on);
        let number = attachment.version.number;
        let name = slug(&attachment.name);
        let download = format!(
            "/download/attachments/{on}/{name}?version={number}&modificationDate={}&cacheVersion=1&api=v2",
            attachment.version.created_at.timestamp_millis()
        );
        let webui = format!(
            "/pages/viewpageattachments.action?pageId={on}&preview=%2F{on}%2F{id}%2F{name}"
        );
        let on_blog = self
            .state
            .contents
            .get(&on)
            .is_some_and(|c| c.kind == Kind::BlogPost);
        let mut value = json!({
            "id": format!("att{id}"), "status": if attachment.trashed { "trashed" } else { "current" },
            "title": attachment.name, "createdAt": when(attachment.created_at),
            "fileSize": attachment.data.len(), "fileId": attachment.file_id, "comment": attachment.comment,
            "webuiLink": webui, "downloadLink": download, "version": version(&attachment.version),
            "_links": {"webui": webui, "download": download},
        });
        value[if on_blog { "blogPostId" } else { "pageId" }] = json!(on.to_string());
        if let Some(media_type) = &attachment.media_type {
            value["mediaType"] = json!(media_type);
            value["mediaTypeDescription"] = json!("File");
        }
        value
    }

    pub(crate) fn label_json(&self, name: &str) -> Value {
        json!({"id": self.state.label_id(name).to_string(), "name": name, "prefix": "global"})
    }

    pub(crate) fn user_v2(&self, user: &User) -> Value {
        json!({
            "accountId": user.account_id, "displayName": user.display_name, "publicName": user.display_name,
            "email": if self.switches.hide_emails { "" } else { user.email.as_str() },
            "accountStatus": user.account_status, "accountType": "atlassian",
            "timeZone": user.time_zone, "isExternalCollaborator": false, "personalSpaceId": null,
            "profilePicture": {"path": "/wiki/aa-avatar/default", "isDefault": true},
        })
    }
}

pub(crate) fn status_named(name: &str) -> Option<Status> {
    [
        Status::Current,
        Status::Draft,
        Status::Archived,
        Status::Trashed,
    ]
    .into_iter()
    .find(|s| s.name() == name)
}

/// The short form of an id in `/x/…` links: the id's little-endian bytes in base64 with Confluence's alphabet.
pub(crate) fn tiny(id: u64) -> String {
    use base64::Engine;
    let bytes = id.to_le_bytes();
    let used = bytes.iter().rposition(|b| *b != 0).map_or(1, |p| p + 1);
    base64::engine::general_purpose::STANDARD_NO_PAD
        .encode(&bytes[..used])
        .trim_end_matches('A')
        .replace('/', "-")
        .replace('+', "_")
}
