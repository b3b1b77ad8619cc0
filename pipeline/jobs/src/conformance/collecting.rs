//! Slices, segments, sections.

use super::fixtures::{Snapshot, done, entry, file, lease, packaging, planned, segment, slice};
use crate::{
    Commit, Flush, JobStore, PART_SLICES, Progress, SectionEnd, SectionOutcome, SectionState,
    SegmentRecord, SliceCommit, StoreError, TestClock, WorkerId,
};

/// Another worker finds everything the first one committed, byte for byte.
pub async fn what_was_committed_is_read_back_exactly(store: &dyn JobStore, clock: &TestClock) {
    let (started, first) = planned(store, "ada@example.com").await;
    let long = SliceCommit {
        cursor: vec![0xff; 1 << 16],
        state: Vec::new(),
        kept: (0..=255).collect(),
        segments: vec![
            SegmentRecord { flushes: Vec::new(), crc32: 0, ..segment("shop/table0.parquet", 1) },
            SegmentRecord {
                flushes: (1..500).map(|i| Flush { plain: i << 20, stored: i * 0x1_0001 }).collect(),
                ..segment(&entry(0), 1)
            },
        ],
        ..slice(0, 1)
    };
    let progress = Progress {
        rows_collected: 6,
        rows_expected: Some(9),
        bytes_packaged: 700,
        sections_done: 0,
        sections_total: 2,
        ..Progress::default()
    };
    let commit = Commit {
        slices: vec![slice(0, 0), long.clone()],
        objects: vec!["pack-extra".to_owned()],
        progress: progress.clone(),
        ..Commit::default()
    };
    store.commit(&first, commit).await.expect("committed");
    store.release(&first).await.expect("held");
    let second = lease(store, &WorkerId::generate()).await;

    assert_eq!(store.plan(started.job).await.expect("readable").as_deref(), Some(&b"the plan"[..]));
    let slices = store.slices(started.job, 0, 0, u32::MAX).await.expect("readable");
    assert_eq!(slices.len(), 2);
    for (read, written) in slices.iter().zip([&slice(0, 0), &long]) {
        assert_eq!((read.ordinal, read.rows), (written.ordinal, written.rows));
        assert!(
            read.cursor == written.cursor
                && read.state == written.state
                && read.kept == written.kept
        );
    }
    let json = store.segments(started.job, &entry(0)).await.expect("readable");
    assert_eq!(json, [segment(&entry(0), 0), long.segments[1].clone()]);
    let parquet = store.segments(started.job, "shop/table0.parquet").await.expect("readable");
    assert_eq!(parquet, long.segments[..1]);
    let all = store.all_segments(started.job).await.expect("readable");
    assert_eq!(all, [&json[..], &parquet[..]].concat(), "entry by entry");
    assert_eq!(
        store.objects(started.job).await.expect("readable"),
        ["pack-0", "pack-1", "pack-extra"]
    );
    let job = store.job(started.job).await.expect("the job exists");
    let read = Progress { heartbeat_at: None, worker: None, ..job.progress };
    assert_eq!(read, progress);
    let open = store.sections(started.job).await.expect("readable");
    assert_eq!(
        (open[0].state, open[0].rows, open[0].outcome.clone()),
        (SectionState::Open, 6, None)
    );
    assert_eq!((open[1].ordinal, open[1].datapoint.as_str()), (1, "table1"));

    let rest = Commit { slices: vec![slice(0, 2)], ends: vec![done(0, 9)], ..Commit::default() };
    store.commit(&second, rest).await.expect("goes on where the first worker stopped");
    let sections = store.sections(started.job).await.expect("readable");
    assert_eq!((sections[0].state, sections[0].rows), (SectionState::Done, 9));
    assert_eq!(sections[0].outcome.as_deref(), Some(&b"done 0"[..]));
    assert_eq!(store.files(started.job).await.expect("readable"), [file(&entry(0))]);
    let ordinals: Vec<u32> = store
        .segments(started.job, &entry(0))
        .await
        .expect("readable")
        .iter()
        .map(|segment| segment.ordinal)
        .collect();
    assert_eq!(ordinals, [0, 1, 2, u32::MAX]);
    let job = store.job(started.job).await.expect("the job exists");
    assert_eq!(job.progress.heartbeat_at, Some(crate::Clock::now(clock)));
}

/// One transaction: what comes before a fault in a commit is not stored either.
pub async fn a_bad_slice_undoes_its_whole_commit(store: &dyn JobStore, _clock: &TestClock) {
    let (started, lease) = planned(store, "ada@example.com").await;
    let first = Commit { slices: vec![slice(0, 0)], ..Commit::default() };
    store.commit(&lease, first).await.expect("committed");
    let before = Snapshot::of(store, started.job).await;
    let gap = slice(0, 2);
    let again = slice(0, 0);
    let twice = SliceCommit { segments: vec![segment(&entry(0), 0)], ..slice(0, 1) };
    let backwards = SliceCommit {
        segments: vec![SegmentRecord {
            flushes: vec![Flush { plain: 9, stored: 9 }, Flush { plain: 8, stored: 10 }],
            ..segment(&entry(0), 5)
        }],
        ..slice(0, 1)
    };
    let unplanned = slice(7, 0);
    for (fault, bad) in [
        ("a gap", gap),
        ("a slice again", again),
        ("a segment again", twice),
        ("a flush index that goes back", backwards),
        ("a section that is not planned", unplanned),
    ] {
        let commit = Commit {
            slices: vec![slice(1, 0), bad],
            ends: vec![done(1, 3)],
            objects: vec!["pack-new".to_owned()],
            progress: Progress { rows_collected: 99, ..Progress::default() },
        };
        let refused = store.commit(&lease, commit).await;
        assert!(matches!(refused, Err(StoreError::OutOfOrder { .. })), "{fault}: {refused:?}");
        assert!(before == Snapshot::of(store, started.job).await, "{fault} changed something");
    }
}

/// Slices of several parts are committed in whatever order; within a part there is no gap, and all are read back in order.
pub async fn parts_of_a_section_have_slices_of_their_own(store: &dyn JobStore, _clock: &TestClock) {
    let (started, lease) = planned(store, "ada@example.com").await;
    let of_part = |part: u32, at: u32| slice(0, part * PART_SLICES + at);
    for slices in [
        vec![of_part(2, 0)],
        vec![of_part(0, 0), of_part(2, 1), of_part(0, 1)],
        vec![of_part(4_094, 0)],
        vec![of_part(1, 0)],
    ] {
        let commit = Commit { slices, ..Commit::default() };
        store.commit(&lease, commit).await.expect("the next of its part");
    }
    let before = Snapshot::of(store, started.job).await;
    for (fault, bad) in [
        ("a gap in a part", of_part(2, 3)),
        ("a slice of a part again", of_part(2, 1)),
        ("a part that begins with its second", of_part(3, 1)),
        ("the last slice of a part that has none", of_part(3, PART_SLICES - 1)),
    ] {
        let commit = Commit { slices: vec![bad], ..Commit::default() };
        let refused = store.commit(&lease, commit).await;
        assert!(matches!(refused, Err(StoreError::OutOfOrder { .. })), "{fault}: {refused:?}");
        assert!(before == Snapshot::of(store, started.job).await, "{fault} changed something");
    }
    let wanted = [(0, 0), (0, 1), (1, 0), (2, 0), (2, 1), (4_094, 0)];
    let slices = store.slices(started.job, 0, 0, u32::MAX).await.expect("readable");
    let read: Vec<u32> = slices.iter().map(|slice| slice.ordinal).collect();
    assert_eq!(read, wanted.map(|(part, at)| part * PART_SLICES + at));
    let segments = store.segments(started.job, &entry(0)).await.expect("readable");
    assert!(segments.iter().map(|segment| segment.ordinal).eq(read));
    for (from, most) in [(0, 2_u8), (1, 3), (2, 1), (PART_SLICES, 2), (2 * PART_SLICES, 9)] {
        let page = store.slices(started.job, 0, from, most.into()).await.expect("readable");
        let behind = slices.iter().skip_while(|slice| slice.ordinal < from);
        assert!(page.iter().eq(behind.take(most.into())), "{most} from {from}");
    }
    let newest = store.newest_slices(started.job, 0).await.expect("readable");
    let of_each = [1, 2, 4, 5].map(|place| slices[place].clone());
    assert_eq!(newest, of_each, "the last of each part");
    assert!(store.newest_slices(started.job, 1).await.expect("readable").is_empty());
    assert_eq!(store.sections(started.job).await.expect("readable")[0].rows, 18);
    store.restart_section(&lease, 0).await.expect("open");
    assert!(store.slices(started.job, 0, 0, u32::MAX).await.expect("readable").is_empty());
}

/// A section that ended takes no more slices, no second end and no restart.
pub async fn sections_refuse_what_does_not_follow(store: &dyn JobStore, _clock: &TestClock) {
    let (started, lease) = planned(store, "ada@example.com").await;
    let end = Commit { slices: vec![slice(0, 0)], ends: vec![done(0, 3)], ..Commit::default() };
    store.commit(&lease, end).await.expect("committed");
    let before = Snapshot::of(store, started.job).await;
    let refused = [
        store.commit(&lease, Commit { slices: vec![slice(0, 1)], ..Commit::default() }).await,
        store.commit(&lease, Commit { ends: vec![done(0, 3)], ..Commit::default() }).await,
        store.restart_section(&lease, 0).await,
        store.restart_section(&lease, 2).await,
    ];
    assert!(refused.iter().all(|result| matches!(result, Err(StoreError::OutOfOrder { .. }))));
    assert!(before == Snapshot::of(store, started.job).await);

    let (_, other) = packaging(store, "grace@example.com").await;
    store.fail(&other, "test", "").await.expect("held");
    let unordered =
        crate::NewSection { ordinal: 1, silo: "shop".to_owned(), datapoint: "orders".to_owned() };
    super::fixtures::start(store, "hopper@example.com").await;
    let lease = super::fixtures::lease(store, &WorkerId::generate()).await;
    let refused = store.save_plan(&lease, b"", &[unordered], &Progress::default()).await;
    assert!(matches!(refused, Err(StoreError::OutOfOrder { .. })), "a plan that begins with 1");
    assert!(store.plan(lease.job).await.expect("readable").is_none());
}

/// The data of a silo that failed half way is gone, its reason stays, and other sections keep theirs.
pub async fn a_failed_section_keeps_nothing_but_its_outcome(
    store: &dyn JobStore,
    _clock: &TestClock,
) {
    let (started, lease) = planned(store, "ada@example.com").await;
    let commit = Commit { slices: vec![slice(0, 0), slice(1, 0)], ..Commit::default() };
    store.commit(&lease, commit).await.expect("committed");
    let failed = SectionEnd {
        section: 0,
        rows: 0,
        outcome: SectionOutcome::Failed,
        document: b"connection refused".to_vec(),
    };
    let commit = Commit { ends: vec![failed, done(1, 3)], ..Commit::default() };
    store.commit(&lease, commit).await.expect("committed");
    let sections = store.sections(started.job).await.expect("readable");
    assert_eq!((sections[0].state, sections[0].rows), (SectionState::Failed, 0));
    assert_eq!(sections[0].outcome.as_deref(), Some(&b"connection refused"[..]));
    assert_eq!(sections[1].state, SectionState::Done);
    assert!(store.slices(started.job, 0, 0, u32::MAX).await.expect("readable").is_empty());
    assert!(store.segments(started.job, &entry(0)).await.expect("readable").is_empty());
    assert_eq!(store.slices(started.job, 1, 0, u32::MAX).await.expect("readable").len(), 1);
    assert_eq!(store.segments(started.job, &entry(1)).await.expect("readable").len(), 2);
    assert_eq!(store.files(started.job).await.expect("readable"), [file(&entry(1))]);
    assert!(store.objects(started.job).await.expect("readable").contains(&"pack-0".to_owned()));
    store.start_packaging(&lease).await.expect("every section ended");
}

/// A section that cannot go on starts from nothing, alone.
pub async fn a_restarted_section_begins_again(store: &dyn JobStore, _clock: &TestClock) {
    let (started, lease) = planned(store, "ada@example.com").await;
    let commit =
        Commit { slices: vec![slice(0, 0), slice(0, 1), slice(1, 0)], ..Commit::default() };
    store.commit(&lease, commit).await.expect("committed");
    store.restart_section(&lease, 0).await.expect("the section is open");
    assert!(store.slices(started.job, 0, 0, u32::MAX).await.expect("readable").is_empty());
    assert!(store.segments(started.job, &entry(0)).await.expect("readable").is_empty());
    assert_eq!(store.sections(started.job).await.expect("readable")[0].rows, 0);
    assert_eq!(store.slices(started.job, 1, 0, u32::MAX).await.expect("readable").len(), 1);
    assert_eq!(store.objects(started.job).await.expect("readable"), ["pack-0", "pack-1"]);
    let commit = Commit { slices: vec![slice(0, 0)], ..Commit::default() };
    store.commit(&lease, commit).await.expect("the first slice again");
}
