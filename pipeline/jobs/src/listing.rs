//! Which requests does a tenant have?

use std::collections::BTreeMap;

use crate::{Family, Job, JobState, Request, RequestId};

/// Which of a tenant's requests to list.
#[derive(Debug, Clone)]
pub struct ListQuery {
    /// Only those that came through this contract. `None`: through either.
    pub family: Option<Family>,
    /// Only those whose latest job is in this state. `None`: in any.
    pub state: Option<JobState>,
    /// At most this many.
    pub limit: u32,
    /// Only those behind this one in the order of the list: the last of the page before. `None`: from the newest.
    pub after: Option<RequestId>,
}

/// A page of a tenant's requests, and how many there are: all of one moment.
#[derive(Debug, Clone)]
pub struct Listing {
    /// Requests, each with its latest job; the newest first.
    pub entries: Vec<(Request, Job)>,
    /// Requests of the tenant and contract.
    pub total: u64,
    /// Those of them whose latest job is in the state asked for; all of them if none was.
    pub filtered: u64,
    /// How many latest jobs are in each state. Every state is there.
    pub counts: BTreeMap<JobState, u64>,
    /// How many jobs are active.
    pub active: u64,
}
