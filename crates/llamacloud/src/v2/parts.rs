//! A document as files. The parser drops what is beyond 64 KB of one page of a file, so a long document becomes several
//! files, each under the title and breadcrumb, cut between paragraphs where there are any.

use domain::document::Document;

/// Bytes of one file at most; some room is left for what the parser makes of it.
const MOST: usize = 48_000;

/// One file of a document.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Part {
    /// Unique for document, revision and part: `<document id>@<hash>.<part>`.
    pub unique_id: String,
    pub text: String,
}

/// The files of a document.
pub(super) fn parts(document: &Document) -> Vec<Part> {
    let hash: String = document.metadata.hash.chars().take(16).collect();
    let head = format!(
        "# {}\n\n{}\n\n",
        document.metadata.title, document.metadata.breadcrumb
    );
    let room = MOST.saturating_sub(head.len()).max(MOST / 4);
    cut(&document.text, room)
        .into_iter()
        .enumerate()
        .map(|(number, text)| Part {
            unique_id: format!("{}@{hash}.{number}", document.id),
            text: if number == 0 {
                text.to_owned()
            } else {
                format!("{head}{text}")
            },
        })
        .collect()
}

/// The document of a `unique_id` of ours.
pub(super) fn document_of(unique_id: &str) -> &str {
    unique_id
        .split_once('@')
        .map_or(unique_id, |(document, _)| document)
}

/// Pieces of at most `most` bytes that together are the text; never none.
fn cut(text: &str, most: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while rest.len() > most {
        let end = (0..=most)
            .rev()
            .find(|at| rest.is_char_boundary(*at))
            .unwrap_or(rest.len());
        let window = &rest[..end];
        let at = ["\n\n", "\n", " "]
            .iter()
            .find_map(|gap| {
                window
                    .rfind(gap)
                    .map(|at| at + gap.len())
                    .filter(|at| *at > most / 2)
            })
            .unwrap_or(end);
        let (piece, behind) = rest.split_at(at.max(1));
        pieces.push(piece);
        rest = behind;
    }
    if !rest.is_empty() || pieces.is_empty() {
        pieces.push(rest);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_and_nothing_too_long() {
        for text in [
            String::new(),
            "short".to_owned(),
            "A paragraph.\n\n".repeat(9000),
            "ä".repeat(100_001),
            format!("{}\n\n{}", "x".repeat(70_000), "word ".repeat(20_000)),
        ] {
            let pieces = cut(&text, 1000);
            assert_eq!(pieces.concat(), text);
            assert!(
                pieces.iter().all(|piece| piece.len() <= 1000),
                "{}",
                pieces.len()
            );
        }
    }

    #[test]
    fn documents_are_read_from_their_unique_ids() {
        assert_eq!(
            document_of("confluence-page-1@0123abc.2"),
            "confluence-page-1"
        );
        assert_eq!(document_of("notes.md"), "notes.md");
    }
}
