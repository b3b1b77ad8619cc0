//! The macro that makes a test of every check.

/// Makes a test of each check; see [`conformance`](crate::conformance).
#[macro_export]
macro_rules! job_store_conformance {
    ($make:path) => {
        $crate::job_store_conformance! { $make =>
            a_request_is_read_back_exactly,
            a_job_lives_to_its_delivery,
            a_second_open_request_is_a_duplicate,
            tenants_do_not_see_each_other,
            unknown_ids_are_not_found,
            illegal_moves_change_nothing,
            a_failed_job_keeps_its_reason_only,
            a_held_job_waits_for_its_start,
            only_a_free_requested_job_is_started,
            two_starts_have_one_winner,
            a_tenant_has_no_more_active_jobs_than_its_limit,
            racing_requests_respect_the_limit,
            lost_bundles_are_made_again,
            jobs_made_again_are_limited_too,
            only_a_published_job_is_followed_by_another,
            a_job_has_one_worker,
            oldest_jobs_come_first,
            leases_end_with_the_clock,
            a_stale_worker_changes_nothing,
            released_jobs_go_on_at_once,
            leases_that_got_no_further_are_counted,
            a_job_that_gets_nowhere_holds_up_nobody,
            a_cancelled_job_ends_at_once,
            only_active_jobs_are_cancelled,
            a_cancel_races_one_winner,
            what_was_committed_is_read_back_exactly,
            a_bad_slice_undoes_its_whole_commit,
            parts_of_a_section_have_slices_of_their_own,
            sections_refuse_what_does_not_follow,
            a_failed_section_keeps_nothing_but_its_outcome,
            a_restarted_section_begins_again,
            publishing_wants_a_packaging_job,
            what_was_published_is_read_back_exactly,
            grants_live_until_their_time,
            grants_belong_to_their_request,
            only_a_complete_download_delivers,
            bundles_expire_when_their_time_is_over,
            lists_are_read_page_by_page,
            lists_count_latest_jobs,
            lists_expire_what_is_due,
            lists_show_one_tenant,
            everything_due_expires,
            a_forgotten_job_keeps_its_story_only,
            only_ended_jobs_are_forgotten,
            grants_are_forgotten_a_day_after_their_end,
            grants_are_revoked_together,
            requests_are_forgotten_after_their_jobs,
            api_keys_are_listed,
            api_keys_work_until_they_end,
            every_change_is_audited,
            jobs_name_the_key_that_wraps_theirs,
            keys_are_compared_and_replaced,
            a_retired_key_makes_no_job,
            a_key_is_retired_or_needed,
            a_destroyed_key_ends_its_job,
            a_destroyed_job_is_forgotten_like_any_other,
        }
    };
    ($make:path => $($check:ident),+ $(,)?) => {$(
        #[tokio::test]
        async fn $check() {
            let (store, clock, _guard) = $make().await;
            $crate::conformance::$check(&*store, &clock).await;
        }
    )+};
}
