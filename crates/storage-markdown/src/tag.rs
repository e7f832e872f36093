//! The elements the converter knows by name.

macro_rules! tags {
    ($($variant:ident = $($name:literal)|+;)*) => {
        /// An element; `Other` is unwrapped, its children are content.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(crate) enum Tag { $($variant,)* Other }

        const NAMES: &[(&str, Tag)] = &[$($(($name, Tag::$variant),)+)*];
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
    Iframe = "iframe" | "embed";
    AtVar = "at:var";
    Noise = "colgroup" | "col" | "script" | "style" | "template" | "ac:placeholder" | "ac:task-uuid"
        | "ac:adf-fragment-mark" | "ac:adf-data-consumer-source" | "head" | "title" | "noscript";
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

/// Slots of the hash table below; a few times the number of names, so that probes are short.
const SLOTS: usize = 1024;

/// Index into `NAMES` plus one, by hash of the name. Two lookups happen per element, so this is worth a table.
static TABLE: [u8; SLOTS] = {
    let mut table = [0u8; SLOTS];
    let mut n = 0;
    assert!(NAMES.len() < 255);
    while n < NAMES.len() {
        let mut slot = hash(NAMES[n].0.as_bytes());
        while table[slot] != 0 {
            slot = (slot + 1) % SLOTS;
        }
        table[slot] = n as u8 + 1;
        n += 1;
    }
    table
};

const fn hash(name: &[u8]) -> usize {
    let len = name.len();
    if len == 0 {
        return 0;
    }
    let (first, middle, last) = (
        name[0] as usize,
        name[len / 2] as usize,
        name[len - 1] as usize,
    );
    let fourth = if len > 3 { name[3] as usize } else { 0 };
    (len * 131 + first * 7 + middle * 37 + last * 269 + fourth * 53) % SLOTS
}

impl Tag {
    pub(crate) fn from_name(name: &str) -> Tag {
        // What pages are full of is told apart without a look at the table.
        match name.as_bytes() {
            [b'p'] => return Tag::P,
            [b'a'] => return Tag::A,
            [b't', b'd'] => return Tag::Td,
            [b't', b'r'] => return Tag::Tr,
            [b't', b'h'] => return Tag::Th,
            [b'l', b'i'] => return Tag::Li,
            [b'u', b'l'] => return Tag::Ul,
            [b'o', b'l'] => return Tag::Ol,
            [b'e', b'm'] => return Tag::Em,
            [b'b', b'r'] => return Tag::Br,
            [b'h', b'2'] => return Tag::H2,
            [b'h', b'3'] => return Tag::H3,
            _ => {}
        }
        let mut slot = hash(name.as_bytes());
        loop {
            let Some((known, tag)) = (TABLE[slot] as usize).checked_sub(1).map(|n| NAMES[n]) else {
                return Tag::Other;
            };
            if known == name {
                return tag;
            }
            slot = (slot + 1) % SLOTS;
        }
    }

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

    /// Elements of the storage format itself, not of HTML.
    pub(crate) fn is_confluence(self) -> bool {
        self as u8 >= Tag::Parameter as u8 && self != Tag::Other
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_and_no_other() {
        for (name, tag) in NAMES {
            assert_eq!(Tag::from_name(name), *tag, "{name}");
        }
        for name in ["", "x", "pp", "ac:", "ac:structured-macros", "td2"] {
            assert_eq!(Tag::from_name(name), Tag::Other, "{name}");
        }
    }
}
