//! How is an error written into the log? With its causes.

use std::error::Error;
use std::fmt;

use crate::PipelineError;

/// Writes an error with its causes. Those of store, objects and keys hold no data.
pub(super) struct Chain<'a>(pub(super) &'a PipelineError);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
