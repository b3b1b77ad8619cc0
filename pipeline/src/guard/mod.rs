//! What may leave? The last look at rows before they are encoded: columns that are not listed, values that settings withhold,
//! values that look like secrets, addresses of other people.
//!
//! Everything works by column: the bytes of a whole column are searched at once, a column in which nothing is found is passed on
//! as it is. What is found is counted by column and kind; the counts are saved with the cursor, so that a section that was
//! interrupted counts as one that was not. Texts and JSON are looked into; bytes, and what a bundle holds as whole files, are not.

mod beside;
mod counts;
mod json;
mod texts;

mod foreign;
mod secret;
mod withhold;

mod rows;
#[cfg(test)]
mod tests;

pub(crate) use rows::Guard;
