//! Several ranked answers made one: by rank, since scores of different stores cannot be compared.

use std::collections::HashMap;
use std::hash::Hash;

/// The constant of reciprocal rank fusion as published; large enough that agreement of lists counts more than a single
/// first place.
const K: f64 = 60.0;

/// Fuses lists, best first, by reciprocal rank. An item that several lists name (by `key`) is kept once, from the list that
/// has it highest, with the sum of its shares as its score. Ties keep the order of the lists.
pub fn by_rank<T, I: Eq + Hash>(lists: Vec<Vec<T>>, key: impl Fn(&T) -> I) -> Vec<(f64, T)> {
    let mut places: HashMap<I, usize> = HashMap::new();
    let mut fused: Vec<(f64, usize, T)> = Vec::new();
    for list in lists {
        for (rank, item) in list.into_iter().enumerate() {
            let share = 1.0 / (K + rank as f64 + 1.0);
            match places.get(&key(&item)) {
                Some(&place) => {
                    let known = &mut fused[place];
                    known.0 += share;
                    if rank < known.1 {
                        known.1 = rank;
                        known.2 = item;
                    }
                }
                None => {
                    places.insert(key(&item), fused.len());
                    fused.push((share, rank, item));
                }
            }
        }
    }
    fused.sort_by(|a, b| b.0.total_cmp(&a.0));
    fused
        .into_iter()
        .map(|(score, _, item)| (score, item))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(lists: Vec<Vec<&str>>) -> Vec<&str> {
        by_rank(lists, |s| (*s).to_owned())
            .into_iter()
            .map(|(_, s)| s)
            .collect()
    }

    #[test]
    fn lists_are_interleaved_and_agreement_wins() {
        assert_eq!(
            order(vec![vec!["a", "b", "c"], vec!["x", "y"]]),
            ["a", "x", "b", "y", "c"]
        );
        assert_eq!(order(vec![vec!["a", "b"], vec!["x", "b"]])[0], "b");
        assert_eq!(order(vec![vec![], vec!["x"]]), ["x"]);
        assert!(order(vec![]).is_empty());
    }

    #[test]
    fn each_item_is_kept_once() {
        let fused = by_rank(vec![vec![1, 2], vec![2, 1], vec![3]], |n| *n);
        let mut items: Vec<i32> = fused.iter().map(|f| f.1).collect();
        items.sort_unstable();
        assert_eq!(items, [1, 2, 3]);
    }
}
