use reqwest::header::{HeaderName, HeaderValue};

use super::*;

fn read(pairs: &[(&str, &str)]) -> LimitHeaders {
    let headers: HeaderMap = pairs
        .iter()
        .map(|(name, value)| {
            (
                name.parse::<HeaderName>().unwrap(),
                HeaderValue::from_str(value).unwrap(),
            )
        })
        .collect();
    LimitHeaders::read(&headers, "2026-03-26T15:58:00Z".parse().unwrap())
}

/// Headers, the wait in seconds that they ask for, and of whom.
type Row<'a> = (&'a [(&'a str, &'a str)], Option<u64>, LimitScope);

#[test]
fn waits_come_from_every_form_of_header() {
    let table: &[Row<'_>] = &[
        (&[], None, LimitScope::Everything),
        (&[("Retry-After", "30")], Some(30), LimitScope::Everything),
        (&[("Retry-After", "0")], Some(0), LimitScope::Everything),
        (&[("Retry-After", "nonsense")], None, LimitScope::Everything),
        (&[("Retry-After", "-5")], Some(0), LimitScope::Everything),
        (
            &[("Retry-After", "Thu, 26 Mar 2026 15:59:00 GMT")],
            Some(60),
            LimitScope::Everything,
        ),
        (
            &[("X-RateLimit-Reset", "2026-03-26T16:00Z")],
            Some(120),
            LimitScope::Everything,
        ),
        (
            &[
                ("X-RateLimit-Reset", "2026-03-26T15:59:30Z"),
                ("X-RateLimit-Remaining", "0"),
            ],
            Some(90),
            LimitScope::Everything,
        ),
        (
            &[
                ("X-RateLimit-Reset", "2026-03-26T15:59:30.5Z"),
                ("X-RateLimit-Remaining", "7"),
            ],
            None,
            LimitScope::Everything,
        ),
        (
            &[("X-RateLimit-Reset", "2026-03-26T15:00Z")],
            Some(0),
            LimitScope::Everything,
        ),
        (
            &[("X-RateLimit-Reset", "1774540740")],
            Some(60),
            LimitScope::Everything,
        ),
        (
            &[
                ("Retry-After", "3"),
                ("RateLimit-Reason", "confluence-burst-based"),
            ],
            Some(3),
            LimitScope::Endpoint,
        ),
        (
            &[
                ("Retry-After", "3"),
                ("RateLimit-Reason", "confluence-quota-tenant-based"),
            ],
            Some(3),
            LimitScope::Everything,
        ),
        (
            &[("RateLimit", r#""global-app-quota";r=0;t=600"#)],
            Some(600),
            LimitScope::Everything,
        ),
        (
            &[("RateLimit", r#""a";r=5;t=9, "b";t=70;r=0"#)],
            Some(70),
            LimitScope::Everything,
        ),
        // The hour of the quota ends when it ends, told or not.
        (
            &[("RateLimit", r#""global-app-quota";r=0"#)],
            Some(120),
            LimitScope::Everything,
        ),
        (
            &[("RateLimit-Reason", "confluence-quota-global-based")],
            Some(120),
            LimitScope::Everything,
        ),
        (
            &[("RateLimit-Reason", "confluence-burst-based")],
            None,
            LimitScope::Endpoint,
        ),
        (
            &[("RateLimit", r#""Beta-a";r=0;t=600"#)],
            None,
            LimitScope::Everything,
        ),
        (
            &[
                ("Beta-RateLimit", r#""a";r=0;t=600"#),
                ("X-Beta-RateLimit-Reset", "2026-03-26T16:00Z"),
            ],
            None,
            LimitScope::Everything,
        ),
        (
            &[
                ("X-Failure-Category", "FAILURE CLIENT RATE LIMITED"),
                ("X-RateLimit-Limit", "360000"),
                ("X-RateLimit-Remaining", "0"),
                ("X-RateLimit-Reset", "2026-03-26T16:00Z"),
            ],
            Some(120),
            LimitScope::Everything,
        ),
    ];
    for (pairs, want, scope) in table {
        let read = read(pairs);
        assert_eq!(
            read.asked_wait().map(|wait| wait.as_secs()),
            *want,
            "{pairs:?}"
        );
        assert_eq!(read.scope(), *scope, "{pairs:?}");
    }
}

#[test]
fn a_good_answer_pauses_only_when_nothing_is_left() {
    let near = read(&[
        ("X-RateLimit-NearLimit", "true"),
        ("X-RateLimit-Remaining", "12"),
        ("X-RateLimit-Reset", "2026-03-26T16:00Z"),
    ]);
    assert!(near.near_limit && near.exhausted().is_none());
    let out = read(&[
        ("X-RateLimit-Remaining", "0"),
        ("X-RateLimit-Reset", "2026-03-26T16:00Z"),
    ]);
    assert_eq!(out.exhausted(), Some(Duration::from_secs(120)));
    assert_eq!(read(&[("X-RateLimit-Remaining", "0")]).exhausted(), None);
}

#[test]
fn what_is_left_of_a_quota_is_told_where_both_sides_of_it_are_known() {
    let told = |pairs: &[(&str, &str)]| read(pairs).quota();
    let reset = ("X-RateLimit-Reset", "2026-03-26T16:00Z");
    assert_eq!(told(&[reset]), None);
    assert_eq!(told(&[("X-RateLimit-Remaining", "50")]), None);
    for (limit, near, expected) in [
        (None, None, false),
        (None, Some("true"), true),
        (Some("1000"), None, true),
        (Some("200"), None, false),
    ] {
        let mut pairs = vec![reset, ("X-RateLimit-Remaining", "50")];
        pairs.extend(limit.map(|limit| ("X-RateLimit-Limit", limit)));
        pairs.extend(near.map(|near| ("X-RateLimit-NearLimit", near)));
        let seen = told(&pairs).unwrap();
        assert_eq!((seen.remaining, seen.near), (50, expected), "{pairs:?}");
    }
}
