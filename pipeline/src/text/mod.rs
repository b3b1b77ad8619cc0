//! How is a value written as text? The forms that encoders, key values and redaction share.
//!
//! All of them append to a buffer and allocate nothing of their own.

pub(crate) mod json;
pub(crate) mod moment;
pub(crate) mod number;
mod scalar;
mod scan;

pub(crate) use json::minify_json;
pub(crate) use moment::{Moment, Years};
pub(crate) use scalar::scalar;
pub(crate) use scan::free_of;
