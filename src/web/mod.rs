//! The page at `/`, with which an administrator works. Plain HTML, CSS and JavaScript, embedded in the binary; nothing is loaded
//! from elsewhere, and nothing runs that is not one of these files. It does what REST and MCP do, and nothing beside them.
//!
//! `app.js` shows the view that the address names behind its `#` (`router.js`); a view is a module with `show`. What the events
//! tell is in `live.js`; what the service answered is only ever text (`dom.js`).

use std::borrow::Cow;

use actix_web::http::header;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, guard};
use rust_embed::{EmbeddedFile, RustEmbed};

/// The files of `assets/`.
#[derive(RustEmbed)]
#[folder = "src/web/assets"]
struct Assets;

/// What the page may do: its own files, its own API, nothing inline, in nobody's frame.
pub(crate) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Registers the page and its files.
pub fn configure(config: &mut ServiceConfig) {
    config
        .service(get("/").answers_with(|_| "index.html".to_owned()))
        .service(get("/favicon.ico").answers_with(|_| "icon.svg".to_owned()))
        .service(
            get("/assets/{file}")
                .answers_with(|request| request.match_info().query("file").to_owned()),
        );
}

struct Get(&'static str);

const fn get(path: &'static str) -> Get {
    Get(path)
}

impl Get {
    fn answers_with(self, name: fn(&HttpRequest) -> String) -> actix_web::Resource {
        let methods = guard::Any(guard::Get()).or(guard::Head());
        web::resource(self.0).route(
            web::route()
                .guard(methods)
                .to(move |request: HttpRequest| async move { file(&request, &name(&request)) }),
        )
    }
}

fn file(request: &HttpRequest, name: &str) -> HttpResponse {
    let Some(found) = Assets::get(name) else {
        return HttpResponse::NotFound().finish();
    };
    let tag = tag(&found);
    let known = request.headers().get(header::IF_NONE_MATCH);
    let unchanged = known.is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut response = if unchanged {
        HttpResponse::NotModified()
    } else {
        HttpResponse::Ok()
    };
    response
        .insert_header((header::ETAG, tag))
        // Asked for anew each time, so that an update of the binary is an update of the page.
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header(("Cross-Origin-Opener-Policy", "same-origin"))
        .content_type(kind(name));
    if unchanged {
        response.finish()
    } else {
        response.body(bytes(found.data))
    }
}

/// What the binary holds is not copied for those who fetch it.
pub(crate) fn bytes(file: Cow<'static, [u8]>) -> web::Bytes {
    match file {
        Cow::Borrowed(bytes) => web::Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    }
}

fn tag(file: &EmbeddedFile) -> String {
    let hash: String = file.metadata.sha256_hash()[..12]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("\"{hash}\"")
}

fn kind(name: &str) -> String {
    let guessed = mime_guess::from_path(name).first_or_octet_stream();
    match guessed.type_() {
        mime_guess::mime::TEXT => format!("{guessed}; charset=utf-8"),
        _ => guessed.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::{App, test};

    #[actix_web::test]
    async fn the_page_and_its_files_are_there_and_locked_down() {
        let app = test::init_service(App::new().configure(configure)).await;
        for (path, kind) in [
            ("/", "text/html; charset=utf-8"),
            ("/assets/app.js", "text/javascript; charset=utf-8"),
            ("/assets/base.css", "text/css; charset=utf-8"),
            ("/favicon.ico", "image/svg+xml"),
        ] {
            let response =
                test::call_service(&app, test::TestRequest::get().uri(path).to_request()).await;
            assert_eq!(response.status(), 200, "{path}");
            let value = |name| response.headers().get(name).unwrap().to_str().unwrap();
            assert_eq!(value(header::CONTENT_TYPE), kind);
            assert!(value(header::CONTENT_SECURITY_POLICY).contains("default-src 'none'"));
            let again = test::TestRequest::get()
                .uri(path)
                .insert_header((header::IF_NONE_MATCH, value(header::ETAG)));
            let again = test::call_service(&app, again.to_request()).await;
            assert_eq!(again.status(), 304, "{path}");
        }
        for path in ["/assets/none.js", "/assets/..%2fmod.rs"] {
            let response =
                test::call_service(&app, test::TestRequest::get().uri(path).to_request()).await;
            assert_eq!(response.status(), 404, "{path}");
        }
    }

    /// Whatever a file of the page names is a file of the page, and nothing is inline.
    #[actix_web::test]
    async fn the_page_is_complete_by_itself() {
        let page = String::from_utf8(Assets::get("index.html").unwrap().data.into_owned()).unwrap();
        let named: Vec<&str> = page
            .split(['"', '\''])
            .filter_map(|part| part.strip_prefix("assets/"))
            .collect();
        assert!(named.len() >= 4, "{named:?}");
        for name in named {
            assert!(Assets::get(name).is_some(), "{name}");
        }
        for inline in ["style=\"", "<style", "onclick=", "<script>", "javascript:"] {
            assert!(!page.contains(inline), "{inline}");
        }
        for name in Assets::iter() {
            let text = String::from_utf8(Assets::get(&name).unwrap().data.into_owned()).unwrap();
            // A proxy may put the page under a prefix that it strips: no address begins at the root of the host.
            for absolute in ["=\"/", "(\"/", "from \"/", ", \"/", "(`/"] {
                assert!(!text.contains(absolute), "{name}: {absolute}");
            }
            for imported in text.split("from \"./").skip(1) {
                let module = imported.split('"').next().unwrap();
                assert!(Assets::get(module).is_some(), "{name}: {module}");
            }
            // What the service answers is text, and never read as HTML or as a program.
            for read in [
                "innerHTML =",
                "outerHTML =",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                "new Function",
            ] {
                assert!(!text.contains(read), "{name}: {read}");
            }
            for line in text.lines().filter(|line| line.contains("://")) {
                assert!(
                    line.contains("http://www.w3.org/")
                        || line.contains("example")
                        || line.contains("${"),
                    "{name}: {line}"
                );
            }
        }
    }
}
