//! A small site to resolve links against, and the way table tests are checked.

use storage_markdown::{
    Conversion, NoResolver, Options, Resolver, Target, close_links, convert_storage,
};

/// Knows a few pages, one file and one person.
pub struct Site;

const BASE: &str = "https://example.atlassian.net/wiki";

/// What may be told of a page to whoever may read all of the site.
pub fn told(id: &str) -> Option<Target> {
    let (place, title) = match id {
        "42" => ("spaces/ENG/pages/42", "Runbook"),
        "43" => ("spaces/OPS/pages/43", "Home & Away"),
        "44" => ("spaces/ENG/pages/44", "A | B [c] *d*"),
        "77" => ("spaces/ENG/blog/2025/01/31/77", "Launch"),
        _ => return None,
    };
    Some(Target {
        url: format!("{BASE}/{place}"),
        title: title.to_owned(),
    })
}

impl Resolver for Site {
    fn page_by_title(&self, space_key: Option<&str>, title: &str) -> Option<String> {
        let id = match (space_key.unwrap_or("ENG"), title) {
            ("ENG", "Runbook" | "Its old title") => "42",
            ("OPS", "Home & Away") => "43",
            _ => return None,
        };
        Some(id.to_owned())
    }
    fn knows_page(&self, _: &str) -> bool {
        true
    }
    fn blog_post(&self, _: Option<&str>, title: &str, posting_day: Option<&str>) -> Option<String> {
        (title == "Launch" && posting_day == Some("2025/01/31")).then(|| "77".to_owned())
    }
    fn attachment(&self, page: Option<(Option<&str>, &str)>, file_name: &str) -> Option<String> {
        let owner = page.map_or("1", |_| "43");
        (!file_name.starts_with("gone")).then(|| {
            format!(
                "{BASE}/download/attachments/{owner}/{}",
                file_name.replace(' ', "%20")
            )
        })
    }
    fn user(&self, account_id: &str) -> Option<String> {
        (account_id == "557058:ana").then(|| "Ana Lima".to_string())
    }
    fn site_base(&self) -> Option<&str> {
        Some(BASE)
    }
}

/// The same site to whom no page is known.
pub struct NoPages;

impl Resolver for NoPages {
    fn attachment(&self, page: Option<(Option<&str>, &str)>, file_name: &str) -> Option<String> {
        Site.attachment(page, file_name)
    }
    fn user(&self, account_id: &str) -> Option<String> {
        Site.user(account_id)
    }
    fn site_base(&self) -> Option<&str> {
        Some(BASE)
    }
}

pub fn convert(body: &str) -> Conversion {
    convert_storage(body, &Options::default(), &NoResolver)
}

pub fn convert_on_site(body: &str) -> Conversion {
    convert_storage(body, &Options::default(), &Site)
}

/// Each body gives this Markdown (the newline at the end left out), resolved by nobody.
pub fn check(cases: &[(&str, &str)]) {
    check_with(cases, &NoResolver, &Options::default());
}

/// The same with [`Site`].
pub fn check_on_site(cases: &[(&str, &str)]) {
    check_with(cases, &Site, &Options::default());
}

pub fn check_with(cases: &[(&str, &str)], resolver: &dyn Resolver, options: &Options) {
    let mut wrong = String::new();
    for (body, expected) in cases {
        let found = convert_storage(body, options, resolver).markdown;
        let found = close_links(&found, told);
        let found = found.strip_suffix('\n').unwrap_or(&found);
        if found != *expected {
            wrong.push_str(&format!(
                "\n--- storage:  {body}\n--- expected:\n{expected}\n--- found:\n{found}\n"
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// A macro with parameters and whatever body is given.
pub fn mac(name: &str, params: &[(&str, &str)], body: &str) -> String {
    let params: String = params
        .iter()
        .map(|(name, value)| format!(r#"<ac:parameter ac:name="{name}">{value}</ac:parameter>"#))
        .collect();
    format!(
        r#"<ac:structured-macro ac:name="{name}" ac:schema-version="1" ac:macro-id="5f3c0000-0000-4000-8000-000000000000">{params}{body}</ac:structured-macro>"#
    )
}

/// A rich-text body.
pub fn rich(body: &str) -> String {
    format!("<ac:rich-text-body>{body}</ac:rich-text-body>")
}

/// A plain-text body in CDATA.
pub fn plain(body: &str) -> String {
    format!("<ac:plain-text-body><![CDATA[{body}]]></ac:plain-text-body>")
}
