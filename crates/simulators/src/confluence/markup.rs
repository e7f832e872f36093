//! A small lenient tree of storage format, enough to render a page simply and to read its text.

#[derive(Debug)]
pub(crate) enum Node {
    /// Text as it stands in the source, entities untouched.
    Text(String),
    CData(String),
    Element(Element),
}

#[derive(Debug, Default)]
pub(crate) struct Element {
    pub name: String,
    pub attributes: Vec<(String, String)>,
    pub children: Vec<Node>,
}

impl Element {
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }

    pub(crate) fn child(&self, name: &str) -> Option<&Element> {
        self.elements().find(|e| e.name == name)
    }

    pub(crate) fn elements(&self) -> impl Iterator<Item = &Element> {
        self.children.iter().filter_map(|n| match n {
            Node::Element(e) => Some(e),
            _ => None,
        })
    }

    /// A macro's `ac:parameter` by name, as plain text.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let found = self
            .elements()
            .find(|e| e.name == "ac:parameter" && e.attribute("ac:name") == Some(name))?;
        Some(text_of(&found.children))
    }
}

/// Parses a fragment. Stray closing tags are skipped, open ones closed at the end.
pub(crate) fn parse(source: &str) -> Vec<Node> {
    let mut open: Vec<Element> = vec![Element::default()];
    let mut rest = source;
    while !rest.is_empty() {
        let Some(at) = rest.find('<') else {
            push(&mut open, Node::Text(rest.to_owned()));
            break;
        };
        if at > 0 {
            push(&mut open, Node::Text(rest[..at].to_owned()));
        }
        rest = &rest[at..];
        if let Some(data) = rest.strip_prefix("<![CDATA[") {
            let end = data.find("]]>").unwrap_or(data.len());
            push(&mut open, Node::CData(data[..end].to_owned()));
            rest = data.get(end + 3..).unwrap_or_default();
            continue;
        }
        if let Some(comment) = rest.strip_prefix("<!--") {
            rest = comment.find("-->").map_or("", |end| &comment[end + 3..]);
            continue;
        }
        let Some(end) = tag_end(rest) else {
            push(&mut open, Node::Text(rest.to_owned()));
            break;
        };
        let inner = &rest[1..end];
        rest = &rest[end + 1..];
        if let Some(name) = inner.strip_prefix('/') {
            let name = name.trim();
            if open.iter().skip(1).any(|e| e.name == name) {
                while let Some(last) = open.pop() {
                    let done = last.name == name;
                    push(&mut open, Node::Element(last));
                    if done {
                        break;
                    }
                }
            }
            continue;
        }
        let (inner, closed) = inner
            .strip_suffix('/')
            .map_or((inner, false), |i| (i, true));
        let (name, attributes) = inner.split_once(char::is_whitespace).unwrap_or((inner, ""));
        let element = Element {
            name: name.to_owned(),
            attributes: attributes_of(attributes),
            children: Vec::new(),
        };
        if closed || matches!(name, "br" | "hr" | "img" | "col") {
            push(&mut open, Node::Element(element));
        } else {
            open.push(element);
        }
    }
    while open.len() > 1 {
        if let Some(last) = open.pop() {
            push(&mut open, Node::Element(last));
        }
    }
    open.pop().map(|root| root.children).unwrap_or_default()
}

fn push(open: &mut [Element], node: Node) {
    if let Some(last) = open.last_mut() {
        last.children.push(node);
    }
}

fn tag_end(text: &str) -> Option<usize> {
    let mut quote = None;
    text.char_indices().find_map(|(at, c)| match (quote, c) {
        (None, '>') => Some(at),
        (None, '"' | '\'') => {
            quote = Some(c);
            None
        }
        (Some(q), c) if q == c => {
            quote = None;
            None
        }
        _ => None,
    })
}

fn attributes_of(mut text: &str) -> Vec<(String, String)> {
    let mut out = Vec::new();
    while let Some((name, rest)) = text.split_once('=') {
        let rest = rest.trim_start();
        let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
            break;
        };
        let Some(end) = rest[1..].find(quote) else {
            break;
        };
        out.push((name.trim().to_owned(), unescape(&rest[1..=end])));
        text = &rest[end + 2..];
    }
    out
}

/// Decodes the entities that matter for text; unknown ones stay.
pub(crate) fn unescape(text: &str) -> String {
    if !text.contains('&') {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.find(';').filter(|e| *e < 12);
        let decoded = end.and_then(|end| entity(&rest[1..end]));
        match (decoded, end) {
            (Some(c), Some(end)) => {
                out.push(c);
                rest = &rest[end + 1..];
            }
            _ => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

fn entity(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        return char::from_u32(code);
    }
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => '\u{a0}',
        "ndash" => '–',
        "mdash" => '—',
        "hellip" => '…',
        "rsquo" => '’',
        "lsquo" => '‘',
        "rdquo" => '”',
        "ldquo" => '“',
        "rarr" => '→',
        "times" => '×',
        "eacute" => 'é',
        "uuml" => 'ü',
        "ouml" => 'ö',
        "auml" => 'ä',
        "euro" => '€',
        "deg" => '°',
        "ge" => '≥',
        "le" => '≤',
        _ => return None,
    })
}

/// All text below, decoded, parameters of macros left out.
pub(crate) fn text_of(nodes: &[Node]) -> String {
    let mut out = String::new();
    collect(nodes, &mut out);
    out
}

fn collect(nodes: &[Node], out: &mut String) {
    for node in nodes {
        match node {
            Node::Text(text) => out.push_str(&unescape(text)),
            Node::CData(text) => out.push_str(text),
            Node::Element(e)
                if matches!(
                    e.name.as_str(),
                    "ac:parameter" | "ac:task-id" | "ac:task-status"
                ) => {}
            Node::Element(e) => {
                collect(&e.children, out);
                if !matches!(
                    e.name.as_str(),
                    "strong" | "em" | "code" | "a" | "span" | "u" | "s" | "sub" | "sup"
                ) {
                    out.push(' ');
                }
            }
        }
    }
}
