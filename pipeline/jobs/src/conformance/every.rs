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
            a_job_has_one_worker,
            oldest_jobs_come_first,
            leases_end_with_the_clock,
            a_stale_worker_changes_nothing,
            released_jobs_go_on_at_once,
            what_was_committed_is_read_back_exactly,
            a_bad_slice_undoes_its_whole_commit,
            sections_refuse_what_does_not_follow,
            a_failed_section_keeps_nothing_but_its_outcome,
            a_restarted_section_begins_again,
            publishing_wants_a_packaging_job,
            what_was_published_is_read_back_exactly,
            grants_live_until_their_time,
            grants_belong_to_their_request,
            only_a_complete_download_delivers,
            bundles_expire_when_their_time_is_over,
            api_keys_work_until_they_end,
            every_change_is_audited,
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
