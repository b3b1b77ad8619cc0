//! `export`: what does one customer's history in PostgreSQL cost the client, beside what anybody would pipe together?
//!
//! The client's processor time counts, not the server's. Contestants run in turns, each round in another order.

mod rounds;
mod sides;
mod source;
mod table;

pub(crate) use rounds::export;
