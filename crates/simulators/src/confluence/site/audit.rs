//! What the site notes in its audit log when permissions change.

use super::Site;
use crate::confluence::model::{AuditRecord, ContentId, State};

impl Site {
    pub(super) fn audit_content(&self, id: ContentId, summary: &'static str) {
        let mut state = self.write();
        let content = &state.contents[&id];
        let space = state.spaces[&content.space].name.clone();
        let (name, kind) = (content.title().to_owned(), content.kind.name());
        self.audit(&mut state, summary, (name, kind), Some(space));
    }

    pub(super) fn audit_space(&self, key: &str, summary: &'static str) {
        let mut state = self.write();
        let name = state.space_by_key(key).map(|space| space.name.clone());
        self.audit(
            &mut state,
            summary,
            (name.unwrap_or_default(), "Space"),
            None,
        );
    }

    pub(super) fn audit_group(&self, state: &mut State, name: String, summary: &'static str) {
        self.audit(state, summary, (name, "Group"), None);
    }

    fn audit(
        &self,
        state: &mut State,
        summary: &'static str,
        (name, kind): (String, &'static str),
        space: Option<String>,
    ) {
        state.audit.push(AuditRecord {
            at: self.now(),
            author: self.author.clone(),
            summary,
            name,
            kind,
            space,
        });
    }
}
