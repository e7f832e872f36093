//! Rendered HTML (`view`, `export_view`).

use crate::model::{Conversion, Options, Resolver};
use crate::splice::Rendered;

pub(crate) fn convert_fragment(
    html: &str,
    options: &Options,
    resolver: &dyn Resolver,
) -> Conversion {
    crate::convert_with(html, options, resolver, None)
}

pub(crate) fn rendered_macros(
    _html: &str,
    _options: &Options,
    _resolver: &dyn Resolver,
) -> Rendered {
    Rendered::default()
}

/// The address of an image or file without what changes from call to call.
pub(crate) fn clean_url(url: &str, base: Option<&str>) -> Option<String> {
    let url = url.trim();
    let lower = url.get(..11).unwrap_or(url).to_ascii_lowercase();
    if url.is_empty()
        || lower.starts_with("data:")
        || lower.starts_with("javascript:")
        || lower.starts_with("blob:")
    {
        return None;
    }
    let absolute = match (base, url.strip_prefix("/wiki/")) {
        (Some(base), Some(path)) => format!("{base}/{path}"),
        _ => url.to_string(),
    };
    let Some((path, query)) = absolute.split_once('?') else {
        return Some(absolute);
    };
    let kept: Vec<&str> = query
        .split('&')
        .filter(|p| {
            let name = p.split('=').next().unwrap_or("");
            !matches!(
                name,
                "version"
                    | "modificationDate"
                    | "cacheVersion"
                    | "api"
                    | "token"
                    | "client"
                    | "Signature"
                    | "Expires"
                    | "Key-Pair-Id"
                    | "Policy"
            )
        })
        .collect();
    Some(if kept.is_empty() {
        path.to_string()
    } else {
        format!("{path}?{}", kept.join("&"))
    })
}

/// Converts rendered HTML.
pub fn convert_view(html: &str, options: &Options, resolver: &dyn Resolver) -> Conversion {
    convert_fragment(html, options, resolver)
}
