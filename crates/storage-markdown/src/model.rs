//! What goes in beside the body, and what comes out beside the Markdown.

use serde::{Deserialize, Serialize};

/// Which images appear in the Markdown. The files themselves are always listed in [`Conversion::attachments`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Images {
    /// Images that say something: those with an alternative text, a caption or a telling file name.
    #[default]
    Informative,
    /// Every image.
    All,
    /// Captions only.
    None,
}

/// How a page is rendered. The default is what serves retrieval best.
#[derive(Clone, Debug)]
pub struct Options {
    /// Begin with YAML front matter of the facts found in the body (properties, attachments, links, diagnostics).
    pub front_matter: bool,
    /// Which images appear.
    pub images: Images,
    /// Tables with more columns than this, and a header row, become one list item per row.
    pub table_max_columns: usize,
    /// So do tables with a cell of several blocks that is longer than this, in characters.
    pub table_max_cell_chars: usize,
    /// Write the colour of an otherwise empty, coloured table cell as a word.
    pub cell_colours: bool,
    /// Write the colour of a status lozenge behind its title.
    pub status_colours: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            front_matter: false,
            images: Images::Informative,
            table_max_columns: 8,
            table_max_cell_chars: 400,
            cell_colours: true,
            status_colours: false,
        }
    }
}

/// What is told of a page or blog post that a link leads to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Canonical address.
    pub url: String,
    /// Present title.
    pub title: String,
}

/// Answers what a page body only points at. Everything defaults to "not known", which leaves readable text.
///
/// Of pages it says no more than which one is meant: a link to a page that it knows is left open, and what may be told of the
/// page is said by whoever reads the Markdown, with [`crate::close_links`].
pub trait Resolver {
    /// The id of a page by its title; no space key means the space of the page that is converted.
    fn page_by_title(&self, space_key: Option<&str>, title: &str) -> Option<String> {
        let _ = (space_key, title);
        None
    }
    /// Whether a link to the page or blog post of this content id is left open.
    fn knows_page(&self, id: &str) -> bool {
        let _ = id;
        false
    }
    /// The id of a blog post; `posting_day` is `YYYY/MM/DD` as storage writes it.
    fn blog_post(
        &self,
        space_key: Option<&str>,
        title: &str,
        posting_day: Option<&str>,
    ) -> Option<String> {
        let _ = (space_key, title, posting_day);
        None
    }
    /// Download address of a file on this page, or on `page` (space key, title).
    fn attachment(&self, page: Option<(Option<&str>, &str)>, file_name: &str) -> Option<String> {
        let _ = (page, file_name);
        None
    }
    /// Display name of an account.
    fn user(&self, account_id: &str) -> Option<String> {
        let _ = account_id;
        None
    }
    /// Address of the site with its context path, `https://example.atlassian.net/wiki`, without a slash at the end.
    fn site_base(&self) -> Option<&str> {
        None
    }
}

/// A [`Resolver`] that knows nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoResolver;

impl Resolver for NoResolver {}

/// A heading of the page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heading {
    /// 1 to 6.
    pub level: u8,
    /// Its words, without markup.
    pub text: String,
    /// Fragment that opens it on the site: `Heading-text`, repeats are numbered.
    pub anchor: String,
}

/// What a link of the page leads to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LinkTarget {
    /// A page by title; no space key is the space of this page.
    Page {
        /// Key of its space, if given.
        space_key: Option<String>,
        /// Its title when the link was made.
        title: String,
    },
    /// A page or blog post by id.
    PageId {
        /// Content id.
        id: String,
    },
    /// A blog post.
    BlogPost {
        /// Key of its space, if given.
        space_key: Option<String>,
        /// Its title.
        title: String,
        /// `YYYY/MM/DD`, if given.
        posting_day: Option<String>,
    },
    /// A file.
    Attachment {
        /// File name.
        file_name: String,
        /// Title of the page that holds it, when that is another one.
        page_title: Option<String>,
    },
    /// A space.
    Space {
        /// Its key.
        key: String,
    },
    /// A place in this page.
    Anchor {
        /// Name of the anchor or heading as written.
        name: String,
    },
    /// Anything with an address outside of the wiki.
    Url,
}

/// A link out of the page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// What it leads to.
    pub target: LinkTarget,
    /// Address written into the Markdown, before links that are left open are closed; `None` when there is none.
    pub url: Option<String>,
}

/// A task or decision of the page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Number within the page, as `ac:task-id` gives it.
    pub id: Option<String>,
    /// Ticked (or decided).
    pub done: bool,
    /// A decision, not a task.
    pub decision: bool,
    /// Words of the task, without nested tasks.
    pub text: String,
}

/// A macro whose content only a rendered body holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DynamicMacro {
    /// `include`, `jira`, `detailssummary`, ...
    pub name: String,
    /// `ac:macro-id`, the same as `data-macro-id` in the rendered form.
    pub macro_id: Option<String>,
    /// `ac:local-id`.
    pub local_id: Option<String>,
    /// Position among the macros of this name on the page, from 0.
    pub ordinal: usize,
    /// blake3 of its parameters as the body writes them, 64 hex digits: another one asks for something else.
    pub parameters_hash: String,
    /// Whether rendered content stands in its place.
    pub spliced: bool,
}

/// A named excerpt, for pages that include it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excerpt {
    /// Its name; the unnamed one is the page's default excerpt.
    pub name: Option<String>,
    /// Its Markdown.
    pub markdown: String,
}

/// What the converter wants to be known about a body.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostics {
    /// Macros without a rule of their own, with their number; their bodies are in the output.
    pub unknown_macros: Vec<(String, usize)>,
    /// Places where the markup was broken and reading resumed after it.
    pub repairs: usize,
    /// Links whose target is not known, and that have no address.
    pub unresolved_links: usize,
    /// Rendered HTML was read up to some place only: behind it elements are nested deeper than anybody nests them.
    pub cut: bool,
}

/// A converted body.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversion {
    /// CommonMark with GFM tables, task lists, strikethrough and alerts; links to pages that the [`Resolver`] knows are left
    /// open, for [`crate::close_links`].
    pub markdown: String,
    /// Headings in order.
    pub outline: Vec<Heading>,
    /// Links in order, repeats included.
    pub links: Vec<Link>,
    /// File names the page refers to, each once, in order.
    pub attachments: Vec<String>,
    /// Tasks and decisions in order.
    pub tasks: Vec<Task>,
    /// Page properties: keys and values of `details` macros, in order.
    pub properties: Vec<(String, String)>,
    /// Account ids mentioned, each once, in order, so that names can be fetched in bulk.
    pub users: Vec<String>,
    /// Excerpts.
    pub excerpts: Vec<Excerpt>,
    /// Macros that only a rendered body can fill; see [`crate::splice_rendered`].
    pub dynamic_macros: Vec<DynamicMacro>,
    /// Words in the Markdown (runs with a letter or digit in them).
    pub words: usize,
    /// Oddities.
    pub diagnostics: Diagnostics,
}
