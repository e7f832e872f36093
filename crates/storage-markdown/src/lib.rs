#![doc = include_str!("../README.md")]

mod adf;
mod anchors;
mod attrs;
pub mod chunk;
mod convert;
mod document;
mod emoji;
mod escape;
mod events;
mod hash;
mod inline;
mod links;
mod macros;
mod model;
pub mod outline;
mod shape;
mod splice;
mod storage;
mod table;
mod tag;
mod view;
mod visible;
mod writer;

pub use document::count_words;
pub use hash::content_hash;
pub use model::{
    Conversion, Diagnostics, DynamicMacro, Excerpt, Heading, Images, Link, LinkTarget, NoResolver,
    Options, Resolver, Target, Task,
};
pub use splice::splice_rendered;
pub use view::convert_view;
pub use visible::plain_text;

/// Converts a body in storage format. Never fails: what is broken is converted as far as it goes, and flagged in
/// [`Diagnostics::repairs`].
pub fn convert_storage(body: &str, options: &Options, resolver: &dyn Resolver) -> Conversion {
    convert_with(body, options, resolver, None)
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
