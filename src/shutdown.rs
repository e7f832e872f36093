//! Signals. SIGTERM and Ctrl-C begin an orderly stop; a second one ends the process at once, which is safe: whatever
//! matters is in rows.

use tokio::signal::unix::{SignalKind, signal};

/// What asked the process to stop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signal {
    /// SIGTERM: the supervisor's.
    Terminate,
    /// SIGINT: Ctrl-C.
    Interrupt,
}

/// Exit code of an interrupted command.
pub const INTERRUPTED: u8 = 130;

impl Signal {
    /// The exit code of an orderly stop on this signal.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Terminate => 0,
            Self::Interrupt => INTERRUPTED,
        }
    }

    /// The exit code of a command that this signal ended before it was done, as shells have it.
    #[must_use]
    pub const fn code_of_what_it_cut(self) -> u8 {
        match self {
            Self::Terminate => 143,
            Self::Interrupt => INTERRUPTED,
        }
    }
}

/// Waits for a signal. While nobody waits, signals that arrive are kept for the next wait of the same value.
pub struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    /// Takes over both signals from here on.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn take_over() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// The next signal.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::Terminate,
            _ = self.interrupt.recv() => Signal::Interrupt,
        }
    }
}
