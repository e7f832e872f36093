//! `convert`: a page body in, Markdown out.

use std::io::Read;
use std::path::PathBuf;

use clap::Args;
use storage_markdown::{NoResolver, Options, convert_storage, convert_view};

use super::{BodyForm, CliError, CliResult, DONE};

#[derive(Args, Debug)]
pub(super) struct ConvertArgs {
    /// The file with the body; `-` or nothing: standard input.
    file: Option<PathBuf>,
    /// In which form it comes.
    #[arg(long, value_enum, default_value = "storage")]
    from: BodyForm,
}

pub(super) fn run(args: &ConvertArgs) -> CliResult {
    let mut bytes = Vec::new();
    match args.file.as_deref().filter(|file| file.as_os_str() != "-") {
        Some(file) => {
            bytes = std::fs::read(file)
                .map_err(|error| CliError::failed(format!("{}: {error}", file.display())))?;
        }
        None => {
            std::io::stdin()
                .lock()
                .read_to_end(&mut bytes)
                .map_err(|error| CliError::failed(format!("standard input: {error}")))?;
        }
    }
    let body = String::from_utf8_lossy(&bytes);
    let options = Options::default();
    let converted = match args.from {
        BodyForm::Storage => convert_storage(&body, &options, &NoResolver),
        BodyForm::View => convert_view(&body, &options, &NoResolver),
    };
    super::print_exactly(converted.markdown.trim_end_matches('\n'));
    Ok(DONE)
}
