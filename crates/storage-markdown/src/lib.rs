#![doc = include_str!("../README.md")]

mod aclink;
mod adf;
mod anchors;
mod aside;
mod attrs;
pub mod chunk;
mod convert;
mod document;
mod emoji;
mod escape;
mod events;
mod hash;
mod html;
mod images;
mod inline;
mod links;
mod macros;
mod model;
mod open_links;
pub mod outline;
mod place;
mod references;
mod secrets;
mod shape;
mod splice;
mod storage;
mod table;
mod tag;
mod view;
mod visible;
mod walk;
mod writer;

pub use document::{PageFacts, count_words, front_matter, page_document};
pub use hash::content_hash;
pub use model::{
    Conversion, Diagnostics, DynamicMacro, Excerpt, Heading, Images, Link, LinkTarget, NoResolver,
    Options, Resolver, Target, Task,
};
pub use open_links::{close_links, linked_pages};
pub use visible::plain_text;

/// Converts a body in storage format. Never fails: what is broken is converted as far as it goes, and flagged in
/// [`Diagnostics::repairs`].
pub fn convert_storage(body: &str, options: &Options, resolver: &dyn Resolver) -> Conversion {
    with_front_matter(convert_with(body, options, resolver, None), options)
}

/// Converts rendered HTML (`view`, `export_view`). Never fails; what lol_html cannot read is left out and counted in
/// [`Diagnostics::repairs`].
pub fn convert_view(html: &str, options: &Options, resolver: &dyn Resolver) -> Conversion {
    with_front_matter(view::convert_fragment(html, options, resolver), options)
}

/// Converts `storage`, with the content of dynamic macros (includes, reports, issue tables) taken from the rendered
/// form of the same page. What the rendered form does not hold stays as storage says it.
pub fn splice_rendered(
    storage: &str,
    rendered_view: &str,
    options: &Options,
    resolver: &dyn Resolver,
) -> Conversion {
    let rendered = splice::rendered_macros(rendered_view, options, resolver);
    with_front_matter(
        convert_with(storage, options, resolver, Some(&rendered)),
        options,
    )
}

fn convert_with(
    body: &str,
    options: &Options,
    resolver: &dyn Resolver,
    rendered: Option<&splice::Rendered>,
) -> Conversion {
    let mut converter = convert::Converter::new(body, options, resolver);
    converter.rendered = rendered;
    events::drive(&mut converter);
    converter.finish()
}

fn with_front_matter(mut body: Conversion, options: &Options) -> Conversion {
    if options.front_matter {
        let front = front_matter(&PageFacts::default(), &body);
        body.markdown = format!("{front}\n{}", body.markdown);
    }
    body
}
