//! The embedded store against the common suite, and what only a file can get wrong.

use std::sync::Arc;

use proptest::prelude::*;
use tempfile::TempDir;

use self::room::Room;
use crate::{JobStore, TestClock};

mod audit;
mod files;
mod room;
mod secrecy;

crate::job_store_conformance!(make);

async fn make() -> (Arc<dyn JobStore>, Arc<TestClock>, TempDir) {
    let room = Room::new().await;
    (Arc::new(room.open().unwrap()), room.clock, room.dir)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn two_workers_never_both_write(script in prop::collection::vec(any::<u8>(), 20..120)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (store, clock, _guard) = make().await;
            crate::conformance::follows_the_model(&*store, &clock, &script).await;
        });
    }
}
