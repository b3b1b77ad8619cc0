//! Any sequence of changes keeps the promises of the ring.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::Value;

use super::room::*;
use crate::{Error, KeyRing, KeyState, Roots};

#[derive(Debug, Clone)]
enum Step {
    Rotate,
    Rewrap,
    /// The key at this place, modulo their number.
    Retire(usize),
    NewJob,
    /// Moves every data key that can be opened.
    RewrapJobs,
    /// A root that was never there becomes the current one.
    NewRoot,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Rotate),
        3 => Just(Step::Rewrap),
        4 => (0..8usize).prop_map(Step::Retire),
        4 => Just(Step::NewJob),
        2 => Just(Step::RewrapJobs),
        1 => Just(Step::NewRoot),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_sequence_of_changes_keeps_the_promises(steps in prop::collection::vec(step(), 1..24)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut house = House::new().await;
            for step in steps {
                house.apply(&step).await;
                house.check().await;
            }
        });
    }
}

/// A ring that is opened anew from its file after each change, and what it must remember.
struct House {
    roots: Roots,
    root_count: u8,
    first: KeyRing,
    ring: KeyRing,
    /// Data keys: secret, envelope, name of its KEK.
    jobs: Vec<([u8; 32], Vec<u8>, String)>,
    /// Every wrapping of each KEK that a file ever had.
    wrappings: BTreeMap<String, BTreeSet<String>>,
    retired: BTreeSet<String>,
}

impl House {
    async fn new() -> Self {
        let (ring, _, roots, _) = ring().await;
        let first = KeyRing::open(&ring.bytes, &roots).await.unwrap();
        let (jobs, wrappings, retired) = (Vec::new(), BTreeMap::new(), BTreeSet::new());
        Self { roots, root_count: 1, first, ring, jobs, wrappings, retired }
    }

    async fn apply(&mut self, step: &Step) {
        match step {
            Step::Rotate => {
                let (_, file) = self.ring.rotated(NOW).await.unwrap();
                self.store(&file).await;
            }
            Step::Rewrap => {
                if let Some((_, file)) = self.ring.rewrapped().await.unwrap() {
                    self.store(&file).await;
                }
                assert!(self.ring.rewrapped().await.unwrap().is_none());
                let active = self.ring.keys().into_iter().find(|k| k.state == KeyState::Active);
                assert_eq!(active.unwrap().services, 6);
            }
            Step::Retire(at) => self.retire(*at).await,
            Step::NewJob => {
                let (secret, envelope) = wrapped(&self.ring).await;
                self.jobs.push((secret, envelope, self.ring.active_id().to_owned()));
            }
            Step::RewrapJobs => {
                for (_, envelope, id) in &mut self.jobs {
                    if self.retired.contains(id) {
                        continue;
                    }
                    if let Some(anew) = self.ring.rewrap(envelope, &place()).await.unwrap() {
                        (*envelope, *id) = (anew.bytes, anew.key_id);
                    }
                }
            }
            Step::NewRoot => {
                self.root_count += 1;
                let root = TestRoot::new(&format!("root-{}", self.root_count), self.root_count);
                let older = self.roots.clone();
                let mut roots = Roots::new(Arc::new(root)).with_older(older.current().clone());
                for n in 1..self.root_count {
                    let name = if n == 1 { "test-root".to_owned() } else { format!("root-{n}") };
                    roots = roots.with_older(Arc::new(TestRoot::new(&name, n)));
                }
                self.roots = roots;
                let file = self.ring.bytes.clone();
                self.store(&file).await;
            }
        }
    }

    async fn retire(&mut self, at: usize) {
        let keys = self.ring.keys();
        let key = &keys[at % keys.len()];
        let needed = key.state == KeyState::Active || key.services > 0;
        match self.ring.retired(&key.id) {
            Ok((_, file)) => {
                assert!(!needed, "{key:?}");
                self.retired.insert(key.id.clone());
                self.store(&file).await;
            }
            Err(Error::KeyNeeded { id, .. }) => assert!(needed && id == key.id, "{key:?}"),
            Err(other) => panic!("{other}"),
        }
    }

    async fn store(&mut self, file: &[u8]) {
        self.ring = KeyRing::open(file, &self.roots).await.unwrap();
    }

    async fn check(&mut self) {
        let keys = self.ring.keys();
        let active: Vec<_> = keys.iter().filter(|key| key.state == KeyState::Active).collect();
        assert_eq!(active.len(), 1);
        assert_eq!(active[0].id, self.ring.active_id());
        assert_eq!(keys.iter().map(|key| key.services).sum::<u32>(), 6);
        assert!(self.ring.is_of_same_installation(&self.first));

        for (secret, envelope, id) in &self.jobs {
            if self.retired.contains(id) {
                let error = self.ring.unwrap(envelope, &place()).await.unwrap_err();
                assert_eq!(unknown_key(&error), id);
            } else {
                assert_eq!(unwrapped(&self.ring, envelope).await, *secret);
            }
        }
        let text = String::from_utf8(self.ring.bytes.clone()).unwrap();
        let file: Value = serde_json::from_str(&text).unwrap();
        for (key, info) in file["keys"].as_array().unwrap().iter().zip(&keys) {
            let is_retired = self.retired.contains(&info.id);
            assert_eq!(info.state == KeyState::Retired, is_retired, "{info:?}");
            let seen = self.wrappings.entry(info.id.clone()).or_default();
            seen.extend(key["wrapped"].as_str().map(str::to_owned));
            assert!(!is_retired || seen.iter().all(|wrapping| !text.contains(wrapping)));
        }
    }
}
