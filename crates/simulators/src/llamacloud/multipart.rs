//! Reads `multipart/form-data`, as far as uploads need it.

use crate::server::Request;

/// One part of a form.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Part {
    pub name: String,
    pub file_name: Option<String>,
    pub data: Vec<u8>,
}

impl Part {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.data).into_owned()
    }
}

/// The parts of a form; none when the body is not one.
pub(crate) fn parts(request: &Request) -> Option<Vec<Part>> {
    let kind = request.header("content-type")?;
    let boundary = kind
        .split(';')
        .find_map(|p| p.trim().strip_prefix("boundary="))?
        .trim_matches('"');
    let marker = format!("--{boundary}").into_bytes();
    let body = &request.body;
    let mut out = Vec::new();
    let mut at = find(body, &marker, 0)? + marker.len();
    while !body[at..].starts_with(b"--") {
        let head_end = find(body, b"\r\n\r\n", at)?;
        let head = String::from_utf8_lossy(&body[at..head_end]).into_owned();
        let next = find(body, &marker, head_end)?;
        let data = body
            .get(head_end + 4..next.saturating_sub(2))
            .unwrap_or_default()
            .to_vec();
        let disposition = head
            .lines()
            .find(|l| l.to_ascii_lowercase().starts_with("content-disposition:"))?;
        out.push(Part {
            name: quoted(disposition, "name")?,
            file_name: quoted(disposition, "filename"),
            data,
        });
        at = next + marker.len();
    }
    Some(out)
}

fn quoted(line: &str, key: &str) -> Option<String> {
    line.split(';').find_map(|p| {
        let value = p.trim().strip_prefix(key)?.strip_prefix('=')?;
        Some(value.trim_matches('"').to_owned())
    })
}

fn find(body: &[u8], wanted: &[u8], from: usize) -> Option<usize> {
    body.get(from..)?
        .windows(wanted.len())
        .position(|w| w == wanted)
        .map(|at| at + from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_byte_for_byte() {
        let body = b"--XX\r\nContent-Disposition: form-data; name=\"upload_file\"; filename=\"a b.md\"\r\n\
            Content-Type: text/markdown\r\n\r\n# A\r\n\r\nline\r\n--XX\r\ncontent-disposition: form-data; name=\"unique_id\"\r\n\r\n\
            page-1@v2\r\n--XX--\r\n";
        let headers = vec![(
            "content-type".to_owned(),
            "multipart/form-data; boundary=XX".to_owned(),
        )];
        let request = Request::new("POST", "/x", "", headers, body.to_vec());
        let parts = parts(&request).unwrap();
        assert_eq!(parts.len(), 2);
        assert_eq!(parts[0].file_name.as_deref(), Some("a b.md"));
        assert_eq!(parts[0].text(), "# A\r\n\r\nline");
        assert_eq!(
            (parts[1].name.as_str(), parts[1].text().as_str()),
            ("unique_id", "page-1@v2")
        );
    }
}
