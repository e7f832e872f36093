//! A page as one document: front matter or a title line, breadcrumb, body.

/// Words of a text: runs between white space that hold a letter or a digit.
pub fn count_words(text: &str) -> usize {
    let mut words = 0;
    let mut counted = false;
    for &b in text.as_bytes() {
        if b <= b' ' {
            counted = false;
        } else if !counted && (b.is_ascii_alphanumeric() || b >= 0x80) {
            counted = true;
            words += 1;
        }
    }
    words
}
