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
                target(params, n).cloned().or_else(|| {
                    value(params, n).map(|title| {
                        let (space, title) = match title.split_once(':') {
                            Some((space, title))
                                if !space.is_empty()
                                    && space.bytes().all(|b| b.is_ascii_alphanumeric()) =>
                            {
                                (Some(space), title)
                            }
                            _ => (None, title),
                        };
                        Ri::Page {
                            space: space.map(|s| Cow::Owned(s.to_string())),
                            title: Cow::Owned(title.to_string()),
                        }
                    })
                })
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

    pub(super) fn close_jira(&mut self, params: &[Param<'a>]) {
        if let Some(key) = value(params, "key")
            .map(str::trim)
            .filter(|k| !k.is_empty())
        {
            let site = self
                .resolver
                .site_base()
                .map(|b| b.strip_suffix("/wiki").unwrap_or(b));
            match site.filter(|_| {
                key.bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
            }) {
                Some(site) => {
                    let mut resolved = resolve_href(&format!("{site}/browse/{key}"), self.resolver);
                    resolved.text = Some(key.to_string());
                    self.write_link(resolved);
                }
                None => self.w.text(key),
            }
            return;
        }
        let query = ["jqlQuery", "jql", "filter", "url", ""]
            .into_iter()
            .find_map(|n| value(params, n));
        if let Some(query) = query {
            self.bracket("Jira issues", None, Some(query));
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
        let lanes = json
            .as_ref()
            .and_then(|j| j.get("lanes"))
            .and_then(|l| l.as_array());
        let text = |v: &serde_json::Value, k: &str| {
            v.get(k)
                .and_then(|t| t.as_str())
                .unwrap_or("")
                .trim()
                .to_string()
        };
        let Some(lanes) = lanes.filter(|l| !l.is_empty()) else {
            return;
        };
        self.w.start_list(false, 1);
        for lane in lanes {
            self.w.push_item(crate::writer::Lead::None);
            self.w.text(&text(lane, "title"));
            self.w.start_list(false, 1);
            for bar in lane
                .get("bars")
                .and_then(|b| b.as_array())
                .into_iter()
                .flatten()
            {
                self.w.push_item(crate::writer::Lead::None);
                self.w.text(&text(bar, "title"));
                let date = text(bar, "startDate");
                if let Some(day) = date.get(..10) {
                    self.w.text(&format!(" (from {day})"));
                }
                self.w.pop_container();
            }
            self.w.end_list();
            self.w.pop_container();
        }
        self.w.end_list();
    }

    /// Puts the rendered form in place of a dynamic macro, if there is one.
    pub(super) fn splice(&mut self, current: &Macro<'a>) -> bool {
        let ordinal = self
            .result
            .dynamic_macros
            .iter()
            .filter(|m| m.name == current.name)
            .count();
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
        self.result.dynamic_macros.push(DynamicMacro {
            name: current.name.to_string(),
            macro_id,
            local_id,
            ordinal,
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
