//! A small site to resolve links against, and the way table tests are checked.

use storage_markdown::{Conversion, NoResolver, Options, Resolver, Target, convert_storage};

/// Knows a few pages, one file and one person.
pub struct Site;

const BASE: &str = "https://example.atlassian.net/wiki";

fn page(space: &str, id: &str, title: &str) -> Option<Target> {
    Some(Target {
        url: format!("{BASE}/spaces/{space}/pages/{id}"),
        title: title.to_string(),
    })
}

impl Resolver for Site {
    fn page_by_title(&self, space_key: Option<&str>, title: &str) -> Option<Target> {
        match (space_key.unwrap_or("ENG"), title) {
            ("ENG", "Runbook") => page("ENG", "42", "Runbook"),
            ("OPS", "Home & Away") => page("OPS", "43", "Home & Away"),
            _ => None,
        }
    }
    fn page_by_id(&self, id: &str) -> Option<Target> {
        match id {
            "42" => page("ENG", "42", "Runbook"),
            _ => None,
        }
    }
    fn blog_post(&self, _: Option<&str>, title: &str, posting_day: Option<&str>) -> Option<Target> {
        (title == "Launch" && posting_day == Some("2025/01/31")).then(|| Target {
            url: format!("{BASE}/spaces/ENG/blog/2025/01/31/77"),
            title: "Launch".into(),
        })
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
    fn space(&self, key: &str) -> Option<Target> {
        (key == "ENG").then(|| Target {
            url: format!("{BASE}/spaces/ENG"),
            title: "Engineering".into(),
        })
    }
    fn user(&self, account_id: &str) -> Option<String> {
        (account_id == "557058:ana").then(|| "Ana Lima".to_string())
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
