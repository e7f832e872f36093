//! Rendered content in place of dynamic macros.

use std::collections::HashMap;
use std::ops::Range;

use crate::attrs::attr;
use crate::macros::Kind;
use crate::model::{Conversion, Options, Resolver};
use crate::tag::Tag;
use crate::view::convert_fragment;
use crate::walk::{HtmlEvent, walk};

/// Converted content of rendered macros, by what identifies them.
#[derive(Debug, Default)]
pub(crate) struct Rendered {
    pub(crate) by_id: HashMap<String, Conversion>,
    /// Macro name, and the n-th of that name on the page.
    pub(crate) by_ordinal: HashMap<(String, usize), Conversion>,
}

impl Rendered {
    pub(crate) fn find(
        &self,
        name: &str,
        macro_id: Option<&str>,
        local_id: Option<&str>,
        ordinal: usize,
    ) -> Option<&Conversion> {
        let by_id = macro_id
            .and_then(|id| self.by_id.get(id))
            .or_else(|| local_id.and_then(|id| self.by_id.get(id)));
        by_id
            .or_else(|| self.by_ordinal.get(&(name.to_string(), ordinal)))
            .filter(|c| c.words > 0)
    }
}

/// The dynamic macros in a rendered body, converted one by one.
pub(crate) fn rendered_macros(html: &str, options: &Options, resolver: &dyn Resolver) -> Rendered {
    let mut open: Vec<(String, usize, Option<Found>)> = Vec::new();
    // How many of them are macros: one at most, as a macro inside of another comes with it.
    let mut inside = 0;
    let mut found: Vec<(Found, Range<usize>)> = Vec::new();
    walk(html, &mut |event| match event {
        HtmlEvent::Start(name, attrs, range) => {
            let this = if inside > 0 {
                None
            } else {
                Found::of(name, attrs)
            };
            if !Tag::is_void(name) {
                inside += usize::from(this.is_some());
                open.push((name.to_string(), range.start, this));
            }
        }
        HtmlEvent::End(name, range) => {
            let Some(at) = open
                .iter()
                .rev()
                .take(64)
                .position(|(n, _, _)| n == name)
                .map(|back| open.len() - 1 - back)
            else {
                return;
            };
            for (_, start, this) in open.drain(at..) {
                if let Some(this) = this {
                    inside -= 1;
                    found.push((this, start..range.end));
                }
            }
        }
        HtmlEvent::Text(..) => {}
    });
    found.sort_by_key(|(_, range)| range.start);
    let mut rendered = Rendered::default();
    let mut ordinals: HashMap<String, usize> = HashMap::new();
    for (this, range) in found {
        let ordinal = ordinals.entry(this.name.clone()).or_default();
        let n = *ordinal;
        *ordinal += 1;
        let Some(slice) = html.get(range) else {
            continue;
        };
        if slice.contains("class=\"error\"")
            || slice.contains("aui-message-error")
            || slice.contains("Getting issue details")
        {
            continue;
        }
        let converted = convert_fragment(slice, options, resolver);
        for id in [this.macro_id, this.local_id].into_iter().flatten() {
            rendered.by_id.insert(id, converted.clone());
        }
        rendered.by_ordinal.insert((this.name, n), converted);
    }
    rendered
}

/// A rendered macro worth taking over.
struct Found {
    name: String,
    macro_id: Option<String>,
    local_id: Option<String>,
}

impl Found {
    fn of(element: &str, attrs: &str) -> Option<Found> {
        let own = |name| {
            attr(attrs, name)
                .map(|v| v.into_owned())
                .filter(|v| !v.is_empty())
        };
        let name = own("data-macro-name").or_else(|| {
            let class = attr(attrs, "class")?;
            class
                .split_ascii_whitespace()
                .any(|c| c == "metadata-summary-macro")
                .then(|| "detailssummary".to_string())
        })?;
        // A single issue in a line is no table of issues.
        if name == "jira" && element == "span" {
            return None;
        }
        let wanted = matches!(
            Kind::of(&name),
            Kind::Include | Kind::ExcerptInclude | Kind::Report | Kind::ByLabel | Kind::Jira
        );
        wanted.then(|| Found {
            name,
            macro_id: own("data-macro-id"),
            local_id: own("data-local-id"),
        })
    }
}
