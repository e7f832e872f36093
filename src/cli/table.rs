//! Plain tables for the terminal.

use crate::mcp::text::clean;

/// Rows under their headings; numbers to the right. A cell is one line of what can be seen.
pub(super) fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let cell = |text: &String| clean(text).text.replace(['\n', '\t'], " ");
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(cell).collect())
        .collect();
    let mut widths: Vec<usize> = headings.iter().map(|h| h.chars().count()).collect();
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &[String], numbers: bool| {
        let mut text = String::new();
        for (cell, width) in cells.iter().zip(&widths) {
            let pad = " ".repeat(width - cell.chars().count());
            let is_number =
                numbers && !cell.is_empty() && cell.chars().all(|c| c.is_ascii_digit() || c == '.');
            if is_number {
                text.push_str(&pad);
                text.push_str(cell);
            } else {
                text.push_str(cell);
                text.push_str(&pad);
            }
            text.push_str("  ");
        }
        text.trim_end().to_owned()
    };
    let headings: Vec<String> = headings.iter().map(|h| (*h).to_owned()).collect();
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    let mut lines = vec![line(&headings, false), line(&rule, false)];
    lines.extend(rows.iter().map(|row| line(row, true)));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    #[test]
    fn columns_line_up() {
        let rows = vec![
            vec!["a".to_owned(), "5".to_owned()],
            vec!["long".to_owned(), "10".to_owned()],
        ];
        assert_eq!(
            super::table(&["name", "pages"], &rows),
            "name  pages\n----  -----\na         5\nlong     10"
        );
    }

    #[test]
    fn a_cell_neither_acts_on_the_terminal_nor_makes_a_row() {
        let rows = vec![vec!["a\u{1b}[2J\u{202e}b\r\nforged".to_owned()]];
        assert_eq!(
            super::table(&["name"], &rows),
            "name\n------------\na[2Jb forged"
        );
    }
}
