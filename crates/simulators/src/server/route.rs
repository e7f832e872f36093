//! Endpoint templates and how a path meets one.

use super::request::percent_decode;

/// One endpoint: method, template, and whatever the service keeps for it.
pub(crate) struct Route<H> {
    pub method: &'static str,
    pub template: &'static str,
    pub handler: H,
}

/// The route a path meets, with the decoded values of its `{parameters}` in order.
/// The error is `Some(template)` when the path is known but not for this method.
pub(crate) fn find_route<'r, H>(
    routes: &'r [Route<H>],
    method: &str,
    path: &str,
) -> Result<(&'r Route<H>, Vec<String>), Option<&'static str>> {
    let trimmed = path
        .strip_suffix('/')
        .filter(|p| !p.is_empty())
        .unwrap_or(path);
    let mut other = None;
    for route in routes {
        if let Some(params) = fit(route.template, trimmed) {
            if route.method == method {
                return Ok((route, params));
            }
            other = Some(route.template);
        }
    }
    Err(other)
}

fn fit(template: &str, path: &str) -> Option<Vec<String>> {
    let (mut left, mut right) = (template.split('/'), path.split('/'));
    let mut params = Vec::new();
    loop {
        match (left.next(), right.next()) {
            (None, None) => return Some(params),
            (Some(t), Some(p)) if t.starts_with('{') && !p.is_empty() => {
                params.push(percent_decode(p))
            }
            (Some(t), Some(p)) if t == p => {}
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_meets_its_template() {
        let routes = [
            Route {
                method: "GET",
                template: "/a/b",
                handler: 1,
            },
            Route {
                method: "GET",
                template: "/a/{x}",
                handler: 2,
            },
            Route {
                method: "POST",
                template: "/a/{x}/c",
                handler: 3,
            },
        ];
        assert_eq!(
            find_route(&routes, "GET", "/a/b").map(|(r, _)| r.handler),
            Ok(1)
        );
        assert_eq!(
            find_route(&routes, "GET", "/a/%7Ez/").map(|(r, p)| (r.handler, p)),
            Ok((2, vec!["~z".to_owned()]))
        );
        assert_eq!(
            find_route(&routes, "GET", "/a/1/c").map(|(r, _)| r.handler),
            Err(Some("/a/{x}/c"))
        );
        assert_eq!(
            find_route(&routes, "GET", "/nope").map(|(r, _)| r.handler),
            Err(None)
        );
    }
}
