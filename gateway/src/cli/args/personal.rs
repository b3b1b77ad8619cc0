//! How does a personal value travel from the command line? Without being printed on the way.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// A text from the command line that may name a person. Taken as it is: an argument that clap refuses is quoted on
/// stderr, so these are checked later, by code that names the flag and not the value.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::cli) struct Personal(String);

impl Personal {
    /// Returns the text.
    pub(in crate::cli) fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for Personal {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Personal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Personal(..)")
    }
}
