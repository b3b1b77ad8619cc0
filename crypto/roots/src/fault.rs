//! What one call to a provider can end in, before the root's name is known.

use antumbra_crypto::{Error as CryptoError, Retry};

use crate::Error;

/// A verdict about the bytes, or trouble with the provider.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The provider works and says no to these bytes; goes to the caller as it is.
    Bytes(CryptoError),
    /// The provider does not work.
    Provider(Error),
}

impl Fault {
    /// Says whether the same call may succeed in a moment.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Bytes(_) => false,
            Self::Provider(error) => error.retry() == Retry::Later,
        }
    }

    /// Names the root.
    pub(crate) fn of(self, root: &str) -> CryptoError {
        match self {
            Self::Bytes(error) => error,
            Self::Provider(error) => CryptoError::Root {
                root: root.to_owned(),
                retry: error.retry(),
                source: Box::new(error),
            },
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Provider(error)
    }
}

impl From<CryptoError> for Fault {
    fn from(error: CryptoError) -> Self {
        Self::Bytes(error)
    }
}
