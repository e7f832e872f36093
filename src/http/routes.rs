//! Resources whose refusal of a method says which they take.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse, Resource, Route, guard, web};

use super::problem::{ApiResult, no_such_method};

/// Of a request whose path ended in a slash, before that was trimmed.
struct EndedInSlash;

/// Middleware, outside of the one that makes one path of both spellings: notes which it was.
///
/// # Errors
/// Those of the inner service.
pub async fn note_slash<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    if request.path().ends_with('/') {
        request.extensions_mut().insert(EndedInSlash);
    }
    next.call(request).await
}

/// Whether the path that was asked for ended in a slash: what is relative in the answer depends on it.
pub(super) fn ended_in_slash(request: &HttpRequest) -> bool {
    request.extensions().contains::<EndedInSlash>()
}

/// `GET`.
pub const GET: &str = "GET";
/// `POST`.
pub const POST: &str = "POST";
/// `PUT`.
pub const PUT: &str = "PUT";
/// `PATCH`.
pub const PATCH: &str = "PATCH";
/// `DELETE`.
pub const DELETE: &str = "DELETE";

/// A resource with its methods; every other is 405 with `Allow`.
pub fn resource<const N: usize>(path: &str, routes: [(&'static str, Route); N]) -> Resource {
    let mut methods = Vec::with_capacity(N);
    let mut resource = web::resource(path);
    for (method, route) in routes {
        methods.push(method);
        resource = resource.route(route);
    }
    let allowed = methods.join(", ");
    resource.default_service(web::to(move |request: HttpRequest| {
        let refusal: ApiResult<HttpResponse> = Err(no_such_method(&request, &allowed));
        async move { refusal }
    }))
}

/// A route for GET that answers HEAD too, as probes like to ask.
pub fn get_or_head() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}
