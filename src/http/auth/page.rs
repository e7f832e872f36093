//! What somebody sees whom another service sent back in vain: a page of the web page's look, without a script.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use quick_xml::escape::escape;

use crate::http::problem::ForPeople;
use crate::state::AppState;
use crate::web;

/// What was tried in vain, as the page has it.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) struct Tried<'a> {
    /// The title of the window.
    pub(in crate::http) title: &'a str,
    /// The title of the page.
    pub(in crate::http) heading: &'a str,
    /// Where one tries again, below the service's address, and what the link says.
    pub(in crate::http) again: (&'a str, &'a str),
    /// What the link to the page says.
    pub(in crate::http) home: &'a str,
}

/// Why nothing came of it.
#[derive(Debug)]
pub(in crate::http) struct Refusal {
    pub(in crate::http) status: StatusCode,
    /// What is wrong, in sentences.
    pub(in crate::http) why: String,
    /// What helps.
    pub(in crate::http) remedy: &'static str,
}

impl Refusal {
    pub(in crate::http) fn new(
        status: StatusCode,
        why: impl Into<String>,
        remedy: &'static str,
    ) -> Self {
        Self {
            status,
            why: why.into(),
            remedy,
        }
    }

    /// The page.
    pub(in crate::http) fn page(&self, state: &AppState, tried: Tried<'_>) -> HttpResponse {
        let base = escape(&*state.base_url);
        let (why, remedy) = (escape(&*self.why), escape(self.remedy));
        let (title, heading) = (escape(tried.title), escape(tried.heading));
        let (path, again) = (escape(tried.again.0), escape(tried.again.1));
        let home = escape(tried.home);
        let page = format!(
            r##"<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <meta name="robots" content="noindex">
  <title>{title} · Confluence Sync</title>
  <link rel="icon" href="{base}/assets/icon.svg" type="image/svg+xml">
  <link rel="stylesheet" href="{base}/assets/base.css">
  <script src="{base}/assets/theme.js"></script>
</head>
<body>
  <main>
    <section class="card narrow" aria-labelledby="title">
      <h1 id="title">{heading}</h1>
      <p class="error" role="alert">{why}</p>
      <p>{remedy}</p>
      <p class="actions"><a class="button primary" href="{base}{path}">{again}</a>
        <a href="{base}/">{home}</a></p>
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
