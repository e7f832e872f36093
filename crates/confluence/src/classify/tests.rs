use reqwest::header::{HeaderName, HeaderValue};

use super::*;
use crate::config::ConfluenceConfig;
use crate::endpoint::{CONTENT_SEARCH, ONE_PAGE, PAGES};

const V2_CURSOR: &str = r#"{"errors":[{"status":400,"code":"INVALID_REQUEST_PARAMETER","title":"Provided value for 'cursor' is not the correct type.","detail":"The provided cursor was not valid."}]}"#;
const V1_CQL: &str = r#"{"statusCode":400,"data":{"authorized":false,"valid":true,"errors":[],"successful":false},"message":"Could not parse cql : x","reason":"Bad Request"}"#;

/// Status, headers, body, endpoint, through the gateway, with a cursor: what is made of it.
type Row<'a> = (
    u16,
    &'a [(&'a str, &'a str)],
    &'a str,
    &'static Endpoint,
    bool,
    bool,
    &'a str,
);

#[test]
fn every_shape_of_error_has_its_meaning() {
    let cloudfront: &[(&str, &str)] = &[("x-cache", "Error from cloudfront")];
    let scope: &[(&str, &str)] = &[("X-Failure-Category", "FAILURE_CLIENT_SCOPE_CHECK")];
    let mismatch: &[(&str, &str)] = &[("X-Failure-Category", "FAILURE_CLIENT_AUTH_MISMATCH")];
    let login: &[(&str, &str)] = &[("location", "https://id.atlassian.com/login?x=1")];
    let moved: &[(&str, &str)] = &[("location", "https://new.atlassian.net/wiki/")];
    let table: &[Row<'_>] = &[
        (200, &[], "{}", &PAGES, false, false, "good"),
        (302, login, "", &PAGES, false, false, "unauthorized log in"),
        (
            301,
            moved,
            "",
            &PAGES,
            false,
            false,
            "rejected new.atlassian.net",
        ),
        (400, &[], V2_CURSOR, &PAGES, false, true, "cursor not valid"),
        (400, &[], "", &PAGES, false, true, "cursor 400"),
        (
            400,
            &[],
            V2_CURSOR,
            &PAGES,
            false,
            false,
            "rejected not valid",
        ),
        (
            400,
            &[],
            V1_CQL,
            &CONTENT_SEARCH,
            false,
            true,
            "cursor Could not parse cql",
        ),
        (
            401,
            &[],
            r#"{"code":401,"message":"Unauthorized; scope does not match"}"#,
            &PAGES,
            true,
            false,
            "scope read:page:confluence",
        ),
        (
            401,
            scope,
            "",
            &CONTENT_SEARCH,
            true,
            false,
            "scope read:content-details:confluence",
        ),
        (
            401,
            &[],
            r#"{"code":401,"message":"Unauthorized"}"#,
            &PAGES,
            true,
            false,
            "unauthorized expired",
        ),
        (
            401,
            mismatch,
            "",
            &PAGES,
            false,
            false,
            "unauthorized do not belong together",
        ),
        // A token with scopes at the address of the site.
        (
            401,
            &[],
            "<!doctype html><html><head><title>HTTP Status 401 – Unauthorized</title></head></html>",
            &PAGES,
            false,
            false,
            "unauthorized 401 scopes CONFLUENCE_CLOUD_ID https://x.atlassian.net/_edge/tenant_info",
        ),
        (
            401,
            &[],
            "<html><title>Basic Authentication Failure - Reason : AUTHENTICATED_FAILED</title>",
            &PAGES,
            false,
            false,
            "unauthorized expired",
        ),
        (
            403,
            &[],
            r#"{"statusCode":403,"message":"Current user not permitted to use Confluence"}"#,
            &PAGES,
            false,
            false,
            "unauthorized product",
        ),
        (
            403,
            &[],
            "",
            &USER_CURRENT,
            false,
            false,
            "unauthorized CONFLUENCE_EMAIL",
        ),
        (
            404,
            &[],
            "",
            &USER_CURRENT,
            true,
            false,
            "unauthorized CONFLUENCE_CLOUD_ID",
        ),
        (403, &[], "", &PAGES, false, false, "doubtful 403"),
        (404, &[], "", &PAGES, false, false, "doubtful 404"),
        (
            403,
            cloudfront,
            "<html>",
            &ONE_PAGE,
            false,
            false,
            "Strange unavailable",
        ),
        (
            404,
            cloudfront,
            "",
            &PAGES,
            false,
            false,
            "Strange unavailable",
        ),
        (
            403,
            &[],
            r#"{"statusCode":403,"message":"no"}"#,
            &ONE_PAGE,
            false,
            false,
            "forbidden no",
        ),
        (
            404,
            &[],
            r#"{"errors":[{"status":404,"code":"NOT_FOUND","title":"Not Found","detail":null}]}"#,
            &ONE_PAGE,
            false,
            false,
            "notfound",
        ),
        (
            405,
            &[],
            r#"{"errors":[{"status":405,"code":"METHOD_NOT_ALLOWED","title":"no such method"}]}"#,
            &PAGES,
            false,
            false,
            "rejected no such method",
        ),
        (
            410,
            &[],
            r#"{"statusCode":410,"message":"GoneException"}"#,
            &PAGES,
            true,
            false,
            "withdrawn",
        ),
        (413, &[], "", &PAGES, false, false, "toolarge 413"),
        (429, &[], "", &PAGES, false, false, "Limited unavailable"),
        (
            429,
            &[],
            "<html>slow down</html>",
            &PAGES,
            true,
            false,
            "Limited unavailable",
        ),
        (
            500,
            &[],
            r#"{"errors":[{"status":500,"code":"INTERNAL_SERVER_ERROR","title":"boom"}]}"#,
            &PAGES,
            false,
            false,
            "Heavy unavailable boom",
        ),
        (
            502,
            &[],
            "<html><head><title>Bad gateway</title></head></html>",
            &PAGES,
            false,
            false,
            "Heavy unavailable Bad gateway",
        ),
        (503, &[], "", &PAGES, false, false, "Down unavailable 503"),
        (504, &[], "", &PAGES, false, false, "Heavy unavailable 504"),
        (418, &[], "tea", &PAGES, false, false, "rejected tea"),
    ];
    for &(status, pairs, body, endpoint, gateway, cursor, want) in table {
        let headers: HeaderMap = pairs
            .iter()
            .map(|(name, value)| {
                (
                    name.parse::<HeaderName>().unwrap(),
                    HeaderValue::from_str(value).unwrap(),
                )
            })
            .collect();
        let site = site(gateway);
        let asked = Asked {
            endpoint,
            what: "it",
            site: &site,
            cursor,
            recently_limited: false,
        };
        let got = told(&classify(asked, status, &headers, body.as_bytes()));
        for word in want.split(' ') {
            assert!(
                got.contains(word),
                "{status} {body}: wanted {want}, got {got}"
            );
        }
    }
}

fn site(gateway: bool) -> Site {
    let base = "https://x.atlassian.net".parse().unwrap();
    let mut config = ConfluenceConfig::new(base, "a@b.c", "secret".to_owned().into());
    config.cloud_id = gateway.then(|| "11-22".to_owned());
    Site::of(&config).unwrap()
}

#[test]
fn whatever_refuses_the_credentials_names_them_before_the_product() {
    let refusals: [(u16, &str, &'static Endpoint); 5] = [
        (
            403,
            r#"{"message":"Current user not permitted to use Confluence"}"#,
            &PAGES,
        ),
        (403, "", &USER_CURRENT),
        (404, "", &USER_CURRENT),
        (401, "<title>HTTP Status 401 – Unauthorized</title>", &PAGES),
        (401, r#"{"code":401,"message":"Unauthorized"}"#, &PAGES),
    ];
    for gateway in [false, true] {
        let site = site(gateway);
        for (status, body, endpoint) in refusals {
            let asked = Asked {
                endpoint,
                what: "it",
                site: &site,
                cursor: false,
                recently_limited: false,
            };
            let told = told(&classify(asked, status, &HeaderMap::new(), body.as_bytes()));
            let at = |words: &str| {
                told.find(words)
                    .unwrap_or_else(|| panic!("{status} {body}: no {words} in {told}"))
            };
            let causes = [
                at("do not belong together, or the token has expired"),
                at("CONFLUENCE_CLOUD_ID"),
                at("https://x.atlassian.net/_edge/tenant_info"),
                at("give it the product"),
            ];
            assert!(causes.is_sorted(), "{told}");
        }
    }
}

fn told(verdict: &Verdict) -> String {
    let name = |error: &SourceError| {
        let kind = match error {
            SourceError::Unauthorized { .. } => "unauthorized",
            SourceError::LacksScope { .. } => "scope",
            SourceError::NotConfluence { .. } => "notconfluence",
            SourceError::Forbidden { .. } => "forbidden",
            SourceError::NotFound { .. } => "notfound",
            SourceError::Withdrawn { .. } => "withdrawn",
            SourceError::RateLimited { .. } => "ratelimited",
            SourceError::Unavailable { .. } => "unavailable",
            SourceError::TooLarge { .. } => "toolarge",
            SourceError::BadCursor { .. } => "cursor",
            SourceError::Rejected { .. } => "rejected",
        };
        format!("{kind} {error}")
    };
    match verdict {
        Verdict::Good => "good".to_owned(),
        Verdict::Final(error) => name(error),
        Verdict::Passing(trouble, error) => format!("{trouble:?} {}", name(error)),
        Verdict::Doubtful(status, error) => format!("doubtful {status} {error}"),
    }
}

#[test]
fn a_login_page_right_after_a_refusal_for_rate_is_passing() {
    let site = site(false);
    let asked = |recently_limited| Asked {
        endpoint: &PAGES,
        what: "it",
        site: &site,
        cursor: false,
        recently_limited,
    };
    let body = br#"{"message":"Login Required"}"#;
    assert!(matches!(
        classify(asked(true), 401, &HeaderMap::new(), body),
        Verdict::Passing(..)
    ));
    assert!(matches!(
        classify(asked(false), 401, &HeaderMap::new(), body),
        Verdict::Final(_)
    ));
}

#[test]
fn messages_are_short_single_lines() {
    let long = format!("  a\n\tb\u{7} {}", "x".repeat(900));
    let got = message(long.as_bytes());
    assert!(
        got.starts_with("a b x") && got.chars().count() <= MAX_MESSAGE,
        "{got}"
    );
    assert_eq!(message(b""), "");
    assert_eq!(message(b"{\"cut"), "");
    assert_eq!(
        message(
            br#"<status><status-code>404</status-code><message>null for uri</message></status>"#
        ),
        "null for uri"
    );
    assert_eq!(message(b"<html><body>x</body></html>"), "a page of HTML");
    assert_eq!(message(&[0xff, 0xfe]), "\u{fffd}\u{fffd}");
}

proptest::proptest! {
    /// No body, of whatever bytes, makes the reader fail, and what it says is one short line.
    #[test]
    fn any_body_is_read(body in proptest::collection::vec(proptest::num::u8::ANY, 0..300), text in "[<>/a-z{}\\[\\]\":]{0,80}") {
        for body in [body.as_slice(), text.as_bytes()] {
            let said = message(body);
            proptest::prop_assert!(said.chars().count() <= MAX_MESSAGE && !said.contains('\n'));
        }
    }
}
