//! Texts to vectors by their words and a table of synonyms.

/// Groups of words that mean the same here, beside those that a test brings.
const SYNONYMS: &[&[&str]] = &[
    &[
        "vacation",
        "vacations",
        "holiday",
        "holidays",
        "leave",
        "urlaub",
        "urlaubstage",
    ],
    &["doctor", "physician", "arzt"],
    &["salary", "pay", "wage", "wages", "gehalt"],
    &["outage", "downtime", "incident", "ausfall"],
    &["car", "automobile", "vehicle", "auto"],
    &["undo", "revert", "rollback", "rückgängig"],
];

/// Words that point nowhere.
const EMPTY: &[&str] = &[
    "a", "an", "and", "are", "as", "at", "be", "by", "can", "do", "for", "from", "get", "how", "i",
    "in", "is", "it", "many", "my", "of", "on", "or", "the", "their", "to", "was", "we", "what",
    "when", "with", "you", "your", "ich", "wie", "viele", "habe", "die", "der", "das",
];

/// The vector of a text, not of length 1.
pub(crate) fn vector(text: &str, dimensions: usize, more: &[Vec<String>]) -> Vec<f32> {
    let mut vector = vec![0.0_f32; dimensions];
    let mut words: Vec<String> = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .filter(|word| !EMPTY.contains(&word.as_str()))
        .map(|word| concept(word, more))
        .collect();
    words.sort_unstable();
    words.dedup();
    if words.is_empty() {
        words.push(String::new());
    }
    for word in &words {
        // A generator of its own for each word.
        let mut state = word.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        for number in &mut vector {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            *number += if state & (1 << 32) == 0 { 1.0 } else { -1.0 };
        }
    }
    vector
}

fn concept(word: String, more: &[Vec<String>]) -> String {
    let of_tests = more
        .iter()
        .find(|group| group.contains(&word))
        .and_then(|group| group.first());
    if let Some(first) = of_tests {
        return first.clone();
    }
    let own = SYNONYMS.iter().find(|group| group.contains(&word.as_str()));
    own.map_or(word, |group| group[0].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn likeness(a: &str, b: &str) -> f32 {
        let (a, b) = (vector(a, 96, &[]), vector(b, 96, &[]));
        let length = |v: &[f32]| v.iter().map(|x| x * x).sum::<f32>().sqrt();
        let dot: f32 = a.iter().zip(&b).map(|(x, y)| x * y).sum();
        dot / (length(&a) * length(&b))
    }

    #[test]
    fn synonyms_point_the_same_way_and_others_do_not() {
        assert!(likeness("how many vacation days", "days of leave") > 0.99);
        assert!(likeness("vacation", "vacuum cleaner").abs() < 0.5);
    }
}
