//! Cuts Markdown at its headings, until the converter's own cutting takes over.

/// A piece of a page.
pub(crate) struct Chunk {
    pub text: String,
    pub heading_path: Vec<String>,
    pub anchor: Option<String>,
}

/// Characters after which a new chunk begins at the next line.
const TARGET: usize = 1200;

/// Chunks in the order of the page.
pub(crate) fn chunks(markdown: &str) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    let mut path: Vec<(usize, &str)> = Vec::new();
    let mut text = String::new();
    let mut flush = |text: &mut String, path: &[(usize, &str)]| {
        if !text.trim().is_empty() {
            chunks.push(Chunk {
                text: std::mem::take(text),
                heading_path: path
                    .iter()
                    .map(|(_, heading)| (*heading).to_owned())
                    .collect(),
                anchor: path.last().map(|(_, heading)| heading.replace(' ', "-")),
            });
        }
        text.clear();
    };
    for line in markdown.lines() {
        let level = line.bytes().take_while(|byte| *byte == b'#').count();
        if level > 0 && line.as_bytes().get(level) == Some(&b' ') {
            flush(&mut text, &path);
            path.retain(|(above, _)| *above < level);
            path.push((level, line[level..].trim()));
        } else if text.len() + line.len() > TARGET {
            flush(&mut text, &path);
        }
        text.push_str(line);
        text.push('\n');
    }
    flush(&mut text, &path);
    chunks
}
