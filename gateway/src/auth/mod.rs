//! Who asks, and what may they do?
//!
//! Two keys open the Sombra routes: the gateway key (`x-sombra-authorization`) lets a caller into the gateway, the API
//! key (`authorization`) says which tenant asks and with which scopes. The compliance routes ask for the gateway key only
//! where settings say so. The Sombra contract knows no 403: a caller who may not do something gets 401, too, with the
//! scope that is needed, and so it is everywhere; what belongs to another tenant does not exist (404).

mod admission;
mod bearer;
mod caller;

pub(crate) use admission::{X_SOMBRA_AUTHORIZATION, admit, admit_compliance};
pub(crate) use caller::Caller;
