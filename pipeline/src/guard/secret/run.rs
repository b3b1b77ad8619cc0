//! How far does a run of letters of one kind go? Asked of many places of one text, each byte is walked over once.

/// The run that was walked over last.
#[derive(Debug, Default)]
pub(super) struct Run {
    start: usize,
    behind: usize,
    /// Where its last digit stands.
    digit: Option<usize>,
}

impl Run {
    /// Returns the length of the run that begins at a place, and whether it holds a digit. Always asked with the same text and kind.
    pub(super) fn from(&mut self, text: &str, at: usize, of: fn(u8) -> bool) -> (usize, bool) {
        if !(self.start..self.behind).contains(&at) {
            let run = text.as_bytes().get(at..).unwrap_or_default();
            let len = run.iter().take_while(|byte| of(**byte)).count();
            let digit = run.get(..len).and_then(|run| run.iter().rposition(u8::is_ascii_digit));
            *self = Self { start: at, behind: at + len, digit: digit.map(|digit| at + digit) };
            steps::count(len);
        }
        (self.behind - at, self.digit.is_some_and(|digit| digit >= at))
    }
}

/// Counts the bytes that are walked over, for tests.
pub(super) mod steps {
    #[cfg(test)]
    thread_local! {
        static STEPS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
    }

    /// Counts some more bytes.
    #[cfg(test)]
    pub(in super::super) fn count(bytes: usize) {
        STEPS.set(STEPS.get() + bytes);
    }

    /// Counts nothing: nobody asks.
    #[cfg(not(test))]
    pub(in super::super) const fn count(_: usize) {}

    /// Returns the bytes that were counted since this was asked last.
    #[cfg(test)]
    pub(in super::super) fn taken() -> usize {
        STEPS.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_inside_a_run_are_answered_from_it() {
        let text = "ab1cd-ab";
        let mut run = Run::default();
        let of = |byte: u8| byte.is_ascii_alphanumeric();
        steps::taken();
        let answers: Vec<_> = (0..=8).map(|at| run.from(text, at, of)).collect();
        assert_eq!(
            answers,
            [
                (5, true),
                (4, true),
                (3, true),
                (2, false),
                (1, false),
                (0, false),
                (2, false),
                (1, false),
                (0, false)
            ]
        );
        assert_eq!(steps::taken(), 7);
        // One that begins before the run that is known.
        assert_eq!(run.from(text, 6, of), (2, false));
        assert_eq!(run.from(text, 1, of), (4, true));
    }
}
