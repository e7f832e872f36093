//! Comments of pages: as the source tells them, as they are kept, and folded into Markdown under a heading of their page.
//!
//! Comments are kept once for all indexes of the site, apart from bodies; whether a document holds them is the choice of its
//! index. So the fold is made when a document is composed, and a page's row remembers its hash.

use std::collections::{HashMap, HashSet};

use crate::content::ContentStatus;
use crate::vanish::is_confirmed;
use crate::{AccountId, PageId, Timestamp};

/// The heading under which a page's comments stand in its document.
pub const HEADING: &str = "Comments";
/// Replies deeper than this stand at this depth: nobody follows more quotation marks.
const MAX_DEPTH: usize = 6;
/// Of the text that an inline comment was made on, so many characters are quoted.
const MAX_QUOTED: usize = 200;

/// Where a comment stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CommentPlace {
    /// Below the page.
    Footer,
    /// At a piece of its text.
    Inline,
}

impl CommentPlace {
    /// Both places.
    pub const ALL: [Self; 2] = [Self::Footer, Self::Inline];

    /// The word of the API, also kept in rows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Footer => "footer",
            Self::Inline => "inline",
        }
    }

    /// The inverse of [`as_str`](Self::as_str).
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|place| place.as_str() == word)
    }
}

/// How an inline comment stands to the text that it was made on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Standing {
    /// It waits for an answer; so does one that was settled and opened again, and every other comment.
    #[default]
    Open,
    /// It is settled.
    Resolved,
    /// The page no longer has the text that it was made on: on the page itself nobody sees it any more.
    Dangling,
}

impl Standing {
    /// The word of the API, also kept in rows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Resolved => "resolved",
            Self::Dangling => "dangling",
        }
    }

    /// From a word of the API (`open`, `reopened`, `resolved`, `dangling`) or of a row; what nobody has heard of is open.
    #[must_use]
    pub fn parse(word: &str) -> Self {
        match word {
            "resolved" => Self::Resolved,
            "dangling" => Self::Dangling,
            _ => Self::Open,
        }
    }

    /// What a reader is told about it, if anything.
    const fn remark(self) -> &'static str {
        match self {
            Self::Open => "",
            Self::Resolved => " (resolved)",
            Self::Dangling => " (that text is no longer on the page)",
        }
    }
}

/// A comment or a reply, as an answer names it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SourceComment {
    /// The id, among all content.
    pub id: PageId,
    /// Its life-cycle state.
    pub status: ContentStatus,
    /// The page or blog post that it belongs to; `None` where the answer leaves it out, as for some replies.
    pub page: Option<PageId>,
    /// The comment that it replies to.
    pub parent: Option<PageId>,
    /// Where it stands.
    pub place: CommentPlace,
    /// `version.number`.
    pub version: i32,
    /// `version.createdAt`: the server's clock.
    pub modified: Timestamp,
    /// Who wrote it last.
    pub author: Option<AccountId>,
    /// Whether it is settled, or lost its place; of inline comments only. Changes without a new version.
    pub standing: Standing,
    /// The text that an inline comment stands at.
    pub quoted: Option<String>,
    /// Absolute address.
    pub url: String,
    /// Storage format, where it was asked for and came.
    pub body: Option<String>,
}

/// A comment as it is kept, once for all indexes of the site.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CachedComment {
    /// The id, among all content.
    pub id: PageId,
    /// The page or blog post that it belongs to.
    pub page_id: PageId,
    /// The comment that it replies to.
    pub parent: Option<PageId>,
    /// Where it stands.
    pub place: CommentPlace,
    /// The version that text and Markdown belong to.
    pub version: i32,
    /// When that version was written.
    pub modified: Timestamp,
    /// Who wrote it.
    pub author: Option<AccountId>,
    /// Whether it is settled, or lost its place.
    pub standing: Standing,
    /// The text that an inline comment stands at.
    pub quoted: Option<String>,
    /// Absolute address.
    pub url: String,
    /// Its text in storage format.
    pub storage: String,
    /// Its text as Markdown; links to pages are left open (see [`crate::links`]).
    pub markdown: String,
    /// The converter's version that made the Markdown.
    pub converter: i32,
}

/// The little of a kept comment that a listing is compared with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommentBrief {
    /// The comment.
    pub id: PageId,
    /// The page or blog post that it belongs to.
    pub page_id: PageId,
    /// Where it stands.
    pub place: CommentPlace,
    /// The version that is kept.
    pub version: i32,
    /// Whether it is settled, or lost its place.
    pub standing: Standing,
    /// The converter's version that made the Markdown.
    pub converter: i32,
    /// When a complete listing first left it out; `None` while it is named.
    pub absent_since: Option<Timestamp>,
}

impl CommentBrief {
    /// Whether what a listing says of the comment is what is kept.
    #[must_use]
    pub fn is_as(&self, listed: &SourceComment) -> bool {
        let moved = listed
            .page
            .as_ref()
            .is_some_and(|page| *page != self.page_id);
        // An older version is an answer that lags behind.
        listed.version <= self.version && listed.standing == self.standing && !moved
    }
}

/// The comments of one page as Markdown, a heading first; `None` when there is nothing to tell. Each comment is a name, a date
/// and the text as a quotation, so that nothing in it passes for a part of the page; replies are quotations within it, in the
/// order in which they were made. A reply to a comment that is gone stands by itself.
#[must_use]
pub fn render_comments(
    comments: &[CachedComment],
    names: &HashMap<AccountId, String>,
) -> Option<String> {
    let mut ordered: Vec<&CachedComment> = comments.iter().collect();
    // Ids count up: the order of making, which an edit does not change.
    ordered.sort_unstable_by_key(|comment| (comment.id.as_str().len(), comment.id.as_str()));
    let known: HashSet<&PageId> = ordered.iter().map(|comment| &comment.id).collect();
    let mut replies: HashMap<&PageId, Vec<&CachedComment>> = HashMap::new();
    let mut roots = Vec::new();
    for comment in &ordered {
        match comment.parent.as_ref().filter(|id| known.contains(id)) {
            Some(parent) => replies.entry(parent).or_default().push(comment),
            None => roots.push(*comment),
        }
    }
    let mut folder = Renderer {
        names,
        replies,
        told: HashSet::new(),
        out: String::new(),
    };
    for comment in roots {
        folder.tell(comment);
    }
    // Comments that reply to one another in a circle have no beginning: any will do.
    for comment in ordered {
        folder.tell(comment);
    }
    let body = folder.out.trim_end();
    (!body.is_empty()).then(|| format!("# {HEADING}\n\n{body}\n"))
}

struct Renderer<'a> {
    names: &'a HashMap<AccountId, String>,
    replies: HashMap<&'a PageId, Vec<&'a CachedComment>>,
    told: HashSet<&'a PageId>,
    out: String,
}

impl<'a> Renderer<'a> {
    /// A comment with everything that replies to it.
    fn tell(&mut self, root: &'a CachedComment) {
        let mut open = vec![(root, 0)];
        while let Some((comment, depth)) = open.pop() {
            if !self.told.insert(&comment.id) {
                continue;
            }
            let replies = self.replies.remove(&comment.id).unwrap_or_default();
            if comment.markdown.trim().is_empty() && replies.is_empty() {
                continue;
            }
            self.one(comment, depth);
            let below = (depth + 1).min(MAX_DEPTH);
            open.extend(replies.into_iter().rev().map(|reply| (reply, below)));
        }
    }

    fn one(&mut self, comment: &CachedComment, depth: usize) {
        let around = "> ".repeat(depth);
        if !self.out.is_empty() {
            // A line with nothing but the quotation marks keeps a reply within what it replies to.
            self.line(&around, "");
        }
        self.line(&around, &heading(comment, self.names));
        self.line(&around, "");
        let within = "> ".repeat(depth + 1);
        for line in comment.markdown.trim().lines() {
            self.line(&within, line);
        }
    }

    fn line(&mut self, prefix: &str, text: &str) {
        self.out.push_str(if text.is_empty() {
            prefix.trim_end()
        } else {
            prefix
        });
        self.out.push_str(text);
        self.out.push('\n');
    }
}

/// Who wrote it, on what, when, and how it stands to that.
fn heading(comment: &CachedComment, names: &HashMap<AccountId, String>) -> String {
    let name = comment.author.as_ref().and_then(|id| names.get(id));
    let mut line = format!("**{}**", plain(name.map_or("Somebody", String::as_str)));
    if comment.parent.is_none()
        && let Some(quoted) = comment.quoted.as_deref().map(str::trim)
        && !quoted.is_empty()
    {
        let mut short: String = quoted.chars().take(MAX_QUOTED).collect();
        if short.len() < quoted.len() {
            short.push('…');
        }
        line.push_str(&format!(" on “{}”", plain(&short)));
    }
    line.push_str(&format!(", {}", comment.modified.format("%Y-%m-%d")));
    if comment.parent.is_none() {
        line.push_str(comment.standing.remark());
    }
    line.push(':');
    line
}

/// Text as it is, in one line, whatever it would mean as Markdown.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !plain.is_empty() {
            plain.push(' ');
        }
        for c in word.chars() {
            if matches!(
                c,
                '\\' | '*' | '_' | '`' | '[' | ']' | '<' | '>' | '~' | '|'
            ) {
                plain.push('\\');
            }
            plain.push(c);
        }
    }
    plain
}

/// What came of asking for one kept comment that a complete walk did not name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Look {
    /// The run asks for no more of them.
    NotTaken,
    /// The question failed.
    Failed,
    /// It is there, search lags.
    There,
    /// It says of itself that it is deleted.
    Deleted,
    /// 404.
    NotThere,
}

/// What becomes of a kept comment that a complete walk did not name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Missed {
    /// Nothing is concluded.
    Keep,
    /// It is there after all: that it was missed before is forgotten.
    There,
    /// It is missed from now on; the next run looks again.
    Absent,
    /// It is forgotten.
    Gone,
}

/// Judges a kept comment that a walk did not name. A 404 of its own counts when it is seen a second time, a while after the first;
/// that the walk left it out counts the same way, unless the walk named nothing at all.
#[must_use]
pub fn judge_missed(
    look: Look,
    nothing_named: bool,
    absent_since: Option<Timestamp>,
    now: Timestamp,
) -> Missed {
    match look {
        Look::There if absent_since.is_some() => Missed::There,
        Look::There | Look::Failed => Missed::Keep,
        Look::Deleted => Missed::Gone,
        Look::NotTaken if nothing_named => Missed::Keep,
        Look::NotTaken | Look::NotThere if is_confirmed(absent_since, now) => Missed::Gone,
        Look::NotTaken | Look::NotThere if absent_since.is_some() => Missed::Keep,
        Look::NotTaken | Look::NotThere => Missed::Absent,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn comment(id: u32, parent: Option<u32>, text: &str) -> CachedComment {
        CachedComment {
            id: PageId::from(id.to_string()),
            page_id: PageId::from("1"),
            parent: parent.map(|id| PageId::from(id.to_string())),
            place: CommentPlace::Footer,
            version: 1,
            modified: chrono::DateTime::UNIX_EPOCH,
            author: Some(AccountId::from("a")),
            standing: Standing::Open,
            quoted: None,
            url: String::new(),
            storage: String::new(),
            markdown: text.to_owned(),
            converter: 1,
        }
    }

    fn names() -> HashMap<AccountId, String> {
        HashMap::from([(AccountId::from("a"), "Ada *L*".to_owned())])
    }

    #[test]
    fn replies_are_quotations_within_what_they_reply_to() {
        let all = [
            comment(10, None, "Second thread.\n"),
            comment(
                9,
                None,
                "First thread.\n\n# Not a heading of the page\n\n- a list\n",
            ),
            comment(12, Some(9), "A reply.\n"),
            comment(13, Some(12), "A reply to it.\n"),
            comment(11, Some(9), "An earlier reply.\n"),
        ];
        assert_eq!(
            render_comments(&all, &names()).unwrap(),
            "# Comments\n\n\
             **Ada \\*L\\***, 1970-01-01:\n\n\
             > First thread.\n>\n> # Not a heading of the page\n>\n> - a list\n\
             >\n> **Ada \\*L\\***, 1970-01-01:\n>\n> > An earlier reply.\n\
             >\n> **Ada \\*L\\***, 1970-01-01:\n>\n> > A reply.\n\
             > >\n> > **Ada \\*L\\***, 1970-01-01:\n> >\n> > > A reply to it.\n\n\
             **Ada \\*L\\***, 1970-01-01:\n\n> Second thread.\n"
        );
    }

    #[test]
    fn inline_comments_tell_their_text_and_how_they_stand_to_it() {
        let mut inline = comment(5, None, "Which one?");
        inline.place = CommentPlace::Inline;
        inline.quoted = Some("the  `gateway`\nof".to_owned());
        inline.author = None;
        let line = |word: &str| {
            let comment = CachedComment {
                standing: Standing::parse(word),
                ..inline.clone()
            };
            let folded = render_comments(&[comment], &names()).unwrap();
            folded.lines().nth(2).unwrap().to_owned()
        };
        let told = "**Somebody** on “the \\`gateway\\` of”, 1970-01-01";
        assert_eq!(line("open"), format!("{told}:"));
        assert_eq!(line("reopened"), format!("{told}:"));
        assert_eq!(line("resolved"), format!("{told} (resolved):"));
        assert_eq!(
            line("dangling"),
            format!("{told} (that text is no longer on the page):")
        );
    }

    #[test]
    fn nothing_to_tell_is_no_heading() {
        assert_eq!(render_comments(&[], &names()), None);
        assert_eq!(render_comments(&[comment(1, None, " \n")], &names()), None);
        let replied = [comment(1, None, ""), comment(2, Some(1), "Yes.")];
        assert!(
            render_comments(&replied, &names())
                .unwrap()
                .contains("> > Yes.")
        );
    }

    #[test]
    fn a_reply_whose_comment_is_gone_stands_by_itself() {
        let folded = render_comments(&[comment(2, Some(1), "Left over.")], &names()).unwrap();
        assert!(folded.contains("\n> Left over."), "{folded}");
    }

    proptest! {
        /// However parents point, each text is told exactly once, under one heading, and nothing stands outside a quotation
        /// but names and blank lines.
        #[test]
        fn each_comment_is_told_once(parents in proptest::collection::vec(proptest::option::of(0_u32..24), 1..24)) {
            let all: Vec<CachedComment> = parents
                .iter()
                .enumerate()
                .map(|(at, parent)| {
                    let id = u32::try_from(at).unwrap();
                    comment(id, *parent, &format!("# text-{id}-\n\nmore\n"))
                })
                .collect();
            let folded = render_comments(&all, &names()).unwrap();
            for at in 0..all.len() {
                let told = format!("# text-{at}-\n");
                prop_assert_eq!(folded.matches(told.as_str()).count(), 1, "{}", folded);
            }
            for line in folded.lines().skip(1) {
                prop_assert!(line.is_empty() || line.starts_with('>') || line.starts_with("**"), "{}", line);
            }
            let mut turned = all.clone();
            turned.reverse();
            prop_assert_eq!(render_comments(&turned, &names()).unwrap(), folded);
        }
    }

    #[test]
    fn a_comment_is_forgotten_only_on_its_own_word_or_when_it_is_missed_twice() {
        let now = chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::hours(1);
        let ago = |seconds| Some(now - chrono::TimeDelta::seconds(seconds));
        let table = [
            (Look::Deleted, true, None, Missed::Gone),
            (Look::There, false, ago(100), Missed::There),
            (Look::There, false, None, Missed::Keep),
            (Look::Failed, false, ago(100), Missed::Keep),
            (Look::NotThere, false, None, Missed::Absent),
            (Look::NotThere, true, None, Missed::Absent),
            (Look::NotThere, false, ago(59), Missed::Keep),
            (Look::NotThere, true, ago(60), Missed::Gone),
            (Look::NotTaken, true, ago(100), Missed::Keep),
            (Look::NotTaken, false, None, Missed::Absent),
            (Look::NotTaken, false, ago(60), Missed::Gone),
        ];
        for (look, nothing_named, since, want) in table {
            let is = judge_missed(look, nothing_named, since, now);
            assert_eq!(is, want, "{look:?}, {nothing_named}, {since:?}");
        }
    }
}
