//! What somebody sees who could not sign in at the issuer: a page of the web page's look, without a script.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use quick_xml::escape::escape;

use crate::http::problem::ForPeople;
use crate::state::AppState;
use crate::web;

/// Why somebody is not let in.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    /// What is wrong, in sentences.
    pub(super) why: String,
    /// What helps.
    pub(super) remedy: &'static str,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, why: impl Into<String>, remedy: &'static str) -> Self {
        Self {
            status,
            why: why.into(),
            remedy,
        }
    }

    /// The page.
    pub(super) fn page(&self, state: &AppState, name: &str) -> HttpResponse {
        let base = escape(&*state.base_url);
        let (why, name, remedy) = (escape(&*self.why), escape(name), escape(self.remedy));
        let page = format!(
            r##"<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <meta name="robots" content="noindex">
  <title>Not signed in · Confluence Sync</title>
  <link rel="icon" href="{base}/assets/icon.svg" type="image/svg+xml">
  <link rel="stylesheet" href="{base}/assets/base.css">
  <script src="{base}/assets/theme.js"></script>
</head>
<body>
  <main>
    <section class="card narrow" aria-labelledby="title">
      <h1 id="title">You are not signed in</h1>
      <p class="error" role="alert">{why}</p>
      <p>{remedy}</p>
      <p class="actions"><a class="button primary" href="{base}/api/session/oidc">Try again with {name}</a>
        <a href="{base}/">To the sign-in</a></p>
    </section>
  </main>
</body>
</html>
"##
        );
        let mut answer = HttpResponse::build(self.status)
            .insert_header((header::CONTENT_SECURITY_POLICY, web::POLICY))
            .content_type("text/html; charset=utf-8")
            .body(page);
        answer.extensions_mut().insert(ForPeople);
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_is_text() {
        assert_eq!(
            escape("<a href=\"x\">'&"),
            "&lt;a href=&quot;x&quot;&gt;&apos;&amp;"
        );
    }
}
