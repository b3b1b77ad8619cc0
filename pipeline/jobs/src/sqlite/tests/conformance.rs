//! The embedded store against the common suite.

use std::sync::Arc;

use proptest::prelude::*;
use tempfile::TempDir;

use super::room::Room;
use crate::{JobStore, TestClock};

crate::job_store_conformance!(make);

async fn make() -> (Arc<dyn JobStore>, Arc<TestClock>, TempDir) {
    let room = Room::new().await;
    (Arc::new(room.open().unwrap()), room.clock, room.dir)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn two_workers_never_both_write(script in prop::collection::vec(any::<u8>(), 20..120)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (store, clock, _guard) = make().await;
            crate::conformance::follows_the_model(&*store, &clock, &script).await;
        });
    }
}
