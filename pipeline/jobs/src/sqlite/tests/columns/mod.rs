//! What may every column of every table hold? Declared, one by one, and checked on a store that holds something of everything.
//!
//! A column is sealed, keyed or plain. A sealed value opens for its own table, row and column and nowhere else; a keyed value is
//! recomputed; a plain value has a shape in which a person's data finds no room, and a reason. A column that nobody declared, a
//! value of another shape, and a column of which the store holds no value all fail.

mod declared;
mod everything;
mod shapes;
mod walk;
