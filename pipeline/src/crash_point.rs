//! Where can a test stop the daemon? Named points that do nothing in the product.

/// Marks a place where a crash must lose nothing.
///
/// Without the feature `test-util` it is empty. With it, a process started with `ANTUMBRA_CRASH_POINT=name:n` says
/// `crash point name n` on standard error when it is here for the n-th time, and stays here until it is killed.
#[cfg(not(feature = "test-util"))]
pub const fn crash_point(_name: &'static str) {}

/// Marks a place where a crash must lose nothing; see the same function without the feature.
#[cfg(feature = "test-util")]
pub fn crash_point(name: &'static str) {
    use std::io::Write;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static WANTED: OnceLock<Option<(String, u64)>> = OnceLock::new();
    static SEEN: AtomicU64 = AtomicU64::new(0);
    let wanted = WANTED.get_or_init(|| {
        #[expect(clippy::disallowed_methods, reason = "a hook of tests, not a setting")]
        let text = std::env::var("ANTUMBRA_CRASH_POINT").ok()?;
        let (name, count) = text.rsplit_once(':')?;
        Some((name.to_owned(), count.parse().ok()?))
    });
    let Some((at, count)) = wanted else { return };
    if at == name && SEEN.fetch_add(1, Ordering::SeqCst) + 1 == *count {
        let mut err = std::io::stderr().lock();
        drop(writeln!(err, "crash point {name} {count}"));
        drop(err);
        loop {
            std::thread::park();
        }
    }
}
