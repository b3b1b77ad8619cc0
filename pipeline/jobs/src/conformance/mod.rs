//! One suite for every job store: what [`JobStore`](crate::JobStore) promises, as functions that panic where it is broken.
//!
//! A store runs all of it with [`job_store_conformance!`](crate::job_store_conformance) and a function that makes an empty
//! store:
//!
//! ```text
//! async fn make() -> (Arc<dyn JobStore>, Arc<TestClock>, TempDir) { … }
//! antumbra_jobs::job_store_conformance!(make);
//! ```
//!
//! Each check wants a store of its own that is empty and reads the clock it is given. The third value is kept until the
//! check ended. [`follows_the_model`] is not in the macro: it wants random bytes.
#![expect(clippy::missing_panics_doc, reason = "a check that fails panics: that is how it reports")]

mod fixtures;

mod lifecycle;

mod leases;

mod collecting;

mod delivering;

mod keeping;

mod model;

mod every;

pub use collecting::{
    a_bad_slice_undoes_its_whole_commit, a_failed_section_keeps_nothing_but_its_outcome,
    a_restarted_section_begins_again, sections_refuse_what_does_not_follow,
    what_was_committed_is_read_back_exactly,
};
pub use delivering::{
    bundles_expire_when_their_time_is_over, grants_belong_to_their_request,
    grants_live_until_their_time, only_a_complete_download_delivers,
    publishing_wants_a_packaging_job, what_was_published_is_read_back_exactly,
};
pub use keeping::{api_keys_work_until_they_end, every_change_is_audited};
pub use leases::{
    a_job_has_one_worker, a_stale_worker_changes_nothing, leases_end_with_the_clock,
    oldest_jobs_come_first, released_jobs_go_on_at_once,
};
pub use lifecycle::{
    a_failed_job_keeps_its_reason_only, a_job_lives_to_its_delivery,
    a_request_is_read_back_exactly, a_second_open_request_is_a_duplicate,
    illegal_moves_change_nothing, tenants_do_not_see_each_other, unknown_ids_are_not_found,
};
pub use model::follows_the_model;
