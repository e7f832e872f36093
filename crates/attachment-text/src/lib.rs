#![doc = include_str!("../README.md")]

mod docx;
mod guarded;
mod kind;
mod limits;
mod markup;
mod pdf;
mod plain;
mod refusal;
mod sheet;

pub use kind::{TextKind, supports};
pub use limits::Limits;
pub use refusal::Refusal;

/// What a file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extracted {
    /// Its text as Markdown, never empty.
    pub markdown: String,
    /// How it was read.
    pub kind: TextKind,
    /// Something was left out because of a limit; the text says so at its end.
    pub truncated: bool,
    /// Pages that were read, for a PDF.
    pub pages: Option<usize>,
}

/// Text as a reader of one format gives it.
struct Found {
    markdown: String,
    /// What was left out, in words; `None` when nothing was.
    cut: Option<String>,
    pages: Option<usize>,
}

impl Found {
    fn whole(markdown: String) -> Found {
        Found {
            markdown,
            cut: None,
            pages: None,
        }
    }

    /// What was found before elements were nested too deep.
    fn too_deep(mut self) -> Result<Found, Refusal> {
        if self.markdown.trim().is_empty() {
            return Err(Refusal::TooDeep);
        }
        self.cut = Some("its elements are nested too deep".to_owned());
        Ok(self)
    }
}

/// The text of a file, by its media type and, where that says little (`application/octet-stream`), by its name.
pub fn extract(
    media_type: &str,
    file_name: &str,
    bytes: &[u8],
    limits: &Limits,
) -> Result<Extracted, Refusal> {
    let kind = supports(media_type, file_name).ok_or_else(|| Refusal::Unsupported {
        media_type: media_type.to_owned(),
    })?;
    if bytes.len() > limits.max_bytes {
        return Err(Refusal::TooLarge {
            bytes: bytes.len(),
            max: limits.max_bytes,
        });
    }
    let mut found = match kind {
        TextKind::Plain => Found::whole(plain::text(file_name, bytes)),
        TextKind::Markdown => Found::whole(plain::decode(bytes)),
        TextKind::Csv => sheet::read(&plain::decode(bytes), limits)?,
        TextKind::Html => markup::read(&plain::decode_html(bytes), limits)?,
        TextKind::Docx => docx::read(bytes, limits)?,
        TextKind::Pdf => pdf::read(bytes, limits)?,
    };
    if found.markdown.trim().is_empty() {
        return Err(Refusal::NoText);
    }
    if limits::cut(&mut found.markdown, limits.max_text_bytes) {
        found.cut = Some(format!(
            "its text is longer than {}",
            limits::size(limits.max_text_bytes)
        ));
    }
    if let Some(cut) = &found.cut {
        found.markdown.truncate(found.markdown.trim_end().len());
        found.markdown.push_str(&format!(
            "\n\n*The rest of this file is left out: {cut}.*\n"
        ));
    }
    Ok(Extracted {
        markdown: found.markdown,
        kind,
        truncated: found.cut.is_some(),
        pages: found.pages,
    })
}
