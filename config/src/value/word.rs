//! Closed lists of words.

use std::{fmt, str::FromStr};

use crate::value::{ValueError, text::text_serde};

macro_rules! words {
    (
        $(#[$doc:meta])*
        $vis:vis enum $type:ident, $expected:literal, $same:path {
            $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis enum $type { $($(#[$variant_doc])* $variant,)+ }

        impl $type {
            /// Lists every word, in the order of the reference.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Returns the word as settings spell it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl FromStr for $type {
            type Err = ValueError;

            fn from_str(text: &str) -> Result<Self, ValueError> {
                Self::ALL
                    .iter()
                    .copied()
                    .find(|word| $same(word.as_str(), text))
                    .ok_or_else(|| ValueError::new($expected, text))
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        text_serde!($type, $expected);

        #[cfg(test)]
        impl $type {
            fn every_word_is_offered() {
                for word in Self::ALL {
                    assert!($expected.contains(&format!("{:?}", word.as_str())));
                    assert_eq!(word.as_str().parse::<Self>().unwrap(), *word);
                }
            }
        }
    };
}

words! {
    /// Lists the formats in which a section can be written. Parsed in any case.
    pub enum Format, r#""JSON", "CSV", "NDJSON" or "PARQUET""#, any_case {
        /// One JSON array of objects.
        Json = "JSON",
        /// Comma-separated values with a header line, RFC 4180.
        Csv = "CSV",
        /// One JSON object a line.
        Ndjson = "NDJSON",
        /// Parquet, zstd-compressed.
        Parquet = "PARQUET",
    }
}

words! {
    /// Says what happens to text in a CSV file that a spreadsheet would run as a formula.
    #[derive(Default)]
    pub enum CsvFormulas, r#""defuse" or "keep""#, exact {
        /// It gets an apostrophe in front.
        #[default]
        Defuse = "defuse",
        /// It stays as it is.
        Keep = "keep",
    }
}

words! {
    /// Says what a failed silo does to the job. Either way its sections are marked failed, with the reason.
    pub enum OnSiloError, r#""fail" or "partial""#, exact {
        /// The job fails.
        Fail = "fail",
        /// The job goes on and its bundle says what is missing.
        Partial = "partial",
    }
}

words! {
    /// Says how `size` is written in answers of `download-keys`: published clients disagree.
    pub enum SizeType, r#""string" or "number""#, exact {
        /// A decimal string, which the command-line client needs.
        String = "string",
        /// A number, which the generated SDKs need.
        Number = "number",
    }
}

words! {
    /// Says how log lines are written.
    pub enum LogFormat, r#""text" or "json""#, exact {
        /// For people.
        Text = "text",
        /// One JSON object a line, for collectors.
        Json = "json",
    }
}

words! {
    /// Says from which severity on log lines are written.
    pub enum LogLevel, r#""error", "warn", "info", "debug" or "trace""#, exact {
        /// An operator must act.
        Error = "error",
        /// An operator may have to act.
        Warn = "warn",
        /// What happened.
        Info = "info",
        /// Why it happened.
        Debug = "debug",
        /// Every step.
        Trace = "trace",
    }
}

words! {
    /// Says whether a datapoint holds data about persons.
    #[derive(Default)]
    pub enum DatapointKind, r#""data" or "configuration""#, exact {
        /// Rows about persons.
        #[default]
        Data = "data",
        /// Rows about the tenant; left out of exports for one person.
        Configuration = "configuration",
    }
}

words! {
    /// Says what happens to what a guard finds in what is about to leave.
    pub enum GuardAction, r#""off", "note" or "redact""#, exact {
        /// Nobody looks.
        Off = "off",
        /// It leaves, and the section's notes say how often.
        Note = "note",
        /// It is made unreadable, and the section's notes say how often.
        Redact = "redact",
    }
}

words! {
    /// Names a list of a compliance scope that may narrow a datapoint's rows.
    pub enum ScopeField, r#""campaignIds" or "substrates""#, exact {
        /// The scope's `campaignIds`.
        CampaignIds = "campaignIds",
        /// The scope's `substrates`.
        Substrates = "substrates",
    }
}

words! {
    /// Lists the kinds of silo this build knows.
    pub enum SiloType, r#""sqlite", "postgres", "mysql", "http", "files" or "adbc""#, exact {
        /// A SQLite database file.
        Sqlite = "sqlite",
        /// A PostgreSQL server.
        Postgres = "postgres",
        /// A MySQL or `MariaDB` server.
        Mysql = "mysql",
        /// A REST service that answers in JSON.
        Http = "http",
        /// Files in a directory or bucket.
        Files = "files",
        /// Whatever an ADBC driver reaches.
        Adbc = "adbc",
    }
}

words! {
    /// Says how the files of a datapoint are written.
    pub enum FileFormat, r#""csv", "ndjson", "json" or "parquet""#, exact {
        /// Comma-separated values whose first line names the columns.
        Csv = "csv",
        /// One JSON object a line.
        Ndjson = "ndjson",
        /// One JSON document with a list of objects in it.
        Json = "json",
        /// Parquet.
        Parquet = "parquet",
    }
}

words! {
    /// Says what keeps a root key.
    pub enum RootType, r#""local", "sombra", "aws-kms" or "vault""#, exact {
        /// This process: a key file, a variable, a systemd credential.
        Local = "local",
        /// This process: the keys of `JWT_ECDSA_KEY`.
        Sombra = "sombra",
        /// AWS KMS.
        AwsKms = "aws-kms",
        /// The transit engine of Vault or `OpenBao`.
        Vault = "vault",
    }
}

fn exact(word: &str, text: &str) -> bool {
    word == text
}

fn any_case(word: &str, text: &str) -> bool {
    word.eq_ignore_ascii_case(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expected_texts_list_every_word() {
        Format::every_word_is_offered();
        CsvFormulas::every_word_is_offered();
        OnSiloError::every_word_is_offered();
        SizeType::every_word_is_offered();
        LogFormat::every_word_is_offered();
        LogLevel::every_word_is_offered();
        DatapointKind::every_word_is_offered();
        GuardAction::every_word_is_offered();
        FileFormat::every_word_is_offered();
        ScopeField::every_word_is_offered();
        SiloType::every_word_is_offered();
        RootType::every_word_is_offered();
    }

    #[test]
    fn formats_take_any_case_and_an_unknown_one_lists_the_known() {
        assert_eq!("parquet".parse::<Format>().unwrap(), Format::Parquet);
        assert_eq!("ndJson".parse::<Format>().unwrap(), Format::Ndjson);
        assert_eq!("Json".parse::<Format>().unwrap(), Format::Json);
        let error = "XML".parse::<Format>().unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"expected "JSON", "CSV", "NDJSON" or "PARQUET", found "XML""#
        );
        assert_eq!(error.code(), "value_invalid");
    }
}
