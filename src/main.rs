//! `mcp-confluence`: see `mcp-confluence --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    // reqwest is built without a provider of its own and would panic at the first client.
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        eprintln!("another TLS provider was installed first");
        return ExitCode::FAILURE;
    }
    mcp_confluence::cli::main()
}
