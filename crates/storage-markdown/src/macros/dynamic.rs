//! Macros that have no content in storage: a pointer to it, or the rendered form in its place.

use std::borrow::Cow;

use crate::attrs::attr;
use crate::convert::Converter;
use crate::links::{Ri, resolve_href};
use crate::macros::{Kind, Macro, Param, target, value};
use crate::model::DynamicMacro;

impl<'a> Converter<'a> {
    pub(super) fn close_include(&mut self, current: &Macro<'a>, params: &[Param<'a>]) {
        let page = ["", "page", "PageWithExcerpt", "pageTitle"]
            .into_iter()
            .find_map(|n| {
                target(params, n)
                    .cloned()
                    .or_else(|| value(params, n).map(|title| self.page_named(title)))
            });
        let Some(page) = page else { return };
        let block = !self.inline_parent();
        if block {
            self.w.end_leaf();
        }
        if current.kind == Kind::Include {
            self.w.text("[Included page: ");
        } else {
            let name = value(params, "name")
                .or_else(|| value(params, "MultiExcerptName"))
                .or_else(|| value(params, "multiexcerpt"));
            match name {
                Some(name) => self.w.text(&format!("[Excerpt \"{name}\" of: ")),
                None => self.w.text("[Excerpt of: "),
            }
        }
        self.reference_to(&page);
        self.w.text("]");
        if block {
            self.w.end_leaf();
        }
    }

    /// A page as old editors wrote it: a title, or `SPACE:title`. Titles hold colons too.
    fn page_named(&self, text: &str) -> Ri<'a> {
        let page = |space: Option<&str>, title: &str| Ri::Page {
            space: space.map(|s| Cow::Owned(s.to_string())),
            title: Cow::Owned(title.to_string()),
        };
        let Some((space, title)) = text.split_once(':') else {
            return page(None, text);
        };
        let known = |space, title| self.resolver.page_by_title(space, title).is_some();
        let is_key = !space.is_empty()
            && !title.starts_with(char::is_whitespace)
            && space
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'~' | b'-' | b'_'));
        let written_as_key =
            space.starts_with('~') || !space.bytes().any(|b| b.is_ascii_lowercase());
        if is_key && (known(Some(space), title) || (written_as_key && !known(None, text))) {
            page(Some(space), title)
        } else {
            page(None, text)
        }
    }

    /// An issue of the site's Jira: its key, as a link where the site is known.
    pub(crate) fn write_issue(&mut self, key: &str) {
        let site = self.resolver.site_base();
        let site = site.map(|b| b.strip_suffix("/wiki").unwrap_or(b));
        let is_key = key
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        match site.filter(|_| is_key) {
            Some(site) => {
                let mut resolved = resolve_href(&format!("{site}/browse/{key}"), self.resolver);
                resolved.text = Some(key.to_string());
                self.write_link(resolved);
            }
            None => self.w.text(key),
        }
    }

    pub(super) fn close_jira(&mut self, params: &[Param<'a>]) {
        if let Some(key) = value(params, "key")
            .map(str::trim)
            .filter(|k| !k.is_empty())
        {
            return self.write_issue(key);
        }
        let query = ["jqlQuery", "jql", "filter", "url", ""]
            .into_iter()
            .find_map(|n| value(params, n));
        if let Some(query) = query {
            let count = value(params, "count").is_some_and(|c| c == "true");
            let what = if count {
                "Number of Jira issues"
            } else {
                "Jira issues"
            };
            self.bracket(what, None, Some(query));
        }
    }

    pub(super) fn close_widget(&mut self, params: &[Param<'a>]) {
        let file = target(params, "name")
            .cloned()
            .filter(|t| matches!(t, Ri::Attachment { .. }));
        let url = ["url", "src", "", "link"].into_iter().find_map(|n| {
            target(params, n).cloned().or_else(|| {
                value(params, n).map(|v| Ri::Url {
                    value: Cow::Owned(v.to_string()),
                })
            })
        });
        let own_line = !self.w.leaf_open && !self.inline_parent();
        let url = url.map(Ri::without_secrets);
        match (url, file, value(params, "name")) {
            (Some(Ri::Url { value }), _, _) => {
                let mut resolved = resolve_href(&value, self.resolver);
                resolved.text = Some(value.to_string());
                self.write_link(resolved);
            }
            (Some(other), _, _) | (None, Some(other), _) => self.reference_to(&other),
            (None, None, Some(name)) => {
                let file = Ri::Attachment {
                    file: Cow::Owned(name.to_string()),
                    page: None,
                };
                self.reference_to(&file);
            }
            (None, None, None) => {}
        }
        if own_line {
            self.w.end_leaf();
        }
    }

    pub(super) fn close_roadmap(&mut self, params: &[Param<'a>]) {
        let source = value(params, "source").map(|s| crate::attrs::percent_decoded(s, false));
        let json: Option<serde_json::Value> = source.and_then(|s| serde_json::from_str(&s).ok());
        let title = value(params, "title").map(str::to_string);
        let title = title.or_else(|| json.as_ref()?.get("title")?.as_str().map(str::to_string));
        self.bracket(
            "Roadmap",
            None,
            Some(title.as_deref().unwrap_or("untitled")),
        );
        let Some(json) = json else { return };
        let list = |key: &str| {
            json.get(key)
                .and_then(|l| l.as_array())
                .map_or(&[][..], Vec::as_slice)
        };
        let (lanes, markers) = (list("lanes"), list("markers"));
        if lanes.is_empty() && markers.is_empty() {
            return;
        }
        let weeks = json["timeline"]["displayOption"].as_str() == Some("WEEK");
        let unit = if weeks { "week" } else { "month" };
        self.w.start_list(false, 1);
        for lane in lanes {
            self.w.push_item(crate::writer::Lead::None);
            self.w.text(&text_of(lane, "title"));
            self.w.start_list(false, 1);
            for bar in lane["bars"].as_array().into_iter().flatten() {
                self.w.push_item(crate::writer::Lead::None);
                self.w.text(&text_of(bar, "title"));
                let from = day_of(bar, "startDate").map(|day| format!("from {day}"));
                let duration = bar["duration"].as_f64().filter(|d| *d > 0.0);
                let duration = duration.map(|d| {
                    let d = (d * 100.0).round() / 100.0;
                    format!("{d} {unit}{}", if d == 1.0 { "" } else { "s" })
                });
                let when: Vec<String> = [from, duration].into_iter().flatten().collect();
                if !when.is_empty() {
                    self.w.text(&format!(" ({})", when.join(", ")));
                }
                let description = text_of(bar, "description");
                if !description.is_empty() {
                    self.w.text(&format!(": {description}"));
                }
                self.w.pop_container();
            }
            self.w.end_list();
            self.w.pop_container();
        }
        for marker in markers {
            self.w.push_item(crate::writer::Lead::None);
            self.w
                .text(&format!("Marker: {}", text_of(marker, "title")));
            if let Some(day) = day_of(marker, "markerDate") {
                self.w.text(&format!(" ({day})"));
            }
            self.w.pop_container();
        }
        self.w.end_list();
    }

    /// Puts the rendered form in place of a dynamic macro, if there is one.
    pub(super) fn splice(&mut self, current: &Macro<'a>) -> bool {
        let ordinal = match self.ordinals.get_mut(current.name) {
            Some(next) => {
                *next += 1;
                *next
            }
            None => {
                self.ordinals.insert(current.name, 0);
                0
            }
        };
        let macro_id = attr(current.attrs, "ac:macro-id")
            .filter(|v| !v.is_empty())
            .map(Cow::into_owned);
        let local_id = attr(current.attrs, "ac:local-id")
            .filter(|v| !v.is_empty())
            .map(Cow::into_owned);
        let rendered = self.rendered.and_then(|r| {
            r.find(
                current.name,
                macro_id.as_deref(),
                local_id.as_deref(),
                ordinal,
            )
        });
        let parameters = self.body.get(current.offset..self.offset);
        let parameters = parameters.unwrap_or_default().as_bytes();
        self.result.dynamic_macros.push(DynamicMacro {
            name: current.name.to_string(),
            macro_id,
            local_id,
            ordinal,
            parameters_hash: blake3::hash(parameters).to_hex().to_string(),
            spliced: rendered.is_some(),
        });
        match rendered {
            Some(inner) => {
                self.absorb(inner.clone());
                true
            }
            None => false,
        }
    }
}

fn text_of(value: &serde_json::Value, key: &str) -> String {
    value[key].as_str().unwrap_or("").trim().to_string()
}

/// The day of a time such as `2026-01-05 00:00:00`.
fn day_of(value: &serde_json::Value, key: &str) -> Option<String> {
    Some(value[key].as_str()?.trim().get(..10)?.to_string())
}
