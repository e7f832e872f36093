//! Which files can be read, by media type and name.

/// How a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TextKind {
    /// Text as it stands; in a code block when the name says that it is code or data.
    Plain,
    /// Markdown, as it stands.
    Markdown,
    /// Values with commas, semicolons, tabs or bars between them.
    Csv,
    /// A web page.
    Html,
    /// Portable Document Format.
    Pdf,
    /// Word document in Office Open XML.
    Docx,
}

/// The reader for a file, if there is one. The media type decides; the end of the name does where the type says nothing
/// (none, `application/octet-stream`) or no more than that it is text (`text/plain`).
pub fn supports(media_type: &str, file_name: &str) -> Option<TextKind> {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    let by_name = || by_name(extension(file_name)?);
    match essence.to_ascii_lowercase().as_str() {
        "" | "application/octet-stream" | "binary/octet-stream" | "application/x-download" => {
            by_name()
        }
        "text/plain" => match by_name() {
            Some(kind @ (TextKind::Markdown | TextKind::Csv)) => Some(kind),
            _ => Some(TextKind::Plain),
        },
        "text/markdown" | "text/x-markdown" | "text/x-web-markdown" => Some(TextKind::Markdown),
        "text/csv" | "text/tab-separated-values" | "application/csv" | "text/x-csv" => {
            Some(TextKind::Csv)
        }
        // What Windows with Excel calls a CSV file; a real workbook is not read.
        "application/vnd.ms-excel" => by_name().filter(|kind| *kind == TextKind::Csv),
        "text/html" | "application/xhtml+xml" => Some(TextKind::Html),
        "application/pdf" | "application/x-pdf" => Some(TextKind::Pdf),
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
        | "application/vnd.openxmlformats-officedocument.wordprocessingml.template"
        | "application/vnd.ms-word.document.macroenabled.12" => Some(TextKind::Docx),
        "application/json"
        | "application/xml"
        | "application/yaml"
        | "application/x-yaml"
        | "application/toml"
        | "application/sql"
        | "application/x-sh"
        | "application/javascript" => Some(TextKind::Plain),
        // Not words for people.
        "text/rtf" | "text/calendar" | "text/vcard" | "text/css" => None,
        other if other.starts_with("text/") => Some(TextKind::Plain),
        _ => None,
    }
}

fn by_name(extension: &str) -> Option<TextKind> {
    Some(match extension.to_ascii_lowercase().as_str() {
        "md" | "markdown" | "mdown" => TextKind::Markdown,
        "csv" | "tsv" | "tab" => TextKind::Csv,
        "html" | "htm" | "xhtml" => TextKind::Html,
        "pdf" => TextKind::Pdf,
        "docx" | "docm" | "dotx" => TextKind::Docx,
        "txt" | "text" | "log" | "rst" | "adoc" | "json" | "yaml" | "yml" | "xml" | "toml"
        | "ini" | "conf" | "cfg" | "properties" | "sql" | "sh" | "ps1" | "py" | "rs" | "go"
        | "java" | "js" | "ts" | "c" | "h" | "cpp" | "cs" | "rb" | "php" | "kt" | "swift"
        | "tf" => TextKind::Plain,
        _ => return None,
    })
}

/// The end of a file name behind its last dot.
pub(crate) fn extension(file_name: &str) -> Option<&str> {
    file_name
        .rsplit_once('.')
        .map(|(_, end)| end)
        .filter(|end| !end.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_decides_and_the_name_where_it_says_little() {
        use TextKind::*;
        for (media_type, name, kind) in [
            ("application/pdf", "a", Some(Pdf)),
            ("application/pdf; qs=0.001", "a.docx", Some(Pdf)),
            ("application/octet-stream", "Report.PDF", Some(Pdf)),
            ("", "notes.docx", Some(Docx)),
            ("", "notes", None),
            ("", "", None),
            ("text/plain", "list.csv", Some(Csv)),
            ("text/plain", "read.me.md", Some(Markdown)),
            ("text/plain; charset=utf-8", "x.pdf", Some(Plain)),
            ("Text/HTML", "x", Some(Html)),
            ("application/vnd.ms-excel", "x.csv", Some(Csv)),
            ("application/vnd.ms-excel", "x.xls", None),
            ("text/x-python", "x.py", Some(Plain)),
            ("application/json", "x", Some(Plain)),
            ("image/png", "x.txt", None),
            ("application/zip", "x.docx", None),
            ("text/rtf", "x.rtf", None),
        ] {
            assert_eq!(supports(media_type, name), kind, "{media_type:?} {name:?}");
        }
    }
}
