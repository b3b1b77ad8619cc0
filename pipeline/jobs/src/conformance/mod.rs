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

mod starting;

mod leases;

mod cancelling;

mod collecting;

mod delivering;

mod listing;

mod forgetting;

mod keeping;

mod keys;

mod model;

mod every;

pub use cancelling::{
    a_cancel_races_one_winner, a_cancelled_job_ends_at_once, only_active_jobs_are_cancelled,
};
pub use collecting::{
    a_bad_slice_undoes_its_whole_commit, a_failed_section_keeps_nothing_but_its_outcome,
    a_restarted_section_begins_again, parts_of_a_section_have_slices_of_their_own,
    sections_refuse_what_does_not_follow, what_was_committed_is_read_back_exactly,
};
pub use delivering::{
    bundles_expire_when_their_time_is_over, grants_belong_to_their_request,
    grants_live_until_their_time, only_a_complete_download_delivers,
    publishing_wants_a_packaging_job, what_was_published_is_read_back_exactly,
};
pub use forgetting::{
    a_forgotten_job_keeps_its_story_only, everything_due_expires,
    grants_are_forgotten_a_day_after_their_end, grants_are_revoked_together,
    only_ended_jobs_are_forgotten, requests_are_forgotten_after_their_jobs,
};
pub use keeping::{api_keys_are_listed, api_keys_work_until_they_end, every_change_is_audited};
pub use keys::{
    a_destroyed_job_is_forgotten_like_any_other, a_destroyed_key_ends_its_job,
    a_key_is_retired_or_needed, a_retired_key_makes_no_job, jobs_name_the_key_that_wraps_theirs,
    keys_are_compared_and_replaced,
};
pub use leases::{
    a_job_has_one_worker, a_job_that_gets_nowhere_holds_up_nobody, a_stale_worker_changes_nothing,
    leases_end_with_the_clock, leases_that_got_no_further_are_counted, oldest_jobs_come_first,
    released_jobs_go_on_at_once,
};
pub use lifecycle::{
    a_failed_job_keeps_its_reason_only, a_job_lives_to_its_delivery,
    a_request_is_read_back_exactly, a_second_open_request_is_a_duplicate,
    illegal_moves_change_nothing, tenants_do_not_see_each_other, unknown_ids_are_not_found,
};
pub use listing::{
    lists_are_read_page_by_page, lists_count_latest_jobs, lists_expire_what_is_due,
    lists_show_one_tenant,
};
pub use model::follows_the_model;
pub use starting::{
    a_held_job_waits_for_its_start, a_tenant_has_no_more_active_jobs_than_its_limit,
    jobs_made_again_are_limited_too, lost_bundles_are_made_again,
    only_a_free_requested_job_is_started, only_a_published_job_is_followed_by_another,
    racing_requests_respect_the_limit, two_starts_have_one_winner,
};
