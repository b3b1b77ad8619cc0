//! What is wrong with an item?

use crate::SiloError;

/// An item that cannot become a row. Names its number and the member, never a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("item {item}: {what}")]
pub(in crate::silo) struct ItemFault {
    /// The item's number, from 1, counted over all that were pushed or looked at.
    pub(in crate::silo) item: u64,
    /// The member, if it is one that has a column.
    pub(in crate::silo) member: Option<String>,
    /// What is wrong.
    pub(in crate::silo) what: &'static str,
}

impl From<ItemFault> for SiloError {
    fn from(fault: ItemFault) -> Self {
        let column = fault.member.unwrap_or_else(|| super::MORE.to_owned());
        Self::Value { row: fault.item, column, what: fault.what.to_owned() }
    }
}
