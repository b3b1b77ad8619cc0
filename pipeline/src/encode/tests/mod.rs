//! All formats at once: a table of every type, and any values of every type.

mod documented;
mod nasty;
mod roundtrip;
mod table;
