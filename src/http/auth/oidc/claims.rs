//! Who somebody is by an ID token, and what they may do here.

use domain::access::Email;
use domain::token::{Person, Role};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::http::auth::attempt::plain;
use crate::http::auth::oauth::EmailClaims;
use crate::http::tokens::MAX_NAME;
use crate::settings::OidcSettings;

/// Bytes that a `sub` may have (OpenID Connect: 255).
const MAX_SUB: usize = 255;

/// What an ID token says.
#[derive(Deserialize)]
pub(super) struct Claims {
    sub: String,
    #[serde(default)]
    nonce: Option<String>,
    #[serde(default)]
    azp: Option<String>,
    aud: Value,
    #[serde(flatten)]
    email: EmailClaims,
    /// The others, of which one has the roles.
    #[serde(flatten)]
    others: Map<String, Value>,
}

/// Somebody whom the issuer names.
pub(super) struct Identity {
    /// As [`Person::subject`].
    pub(super) subject: String,
    /// For people.
    pub(super) name: String,
    email: Option<Email>,
    role: Option<Role>,
    why_no_role: String,
}

impl Claims {
    /// Whether the token was made for this attempt of this client.
    ///
    /// # Errors
    /// Why it was not, as part of a sentence.
    pub(super) fn fit(&self, client_id: &str, nonce: &str) -> Result<(), &'static str> {
        if self.nonce.as_deref() != Some(nonce) {
            return Err("its `nonce` is not that of this sign-in");
        }
        let several = self.aud.as_array().is_some_and(|aud| aud.len() > 1);
        match self.azp.as_deref() {
            Some(azp) if azp != client_id => Err("its `azp` is another client"),
            None if several => Err("it has several audiences and no `azp`"),
            _ if self.sub.trim().is_empty() || self.sub.len() > MAX_SUB => {
                Err("its `sub` names nobody")
            }
            _ => Ok(()),
        }
    }

    /// Who it is, by what the settings say of roles.
    pub(super) fn identity(&self, issuer: &str, settings: &OidcSettings) -> Identity {
        let values = words(self.claim(&settings.roles_claim));
        let verified = self.email.verified();
        let is_one_of = |entries: &[String]| {
            entries.iter().any(|entry| match Email::parse(entry) {
                Some(email) => verified.as_ref() == Some(&email),
                None => values.contains(&entry.as_str()),
            })
        };
        // Who is several has the most.
        let roles = [
            (&settings.administrators, Role::Administrator),
            (&settings.editors, Role::Editor),
            (&settings.readers, Role::Reader),
        ];
        let role = roles.into_iter().find(|(entries, _)| is_one_of(entries));
        Identity {
            subject: Person::subject_of(issuer, &self.sub),
            name: self.name(),
            email: verified,
            role: role.map(|(_, role)| role),
            why_no_role: self.why_no_role(settings, &values),
        }
    }

    /// The claim of this name, or at the end of this path.
    fn claim(&self, name: &str) -> Option<&Value> {
        // Some names are addresses, whose dots part nothing.
        if let Some(claim) = self.others.get(name) {
            return Some(claim);
        }
        let mut path = name.split('.');
        let first = self.others.get(path.next()?)?;
        path.try_fold(first, |claim, name| claim.get(name))
    }

    fn name(&self) -> String {
        let text = |name: &str| self.others.get(name).and_then(Value::as_str);
        let names = [
            text("name"),
            text("preferred_username"),
            self.email.written(),
        ];
        let mut names = names.into_iter().flatten().chain([self.sub.as_str()]);
        let plain = names.find_map(|name| {
            let plain = plain(name, MAX_NAME);
            (!plain.is_empty()).then_some(plain)
        });
        plain.unwrap_or_else(|| "somebody".to_owned())
    }

    fn why_no_role(&self, settings: &OidcSettings, values: &[&str]) -> String {
        let claim = &settings.roles_claim;
        let too_many = self.others.get("_claim_names");
        if values.is_empty() && too_many.is_some_and(|names| names.get(claim).is_some()) {
            return format!(
                "The issuer leaves `{claim}` out of your ID token because you are in too many groups; it has to send only those that \
                 are assigned to this service, or roles."
            );
        }
        let has = match (values.is_empty(), self.claim(claim).is_some()) {
            (false, _) => "holds nothing that gives you a role here",
            (true, true) => "is empty",
            (true, false) => "is missing",
        };
        let unverified = self.email.written().is_some() && self.email.verified().is_none();
        let email = if unverified {
            ", and does not say that your address of e-mail is verified"
        } else {
            ""
        };
        format!("In what the issuer says of you, `{claim}` {has}{email}.")
    }
}

impl Identity {
    /// As what they are let in.
    ///
    /// # Errors
    /// Why they have no role, in words for them.
    pub(super) fn person(self) -> Result<Person, Self> {
        match self.role {
            Some(role) => Ok(Person {
                subject: self.subject,
                name: self.name,
                email: self.email,
                role,
            }),
            None => Err(self),
        }
    }

    /// Why they are not.
    pub(super) fn why_no_role(&self) -> &str {
        &self.why_no_role
    }
}

/// The words of a claim: one text, or a list of them.
fn words(claim: Option<&Value>) -> Vec<&str> {
    match claim {
        Some(Value::String(word)) => vec![word],
        Some(Value::Array(words)) => words.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn settings(roles_claim: &str) -> OidcSettings {
        let list = |entries: &[&str]| entries.iter().map(|entry| (*entry).to_owned()).collect();
        OidcSettings {
            issuer: "https://idp.example".parse().unwrap(),
            name: "idp".to_owned(),
            client_id: "sync".to_owned(),
            client_secret: None,
            scopes: "openid".to_owned(),
            roles_claim: roles_claim.to_owned(),
            administrators: list(&["ops", "Root@example.org"]),
            editors: list(&["writers"]),
            readers: list(&["staff", "ann@example.org"]),
        }
    }

    fn claims(more: Value) -> Claims {
        let mut all = json!({"sub": "1", "aud": "sync", "nonce": "n", "exp": 1.5});
        all.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        serde_json::from_value(all).unwrap()
    }

    #[test]
    fn a_role_follows_from_a_claim_or_a_verified_address() {
        let role = |claim: &str, more: Value| {
            let identity = claims(more).identity("https://idp.example/", &settings(claim));
            identity.person().ok().map(|person| person.role)
        };
        let groups = |groups: Value| role("groups", json!({"groups": groups}));
        assert_eq!(groups(json!(["x", "staff"])), Some(Role::Reader));
        assert_eq!(groups(json!(["staff", "writers"])), Some(Role::Editor));
        assert_eq!(groups(json!("ops")), Some(Role::Administrator));
        for odd in [
            json!([]),
            json!("ops staff"),
            json!(["OPS", 1]),
            json!({"ops": true}),
        ] {
            assert_eq!(groups(odd.clone()), None, "{odd}");
        }
        let nested = json!({"realm_access": {"roles": ["writers"]}});
        assert_eq!(role("realm_access.roles", nested), Some(Role::Editor));
        let dotted = json!({"https://sync.example/roles": ["staff"]});
        assert_eq!(
            role("https://sync.example/roles", dotted),
            Some(Role::Reader)
        );
        let email = |email: &str, verified: Value| {
            role(
                "groups",
                json!({"email": email, "email_verified": verified}),
            )
        };
        assert_eq!(email("ANN@example.org", json!(true)), Some(Role::Reader));
        let root = email("root@example.org", json!("true"));
        assert_eq!(root, Some(Role::Administrator));
        assert_eq!(email("ann@example.org", json!(false)), None);
        assert_eq!(email("ann@example.org", json!(null)), None);
        // An address in the claim of roles is no verified one.
        assert_eq!(groups(json!(["ann@example.org"])), None);
    }

    #[test]
    fn a_person_has_a_name_and_an_address_that_may_be_missing() {
        let person = |more: Value| {
            let mut more = more;
            more["groups"] = json!("staff");
            let identity = claims(more).identity("https://idp.example/", &settings("groups"));
            identity.person().ok().unwrap()
        };
        let ann = person(
            json!({"name": " Ann\n\u{202e}Example ", "email": "ann@example.org", "xms_edov": true}),
        );
        assert_eq!(ann.name, "AnnExample");
        assert_eq!(ann.subject, "https://idp.example|1");
        assert_eq!(ann.email, Email::parse("ann@example.org"));
        for unverified in [
            json!({"email": "ann@example.org"}),
            json!({"email": "ann@example.org", "email_verified": false}),
        ] {
            let ann = person(unverified);
            assert_eq!((ann.name.as_str(), ann.email), ("ann@example.org", None));
        }
        assert_eq!(person(json!({"name": "\n"})).name, "1");
        assert_eq!(
            person(json!({"name": "x".repeat(500)})).name.len(),
            MAX_NAME
        );
    }

    #[test]
    fn a_token_is_for_this_sign_in_of_this_client() {
        let fit = |more: Value| claims(more).fit("sync", "n").is_ok();
        assert!(fit(json!({})) && fit(json!({"azp": "sync", "aud": ["sync", "x"]})));
        for wrong in [
            json!({"nonce": "m"}),
            json!({"nonce": null}),
            json!({"azp": "x"}),
            json!({"aud": ["sync", "x"]}),
            json!({"sub": " "}),
            json!({"sub": "x".repeat(256)}),
        ] {
            assert!(!fit(wrong.clone()), "{wrong}");
        }
    }

    #[test]
    fn who_has_no_role_hears_why() {
        let why = |more: Value| {
            let identity = claims(more).identity("https://idp.example/", &settings("groups"));
            identity.person().err().unwrap().why_no_role
        };
        assert!(why(json!({})).contains("`groups` is missing"));
        assert!(why(json!({"groups": []})).contains("is empty"));
        assert!(why(json!({"groups": ["x"]})).contains("holds nothing"));
        assert!(why(json!({"email": "ann@example.org"})).contains("verified"));
        let overage = json!({"_claim_names": {"groups": "src1"}});
        assert!(why(overage).contains("too many groups"));
    }
}
