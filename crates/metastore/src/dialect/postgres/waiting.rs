//! Waiting on any thread for what the thread of the sockets does.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use tokio::runtime::Runtime;

/// The thread that drives the sockets of every connection of this process. Made once, whoever asks first: a second one could not be dropped
/// on a thread of another runtime.
pub(crate) fn runtime() -> Result<&'static Runtime, &'static std::io::Error> {
    static RUNTIME: LazyLock<std::io::Result<Runtime>> = LazyLock::new(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("postgres")
            .enable_all()
            .build()
    });
    RUNTIME.as_ref()
}

/// Waits for a future without any runtime on this thread: what it waits for is done on [`runtime`].
pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    struct Sleeper(Thread);
    impl Wake for Sleeper {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Sleeper(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    // A thread of another runtime gives its tasks only so many steps before they have to yield, and this one never does: without its budget
    // it would be told to come again for ever.
    let mut future = pin!(tokio::task::unconstrained(future));
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// The same for so long at most; `None` when that was not enough.
pub(crate) fn within<F: Future>(longest: Duration, future: F) -> Option<F::Output> {
    let runtime = runtime().ok()?;
    // The alarm rings there.
    let _inside = runtime.enter();
    wait(async { tokio::time::timeout(longest, future).await.ok() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_gets_no_answer_does_not_wait_for_ever() {
        let never = within(Duration::from_millis(20), std::future::pending::<()>());
        assert_eq!(never, None);
        assert_eq!(within(Duration::from_secs(20), async { 1 }), Some(1));
    }
}
