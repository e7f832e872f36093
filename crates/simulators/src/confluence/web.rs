//! The pages a browser gets when it follows a `webui` link: what an anonymous reader may see, simply rendered.

use super::call::{Answer, Call};
use super::model::{Content, ContentId, Kind, Status};
use super::render::Renderer;
use super::site::escape;
use crate::server::Reply;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:54rem;margin:2rem auto;padding:0 1rem;color:#172b4d}\
table{border-collapse:collapse}td,th{border:1px solid #c1c7d0;padding:.3rem .6rem;text-align:left}\
pre{background:#f4f5f7;padding:.8rem;overflow:auto}nav,small{color:#5e6c84}\
.confluence-information-macro{border-left:4px solid #0052cc;background:#deebff;padding:.4rem .8rem;margin:.8rem 0}\
.confluence-information-macro-warning{border-color:#de350b;background:#ffebe6}.aui-lozenge{background:#dfe1e6;padding:0 .4rem;border-radius:3px}";

fn html(status: u16, title: &str, body: &str) -> Reply {
    let (title, note) = (
        escape(title),
        "Simulated Confluence: sample content, not a real site",
    );
    Reply::text(
        status,
        "text/html; charset=utf-8",
        format!(
            "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
             <style>{STYLE}</style></head><body>{body}<hr><small>{note}</small></body></html>"
        ),
    )
}

fn not_found() -> Reply {
    html(
        404,
        "Page not found",
        "<h1>Page not found</h1><p>It is gone, or you may not see it.</p>",
    )
}

fn readable(call: &Call<'_>, content: &Content) -> bool {
    matches!(content.status, Status::Current | Status::Archived) && call.state.may_view("", content)
}

fn item(call: &Call<'_>, content: &Content) -> String {
    format!(
        "<li><a href=\"/wiki{}\">{}</a></li>",
        call.webui(content),
        escape(content.title())
    )
}

pub(crate) fn home(call: &Call<'_>) -> Answer {
    let mut body = String::from("<h1>Spaces</h1><ul>");
    for space in call
        .state
        .spaces
        .values()
        .filter(|s| call.state.may_view_space("", s.id))
    {
        body.push_str(&format!(
            "<li><a href=\"/wiki/spaces/{}\">{}</a></li>",
            space.key,
            escape(&space.name)
        ));
    }
    body.push_str("</ul>");
    Ok(html(200, "Spaces", &body))
}

pub(crate) fn space(call: &Call<'_>) -> Answer {
    let space = call
        .state
        .space_by_key(call.param(0))
        .filter(|s| call.state.may_view_space("", s.id));
    let space = space.ok_or_else(not_found)?;
    let mut body = format!(
        "<h1>{}</h1><p>{}</p><ul>",
        escape(&space.name),
        escape(&space.description)
    );
    let members = call.state.by_space.get(&space.id).into_iter().flatten();
    for content in members.filter_map(|id| call.state.contents.get(id)) {
        if readable(call, content) && matches!(content.kind, Kind::Page | Kind::BlogPost) {
            body.push_str(&item(call, content));
        }
    }
    body.push_str("</ul>");
    Ok(html(200, &space.name, &body))
}

pub(crate) fn page(call: &Call<'_>) -> Answer {
    show(call, call.param(1))
}

pub(crate) fn post(call: &Call<'_>) -> Answer {
    show(call, call.param(4))
}

fn show(call: &Call<'_>, id: &str) -> Answer {
    let content = id
        .parse()
        .ok()
        .and_then(|id| call.state.contents.get(&ContentId(id)));
    let content = content
        .filter(|c| readable(call, c))
        .ok_or_else(not_found)?;
    let mut crumbs: Vec<String> = Vec::new();
    if let Some(space) = call.state.spaces.get(&content.space) {
        crumbs.push(format!(
            "<a href=\"/wiki/spaces/{}\">{}</a>",
            space.key,
            escape(&space.name)
        ));
    }
    for ancestor in call.state.ancestors(content.id) {
        crumbs.push(format!(
            "<a href=\"/wiki{}\">{}</a>",
            call.webui(ancestor),
            escape(ancestor.title())
        ));
    }
    let version = content.latest();
    let author = call
        .state
        .users
        .get(&version.author)
        .map_or("someone", |u| u.display_name.as_str());
    let renderer = Renderer {
        state: call.state,
        site_url: call.site_url,
        content,
    };
    let labels = content
        .labels
        .iter()
        .map(|l| format!("#{}", escape(l)))
        .collect::<Vec<_>>()
        .join(" ");
    let children: String = call
        .state
        .children_of(content.id)
        .iter()
        .filter_map(|c| call.state.contents.get(c))
        .filter(|c| readable(call, c))
        .map(|c| item(call, c))
        .collect();
    let body = format!(
        "<nav>{}</nav><h1>{}</h1><p><small>Version {} by {} on {} {labels}</small></p>{}<ul>{children}</ul>",
        crumbs.join(" / "),
        escape(content.title()),
        version.number,
        escape(author),
        version.created_at.format("%-d %B %Y, %H:%M UTC"),
        renderer.html(&version.body),
    );
    Ok(html(200, content.title(), &body))
}
