//! Optional parts of an index: what enters beside the text of its pages. Each fails alone.

/// An optional part.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Part {
    /// Comments in the documents of their pages.
    Comments,
    /// Attached files as documents of their own.
    Files,
    /// Macros that only Confluence can resolve, in their rendered form.
    Rendered,
    /// Names of people who are mentioned, or who commented.
    Names,
    /// Who may use the spaces, and who is in the groups that are named: for answers that differ by person.
    Permissions,
    /// What the audit log tells of changed restrictions and permissions.
    AuditLog,
}

impl Part {
    /// What is missing when the part fails, in words.
    #[must_use]
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Comments => "comments are not complete",
            Self::Files => "attached files are not complete",
            Self::Rendered => "rendered macros are not complete",
            Self::Names => "names of people are not complete",
            Self::Permissions => {
                "permissions are not complete, so that people may be shown less than they may read"
            }
            Self::AuditLog => {
                "the audit log could not be read, so that changed restrictions and permissions are seen by sweeps only"
            }
        }
    }
}
