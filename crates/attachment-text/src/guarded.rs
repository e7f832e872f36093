//! Foreign readers are run where they can do no harm: on a thread whose stack is large enough for what they nest, and
//! whose panic ends with it.

/// Enough for the deepest nesting that the readers allow themselves, in an unoptimised build too.
const STACK: usize = 64 << 20;

/// What `work` gives; `None` when it panicked or no thread could be had.
pub(crate) fn run<T: Send>(work: impl FnOnce() -> T + Send) -> Option<T> {
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("attachment".to_owned())
            .stack_size(STACK)
            .spawn_scoped(scope, work)
            .ok()?
            .join()
            .ok()
    })
}
