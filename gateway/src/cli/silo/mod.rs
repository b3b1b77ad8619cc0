//! `antumbra silo check`: do the silos answer, and is what settings say of them true?

mod check;
mod daemon;
mod finding;
mod strain;

pub(super) use check::check;
