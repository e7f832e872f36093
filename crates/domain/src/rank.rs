//! BM25 over a handful of texts: for rows that come in no order that means anything.

/// Saturation of a term's count, and how much the length of a text matters.
const K1: f64 = 1.2;
const B: f64 = 0.75;
/// A word of a title counts as so many of the text.
const TITLE: usize = 3;
/// Letters that two words have to share from their beginning to be forms of one, where one of them ends there.
const STEM: usize = 4;

/// A text with its title.
#[derive(Clone, Copy, Debug)]
pub struct Ranked<'t> {
    /// Its title.
    pub title: &'t str,
    /// What is known of its text.
    pub text: &'t str,
}

/// The positions of the texts, best first; those that are equally good keep their order. `words` are lower-case.
#[must_use]
pub fn best_first(texts: &[Ranked<'_>], words: &[String]) -> Vec<usize> {
    let read: Vec<Vec<String>> = texts
        .iter()
        .map(|text| {
            let titles = std::iter::repeat_n(text.title, TITLE);
            titles.chain([text.text]).flat_map(tokens).collect()
        })
        .collect();
    let lengths = read.iter().map(|tokens| float(tokens.len()));
    let usual = (lengths.sum::<f64>() / float(read.len().max(1))).max(1.0);
    let mut scores = vec![0.0; texts.len()];
    for word in words {
        let counts: Vec<usize> = read
            .iter()
            .map(|tokens| tokens.iter().filter(|token| is_form(token, word)).count())
            .collect();
        let holders = float(counts.iter().filter(|count| **count > 0).count());
        let rarity = (1.0 + (float(texts.len()) - holders + 0.5) / (holders + 0.5)).ln();
        for ((score, count), tokens) in scores.iter_mut().zip(counts).zip(&read) {
            let (count, length) = (float(count), float(tokens.len()));
            *score += rarity * count * (K1 + 1.0) / (count + K1 * (1.0 - B + B * length / usual));
        }
    }
    let mut order: Vec<usize> = (0..texts.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    order
}

fn tokens(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}

fn is_form(token: &str, word: &str) -> bool {
    let (short, long) = if token.len() <= word.len() {
        (token, word)
    } else {
        (word, token)
    };
    short == long || (short.chars().count() >= STEM && long.starts_with(short))
}

#[expect(clippy::cast_precision_loss, reason = "counts of words")]
const fn float(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_words_titles_and_all_words_come_first() {
        let words = ["restart", "gateway"].map(str::to_owned);
        let texts = [
            ("News", "the gateway was moved, says the gateway team"),
            ("Lunch", "nothing of note"),
            ("Restarting the gateway", "how it is done"),
            ("Notes", "a gateway may need a restart"),
        ];
        let texts = texts.map(|(title, text)| Ranked { title, text });
        assert_eq!(best_first(&texts, &words), [2, 3, 0, 1]);
        assert_eq!(best_first(&texts, &[]), [0, 1, 2, 3], "their own order");
        assert_eq!(best_first(&[], &words), [0_usize; 0]);
    }

    #[test]
    fn forms_of_a_word_share_its_beginning() {
        for (token, word, same) in [
            ("gateways", "gateway", true),
            ("vpn", "vpn", true),
            ("vpns", "vpn", false),
            ("restart", "restarts", true),
            ("resist", "restart", false),
        ] {
            assert_eq!(is_form(token, word), same, "{token} {word}");
        }
    }
}
