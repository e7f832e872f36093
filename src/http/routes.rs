//! Resources whose refusal of a method says which they take.

use actix_web::{HttpRequest, HttpResponse, Resource, Route, guard, web};

use super::problem::{ApiResult, no_such_method};

/// `GET`.
pub const GET: &str = "GET";
/// `POST`.
pub const POST: &str = "POST";
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
