//! Names: of silos, datapoints, tenants and identifiers.

use std::{fmt, str::FromStr};

use crate::value::{ValueError, text::text_serde};

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $expected:expr, $valid:path) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(String);

        impl $type {
            /// Returns the name as it was written.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Returns the name in lower case: what uniqueness is judged by.
            pub fn folded(&self) -> String {
                self.0.to_ascii_lowercase()
            }
        }

        impl FromStr for $type {
            type Err = ValueError;

            fn from_str(text: &str) -> Result<Self, ValueError> {
                if $valid(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(ValueError::new($expected, text))
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        text_serde!($type, $expected);
    };
}

name! {
    /// Names a silo: 1 to 64 of `A-Z a-z 0-9 _ -`, unique after case folding. It is a folder of the bundle.
    SiloName, NAME, is_name
}

name! {
    /// Names a datapoint: 1 to 64 of `A-Z a-z 0-9 _ -`, unique in its silo after case folding. It is a file of the bundle.
    DatapointName, NAME, is_name
}

name! {
    /// Names a tenant: 1 to 64 of `A-Z a-z 0-9 _ -`. Compared exactly, case included.
    TenantName, NAME, is_name
}

name! {
    /// Names a kind of identifier such as `email`: 1 to 64 of `A-Z a-z 0-9 _`, no digit first.
    ///
    /// Narrower than the other names because a query uses it as `:name`. Compared exactly, case included.
    IdentifierName, IDENTIFIER, is_identifier
}

fn is_name(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

fn is_identifier(text: &str) -> bool {
    is_name(text) && !text.contains('-') && !text.starts_with(|c: char| c.is_ascii_digit())
}

const LONGEST: usize = 64;
const NAME: &str = "a name of 1 to 64 letters, digits, `_` or `-`";
const IDENTIFIER: &str =
    "an identifier name of 1 to 64 letters, digits or `_`, beginning with a letter or `_`";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_leave_their_folder_are_refused() {
        for text in ["", "..", "a/b", "a\\b", "a b", "é", "a\0", "a.b", &"x".repeat(65)] {
            assert!(text.parse::<SiloName>().is_err(), "{text:?}");
        }
        assert!("x".repeat(64).parse::<SiloName>().is_ok());
        assert_eq!("Shop-1_a".parse::<SiloName>().unwrap().folded(), "shop-1_a");
    }

    #[test]
    fn identifier_names_are_usable_as_parameters() {
        for text in ["customer-id", "1st", ""] {
            assert!(text.parse::<IdentifierName>().is_err(), "{text:?}");
        }
        assert!("_customerId2".parse::<IdentifierName>().is_ok());
    }
}
