//! A passage with what stands before and behind it on its page, as far as there is room. Pure.

/// Chunks on either side that may be shown with one.
pub(crate) const REACH: i64 = 3;
/// Bytes of room for which it is worth looking what stands around.
pub(crate) const WORTH_IT: usize = 300;
/// Bytes that two chunks may have in common where they were cut inside a text.
const OVERLAP: usize = 400;

/// A chunk of the same page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Neighbour<'t> {
    pub chunk: i64,
    pub text: &'t str,
}

/// The text of a chunk, widened by its neighbours to `room` bytes at most, what follows before what precedes; with the numbers of the
/// chunks in it.
pub(crate) fn widened<'t>(
    own: Neighbour<'t>,
    neighbour: impl Fn(i64) -> Option<Neighbour<'t>>,
    room: usize,
) -> (String, Vec<i64>) {
    let mut with = vec![own];
    let mut size = own.text.len();
    let (mut before, mut behind) = (true, true);
    while before || behind {
        if behind {
            let next = with.last().and_then(|last| neighbour(last.chunk + 1));
            behind = match next.filter(|next| size + next.text.len() + 2 <= room) {
                Some(next) => {
                    size += next.text.len() + 2;
                    with.push(next);
                    true
                }
                None => false,
            };
        }
        if before {
            let previous = with.first().and_then(|first| neighbour(first.chunk - 1));
            before = match previous.filter(|previous| size + previous.text.len() + 2 <= room) {
                Some(previous) => {
                    size += previous.text.len() + 2;
                    with.insert(0, previous);
                    true
                }
                None => false,
            };
        }
    }
    let mut text = String::with_capacity(size);
    for one in &with {
        if !text.is_empty() {
            let common = common(&text, one.text);
            if common == 0 {
                text.push_str("\n\n");
            }
            text.push_str(&one.text[common..]);
            continue;
        }
        text.push_str(one.text);
    }
    (text, with.iter().map(|one| one.chunk).collect())
}

/// Bytes at the beginning of a text that the end of the one before says already.
fn common(before: &str, text: &str) -> usize {
    let most = OVERLAP.min(text.len()).min(before.len());
    (24..=most)
        .rev()
        .find(|end| {
            text.is_char_boundary(*end) && before.as_bytes().ends_with(&text.as_bytes()[..*end])
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(texts: &[&str], own: i64, room: usize) -> (String, Vec<i64>) {
        let at = |chunk: i64| {
            let text = texts.get(usize::try_from(chunk).ok()?)?;
            Some(Neighbour { chunk, text })
        };
        widened(at(own).unwrap(), at, room)
    }

    #[test]
    fn what_follows_comes_first_then_what_precedes() {
        let texts = ["aaaa", "bbbb", "cccc", "dddd"];
        for (room, expected) in [
            (0, "bbbb"),
            (9, "bbbb"),
            (10, "bbbb\n\ncccc"),
            (16, "aaaa\n\nbbbb\n\ncccc"),
            (99, "aaaa\n\nbbbb\n\ncccc\n\ndddd"),
        ] {
            assert_eq!(shown(&texts, 1, room).0, expected, "{room}");
        }
        assert_eq!(shown(&texts, 3, 10).1, [2, 3]);
    }

    #[test]
    fn what_two_chunks_share_is_told_once() {
        let texts = [
            "one two three four five six seven",
            "three four five six seven eight",
        ];
        assert_eq!(
            shown(&texts, 0, 99).0,
            "one two three four five six seven eight"
        );
    }
}
