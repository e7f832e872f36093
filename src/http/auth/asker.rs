//! For whom somebody asks. An answer of an index that is `per_user` holds only what that person may read, so the word of the request is
//! taken only where its credentials may speak for others; an access token speaks for the person that it names, and whoever signed in at an
//! issuer for themselves.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::access::{Asker, Email};
use domain::token::Role;

use super::principal::Principal;
use crate::http::placeholder::unexpanded;
use crate::http::problem::{ApiError, ApiResult};

/// Names the person for whom a request asks (LibreChat: `X-User-Email: {{LIBRECHAT_USER_EMAIL}}`).
pub const HEADER: &str = "X-User-Email";

/// What comes of the header of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Named {
    /// For whom the answer is.
    Asker(Asker),
    /// The header is not believed, or names nobody: the answer is for nobody in particular. In words for the log.
    Ignored(&'static str),
}

impl Principal {
    /// Whether its word is taken for whom it asks.
    fn speaks_for_others(&self) -> bool {
        match self {
            Self::Admin => true,
            Self::Reader { .. } => false,
            Self::Bearer(bearer) => bearer.speaks_for_others || bearer.role == Role::Administrator,
        }
    }
}

/// What a value of the header says. LibreChat sends one with letters beyond Latin-1 as `b64:` and the Base64 of its UTF-8, and
/// another as Latin-1 (`encodeHeaderValue` of its packages/api, and what `fetch` makes of text); other clients send UTF-8.
fn written(value: &[u8]) -> String {
    let packed = value.strip_prefix(b"b64:");
    let unpacked = packed.and_then(|packed| STANDARD.decode(packed).ok());
    let bytes = unpacked.as_deref().unwrap_or(value);
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    }
}

/// For whom a request asks.
///
/// # Errors
/// 400 for two such headers: a proxy in front and we could see differently.
pub(super) fn asker(principal: &Principal, request: &HttpRequest) -> ApiResult<Named> {
    let mut named = request.headers().get_all(HEADER);
    let (value, more) = (named.next(), named.next());
    if more.is_some() {
        let why = format!("The request has two {HEADER} headers; send one.");
        return Err(ApiError::new("bad_request", why));
    }
    let text = value.map(|value| written(value.as_bytes()));
    let text = text.as_deref().map(str::trim);
    let own = || {
        let own = principal.email().cloned();
        Named::Asker(own.map_or(Asker::Unnamed, Asker::Person))
    };
    let said = text.and_then(Email::parse);
    // It may say what is known anyway.
    let says_own = said.is_some() && said.as_ref() == principal.email();
    let is_reader = matches!(principal, Principal::Reader { .. });
    Ok(match text {
        None => own(),
        Some(_) if says_own => own(),
        Some(_) if is_reader => {
            Named::Ignored("an access token speaks for the person whom it names")
        }
        Some("") => own(),
        Some(_) if !principal.speaks_for_others() => {
            Named::Ignored("these credentials may not speak for others")
        }
        Some(text) if unexpanded(text).is_some() => {
            Named::Ignored("its value is a variable that the client did not fill in")
        }
        Some(_) => match said {
            Some(email) => Named::Asker(Asker::Person(email)),
            None => Named::Ignored("its value is no address of e-mail"),
        },
    })
}

/// For whom a request asks that [`gate`](super::gate) let through.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AskedFor(pub Asker);

impl FromRequest for AskedFor {
    type Error = ApiError;
    type Future = Ready<ApiResult<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let known = request.extensions().get::<Self>().cloned();
        // What is not known is for nobody.
        ready(Ok(known.unwrap_or(Self(Asker::Unnamed))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::auth::Bearer;
    use actix_web::test::TestRequest;

    fn bearer(role: Role, speaks_for_others: bool) -> Principal {
        Principal::Bearer(Bearer {
            token: domain::TokenId::generate(),
            name: "chat".into(),
            role,
            indexes: [].into(),
            speaks_for_others,
            email: None,
        })
    }

    fn named(principal: &Principal, headers: &[&str]) -> ApiResult<Named> {
        let mut request = TestRequest::default();
        for value in headers {
            request = request.append_header((HEADER, *value));
        }
        asker(principal, &request.to_http_request())
    }

    #[test]
    fn only_who_may_speak_for_others_names_a_person() {
        let ann = Named::Asker(Asker::Person(Email::parse("ann@example.org").unwrap()));
        let nobody = Named::Asker(Asker::Unnamed);
        let chat = bearer(Role::Agent, true);
        for principal in [
            &chat,
            &bearer(Role::Administrator, false),
            &Principal::Admin,
        ] {
            assert_eq!(named(principal, &[" Ann@Example.org "]).unwrap(), ann);
            assert_eq!(named(principal, &[]).unwrap(), nobody);
            assert_eq!(named(principal, &[""]).unwrap(), nobody);
            assert!(named(principal, &["ann@example.org", "bob@example.org"]).is_err());
            for odd in [
                "{{LIBRECHAT_USER_EMAIL}}",
                "ann",
                "a@b@c",
                "a b@example.org",
            ] {
                let named = named(principal, &[odd]).unwrap();
                assert!(matches!(named, Named::Ignored(_)), "{odd}");
            }
        }
        for principal in [
            bearer(Role::Agent, false),
            bearer(Role::Reader, false),
            bearer(Role::Editor, false),
        ] {
            let forged = named(&principal, &["ann@example.org"]).unwrap();
            assert!(matches!(forged, Named::Ignored(_)), "{principal:?}");
        }
    }

    #[test]
    fn whoever_signed_in_at_an_issuer_asks_for_themselves() {
        let ann = |role| match bearer(role, false) {
            Principal::Bearer(bearer) => Principal::Bearer(Bearer {
                email: Email::parse("ann@example.org"),
                ..bearer
            }),
            other => other,
        };
        let person = |text: &str| Named::Asker(Asker::Person(Email::parse(text).unwrap()));
        for role in [Role::Reader, Role::Editor, Role::Administrator] {
            let own = person("ann@example.org");
            assert_eq!(named(&ann(role), &[]).unwrap(), own);
            assert_eq!(named(&ann(role), &["Ann@example.org"]).unwrap(), own);
        }
        let bob = ["bob@example.org"];
        assert!(matches!(
            named(&ann(Role::Editor), &bob).unwrap(),
            Named::Ignored(_)
        ));
        let as_bob = named(&ann(Role::Administrator), &bob).unwrap();
        assert_eq!(as_bob, person("bob@example.org"));
    }

    #[test]
    fn an_address_with_letters_beyond_ascii_is_read_as_librechat_writes_it() {
        let ways: [&[u8]; 3] = [
            "ren\u{e9}e@example.org".as_bytes(),
            b"ren\xe9e@example.org",
            b"b64:cmVuw6llQGV4YW1wbGUub3Jn",
        ];
        for value in ways {
            assert_eq!(written(value), "ren\u{e9}e@example.org", "{value:?}");
        }
        assert_eq!(written(b"b64:%"), "b64:%");
    }

    #[test]
    fn an_access_token_speaks_for_the_person_whom_it_names() {
        let of = |email: Option<&str>| Principal::Reader {
            subject: "s".to_owned(),
            email: email.and_then(Email::parse),
        };
        let ann = Named::Asker(Asker::Person(Email::parse("ann@example.org").unwrap()));
        let own = of(Some("ann@example.org"));
        assert_eq!(named(&own, &[]).unwrap(), ann);
        assert_eq!(named(&own, &["ann@example.org"]).unwrap(), ann);
        let forged = named(&own, &["bob@example.org"]).unwrap();
        assert!(matches!(forged, Named::Ignored(_)));
        assert_eq!(named(&of(None), &[]).unwrap(), Named::Asker(Asker::Unnamed));
        let forged = named(&of(None), &["bob@example.org"]).unwrap();
        assert!(matches!(forged, Named::Ignored(_)));
    }
}
