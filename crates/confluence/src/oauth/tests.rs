use reqwest::StatusCode;
use reqwest::header::HeaderMap;

use super::*;

fn answer(status: u16, body: &str) -> Answer {
    Answer {
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        body: body.as_bytes().to_vec(),
    }
}

#[test]
fn a_refusal_says_whether_the_grant_the_app_or_the_moment_is_at_fault() {
    let about = |status, body: &str| match refusal(&answer(status, body)) {
        NoTokens::Grant(why) => format!("grant {why}"),
        NoTokens::App(why) => format!("app {why}"),
        NoTokens::Passing(why) => format!("passing {why}"),
    };
    for (status, body, said) in [
        (403, r#"{"error":"invalid_grant"}"#, "grant invalid_grant"),
        (
            403,
            r#"{"error":"unauthorized_client","error_description":"refresh_token is invalid"}"#,
            "grant unauthorized_client",
        ),
        (
            401,
            r#"{"error":"unauthorized_client"}"#,
            "app unauthorized_client",
        ),
        (401, r#"{"error":"access_denied"}"#, "app access_denied"),
        (
            400,
            r#"{"error":"temporarily_unavailable"}"#,
            "passing temporarily_unavailable",
        ),
        (404, "<html>", "passing status 404 Not Found"),
        (
            403,
            r#"{"error":"A hush-token"}"#,
            "passing status 403 Forbidden",
        ),
    ] {
        assert_eq!(about(status, body), said, "{status} {body}");
    }
}

#[test]
fn a_token_is_replaced_before_its_end_and_not_when_it_is_new() {
    let now = Utc::now();
    let token = |since: i64, lives: i64| AccessToken {
        secret: Arc::new("t".to_owned().into()),
        cloud_id: "1".into(),
        since: now + TimeDelta::seconds(since),
        ends_at: now + TimeDelta::seconds(since + lives),
    };
    for (since, lives, fresh, new) in [
        (0, 3600, true, true),
        (-59, 3600, true, true),
        (-61, 3600, true, false),
        (-3299, 3600, true, false),
        (-3301, 3600, false, false),
        // One of an hour and a half is replaced no earlier.
        (-5099, 5400, true, false),
        (-5101, 5400, false, false),
        (-9, 12, true, false),
        (-11, 12, false, false),
        // From the future, by a clock that was set back.
        (60, 3600, true, false),
    ] {
        let token = token(since, lives);
        let got = (token.is_fresh(now), token.is_brand_new(now));
        assert_eq!(got, (fresh, new), "{since} {lives}");
    }
}
