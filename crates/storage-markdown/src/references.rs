//! Writing links, mentions and files, and noting them beside the text.

use crate::attrs::attr;
use crate::convert::{Converter, Frame};
use crate::inline::Mark;
use crate::links::{Resolved, Ri, resolve, resolve_href};

impl Converter<'_> {
    pub(crate) fn start_anchor(&mut self, attrs: &str) {
        let Some(href) = attr(attrs, "href") else {
            if let Some(name) = attr(attrs, "name").or_else(|| attr(attrs, "id")) {
                self.name_anchor(&name);
            }
            return;
        };
        let mut resolved = resolve_href(&href, self.resolver);
        if let Some(json) = attr(attrs, "data-datasource")
            && let Some(text) = datasource_text(&json)
        {
            resolved.text = Some(text);
            resolved.out.raw = None;
            resolved.out.instead = None;
            self.write_link(resolved);
            return self.skip_element();
        }
        self.start_link(resolved);
    }

    /// The element that has just begun is this link.
    pub(crate) fn start_link(&mut self, resolved: Resolved) {
        let id = self.add_link(resolved);
        self.w.push_mark(Mark::Link(id));
        self.set_data(id + 1);
    }

    pub(crate) fn end_anchor(&mut self, frame: Frame) {
        let Some(id) = frame.data.checked_sub(1) else {
            return;
        };
        let link = &self.w.links[id as usize];
        if !link.used {
            let text = link.instead.as_deref().or_else(|| link.url());
            if let Some(text) = text.map(str::to_string) {
                self.w.text(&text);
            }
        }
        self.w.pop_mark(Mark::Link(id));
    }

    /// Registers a link; its text is what is written while its mark is wanted.
    pub(crate) fn add_link(&mut self, resolved: Resolved) -> u32 {
        self.local_links |= resolved.out.local;
        let out = &resolved.out;
        if out.link.is_some() && out.url().is_none() && out.page.is_none() {
            self.result.diagnostics.unresolved_links += 1;
        }
        let id = self.w.links.len() as u32;
        self.w.links.push(resolved.out);
        id
    }

    /// Writes a link that has its whole text already.
    pub(crate) fn write_link(&mut self, resolved: Resolved) {
        let Some(text) = resolved.text().map(str::to_string) else {
            return;
        };
        let id = self.add_link(resolved);
        self.w.push_mark(Mark::Link(id));
        self.w.text(&text);
        self.w.pop_mark(Mark::Link(id));
    }

    /// Writes a reference to a resource by its own name.
    pub(crate) fn reference_to(&mut self, ri: &Ri<'_>) {
        match ri {
            Ri::User { id } => self.mention(id),
            other => {
                if let Ri::Attachment { file, .. } = other {
                    self.note_attachment(file);
                }
                let resolved = resolve(other, None, self.resolver);
                self.write_link(resolved);
            }
        }
    }

    pub(crate) fn mention(&mut self, id: &str) {
        self.note_user(id);
        let name = self.resolver.user(id);
        self.w.text(&format!("@{}", name.as_deref().unwrap_or(id)));
    }

    pub(crate) fn note_user(&mut self, id: &str) {
        if !self.noted.users.contains(id) {
            self.noted.users.insert(id.to_string());
            self.result.users.push(id.to_string());
        }
    }

    pub(crate) fn note_attachment(&mut self, file: &str) {
        if !self.noted.files.contains(file) {
            self.noted.files.insert(file.to_string());
            self.result.attachments.push(file.to_string());
        }
    }
}

/// What a live table is about.
fn datasource_text(json: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(json).ok()?;
    let parameters = value.get("parameters")?;
    let of = |names: &[&str]| {
        names
            .iter()
            .find_map(|n| parameters.get(n)?.as_str())
            .filter(|s| !s.trim().is_empty())
            .map(str::to_string)
    };
    let (what, query) = match value.get("id").and_then(|id| id.as_str()).unwrap_or("") {
        "d8b75300-dfda-4519-b6cd-e49abbd50401" => ("Jira issues", of(&["jql", "filter"])),
        "768fc736-3af4-4a8f-b27e-203602bff8ca" => {
            ("Confluence search", of(&["searchString", "cql"]))
        }
        "361d618a-3c04-40ad-9b27-3c8ea6927020" => ("Assets", of(&["aql"])),
        _ => return None,
    };
    Some(match query {
        Some(query) => format!("{what}: {query}"),
        None => what.to_string(),
    })
}
