//! `mcp-confluence`: see `mcp-confluence --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Every file of this process holds page text or secrets, also those that SQLite makes: they are their owner's alone.
    #[cfg(unix)]
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
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
