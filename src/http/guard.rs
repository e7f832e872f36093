//! Which methods, Hosts and Origins are answered: a method that a client made up means nothing to any route, and a page in
//! somebody's browser must not reach this service under a name of its own (DNS rebinding), nor from an origin that nobody
//! allowed.

use std::net::IpAddr;

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{HttpResponse, web};
use ipnet::IpNet;
use url::Url;

use super::problem::{ApiError, ApiResult, no_such_method};
use super::span::known_method;
use crate::settings::Settings;

/// The names and origins that are answered.
#[derive(Clone, Debug)]
pub struct Gatekeeper {
    hosts: Vec<String>,
    origins: Vec<String>,
    unnamed: Unnamed,
    /// How others reach the service.
    public: Option<Url>,
    /// Whose `X-Forwarded-Proto` counts.
    proxies: Vec<IpNet>,
}

/// What becomes of a Host that nobody named.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Unnamed {
    /// Only this machine's own names: the service listens there alone.
    Loopback,
    /// Addresses and bare names such as `mcp-confluence` of a container network: no page on the web can have those.
    NotOfTheWeb,
    /// All: whoever asks needs credentials, which a rebinding page has not.
    Any,
    /// None: the operator said which.
    None,
}

impl Gatekeeper {
    /// For these settings.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let http = &settings.http;
        let mut hosts = http.allowed_hosts.clone();
        let mut origins = http.allowed_origins.clone();
        if let Some(url) = &http.public_base_url {
            hosts.extend(url.host_str().map(str::to_ascii_lowercase));
            origins.push(url.origin().ascii_serialization());
        }
        let unnamed = if hosts.iter().any(|host| host == "*") {
            Unnamed::Any
        } else if http.host.is_loopback() {
            Unnamed::Loopback
        } else if !http.allowed_hosts.is_empty() {
            Unnamed::None
        } else if settings.auth.is_on() {
            Unnamed::Any
        } else {
            Unnamed::NotOfTheWeb
        };
        Self {
            hosts,
            origins,
            unnamed,
            public: http.public_base_url.clone(),
            proxies: http.trusted_proxies.clone(),
        }
    }

    fn check(
        &self,
        path: &str,
        headers: &HeaderMap,
        uri_host: Option<&str>,
        peer: Option<IpAddr>,
    ) -> ApiResult<Option<HeaderValue>> {
        let host = headers
            .get(header::HOST)
            .and_then(|value| value.to_str().ok())
            .or(uri_host)
            .unwrap_or_default()
            .to_ascii_lowercase();
        let probed = PROBED.contains(&path.trim_end_matches('/'));
        if !(self.allows_host(&host) || probed && self.may_probe(&host)) {
            return Err(ApiError::new(
                "host_not_allowed",
                "The Host header names a host that this service does not answer to; ALLOWED_HOSTS or PUBLIC_BASE_URL adds one.",
            ));
        }
        let mut origins = headers.get_all(header::ORIGIN);
        let Some(origin) = origins.next() else {
            return Ok(None);
        };
        let unreadable = || {
            let why = "The Origin header cannot be read, or stands there more than once; browsers send one, of plain characters.";
            ApiError::new("origin_not_allowed", why)
        };
        if origins.next().is_some() {
            return Err(unreadable());
        }
        let text = origin.to_str().map_err(|_| unreadable())?;
        let text = text.to_ascii_lowercase();
        // `null` is the origin of whoever has none to name; no list lets it in.
        if text.is_empty() || text == "null" {
            return Err(unreadable());
        }
        if text == self.own_origin(&host, headers, peer) {
            return Ok(None);
        }
        if self.origins.contains(&text) {
            return Ok(Some(origin.clone()));
        }
        Err(ApiError::new(
            "origin_not_allowed",
            "The Origin header names a site that may not call this service; ALLOWED_ORIGINS adds one. Behind a proxy that ends \
             TLS, PUBLIC_BASE_URL names the service's own address.",
        ))
    }

    /// The origin under which a request itself came, as browsers write it: https where the service is known to be reached so.
    fn own_origin(&self, host: &str, headers: &HeaderMap, peer: Option<IpAddr>) -> String {
        let under = |scheme: &str| Url::parse(&format!("{scheme}://{host}")).ok();
        let is_public =
            |url: &Url| under(url.scheme()).is_some_and(|own| own.origin() == url.origin());
        let peer = peer.map(|peer| peer.to_canonical());
        let by_proxy =
            peer.is_some_and(|peer| self.proxies.iter().any(|proxy| proxy.contains(&peer)));
        let forwarded = headers
            .get_all("x-forwarded-proto")
            .last()
            .and_then(|value| value.to_str().ok()?.rsplit(',').next())
            .map(str::trim)
            .filter(|_| by_proxy);
        let scheme = match (self.public.as_ref().filter(|url| is_public(url)), forwarded) {
            (Some(url), _) => url.scheme(),
            (None, Some(scheme)) if scheme.eq_ignore_ascii_case("https") => "https",
            (None, _) => "http",
        };
        let own = under(scheme).map(|url| url.origin().ascii_serialization());
        own.unwrap_or_default()
    }

    fn allows_host(&self, host: &str) -> bool {
        let name = without_port(host);
        if self
            .hosts
            .iter()
            .any(|allowed| allowed == host || allowed == name)
        {
            return true;
        }
        match self.unnamed {
            Unnamed::Any => true,
            // The container's own health check asks under a local name.
            Unnamed::Loopback | Unnamed::None => is_local(name),
            Unnamed::NotOfTheWeb => is_not_of_the_web(name),
        }
    }

    /// Whether probes and collectors are answered under this Host: they come by address, which `ALLOWED_HOSTS` seldom names.
    fn may_probe(&self, host: &str) -> bool {
        self.unnamed != Unnamed::Loopback && is_not_of_the_web(without_port(host))
    }
}

/// What probes of container engines and collectors of metrics ask for.
const PROBED: [&str; 4] = ["/health", "/health/live", "/health/ready", "/metrics"];

fn address(name: &str) -> Option<IpAddr> {
    name.trim_matches(['[', ']']).parse().ok()
}

fn is_local(name: &str) -> bool {
    name == "localhost" || address(name).is_some_and(|address| address.is_loopback())
}

fn is_not_of_the_web(name: &str) -> bool {
    is_local(name) || address(name).is_some() || (!name.is_empty() && !name.contains('.'))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

/// What a preflight is told that a browser may send.
const CORS_METHODS: &str = "GET, POST, PATCH, DELETE";
const CORS_HEADERS: &str = "authorization, content-type, x-api-key, x-agent-id, last-event-id, mcp-session-id, mcp-protocol-version, mcp-method, mcp-name";

/// What is told to a client whose method no route can know.
const METHODS: &str = "GET, HEAD, POST, PATCH, DELETE, OPTIONS";

/// Middleware: method, Host and Origin, and what browsers of allowed origins need to hear.
///
/// # Errors
/// Those of the inner service; a refusal is an answer.
pub async fn check(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<EitherBody<BoxBody>>, actix_web::Error> {
    if known_method(request.method()).is_none() {
        let refusal = no_such_method(request.request(), METHODS);
        return Ok(request
            .into_response(refusal.response())
            .map_into_right_body());
    }
    // A client that looks for Streamable HTTP here must get its 405 before anything else.
    let probe = request.path().trim_end_matches('/') == "/mcp/sse"
        && (request.method() == Method::HEAD || request.method() == Method::POST);
    let keeper = request.app_data::<web::Data<Gatekeeper>>().cloned();
    let checked = match keeper {
        Some(keeper) if !probe => keeper.check(
            request.path(),
            request.headers(),
            request.uri().host(),
            request.peer_addr().map(|peer| peer.ip()),
        ),
        _ => Ok(None),
    };
    let foreign = match checked {
        Ok(foreign) => foreign,
        Err(refusal) => {
            return Ok(request
                .into_response(refusal.response())
                .map_into_right_body());
        }
    };
    let Some(origin) = foreign else {
        return Ok(next
            .call(request)
            .await?
            .map_into_boxed_body()
            .map_into_left_body());
    };
    let preflight = request.method() == Method::OPTIONS
        && request
            .headers()
            .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if preflight {
        let (request, _) = request.into_parts();
        let answer = HttpResponse::NoContent()
            .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, CORS_METHODS))
            .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, CORS_HEADERS))
            .insert_header((header::ACCESS_CONTROL_MAX_AGE, "600"))
            .finish();
        ServiceResponse::new(request, answer).map_into_right_body()
    } else {
        next.call(request)
            .await?
            .map_into_boxed_body()
            .map_into_left_body()
    };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("mcp-session-id, location, retry-after"),
    );
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Need, Pairs};

    fn keeper(pairs: &[(&str, &str)]) -> Gatekeeper {
        let pairs: Pairs = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        Gatekeeper::new(&Settings::from_pairs(&pairs, Need::Local).unwrap().0)
    }

    #[test]
    fn on_loopback_only_local_names_are_answered() {
        let keeper = keeper(&[("PUBLIC_BASE_URL", "https://sync.example.com")]);
        for good in [
            "127.0.0.1:8001",
            "localhost:8001",
            "localhost",
            "[::1]:8001",
            "sync.example.com",
        ] {
            assert!(keeper.allows_host(good), "{good}");
        }
        for bad in [
            "evil.example.com",
            "127.0.0.1.evil.com:8001",
            "",
            "10.0.0.1",
        ] {
            assert!(!keeper.allows_host(bad), "{bad}");
        }
    }

    #[test]
    fn an_open_address_without_credentials_answers_no_name_of_the_web() {
        let keeper = keeper(&[("API_HOST", "0.0.0.0"), ("AUTH_DISABLED", "true")]);
        for good in [
            "10.1.2.3:8001",
            "mcp-confluence:8001",
            "localhost",
            "[fd00::1]:8001",
        ] {
            assert!(keeper.allows_host(good), "{good}");
        }
        assert!(!keeper.allows_host("evil.example.com:8001"));
    }

    #[test]
    fn with_credentials_any_name_is_answered_unless_names_were_given() {
        let open = [("API_HOST", "0.0.0.0"), ("API_KEY", "long-enough")];
        assert!(keeper(&open).allows_host("whatever.example.com"));
        let named = keeper(&[
            open[0],
            open[1],
            ("ALLOWED_HOSTS", "a.example.com, b.example.com:81"),
        ]);
        assert!(named.allows_host("a.example.com:8001") && named.allows_host("b.example.com:81"));
        assert!(!named.allows_host("b.example.com:82") && !named.allows_host("c.example.com"));
    }

    #[test]
    fn probes_are_answered_by_address_also_where_names_were_given() {
        let asked = |pairs: &[(&str, &str)], path: &str, host: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static(host));
            keeper(pairs).check(path, &headers, None, None).is_ok()
        };
        let named = [
            ("API_HOST", "0.0.0.0"),
            ("API_KEY", "long-enough"),
            ("ALLOWED_HOSTS", "a.example.com"),
        ];
        for path in [
            "/health",
            "/health/live",
            "/health/ready",
            "/metrics",
            "/health/ready/",
        ] {
            for host in ["10.1.2.3:8001", "[fd00::1]:8001", "confluence-sync:8001"] {
                assert!(asked(&named, path, host), "{path} at {host}");
            }
            assert!(!asked(&named, path, "evil.example.com"), "{path}");
            assert!(!asked(&[], path, "10.1.2.3:8001"), "{path} on loopback");
        }
        assert!(!asked(&named, "/api/indexes", "10.1.2.3:8001"));
        assert!(!asked(&named, "/healthy", "10.1.2.3:8001"));
    }

    #[test]
    fn only_our_own_and_allowed_origins_are_answered() {
        let keeper = keeper(&[("ALLOWED_ORIGINS", "https://chat.example.com")]);
        let ask = |origin: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static("127.0.0.1:8001"));
            headers.insert(header::ORIGIN, HeaderValue::from_str(origin).unwrap());
            keeper.check("/api/indexes", &headers, None, None)
        };
        assert_eq!(ask("http://127.0.0.1:8001").unwrap(), None);
        assert!(ask("https://chat.example.com").unwrap().is_some());
        for bad in [
            "http://127.0.0.1:9999",
            "https://evil.example.com",
            "null",
            "http://127.0.0.1",
            "https://127.0.0.1:8001",
            "http://127.0.0.1:8001/",
            "http://chat.example.com",
        ] {
            assert_eq!(
                ask(bad).unwrap_err().problem.code,
                "origin_not_allowed",
                "{bad}"
            );
        }
    }

    #[test]
    fn an_origin_that_cannot_be_read_is_not_taken_for_none() {
        let keeper = keeper(&[("API_HOST", "0.0.0.0"), ("API_KEY", "long-enough")]);
        let ask = |host: &'static str, origins: &[&[u8]]| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static(host));
            for origin in origins {
                headers.append(header::ORIGIN, HeaderValue::from_bytes(origin).unwrap());
            }
            keeper
                .check("/api/indexes", &headers, None, None)
                .map_err(|refusal| refusal.problem.status)
        };
        let own: &[u8] = b"http://sync.example.com";
        assert_eq!(ask("sync.example.com", &[own]), Ok(None));
        // A Host of which no origin can be made has none either that is like nothing.
        for host in ["sync.example.com", "a b", ""] {
            for bad in [
                &[&b"http://\xe4.example.com"[..]][..],
                &[b""],
                &[b"null"],
                &[own, own],
                &[own, b"null"],
            ] {
                assert_eq!(ask(host, bad), Err(403), "{host} {bad:?}");
            }
        }
    }

    #[test]
    fn the_scheme_of_an_origin_is_that_under_which_the_service_is_reached() {
        let public = keeper(&[("PUBLIC_BASE_URL", "https://sync.example.com")]);
        let proxied = keeper(&[
            ("API_HOST", "0.0.0.0"),
            ("API_KEY", "long-enough"),
            ("TRUSTED_PROXIES", "10.0.0.0/8"),
        ]);
        let ask = |keeper: &Gatekeeper,
                   host: &'static str,
                   origin: &'static str,
                   proto: &'static str,
                   peer: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static(host));
            headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
            if !proto.is_empty() {
                let name = header::HeaderName::from_static("x-forwarded-proto");
                headers.insert(name, HeaderValue::from_static(proto));
            }
            keeper
                .check("/api/indexes", &headers, None, Some(peer.parse().unwrap()))
                .is_ok()
        };
        let name = "sync.example.com";
        for (keeper, origin, proto, peer, expected) in [
            (&public, "https://sync.example.com", "", "127.0.0.1", true),
            (&public, "http://sync.example.com", "", "127.0.0.1", false),
            (
                &public,
                "https://sync.example.com:8443",
                "",
                "127.0.0.1",
                false,
            ),
            (
                &proxied,
                "https://sync.example.com",
                "https",
                "10.1.2.3",
                true,
            ),
            (
                &proxied,
                "http://sync.example.com",
                "https",
                "10.1.2.3",
                false,
            ),
            (
                &proxied,
                "https://sync.example.com",
                "http, https",
                "10.1.2.3",
                true,
            ),
            (
                &proxied,
                "https://sync.example.com",
                "https, http",
                "10.1.2.3",
                false,
            ),
            (
                &proxied,
                "https://sync.example.com",
                "https",
                "192.0.2.1",
                false,
            ),
            (
                &proxied,
                "http://sync.example.com",
                "https",
                "192.0.2.1",
                true,
            ),
        ] {
            assert_eq!(
                ask(keeper, name, origin, proto, peer),
                expected,
                "{origin} {proto} {peer}"
            );
        }
        assert!(ask(
            &public,
            "127.0.0.1:8001",
            "http://127.0.0.1:8001",
            "",
            "127.0.0.1"
        ));
    }
}
