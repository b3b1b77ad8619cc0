//! Two workers, one store, any order of calls: the store against a small model.
//!
//! Each byte of a script is one step: a worker (its lowest bit) tries something with the last lease it got, which may be long
//! stale, or time passes, or a request arrives, or somebody starts a job by name, cancels one or destroys its key. The model
//! keeps for each job its state, whether it is held and has its key, who may write, until when, and how many slices there
//! are. A failure is a call that answers otherwise than the model says, or a job that afterwards differs
//! from it. Not covered: calls that truly overlap; a store serialises them, so an order of single calls stands for each.

use jiff::{SignedDuration, Timestamp};

use super::fixtures::{
    Started, TTL, caller, done, published, sections, slice, start, start_held, tenant,
};
use crate::{
    Clock as _, Commit, Download, FenceToken, GRANT_BUNDLE, JobId, JobState, JobStore, Lease,
    Progress, RequestId, StoreError, TestClock, WorkerId,
};

/// Plays a script and panics where the store leaves the model.
pub async fn follows_the_model(store: &dyn JobStore, clock: &TestClock, script: &[u8]) {
    let workers = [WorkerId::generate(), WorkerId::generate()];
    let mut leases: [Option<Lease>; 2] = [None, None];
    let mut jobs: Vec<Model> = Vec::new();
    for (number, byte) in script.iter().enumerate() {
        let who = usize::from(byte & 1);
        match (byte >> 1) % 18 {
            0 => {
                clock.advance(SignedDuration::from_secs(1));
                let email = format!("person{number}@example.com");
                jobs.push(Model::new(&start(store, &email).await));
            }
            START_HELD => {
                clock.advance(SignedDuration::from_secs(1));
                let job = start_held(store, &format!("person{number}@example.com")).await;
                jobs.push(Model { held: true, ..Model::new(&job) });
            }
            LEASE_JOB => {
                let Some(job) = pick(&mut jobs, number) else { continue };
                let got = store.lease_job(job.id, &workers[who], TTL).await.expect("leasing works");
                let free = job.state == JobState::Requested && job.is_unleased(clock.now());
                assert_eq!(got.is_some(), free, "step {number}");
                if let Some(lease) = got {
                    job.take(who, &lease);
                    leases[who] = Some(lease);
                }
            }
            CANCEL => {
                let Some(job) = pick(&mut jobs, number) else { continue };
                let cancelled = store.cancel(&tenant("acme"), job.request, &caller()).await;
                assert_eq!(cancelled.is_ok(), job.is_working(), "step {number}: {cancelled:?}");
                if cancelled.is_ok() {
                    job.state = JobState::Cancelled;
                }
            }
            DESTROY => {
                let Some(job) = pick(&mut jobs, number) else { continue };
                store.destroy_key(job.id, &caller()).await.expect("any job has an end");
                job.destroy();
            }
            1 => clock.advance(SignedDuration::from_secs(11)),
            2 | 3 => {
                let got = store.lease(&workers[who], TTL).await.expect("leasing works");
                let free = jobs.iter_mut().find(|job| job.is_free(clock.now()));
                assert_eq!(got.as_ref().map(|lease| lease.job), free.as_ref().map(|job| job.id));
                if let (Some(lease), Some(job)) = (got, free) {
                    job.take(who, &lease);
                    leases[who] = Some(lease);
                }
            }
            what => {
                let Some(lease) = leases[who].clone() else { continue };
                let job = jobs
                    .iter_mut()
                    .find(|job| job.id == lease.job)
                    .expect("leases are of jobs that were made");
                let expected = job.expect(what, (who, lease.fence.0));
                let result = attempt(store, clock, &lease, what, job.slices).await;
                assert_eq!(answer(&result), expected, "step {number}: {what} by {who}: {result:?}");
                if expected == Answer::Done {
                    job.apply(what, clock.now());
                }
            }
        }
        for job in &jobs {
            let stored = store.job(job.id).await.expect("the job exists");
            assert_eq!((stored.state, stored.fence), (job.state, FenceToken(job.fence)));
            assert_eq!(stored.held, job.held, "step {number}");
            let slices = store.slices(job.id, 0, 0, u32::MAX).await.expect("readable").len();
            assert_eq!(stored.wrapped_key.is_none(), job.destroyed, "step {number}");
            let deleted =
                job.destroyed || matches!(job.state, JobState::Failed | JobState::Cancelled);
            let expected = if deleted { 0 } else { job.slices };
            assert_eq!(u32::try_from(slices), Ok(expected), "step {number}");
        }
    }
}

/// What the model remembers of a job.
struct Model {
    request: RequestId,
    id: JobId,
    held: bool,
    destroyed: bool,
    state: JobState,
    fence: u64,
    holder: Option<(usize, u64)>,
    until: Timestamp,
    slices: u32,
    ended: bool,
}

#[derive(Debug, PartialEq)]
enum Answer {
    Done,
    LeaseLost,
    Refused,
}

impl Model {
    fn new(started: &Started) -> Self {
        Self {
            request: started.request,
            id: started.job,
            held: false,
            destroyed: false,
            state: JobState::Requested,
            fence: 0,
            holder: None,
            until: Timestamp::MIN,
            slices: 0,
            ended: false,
        }
    }

    fn is_working(&self) -> bool {
        [JobState::Requested, JobState::Collecting, JobState::Packaging].contains(&self.state)
    }

    fn is_free(&self, now: Timestamp) -> bool {
        self.is_working() && !self.held && self.is_unleased(now)
    }

    fn is_unleased(&self, now: Timestamp) -> bool {
        self.holder.is_none() || self.until <= now
    }

    fn take(&mut self, who: usize, lease: &Lease) {
        self.fence += 1;
        self.held = false;
        self.holder = Some((who, self.fence));
        self.until = lease.until;
        assert_eq!(lease.fence, FenceToken(self.fence));
    }

    fn destroy(&mut self) {
        if self.is_working() {
            self.state = JobState::Cancelled;
        } else if matches!(self.state, JobState::Ready | JobState::Delivered) {
            self.state = JobState::Expired;
        }
        self.destroyed = true;
    }

    fn expect(&self, what: u8, holder: (usize, u64)) -> Answer {
        if what == DOWNLOAD {
            return Answer::Done;
        }
        if !self.is_working() || self.holder != Some(holder) {
            return Answer::LeaseLost;
        }
        let allowed = match what {
            PLAN => self.state == JobState::Requested,
            SLICE | END | RESTART => self.state == JobState::Collecting && !self.ended,
            PACKAGE => self.ended,
            PUBLISH => self.state == JobState::Packaging,
            _ => true,
        };
        if allowed { Answer::Done } else { Answer::Refused }
    }

    fn apply(&mut self, what: u8, now: Timestamp) {
        match what {
            HEARTBEAT => self.until = now.checked_add(TTL).expect("in range"),
            PLAN => self.state = JobState::Collecting,
            SLICE => self.slices += 1,
            END => self.ended = true,
            RESTART => self.slices = 0,
            PACKAGE => self.state = JobState::Packaging,
            PUBLISH => self.state = JobState::Ready,
            FAIL => self.state = JobState::Failed,
            RELEASE => self.holder = None,
            _ if self.state == JobState::Ready => self.state = JobState::Delivered,
            _ => {}
        }
    }
}

async fn attempt(
    store: &dyn JobStore,
    clock: &TestClock,
    lease: &Lease,
    what: u8,
    slices: u32,
) -> Result<(), StoreError> {
    match what {
        HEARTBEAT => store.heartbeat(lease, TTL).await.map(drop),
        PLAN => store.save_plan(lease, b"plan", &sections(1), &Progress::default()).await,
        SLICE => {
            let commit = Commit { slices: vec![slice(0, slices)], ..Commit::default() };
            store.commit(lease, commit).await
        }
        END => store.commit(lease, Commit { ends: vec![done(0, 0)], ..Commit::default() }).await,
        RESTART => store.restart_section(lease, 0).await,
        PACKAGE => store.start_packaging(lease).await,
        PUBLISH => store.publish(lease, published(clock.now())).await,
        FAIL => store.fail(lease, "test", "").await,
        RELEASE => store.release(lease).await,
        _ => {
            let file = GRANT_BUNDLE.to_owned();
            let (job, actor) = (lease.job, caller());
            store
                .record_download(Download { job, file, actor, start: 0, sent: 1, complete: true })
                .await
        }
    }
}

fn pick(jobs: &mut [Model], number: usize) -> Option<&mut Model> {
    let count = jobs.len().max(1);
    jobs.get_mut(number % count)
}

fn answer(result: &Result<(), StoreError>) -> Answer {
    match result {
        Ok(()) => Answer::Done,
        Err(StoreError::LeaseLost { .. }) => Answer::LeaseLost,
        Err(_) => Answer::Refused,
    }
}

const HEARTBEAT: u8 = 4;
const PLAN: u8 = 5;
const SLICE: u8 = 6;
const END: u8 = 7;
const PACKAGE: u8 = 8;
const PUBLISH: u8 = 9;
const FAIL: u8 = 10;
const RELEASE: u8 = 11;
const RESTART: u8 = 12;
const DOWNLOAD: u8 = 13;
const START_HELD: u8 = 14;
const LEASE_JOB: u8 = 15;
const CANCEL: u8 = 16;
const DESTROY: u8 = 17;
