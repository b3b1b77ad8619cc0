//! How does a command show how far it is? A bar on a terminal, plain lines elsewhere, JSON for programs.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::Instant;

use super::{Phase, Snapshot};
use crate::cli::{note, say};

/// Takes what there is to see.
pub(in crate::cli) trait Watch: Send {
    /// Shows how far it is; called several times a second.
    ///
    /// # Errors
    /// When nobody reads what is shown any more, and somebody has to.
    fn show(&mut self, snapshot: &Snapshot) -> io::Result<()>;

    /// Leaves the screen to others.
    fn end(&mut self);
}

/// Shows progress on stderr, or as JSON on stdout.
#[derive(Debug)]
pub(in crate::cli) enum Screen {
    /// A bar that changes.
    Bar(ProgressBar),
    /// Lines on stderr.
    Lines(Pace),
    /// JSON on stdout, one object a line.
    Json(Pace),
}

impl Screen {
    /// Chooses the way that suits where stderr goes.
    ///
    /// # Errors
    /// Never on a terminal that indicatif knows.
    pub(in crate::cli) fn new(json: bool) -> anyhow::Result<Self> {
        if json {
            return Ok(Self::Json(Pace::every(JSON_PAUSE)));
        }
        if !io::stderr().is_terminal() {
            return Ok(Self::Lines(Pace::every(LINE_PAUSE)));
        }
        let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr());
        bar.set_style(ProgressStyle::with_template(BAR)?.progress_chars("=> "));
        Ok(Self::Bar(bar))
    }
}

impl Watch for Screen {
    fn show(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        match self {
            Self::Bar(bar) => {
                let (done, all) = snapshot.position().unwrap_or((0, 1));
                bar.set_length(all);
                bar.set_position(done);
                bar.set_message(snapshot.line());
                bar.tick();
            }
            Self::Lines(pace) => {
                if pace.is_due(snapshot) {
                    note(snapshot.line());
                }
            }
            Self::Json(pace) => {
                if pace.is_due(snapshot) {
                    say(snapshot.json())?;
                }
            }
        }
        Ok(())
    }

    fn end(&mut self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

/// When is the next line due? At once for another phase, else after a pause, and never for what was shown.
#[derive(Debug)]
pub(in crate::cli) struct Pace {
    pause: Duration,
    last: Option<(Instant, Snapshot)>,
}

impl Pace {
    const fn every(pause: Duration) -> Self {
        Self { pause, last: None }
    }

    fn is_due(&mut self, snapshot: &Snapshot) -> bool {
        let due = match &self.last {
            None => true,
            Some((at, last)) if last.phase == snapshot.phase => {
                at.elapsed() >= self.pause && !same(last, snapshot)
            }
            // The plan of an empty phase is no news.
            Some(_) => snapshot.phase != Phase::Planning,
        };
        if due {
            self.last = Some((Instant::now(), snapshot.clone()));
        }
        due
    }
}

/// Compares without the clock.
fn same(one: &Snapshot, other: &Snapshot) -> bool {
    let still = |snapshot: &Snapshot| Snapshot { elapsed: Duration::ZERO, ..snapshot.clone() };
    still(one) == still(other)
}

const BAR: &str = "[{bar:24}] {wide_msg}";
const LINE_PAUSE: Duration = Duration::from_secs(5);
const JSON_PAUSE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn lines_come_at_once_for_a_phase_and_else_after_a_pause() {
        let mut pace = Pace::every(LINE_PAUSE);
        let mut snapshot = Snapshot::default();
        assert!(pace.is_due(&snapshot));
        assert!(!pace.is_due(&snapshot));
        snapshot.phase = Phase::Collecting;
        assert!(pace.is_due(&snapshot));
        snapshot.rows = 5;
        assert!(!pace.is_due(&snapshot));
        tokio::time::advance(LINE_PAUSE).await;
        assert!(pace.is_due(&snapshot));
        tokio::time::advance(LINE_PAUSE).await;
        snapshot.elapsed = LINE_PAUSE;
        assert!(!pace.is_due(&snapshot), "nothing but the clock moved");
    }

    #[test]
    fn the_bar_is_well_formed() {
        assert!(ProgressStyle::with_template(BAR).is_ok());
    }
}
