//! Who asks, and for which agent: what a request or a session is bound to.

use std::sync::Arc;

use actix_web::HttpRequest;
use domain::IndexId;
use domain::access::Asker;
use domain::audit::Actor;

use crate::http::auth::Principal;

/// The single principal behind a request. A session belongs to the one that opened it: two tokens of one index are two
/// owners, though both open the same. Kept beside remembered sessions, so its text must not change between versions.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Owner(String);

impl Owner {
    /// A principal by any name that tells it from all others.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// Whether it is the administrator.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.0 == ADMIN
    }

    /// As the log and the database name it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The administrator's name; no other owner has one without a colon.
const ADMIN: &str = "admin";

impl From<&Principal> for Owner {
    fn from(principal: &Principal) -> Self {
        Self(match principal {
            Principal::Admin => ADMIN.to_owned(),
            Principal::Reader { subject, .. } => format!("subject:{subject}"),
            Principal::Bearer(bearer) => format!("token:{}", bearer.token),
        })
    }
}

/// Which indexes the credentials of a request open.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Reader {
    /// The administrator, a reader, or anybody on an open loopback service: every index.
    Everything,
    /// An agent or an editor: their own indexes, whatever else the request says.
    Own(Arc<[IndexId]>),
}

impl Reader {
    /// Whether it may read an index.
    #[must_use]
    pub fn may_read(&self, index: IndexId) -> bool {
        match self {
            Self::Everything => true,
            Self::Own(own) => own.contains(&index),
        }
    }
}

/// The identity of one request: its rights, and the agent it names.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Caller {
    /// Whose credentials they are.
    pub owner: Owner,
    /// What the credentials open.
    pub reader: Reader,
    /// The agent id as the request names it; not checked, since an unknown one is a tool error and no refused connection.
    pub agent: Option<String>,
    /// For whom it asks.
    pub asker: Asker,
    /// Who it is in the audit, where questions leave entries there.
    pub audited: Option<Arc<Actor>>,
}

impl Caller {
    /// The caller of a request whose credentials have been checked: `?agent_id=` wins over `X-Agent-Id`; empty values
    /// (a placeholder of LibreChat that resolved to nothing) name no agent.
    #[must_use]
    pub fn of(owner: Owner, reader: Reader, asker: Asker, request: &HttpRequest) -> Self {
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
        Self {
            owner,
            reader,
            agent,
            asker,
            audited: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::auth::Bearer;
    use actix_web::test::TestRequest;
    use domain::token::Role;

    #[test]
    fn the_query_names_the_agent_before_the_header() {
        let named = |uri: &str, header: Option<&str>| {
            let mut request = TestRequest::with_uri(uri);
            if let Some(value) = header {
                request = request.insert_header(("X-Agent-Id", value));
            }
            let owner = Owner::from(&Principal::Admin);
            let request = request.to_http_request();
            Caller::of(owner, Reader::Everything, Asker::Unnamed, &request).agent
        };
        assert_eq!(named("/mcp/sse", None), None);
        assert_eq!(
            named("/mcp/sse?agent_id=a%2Bb", Some("h")),
            Some("a+b".into())
        );
        assert_eq!(named("/mcp/sse?x=1", Some(" h ")), Some("h".into()));
        assert_eq!(named("/mcp/sse?agent_id=", Some("h")), None);
    }

    #[test]
    fn two_tokens_of_one_index_are_two_owners() {
        let index = IndexId::generate();
        let token = |id| {
            Principal::Bearer(Bearer {
                token: domain::TokenId(uuid::Uuid::from_u128(id)),
                name: "agent".into(),
                role: Role::Agent,
                indexes: [index].into(),
                speaks_for_others: false,
                email: None,
            })
        };
        let subject = |name: &str| Principal::Reader {
            subject: name.to_owned(),
            email: None,
        };
        let all = [
            token(1),
            token(2),
            subject("a"),
            subject("b"),
            Principal::Admin,
        ];
        let owners: std::collections::HashSet<Owner> = all.iter().map(Owner::from).collect();
        assert_eq!(owners.len(), all.len());
        assert_eq!(Owner::from(&token(1)), Owner::from(&token(1)));
        // A subject may call itself anything.
        assert_ne!(
            Owner::from(&subject("admin")),
            Owner::from(&Principal::Admin)
        );
    }
}
