//! Converts a body from standard input: `cargo run -p storage-markdown --example convert [-- --view] < body.xml`.

use std::io::Read as _;

use storage_markdown::{NoResolver, Options, convert_storage, convert_view};

fn main() -> std::io::Result<()> {
    let mut body = String::new();
    std::io::stdin().read_to_string(&mut body)?;
    let view = std::env::args().any(|a| a == "--view");
    let convert = if view { convert_view } else { convert_storage };
    print!(
        "{}",
        convert(&body, &Options::default(), &NoResolver).markdown
    );
    Ok(())
}
