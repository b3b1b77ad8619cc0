//! How far is the rewrapping? A bar on a terminal, a line every few seconds elsewhere.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::Instant;

use crate::cli::note;
use crate::cli::words::count;

/// Takes what there is to see.
pub(super) trait Seen: Send {
    /// Says how many keys there are to do; more may come.
    fn expect(&mut self, keys: u64);

    /// Says that one more was looked at.
    fn step(&mut self);
}

/// Shows progress on stderr.
#[derive(Debug)]
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    done: u64,
    expected: u64,
    told: Instant,
}

impl Progress {
    /// Chooses the way that suits where stderr goes.
    ///
    /// # Errors
    /// Never on a terminal that indicatif knows.
    pub(super) fn new() -> anyhow::Result<Self> {
        let mut bar = None;
        if io::stderr().is_terminal() {
            let drawn = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
            drawn.set_style(ProgressStyle::with_template(BAR)?.progress_chars("=> "));
            bar = Some(drawn);
        }
        Ok(Self { bar, done: 0, expected: 0, told: Instant::now() })
    }

    /// Leaves the screen to others.
    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn line(&self) -> String {
        format!("rewrapping: {} of {} keys", count(self.done), count(self.expected))
    }
}

impl Seen for Progress {
    fn expect(&mut self, keys: u64) {
        self.expected = keys;
        if let Some(bar) = &self.bar {
            bar.set_length(keys);
        }
    }

    fn step(&mut self) {
        self.done += 1;
        self.expected = self.expected.max(self.done);
        match &self.bar {
            Some(bar) => {
                bar.set_length(self.expected);
                bar.set_position(self.done);
            }
            None if self.told.elapsed() >= PAUSE => {
                self.told = Instant::now();
                note(self.line());
            }
            None => {}
        }
    }
}

const BAR: &str = "[{bar:24}] {pos} of {len} keys, {eta} left";
const PAUSE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_is_well_formed() {
        assert!(ProgressStyle::with_template(BAR).is_ok());
    }

    #[tokio::test]
    async fn keys_that_come_meanwhile_are_expected_too() {
        let mut progress = Progress { bar: None, done: 0, expected: 0, told: Instant::now() };
        progress.expect(1);
        assert_eq!(progress.line(), "rewrapping: 0 of 1 keys");
        progress.step();
        progress.step();
        assert_eq!(progress.line(), "rewrapping: 2 of 2 keys");
    }
}
