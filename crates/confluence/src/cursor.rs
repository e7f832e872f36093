//! Cursors: how to take one out of an answer, and how to notice a walk that turns in a circle.
//!
//! Only the value of `cursor` is ever taken from a `next` link; the request is built anew with it. Joining links loses
//! the gateway's prefix or doubles `/wiki`. Cursors are opaque, stay good over a restart, and are encoded again on use.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use domain::ports::source::Cursor;
use url::{Url, form_urlencoded};

/// A `next` link without a cursor: the walk cannot go on, and is not complete either.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct NoCursor;

/// The cursor of the next answer, from `_links.next` or else from a `Link` header with `rel="next"`.
pub(crate) fn next_cursor<'a>(
    links_next: Option<&'a str>,
    link_headers: impl IntoIterator<Item = &'a str>,
) -> Result<Option<Cursor>, NoCursor> {
    let next = links_next
        .filter(|next| !next.is_empty())
        .or_else(|| link_headers.into_iter().find_map(rel_next));
    let Some(next) = next else { return Ok(None) };
    cursor_of(next).map(Some).ok_or(NoCursor)
}

/// The target of `rel="next"` in one `Link` header, which may hold several links in any order.
fn rel_next(header: &str) -> Option<&str> {
    let mut rest = header;
    while let Some((_, after)) = rest.split_once('<') {
        let (target, after) = after.split_once('>')?;
        let params = after.split('<').next().unwrap_or_default();
        if params.split([';', ',']).any(|param| {
            param.trim().split_once('=').is_some_and(|(name, value)| {
                name.trim().eq_ignore_ascii_case("rel")
                    && value.trim().trim_matches('"').eq_ignore_ascii_case("next")
            })
        }) {
            return Some(target);
        }
        rest = after;
    }
    None
}

fn cursor_of(link: &str) -> Option<Cursor> {
    let link = Url::parse("https://site.invalid/").ok()?.join(link).ok()?;
    // Base64 knows `+` and no blank; links carry it unescaped now and then.
    let query = link.query()?.replace('+', "%2B");
    form_urlencoded::parse(query.as_bytes())
        .find(|(name, value)| name == "cursor" && !value.is_empty())
        .map(|(_, value)| Cursor(value.into_owned()))
}

/// How many answers without any item in a row end a walk as broken.
const MAX_EMPTY_RUN: u32 = 25;
/// Walks remembered at once.
const MAX_TRAILS: usize = 64;
/// Steps remembered of one walk.
const MAX_STEPS: usize = 10_000;

/// The steps of recent walks, to notice one that would never end.
///
/// The port keeps no state between answers, and several callers may walk the same listing at once, so steps are kept as
/// edges `cursor → next`: a circle is a way from `next` back to `cursor`, whoever walked it.
#[derive(Debug, Default)]
pub(crate) struct Trails {
    trails: HashMap<u64, Trail>,
    uses: u64,
}

#[derive(Debug, Default)]
struct Trail {
    steps: HashMap<u64, (u64, u32)>,
    used: u64,
}

impl Trails {
    /// Notes one answer of the walk `walk` (its request without cursor); the error says how the walk is broken.
    pub fn step(
        &mut self,
        walk: &str,
        from: Option<&Cursor>,
        to: Option<&Cursor>,
        empty: bool,
    ) -> Result<(), String> {
        let key = hash(walk);
        let Some(to) = to else {
            self.trails.remove(&key);
            return Ok(());
        };
        if from == Some(to) {
            self.trails.remove(&key);
            return Err("the same cursor came back".to_owned());
        }
        self.uses += 1;
        self.make_room(key);
        let trail = self.trails.entry(key).or_default();
        trail.used = self.uses;
        let start = from.map_or(0, |cursor| hash(&cursor.0));
        let to = hash(&to.0);
        let before = trail
            .steps
            .values()
            .find(|(next, _)| *next == start)
            .map_or(0, |(_, run)| *run);
        let run = if empty { before + 1 } else { 0 };
        let broken = if run > MAX_EMPTY_RUN {
            Some(format!("{run} answers in a row held nothing"))
        } else if trail.leads_back(to, start) {
            Some("its cursors go in a circle".to_owned())
        } else {
            None
        };
        match broken {
            Some(cause) => {
                self.trails.remove(&key);
                Err(cause)
            }
            None => {
                if trail.steps.len() < MAX_STEPS {
                    trail.steps.insert(start, (to, run));
                }
                Ok(())
            }
        }
    }

    fn make_room(&mut self, key: u64) {
        if self.trails.len() >= MAX_TRAILS && !self.trails.contains_key(&key) {
            let oldest = self
                .trails
                .iter()
                .min_by_key(|(_, trail)| trail.used)
                .map(|(key, _)| *key);
            oldest.map(|key| self.trails.remove(&key));
        }
    }
}

impl Trail {
    fn leads_back(&self, mut at: u64, start: u64) -> bool {
        for _ in 0..=self.steps.len() {
            if at == start {
                return true;
            }
            match self.steps.get(&at) {
                Some((next, _)) => at = *next,
                None => return false,
            }
        }
        false
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn c(text: &str) -> Cursor {
        Cursor(text.to_owned())
    }

    #[test]
    fn cursors_come_out_of_every_form_of_link() {
        let v2 = "/wiki/api/v2/pages?limit=1&cursor=eyJpZCI6IjEifQ==";
        let v1 = "/rest/api/content/search?next=true&cursor=_f_MjU%3D_sa_W10%3D&limit=25&start=25&cql=type=page";
        let absolute = "https://x.atlassian.net/wiki/api/v2/pages?cursor=a%2Bb%2F&limit=2";
        let raw_plus = "/wiki/api/v2/pages?cursor=a+b/c==&depth=all";
        for (link, want) in [
            (v2, "eyJpZCI6IjEifQ=="),
            (v1, "_f_MjU=_sa_W10="),
            (absolute, "a+b/"),
            (raw_plus, "a+b/c=="),
        ] {
            assert_eq!(next_cursor(Some(link), []), Ok(Some(c(want))), "{link}");
        }
        for end in [None, Some("")] {
            assert_eq!(next_cursor(end, []), Ok(None));
        }
        for broken in [
            "/wiki/api/v2/pages?limit=1",
            "/wiki/api/v2/pages?cursor=&limit=1",
            "/x",
            "http://[",
        ] {
            assert_eq!(next_cursor(Some(broken), []), Err(NoCursor), "{broken}");
        }
    }

    #[test]
    fn the_link_header_is_read_when_the_body_says_nothing() {
        let both = r#"</wiki/api/v2/spaces/1/pages?cursor=eyJ30=&depth=all>; rel="next", <https://x/wiki>; rel="base""#;
        let turned = r#"<https://x/wiki?a=1,2>; rel="base", </p?limit=1&cursor=z>; rel="next""#;
        let base_only = r#"<https://x/wiki>; rel="base""#;
        assert_eq!(next_cursor(None, [both]), Ok(Some(c("eyJ30="))));
        assert_eq!(next_cursor(None, [turned]), Ok(Some(c("z"))));
        assert_eq!(next_cursor(None, [base_only]), Ok(None));
        assert_eq!(next_cursor(None, [base_only, both]), Ok(Some(c("eyJ30="))));
        assert_eq!(next_cursor(None, ["garbage <", "<>"]), Ok(None));
    }

    #[test]
    fn circles_are_noticed_and_honest_walks_are_not() {
        let mut trails = Trails::default();
        for _ in 0..2 {
            assert!(trails.step("w", None, Some(&c("a")), false).is_ok());
            assert!(
                trails
                    .step("w", Some(&c("a")), Some(&c("b")), false)
                    .is_ok()
            );
            assert!(
                trails
                    .step("w", Some(&c("a")), Some(&c("b")), false)
                    .is_ok(),
                "two walkers on one listing"
            );
            assert!(
                trails
                    .step("w", Some(&c("b")), Some(&c("d")), false)
                    .is_ok()
            );
            assert!(
                trails
                    .step("other", Some(&c("d")), Some(&c("a")), false)
                    .is_ok(),
                "another listing"
            );
            assert!(
                trails
                    .step("w", Some(&c("d")), Some(&c("a")), false)
                    .is_err(),
                "back to a"
            );
        }
        assert!(
            trails
                .step("w", Some(&c("q")), Some(&c("q")), false)
                .is_err(),
            "the same again"
        );
        assert!(trails.step("w", Some(&c("z")), None, false).is_ok());
    }

    #[test]
    fn a_long_run_of_nothing_is_an_error_and_not_an_end() {
        let mut trails = Trails::default();
        let mut failed_at = None;
        for n in 0..100u32 {
            let from = (n > 0).then(|| c(&n.to_string()));
            if trails
                .step("w", from.as_ref(), Some(&c(&(n + 1).to_string())), n != 3)
                .is_err()
            {
                failed_at = Some(n);
                break;
            }
        }
        assert_eq!(failed_at, Some(4 + MAX_EMPTY_RUN));
    }

    #[test]
    fn memory_is_bounded() {
        let mut trails = Trails::default();
        for n in 0..1000 {
            trails
                .step(&format!("w{n}"), None, Some(&c("a")), false)
                .unwrap();
        }
        assert!(trails.trails.len() <= MAX_TRAILS);
    }

    proptest::proptest! {
        /// Whatever the server writes as a cursor, however well it encodes it, comes back to it unchanged.
        #[test]
        fn cursors_survive_links_and_requests(cursor in "[ -~é]{1,60}", tail in "(&limit=[0-9]{1,3}|&cql=a%20b)?") {
            let encoded: String = form_urlencoded::byte_serialize(cursor.as_bytes()).collect();
            let link = format!("/wiki/api/v2/pages?depth=all&cursor={}{tail}", encoded.replace('+', "%20"));
            proptest::prop_assert_eq!(next_cursor(Some(&link), []), Ok(Some(c(&cursor))));
        }

        #[test]
        fn base64_needs_no_encoding(cursor in "[A-Za-z0-9+/]{1,40}={0,2}", header in proptest::bool::ANY) {
            let link = format!("/wiki/api/v2/pages?limit=5&cursor={cursor}");
            let header_text = format!("<{link}>; rel=\"next\"");
            let got = if header { next_cursor(None, [header_text.as_str()]) } else { next_cursor(Some(&link), []) };
            proptest::prop_assert_eq!(got, Ok(Some(c(&cursor))));
        }

        #[test]
        fn nothing_makes_the_reader_fail(link in ".{0,80}", header in ".{0,80}") {
            let _ = next_cursor(Some(&link), [header.as_str()]);
            let _ = next_cursor(None, [header.as_str()]);
        }

        /// A walk that only goes forward is never taken for a circle, however often and by however many it is walked.
        #[test]
        fn forward_walks_are_never_circles(walks in proptest::collection::vec(proptest::collection::btree_set(1..500u32, 1..40), 1..6)) {
            let mut trails = Trails::default();
            for walk in &walks {
                let mut from: Option<Cursor> = None;
                for place in walk {
                    let to = c(&place.to_string());
                    proptest::prop_assert!(trails.step("w", from.as_ref(), Some(&to), false).is_ok());
                    from = Some(to);
                }
            }
        }
    }
}
