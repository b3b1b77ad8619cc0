//! Who asks, and what may they do?
//!
//! Two keys open the Sombra routes: the gateway key (`x-sombra-authorization`) lets a caller into the gateway, the API
//! key (`authorization`) says which tenant asks and with which scopes. The contract knows no 403: a caller who may not
//! do something gets 401, too, with the scope that is needed; what belongs to another tenant does not exist (404).

mod admission;
mod bearer;
mod caller;

pub(crate) use admission::{X_SOMBRA_AUTHORIZATION, admit};
pub(crate) use caller::Caller;
