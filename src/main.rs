//! `mcp-confluence`: see `mcp-confluence --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Every file of this process holds page text or secrets, also those that SQLite makes: they are their owner's alone.
    #[cfg(unix)]
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    // Streams hold one descriptor each, and the usual soft limit is that of programs that use select(2).
    #[cfg(unix)]
    raise_descriptor_limit();
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

/// As far as the hard limit lets us; where it does not, the usual number has to do.
#[cfg(unix)]
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        eprintln!(
            "the limit of open files stays at {:?}: {error}",
            limit.current
        );
    }
}
