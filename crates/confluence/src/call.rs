//! One request, as data: the endpoint, what fills its path, its parameters. A cursor is added when it is sent.

use domain::ports::source::Cursor;
use reqwest::Method;
use serde_json::Value;
use url::{Url, form_urlencoded};

use crate::config::Site;
use crate::endpoint::Endpoint;

/// A request that may be sent any number of times: every one of ours only reads.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// Where.
    pub endpoint: &'static Endpoint,
    /// For people: what is asked for.
    pub what: String,
    /// How many items the answer may hold: more than one can be split when the answer is too much for the site.
    pub items: usize,
    /// How many bytes the answer may have, where that is less than of any other.
    pub max_bytes: usize,
    /// JSON body of a POST.
    pub body: Option<Value>,
    fills: Vec<String>,
    query: Vec<(&'static str, String)>,
}

impl Call {
    /// A request to an endpoint; `fills` are the values of the `{…}` of its path, in order.
    pub fn new(endpoint: &'static Endpoint, fills: &[&str]) -> Self {
        let what = match fills {
            [] => endpoint.name.to_owned(),
            ids => format!("{} ({})", endpoint.name, ids.join(", ")),
        };
        Self {
            endpoint,
            what,
            items: 1,
            max_bytes: usize::MAX,
            body: None,
            fills: fills.iter().map(|&fill| fill.to_owned()).collect(),
            query: Vec::new(),
        }
    }

    /// Adds a parameter.
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.query.push((name, value.to_string()));
        self
    }

    /// Adds an array parameter, comma-separated as the documents say; nothing when it is empty.
    pub fn with_all<T: AsRef<str>>(
        self,
        name: &'static str,
        values: impl IntoIterator<Item = T>,
    ) -> Self {
        let mut joined = String::new();
        for value in values {
            if !joined.is_empty() {
                joined.push(',');
            }
            joined.push_str(value.as_ref());
        }
        if joined.is_empty() {
            self
        } else {
            self.with(name, joined)
        }
    }

    /// Adds `limit`, and says that so many items are asked for.
    pub fn limit(mut self, limit: usize) -> Self {
        self.items = limit;
        self.with("limit", limit)
    }

    /// The method of the endpoint.
    pub fn method(&self) -> Method {
        if self.endpoint.name.starts_with("POST ") {
            Method::POST
        } else {
            Method::GET
        }
    }

    /// The address to send it to; at the site with this cloud id, where that comes with the credentials.
    pub fn url(&self, site: &Site, cloud_id: Option<&str>, cursor: Option<&Cursor>) -> Url {
        let template = self
            .endpoint
            .name
            .split_once(' ')
            .map_or("", |(_, path)| path);
        let mut fills = self.fills.iter();
        let segments = template
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(|segment| {
                if segment.starts_with('{') {
                    fills.next().map_or(segment, String::as_str)
                } else {
                    segment
                }
            });
        let mut url = site.api(cloud_id, segments);
        let query = self.query_string(cursor);
        url.set_query((!query.is_empty()).then_some(&query));
        url
    }

    /// The names of its parameters.
    pub fn parameters(&self) -> Vec<&'static str> {
        self.query.iter().map(|(name, _)| *name).collect()
    }

    /// What stays the same over a walk; its `limit` may be lowered on the way.
    pub fn walk(&self) -> String {
        let same: Vec<String> = self
            .query
            .iter()
            .filter(|(name, _)| *name != "limit")
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        format!(
            "{} {} {}",
            self.endpoint.name,
            self.fills.join("/"),
            same.join("&")
        )
    }

    fn query_string(&self, cursor: Option<&Cursor>) -> String {
        let pairs = self
            .query
            .iter()
            .map(|(name, value)| (*name, value.as_str()));
        let mut query = String::new();
        for (name, value) in pairs.chain(cursor.map(|cursor| ("cursor", cursor.0.as_str()))) {
            if !query.is_empty() {
                query.push('&');
            }
            query.push_str(name);
            query.push('=');
            // `%20` and `,` are read alike by every server, and 250 ids stay within 3 KB.
            let encoded: String = form_urlencoded::byte_serialize(value.as_bytes()).collect();
            query.push_str(&encoded.replace('+', "%20").replace("%2C", ","));
        }
        query
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ConfluenceConfig;
    use crate::endpoint;

    #[test]
    fn addresses_are_encoded_and_repeat_the_request_with_the_cursor() {
        let config = ConfluenceConfig::new(
            Url::parse("https://x.atlassian.net").unwrap(),
            "a",
            "t".to_owned().into(),
        );
        let site = Site::of(&config).unwrap();
        let call = Call::new(&endpoint::SPACE_PAGES, &["65540"])
            .with_all("status", ["current", "archived"])
            .with_all("nothing", [""; 0])
            .limit(250);
        assert_eq!(
            call.url(&site, None, Some(&Cursor("eyJ+/==".to_owned())))
                .as_str(),
            "https://x.atlassian.net/wiki/api/v2/spaces/65540/pages?status=current,archived&limit=250&cursor=eyJ%2B%2F%3D%3D"
        );
        let cql = Call::new(&endpoint::CONTENT_SEARCH, &[])
            .with("cql", "space = \"~7&1\" and title ~ \"a+b\"");
        assert_eq!(
            cql.url(&site, None, None).query(),
            Some("cql=space%20%3D%20%22%7E7%261%22%20and%20title%20%7E%20%22a%2Bb%22")
        );
        let escaped = Call::new(&endpoint::ONE_PAGE, &["../../x?y"]).url(&site, None, None);
        assert_eq!(
            escaped.as_str(),
            "https://x.atlassian.net/wiki/api/v2/pages/..%2F..%2Fx%3Fy"
        );
    }
}
