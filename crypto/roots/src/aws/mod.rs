//! A root key in AWS KMS, spoken to over plain HTTP signed with Signature Version 4.

mod calls;
mod machine;
mod refusal;
mod root;
mod settings;

pub use root::AwsKmsRoot;
pub use settings::{AwsCredentials, AwsKms};

#[cfg(test)]
mod tests;
