//! Several ranked answers made one: by relative score, so that a far better passage of one index stays far before the others, which
//! ranks would forget.

use std::collections::HashMap;
use std::hash::Hash;

/// What the last passage of a list counts whose scores have no zero that means anything.
const LAST: f64 = 0.4;

/// How the scores of a list are meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scale {
    /// By the embedded index: 0 is nothing, and what one of its collections gives can be compared with what another gives.
    Words,
    /// By another store: only distances tell something.
    Likeness,
    /// By places in a list.
    Places,
}

/// A list, best first, with the scores of its items.
pub type List<T> = (Scale, Vec<(f64, T)>);

/// Fuses lists by what their items are worth beside the best of all lists of their scale. An item that several lists name (by `key`)
/// is kept once, where it is worth most. Ties keep the order of the lists.
pub fn by_score<T, I: Eq + Hash>(lists: Vec<List<T>>, key: impl Fn(&T) -> I) -> Vec<(f64, T)> {
    let scores = |scale: Scale| {
        let same = lists.iter().filter(move |(own, _)| *own == scale);
        same.flat_map(|(_, items)| items.iter().map(|(score, _)| *score))
    };
    let bounds = |scale: Scale| {
        let most = scores(scale).fold(f64::NEG_INFINITY, f64::max);
        let least = scores(scale).fold(f64::INFINITY, f64::min);
        (most, least)
    };
    let worth = [Scale::Words, Scale::Likeness, Scale::Places].map(|scale| (scale, bounds(scale)));
    let relative = |scale: Scale, score: f64| {
        let (most, least) = worth
            .iter()
            .find(|(own, _)| *own == scale)
            .map_or((1.0, 0.0), |(_, bounds)| *bounds);
        match scale {
            Scale::Words | Scale::Places if most > 0.0 => (score / most).max(0.0),
            _ if most > least => LAST + (1.0 - LAST) * (score - least) / (most - least),
            _ => 1.0,
        }
    };
    let mut places: HashMap<I, usize> = HashMap::new();
    let mut fused: Vec<(f64, T)> = Vec::new();
    let mut all = Vec::new();
    for (scale, items) in lists {
        all.extend(
            items
                .into_iter()
                .map(|(score, item)| (relative(scale, score), item)),
        );
    }
    for (worth, item) in all {
        match places.get(&key(&item)) {
            Some(&place) if fused[place].0 >= worth => {}
            Some(&place) => fused[place] = (worth, item),
            None => {
                places.insert(key(&item), fused.len());
                fused.push((worth, item));
            }
        }
    }
    fused.sort_by(|a, b| b.0.total_cmp(&a.0));
    fused
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(lists: Vec<List<&'static str>>) -> Vec<&'static str> {
        let fused = by_score(lists, |s| *s);
        assert!(fused.iter().all(|(worth, _)| (0.0..=1.0).contains(worth)));
        fused.into_iter().map(|(_, s)| s).collect()
    }

    #[test]
    fn what_one_index_knows_better_stays_before_what_others_have() {
        let one = vec![(20.0, "ticket"), (9.0, "b"), (2.0, "c")];
        let other = vec![(8.0, "x"), (7.0, "y")];
        assert_eq!(
            order(vec![(Scale::Words, one), (Scale::Words, other)]),
            ["ticket", "b", "x", "y", "c"]
        );
    }

    #[test]
    fn scores_of_different_stores_are_compared_by_their_best() {
        let words = vec![(20.0, "a"), (10.0, "b"), (1.0, "c")];
        let alike = vec![(0.83, "x"), (0.82, "y"), (0.70, "z")];
        assert_eq!(
            order(vec![(Scale::Words, words), (Scale::Likeness, alike)]),
            ["a", "x", "y", "b", "z", "c"]
        );
    }

    #[test]
    fn each_item_is_kept_once_where_it_is_worth_most() {
        let lists = vec![
            (Scale::Words, vec![(4.0, "a"), (1.0, "b")]),
            (Scale::Places, vec![(1.0, "b"), (0.5, "a")]),
        ];
        assert_eq!(order(lists), ["a", "b"]);
        assert_eq!(order(vec![(Scale::Words, vec![])]), [""; 0]);
        assert_eq!(order(vec![(Scale::Words, vec![(0.0, "n")])]), ["n"]);
    }
}
