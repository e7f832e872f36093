//! Programs under measurement: started with an environment of their own, ended when dropped.

use std::ffi::OsStr;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Outcome;

/// A running program.
pub struct Program(Child);

impl Program {
    pub fn start(
        binary: &OsStr,
        arguments: &[&str],
        environment: &[(&str, &str)],
        folder: &std::path::Path,
    ) -> Outcome<Self> {
        let mut command = Command::new(binary);
        command
            .args(arguments)
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .envs(environment.iter().copied())
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.join("stderr.log"))?);
        let child = command
            .spawn()
            .map_err(|error| format!("{} does not start: {error}", binary.to_string_lossy()))?;
        Ok(Self(child))
    }

    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Ends it as `kill -9` does, and waits until it is gone.
    pub fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        // Gone already is as good.
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.end();
    }
}

/// A port that nobody uses now.
pub fn free_port() -> Outcome<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Tries until it succeeds; the last error when that takes too long.
pub async fn until<T>(
    what: &str,
    bound: Duration,
    mut attempt: impl AsyncFnMut() -> Outcome<T>,
) -> Outcome<T> {
    let began = Instant::now();
    loop {
        match attempt().await {
            Ok(done) => return Ok(done),
            Err(error) if began.elapsed() > bound => {
                return Err(format!("waited too long for {what}: {error}").into());
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

/// Memory of a process in MB, as the kernel counts it.
pub fn memory(pid: Option<u32>) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid?)).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kilobytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes / 1024.0)
}
