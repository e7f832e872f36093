//! Macros without a rule: their body, or a line that says what there is.

use crate::convert::Converter;
use crate::links::Ri;
use crate::macros::{LABELS, Macro, Param, formula, is_issue_key, label, value};
use crate::secrets::{is_secret, without_secrets};

/// Parameters that say what a macro without a body shows, after [`LABELS`].
const VALUES: [&str; 13] = [
    "filename",
    "documentName",
    "url",
    "page",
    "value",
    "text",
    "date",
    "number",
    "percent",
    "percentage",
    "progress",
    "rating",
    "message",
];

impl<'a> Converter<'a> {
    pub(super) fn close_unknown(&mut self, current: &Macro<'a>, params: &[Param<'a>]) {
        self.count_unknown(current.name);
        if current.opened {
            // A title above the body would have needed to come before it: only `open_macro_body` can write it.
            return self.plain_body(current);
        }
        if current
            .body
            .as_deref()
            .is_some_and(|b| !b.trim().is_empty())
        {
            self.head_unknown(params, current.inline);
            return self.plain_body(current);
        }
        if let Some(formula) = formula(|n| value(params, n), false) {
            return self.write_formula(&formula, current.inline);
        }
        let shown = LABELS.iter().chain(&VALUES).find_map(|name| {
            let param = params
                .iter()
                .find(|p| p.name.eq_ignore_ascii_case(name) && !is_secret(p.name))?;
            let known = *name != "key" || is_issue_key(&param.value);
            let says = !param.value.is_empty() || !param.targets.is_empty();
            (known && says).then_some(param)
        });
        let mut parts: Vec<Part<'_, 'a>> = Vec::new();
        if let Some(param) = shown {
            if !param.value.is_empty() {
                parts.push(Part::Text(&param.value));
            }
            let targets = param.targets.iter().take(1);
            parts.extend(
                targets
                    .filter(|t| param.value.is_empty() && !matches!(t, Ri::User { .. }))
                    .map(Part::Target),
            );
        }
        parts.extend(people(params).map(Part::Target));
        if parts.is_empty() {
            return;
        }
        let block = !self.inline_parent();
        if block {
            self.w.end_leaf();
        }
        self.w.text(&format!("[Macro: {} — ", current.name));
        for (n, part) in parts.iter().enumerate() {
            if n > 0 {
                self.w.text(", ");
            }
            match part {
                Part::Text(text) => self.w.text(&without_secrets(text)),
                Part::Target(target) => self.reference_to(&(*target).clone().without_secrets()),
            }
        }
        self.w.text("]");
        if block {
            self.w.end_leaf();
        }
    }

    /// What stands above the body of a macro without a rule, or before it in a sentence: its label, and who is named.
    pub(super) fn head_unknown(&mut self, params: &[Param<'a>], inline: bool) {
        self.body_label(label(params), inline);
        for (n, person) in people(params).enumerate() {
            if n > 0 {
                self.w.text(", ");
            }
            self.reference_to(person);
        }
        if inline {
            self.w.space |= self.w.leaf_open;
        } else {
            self.w.end_leaf();
        }
    }

    fn count_unknown(&mut self, name: &str) {
        let counted = &mut self.result.diagnostics.unknown_macros;
        match self.unknown.get(name) {
            Some(&at) => counted[at].1 += 1,
            None => {
                self.unknown.insert(name.to_string(), counted.len());
                counted.push((name.to_string(), 1));
            }
        }
    }
}

/// Who is named in the parameters, under whatever name.
fn people<'p, 'a>(params: &'p [Param<'a>]) -> impl Iterator<Item = &'p Ri<'a>> {
    params
        .iter()
        .filter(|p| !is_secret(p.name))
        .flat_map(|p| &p.targets)
        .filter(|t| matches!(t, Ri::User { .. }))
}

/// What stands behind the name of a macro.
enum Part<'p, 'a> {
    Text(&'p str),
    Target(&'p Ri<'a>),
}
