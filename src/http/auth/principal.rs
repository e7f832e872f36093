//! Who asks, and what they may. A handler takes a [`Principal`] and asks it, or an [`Editor`] or [`Admin`], which nobody else gets.

use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use domain::access::Email;
use domain::token::{Role, Token};
use domain::{IndexId, TokenId};

use crate::http::problem::{ApiError, ApiResult};

/// Who asks.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Principal {
    /// The administrator by the first key, or anyone where no credentials are asked for.
    Admin,
    /// Somebody with an OAuth access token for us: reads every index, changes nothing.
    Reader {
        /// `sub` of the token.
        subject: String,
        /// The address, where the issuer says that it is verified.
        email: Option<Email>,
    },
    /// The bearer of a token that was made here.
    Bearer(Bearer),
}

/// The bearer of a token, as it was when it was presented.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Bearer {
    /// By which token.
    pub token: TokenId,
    /// Its name, for people.
    pub name: Arc<str>,
    /// What it lets its bearer do.
    pub role: Role,
    /// Its own indexes.
    pub indexes: Arc<[IndexId]>,
    /// Whether its word is taken for whom it asks.
    pub speaks_for_others: bool,
    /// The address that an issuer vouches for, of somebody who signed in there.
    pub email: Option<Email>,
}

impl Bearer {
    /// Of a token.
    #[must_use]
    pub fn of(token: &Token) -> Self {
        Self {
            token: token.id,
            name: token.name.as_str().into(),
            role: token.role,
            indexes: token.indexes.as_slice().into(),
            speaks_for_others: token.speaks_for_others,
            email: token.email.clone(),
        }
    }
}

impl Principal {
    /// What it may do.
    #[must_use]
    pub const fn role(&self) -> Role {
        match self {
            Self::Admin => Role::Administrator,
            Self::Reader { .. } => Role::Reader,
            Self::Bearer(bearer) => bearer.role,
        }
    }

    /// For people.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Admin => "the administrator".to_owned(),
            Self::Reader { subject, .. } => subject.clone(),
            Self::Bearer(bearer) => format!("{}, {}", bearer.name, bearer.role.as_str()),
        }
    }

    /// Whether it may do everything.
    #[must_use]
    pub const fn is_admin(&self) -> bool {
        matches!(self.role(), Role::Administrator)
    }

    /// The address by which it is itself a person.
    #[must_use]
    pub const fn email(&self) -> Option<&Email> {
        match self {
            Self::Admin => None,
            Self::Reader { email, .. } => email.as_ref(),
            Self::Bearer(bearer) => bearer.email.as_ref(),
        }
    }

    /// The token that it bears.
    #[must_use]
    pub const fn token(&self) -> Option<TokenId> {
        match self {
            Self::Bearer(bearer) => Some(bearer.token),
            Self::Admin | Self::Reader { .. } => None,
        }
    }

    /// The indexes that it is bound to; `None`: all of them.
    #[must_use]
    pub const fn own_indexes(&self) -> Option<&Arc<[IndexId]>> {
        match self {
            Self::Bearer(bearer) if bearer.role.has_own_indexes() => Some(&bearer.indexes),
            _ => None,
        }
    }

    /// Whether an index is theirs to change; of its pages they see everything then.
    #[must_use]
    pub fn looks_after(&self, index: IndexId) -> bool {
        self.role().may_change() && self.may_read(index)
    }

    /// Whether it may read an index. Where it may not, the index does not exist for it (404).
    #[must_use]
    pub fn may_read(&self, index: IndexId) -> bool {
        self.own_indexes().is_none_or(|own| own.contains(&index))
    }
}

/// The principal of a request that [`gate`](super::gate) let through.
impl FromRequest for Principal {
    type Error = ApiError;
    type Future = Ready<ApiResult<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let known = request.extensions().get::<Self>().cloned();
        // Only an open path has none; a handler there has no business asking.
        ready(
            known.ok_or_else(|| ApiError::new("unauthorized", "No credentials were checked here.")),
        )
    }
}

/// The administrator; everyone else is refused with 403.
#[derive(Clone, Copy, Debug)]
pub struct Admin;

impl FromRequest for Admin {
    type Error = ApiError;
    type Future = Ready<ApiResult<Self>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let principal = Principal::from_request(request, payload).into_inner();
        ready(principal.and_then(|principal| {
            if principal.is_admin() {
                return Ok(Self);
            }
            let why = if principal.role().may_change() {
                "An editor looks after indexes; this needs an administrator's key."
            } else {
                "These credentials only read; this needs the administrator's key."
            };
            Err(ApiError::new("forbidden", why))
        }))
    }
}

/// Somebody who may change indexes: the administrator all of them, an editor those that are theirs. Everyone else is refused with
/// 403.
#[derive(Clone, Debug)]
pub struct Editor(Principal);

impl Editor {
    /// Who it is.
    #[must_use]
    pub const fn principal(&self) -> &Principal {
        &self.0
    }

    /// The token of an editor, to whom what they make is given; `None`: the administrator needs no such note.
    #[must_use]
    pub fn token(&self) -> Option<TokenId> {
        self.0.own_indexes().and_then(|_| self.0.token())
    }

    /// The id of an index that they may change.
    ///
    /// # Errors
    /// 404 for every other: of those they learn nothing.
    pub fn index(&self, text: &str) -> ApiResult<IndexId> {
        let missing = || ApiError::not_found("index", text);
        let id = text.parse().map_err(|_| missing())?;
        if self.0.may_read(id) {
            Ok(id)
        } else {
            Err(missing())
        }
    }
}

impl FromRequest for Editor {
    type Error = ApiError;
    type Future = Ready<ApiResult<Self>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let principal = Principal::from_request(request, payload).into_inner();
        ready(principal.and_then(|principal| {
            if principal.role().may_change() {
                Ok(Self(principal))
            } else {
                Err(ApiError::new(
                    "forbidden",
                    "These credentials only read; this needs an editor's or the administrator's key.",
                ))
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(role: Role, indexes: &[IndexId]) -> Principal {
        Principal::Bearer(Bearer {
            token: TokenId::generate(),
            name: "Ann".into(),
            role,
            indexes: indexes.into(),
            speaks_for_others: false,
            email: None,
        })
    }

    #[test]
    fn agents_and_editors_read_their_own_and_all_others_everything() {
        let (own, other) = (IndexId::generate(), IndexId::generate());
        let reads = |principal: &Principal| (principal.may_read(own), principal.may_read(other));
        let subject = Principal::Reader {
            subject: "ann".to_owned(),
            email: None,
        };
        assert_eq!(reads(&Principal::Admin), (true, true));
        assert_eq!(reads(&subject), (true, true));
        for (role, sees) in [
            (Role::Agent, (true, false)),
            (Role::Editor, (true, false)),
            (Role::Reader, (true, true)),
            (Role::Administrator, (true, true)),
        ] {
            assert_eq!(reads(&bearer(role, &[own])), sees, "{role:?}");
        }
        let editor = Editor(bearer(Role::Editor, &[own]));
        assert_eq!(editor.index(&own.to_string()).ok(), Some(own));
        assert!(editor.index(&other.to_string()).is_err() && editor.index("x").is_err());
        assert!(editor.token().is_some());
        let admin = Editor(bearer(Role::Administrator, &[]));
        assert_eq!(admin.index(&other.to_string()).ok(), Some(other));
        assert_eq!(
            admin.token(),
            None,
            "nothing has to be given to who has all"
        );
    }
}
