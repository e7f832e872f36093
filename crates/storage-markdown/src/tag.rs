//! The elements the converter knows by name.

macro_rules! tags {
    ($($variant:ident = $($name:literal)|+;)*) => {
        /// An element; `Other` is unwrapped, its children are content.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(crate) enum Tag { $($variant,)* Other }

        impl Tag {
            pub(crate) fn from_name(name: &str) -> Tag {
                match name { $($($name)|+ => Tag::$variant,)* _ => Tag::Other }
            }
        }
    };
}

tags! {
    P = "p";
    Td = "td";
    Tr = "tr";
    Th = "th";
    Li = "li";
    Ul = "ul";
    Ol = "ol";
    Strong = "strong" | "b";
    Em = "em" | "i" | "cite" | "var" | "dfn";
    A = "a";
    Br = "br";
    Code = "code" | "tt" | "kbd" | "samp";
    Span = "span";
    Div = "div" | "section" | "article" | "header" | "footer" | "main" | "center" | "address" | "figure" | "nav" | "aside"
        | "form" | "fieldset" | "ac:layout" | "ac:layout-section" | "ac:layout-cell";
    H1 = "h1";
    H2 = "h2";
    H3 = "h3";
    H4 = "h4";
    H5 = "h5";
    H6 = "h6";
    Strike = "s" | "del" | "strike";
    Sub = "sub";
    Sup = "sup";
    Blockquote = "blockquote";
    Pre = "pre";
    Hr = "hr";
    Table = "table";
    Tbody = "tbody" | "tfoot";
    Thead = "thead";
    Caption = "caption" | "figcaption";
    Dl = "dl";
    Dt = "dt";
    Dd = "dd";
    Details = "details";
    Summary = "summary";
    Time = "time";
    Img = "img";
    Noise = "colgroup" | "col" | "script" | "style" | "template" | "ac:placeholder" | "ac:task-uuid"
        | "ac:adf-fragment-mark" | "head" | "title" | "noscript";
    Parameter = "ac:parameter" | "ac:default-parameter";
    StructuredMacro = "ac:structured-macro" | "ac:macro";
    RichTextBody = "ac:rich-text-body";
    PlainTextBody = "ac:plain-text-body";
    Link = "ac:link";
    LinkBody = "ac:link-body" | "ac:plain-text-link-body";
    Image = "ac:image";
    ImageCaption = "ac:caption";
    Emoticon = "ac:emoticon";
    TaskList = "ac:task-list";
    Task = "ac:task";
    TaskId = "ac:task-id";
    TaskStatus = "ac:task-status";
    TaskBody = "ac:task-body";
    RiPage = "ri:page";
    RiContent = "ri:content-entity";
    RiBlog = "ri:blog-post";
    RiAttachment = "ri:attachment";
    RiUser = "ri:user";
    RiSpace = "ri:space";
    RiShortcut = "ri:shortcut";
    RiUrl = "ri:url";
    AdfExtension = "ac:adf-extension";
    AdfNode = "ac:adf-node";
    AdfAttribute = "ac:adf-attribute";
    AdfParameter = "ac:adf-parameter";
    AdfParameterValue = "ac:adf-parameter-value";
    AdfContent = "ac:adf-content";
    AdfFallback = "ac:adf-fallback";
    AdfLeaf = "ac:adf-leaf";
    AdfMark = "ac:adf-mark";
}

impl Tag {
    pub(crate) fn heading_level(self) -> Option<u8> {
        Some(match self {
            Tag::H1 => 1,
            Tag::H2 => 2,
            Tag::H3 => 3,
            Tag::H4 => 4,
            Tag::H5 => 5,
            Tag::H6 => 6,
            _ => return None,
        })
    }

    /// Elements of HTML that never have an end tag.
    pub(crate) fn is_void(name: &str) -> bool {
        matches!(
            name,
            "area"
                | "base"
                | "br"
                | "col"
                | "embed"
                | "hr"
                | "img"
                | "input"
                | "link"
                | "meta"
                | "param"
                | "source"
                | "track"
                | "wbr"
        )
    }
}

/// Tells elements of one name from those of another, known or not, without keeping the name.
pub(crate) fn name_id(name: &str) -> u32 {
    name.bytes().fold(0x811c_9dc5, |hash, b| {
        (hash ^ u32::from(b)).wrapping_mul(0x0100_0193)
    })
}
