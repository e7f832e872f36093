//! Who asks, and for which agent: what a request or a session is bound to.

use actix_web::HttpRequest;
use domain::IndexId;

/// Which indexes the credentials of a request open.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Reader {
    /// The administrator, or anybody on an open loopback service: every index.
    Everything,
    /// The bearer of an agent token: that one index, whatever else the request says.
    Index(IndexId),
}

/// The identity of one request: its rights, and the agent it names.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Caller {
    /// What the credentials open.
    pub reader: Reader,
    /// The agent id as the request names it; not checked, since an unknown one is a tool error and no refused connection.
    pub agent: Option<String>,
}

impl Caller {
    /// The caller of a request whose credentials have been checked: `?agent_id=` wins over `X-Agent-Id`; empty values
    /// (a placeholder of LibreChat that resolved to nothing) name no agent.
    #[must_use]
    pub fn of(reader: Reader, request: &HttpRequest) -> Self {
        let from_query = url::form_urlencoded::parse(request.query_string().as_bytes())
            .find(|(name, _)| name == "agent_id")
            .map(|(_, value)| value.into_owned());
        let from_header = || {
            let value = request.headers().get("x-agent-id")?;
            value.to_str().ok().map(str::to_owned)
        };
        let agent = from_query
            .or_else(from_header)
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty());
        Self { reader, agent }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn the_query_names_the_agent_before_the_header() {
        let named = |uri: &str, header: Option<&str>| {
            let mut request = TestRequest::with_uri(uri);
            if let Some(value) = header {
                request = request.insert_header(("X-Agent-Id", value));
            }
            Caller::of(Reader::Everything, &request.to_http_request()).agent
        };
        assert_eq!(named("/mcp/sse", None), None);
        assert_eq!(
            named("/mcp/sse?agent_id=a%2Bb", Some("h")),
            Some("a+b".into())
        );
        assert_eq!(named("/mcp/sse?x=1", Some(" h ")), Some("h".into()));
        assert_eq!(named("/mcp/sse?agent_id=", Some("h")), None);
    }
}
