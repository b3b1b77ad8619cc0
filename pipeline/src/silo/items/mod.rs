//! Items: JSON values that become rows, for silos that have no columns of their own.
//!
//! An [`Inferred`] looks at a sample and says which columns there are; [`ItemRows`] builds batches of exactly these columns from all
//! items. Members of an object are its columns, named as they are; objects and arrays stay JSON text. What has no column, or does not
//! fit the one it has, goes whole and digit by digit into the last column, [`MORE`]: nothing is lost, rounded or guessed. A member that
//! is `null` and one that is missing are both NULL.
//!
//! Items are texts, never trees: an item may be nested as deep as it likes, and a number keeps its digits.

mod cell;
mod fault;
#[cfg(any(test, feature = "fuzz"))]
pub(in crate::silo) mod fuzz;
mod infer;
mod more;
mod number;
mod rows;
mod scan;
mod unseen;
mod value;

#[cfg(test)]
mod tests;

pub(in crate::silo) use fault::ItemFault;
pub(in crate::silo) use infer::Inferred;
pub(crate) use more::without_members;
pub(in crate::silo) use rows::ItemRows;
pub(in crate::silo) use scan::{Elements, Members, at_pointer, text_of, whole};
pub(in crate::silo) use unseen::unseen;

/// The column that takes what has no column: an object of the members that are left, or an item that is no object. NULL if nothing is.
pub(crate) const MORE: &str = "_more";
