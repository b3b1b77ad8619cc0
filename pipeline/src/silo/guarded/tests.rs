//! A guarded silo, from outside: who waits for whom, and what a silo that fails is spared.

use std::collections::{BTreeMap, VecDeque};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use antumbra_config::{Count, SiloKind, SiloLimits};
use arrow_array::{ArrayRef, RecordBatch, StringArray};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{FutureExt as _, StreamExt as _, poll};
use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, Key, KeyName, Metadata, Recorder, SharedString,
    Unit,
};
use tokio::time::{Instant, timeout};

use super::{CircuitState, Guard, Guarded};
use crate::silo::{
    Attached, Batches, Cursor, Explained, Identifiers, SectionSource, SectionSpec, Session, Shape,
    Silo,
};
use crate::{SiloError, Value};

/// What a test wants of the silo behind the guard.
#[derive(Debug, Default)]
struct Script {
    /// What connecting fails with, in order; then it succeeds.
    connecting: Mutex<VecDeque<SiloError>>,
    /// What describing fails with, in order; then it succeeds.
    describing: Mutex<VecDeque<SiloError>>,
    /// How many rows each batch has.
    batches: Vec<usize>,
    /// How the reading ends.
    ends: Option<SiloError>,
    calls: AtomicUsize,
}

#[derive(Debug)]
struct Scripted(Arc<Script>);

struct ScriptedSession(Arc<Script>);

fn next(list: &Mutex<VecDeque<SiloError>>) -> Result<(), SiloError> {
    list.lock().unwrap().pop_front().map_or(Ok(()), Err)
}

#[async_trait]
impl Silo for Scripted {
    async fn connect(&self) -> Result<Box<dyn Session>, SiloError> {
        self.0.calls.fetch_add(1, Ordering::Relaxed);
        next(&self.0.connecting)?;
        Ok(Box::new(ScriptedSession(Arc::clone(&self.0))))
    }
}

#[async_trait]
impl Session for ScriptedSession {
    async fn distinct(
        &mut self,
        _: &SectionSpec,
        _: &Identifiers,
        _: &[String],
        _: usize,
    ) -> Result<Vec<Vec<Value>>, SiloError> {
        Ok(Vec::new())
    }

    async fn describe(&mut self, _: &SectionSpec, _: &Identifiers) -> Result<Shape, SiloError> {
        self.0.calls.fetch_add(1, Ordering::Relaxed);
        next(&self.0.describing)?;
        Ok(shape())
    }

    async fn read(
        &mut self,
        _: &SectionSpec,
        _: &Identifiers,
        _: &Shape,
        _: Option<Cursor>,
    ) -> Result<Batches, SiloError> {
        let (batches, ends) = (self.0.batches.clone(), self.0.ends.clone());
        Ok(Batches::start(move |sender| {
            for rows in batches {
                let column: ArrayRef = Arc::new(StringArray::from(vec![CANARY; rows]));
                let batch = RecordBatch::try_from_iter([("name", column)]).unwrap();
                if sender.blocking_send(batch).is_err() {
                    return Ok(());
                }
            }
            ends.map_or(Ok(()), Err)
        }))
    }

    async fn explain(&mut self, _: &SectionSpec, _: &Identifiers) -> Result<Explained, SiloError> {
        Err(unreachable())
    }

    async fn beside(&mut self) -> Result<Option<Box<dyn Session>>, SiloError> {
        Ok(Some(Box::new(Self(Arc::clone(&self.0)))))
    }

    async fn attachment(
        &mut self,
        _: &Attached,
    ) -> Result<BoxStream<'static, Result<Bytes, SiloError>>, SiloError> {
        let pieces = self.0.batches.clone().into_iter().map(|len| Ok(Bytes::from(vec![7; len])));
        Ok(futures::stream::iter(pieces).boxed())
    }
}

/// A silo named `shop` with limits, and what is behind its guard.
fn guarded(script: Script, limits: SiloLimits) -> (Guarded, Arc<Guard>, Arc<Script>) {
    let settings = antumbra_config::Silo {
        name: "shop".parse().unwrap(),
        tenant: "acme".parse().unwrap(),
        kind: SiloKind::Sqlite { path: "x".into(), busy_timeout: "1s".parse().unwrap() },
        limits,
        datapoints: Vec::new(),
    };
    let (guard, script) = (Arc::new(Guard::new(&settings)), Arc::new(script));
    let silo = Guarded::new(Arc::new(Scripted(Arc::clone(&script))), Arc::clone(&guard));
    (silo, guard, script)
}

fn limits() -> SiloLimits {
    SiloLimits { max_connections: count(1), circuit_failures: count(1), ..SiloLimits::default() }
}

fn count(number: u32) -> Count {
    Count::new(number).unwrap()
}

fn shape() -> Shape {
    Shape {
        columns: Vec::new(),
        ordered_by: Vec::new(),
        keyed: false,
        statement: String::new(),
        notes: Vec::new(),
        rows: None,
    }
}

fn section() -> SectionSpec {
    SectionSpec {
        silo: "shop".to_owned(),
        datapoint: "orders".to_owned(),
        source: SectionSource::Query { sql: String::new() },
        tenant_wide: false,
        key: Vec::new(),
        window: None,
        filters: Vec::new(),
        columns: Vec::new(),
    }
}

async fn read(session: &mut Box<dyn Session>) -> Batches {
    session.read(&section(), &Identifiers::new(), &shape(), None).await.unwrap()
}

async fn describe(session: &mut Box<dyn Session>) -> Result<Shape, SiloError> {
    session.describe(&section(), &Identifiers::new()).await
}

fn unreachable() -> SiloError {
    SiloError::Unavailable { reason: "nobody there".to_owned() }
}

fn attached() -> Attached {
    Attached { name: "a".to_owned(), len: 0, media_type: None, version: None }
}

#[tokio::test]
async fn connections_are_waited_for_in_order_and_held_until_the_last_row() {
    let (silo, guard, script) = guarded(Script { batches: vec![1], ..Script::default() }, limits());
    let mut session = silo.connect().await.unwrap();
    let (mut second, mut third) = (pin!(silo.connect()), pin!(silo.connect()));
    assert!(poll!(second.as_mut()).is_pending() && poll!(third.as_mut()).is_pending());
    assert_eq!((guard.state().connections, guard.state().waiting), (1, 2));
    let mut batches = read(&mut session).await;
    drop(session);
    assert!(poll!(second.as_mut()).is_pending(), "its rows are still on their way");
    assert!(batches.next().await.unwrap().is_some());
    assert!(batches.next().await.unwrap().is_none());
    assert!(poll!(third.as_mut()).is_pending(), "it came last");
    let second = timeout(GENEROUS, second).await.unwrap().unwrap();
    assert!(poll!(third.as_mut()).is_pending());
    drop(second);
    drop(timeout(GENEROUS, third).await.unwrap().unwrap());
    assert_eq!((guard.state().connections, guard.state().waiting), (0, 0));
    assert_eq!(script.calls.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn nobody_waits_for_a_connection_for_ever() {
    let (silo, guard, _) = guarded(Script::default(), limits());
    let held = silo.connect().await.unwrap();
    let error = guard.permit(Duration::from_millis(10)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot be opened: none of its 1 connections became free in 10ms"
    );
    assert_eq!(guard.state().circuit, CircuitState::Closed { failures: 0 }, "the silo is well");
    drop(held);
    assert!(guard.permit(GENEROUS).await.is_ok());
}

#[tokio::test]
async fn a_session_beside_takes_a_connection_that_is_free_and_never_one_that_somebody_waits_for() {
    let two = SiloLimits { max_connections: count(2), ..limits() };
    let (silo, guard, _) = guarded(Script::default(), two);
    let mut session = silo.connect().await.unwrap();
    let beside = session.beside().await.unwrap().unwrap();
    assert_eq!(guard.state().connections, 2);
    assert!(session.beside().await.unwrap().is_none());
    let mut waiting = pin!(silo.connect());
    assert!(poll!(waiting.as_mut()).is_pending());
    drop(beside);
    assert!(session.beside().await.unwrap().is_none(), "it is the one's who waits");
    drop(timeout(GENEROUS, waiting).await.unwrap().unwrap());
    assert!(session.beside().await.unwrap().is_some());
}

#[tokio::test]
async fn rows_wait_for_their_budget_and_none_is_lost_to_impatience() {
    let script = || Script { batches: vec![100; 3], ..Script::default() };
    let rows = SiloLimits { rows_per_second: Some(count(1_000)), ..limits() };
    let bytes = SiloLimits { bytes_per_second: Some("10 kB".parse().unwrap()), ..limits() };
    for limits in [rows, bytes] {
        let (silo, guard, _) = guarded(script(), limits);
        let mut session = silo.connect().await.unwrap();
        let mut batches = read(&mut session).await;
        assert_eq!(guard.state().reading, 1);
        let start = Instant::now();
        let mut total = 0;
        loop {
            // Whoever looks at something else meanwhile drops the future, again and again.
            let next = tokio::select! {
                next = batches.next() => next.unwrap(),
                () = tokio::time::sleep(Duration::from_millis(1)) => continue,
            };
            let Some(batch) = next else { break };
            total += batch.num_rows();
        }
        assert_eq!(total, 300);
        assert!(start.elapsed() >= Duration::from_millis(200), "{:?}", start.elapsed());
        assert_eq!(guard.state().reading, 0);
        assert!(guard.state().budget_wait > Duration::ZERO);
    }
}

#[tokio::test]
async fn attachments_wait_for_the_budget_of_bytes() {
    let bytes = SiloLimits { bytes_per_second: Some("1 kB".parse().unwrap()), ..limits() };
    let (silo, _, _) = guarded(Script { batches: vec![100; 3], ..Script::default() }, bytes);
    let mut session = silo.connect().await.unwrap();
    let start = Instant::now();
    let pieces = session.attachment(&attached()).await.unwrap();
    drop(session);
    let mut waiting = pin!(silo.connect());
    assert!(poll!(waiting.as_mut()).is_pending(), "the connection is still in use");
    let pieces: Vec<_> = pieces.collect().await;
    assert!(pieces.iter().all(|piece| piece.as_ref().unwrap().len() == 100));
    assert!(start.elapsed() >= Duration::from_millis(200));
    drop(timeout(GENEROUS, waiting).await.unwrap().unwrap());
}

#[tokio::test]
async fn a_silo_that_fails_is_left_alone_and_then_tried_once() {
    let pause = SiloLimits { circuit_pause: "200ms".parse().unwrap(), ..limits() };
    let script = Script { connecting: Mutex::new([unreachable()].into()), ..Script::default() };
    let (silo, guard, script) = guarded(script, pause);
    let failed = async || silo.connect().await.err().unwrap();
    assert_eq!(failed().await, unreachable());
    let calls = || script.calls.load(Ordering::Relaxed);
    assert!(matches!(guard.state().circuit, CircuitState::Open { .. }));
    let refused = failed().await.to_string();
    assert!(refused.contains("it is left alone since "), "{refused}");
    assert_eq!((calls(), guard.state().connections), (1, 0));
    // Time passes; the one who comes then is let through.
    let session = timeout(GENEROUS, async {
        loop {
            if let Ok(session) = silo.connect().await {
                return session;
            }
            tokio::task::yield_now().await;
        }
    });
    drop(session.await.unwrap());
    assert_eq!((calls(), guard.state().circuit), (2, CircuitState::Closed { failures: 0 }));
}

#[tokio::test]
async fn refused_statements_leave_the_circuit_closed_and_lost_connections_open_it() {
    let refused = SiloError::Query { reason: "no such column".to_owned() };
    let script = Script {
        describing: Mutex::new([refused.clone(), refused.clone()].into()),
        batches: vec![1],
        ends: Some(unreachable()),
        ..Script::default()
    };
    let (silo, guard, _) = guarded(script, limits());
    let mut session = silo.connect().await.unwrap();
    for _ in 0..2 {
        assert_eq!(describe(&mut session).await.unwrap_err(), refused);
    }
    assert_eq!(guard.state().circuit, CircuitState::Closed { failures: 0 });
    let mut batches = read(&mut session).await;
    assert!(batches.next().await.unwrap().is_some());
    assert_eq!(batches.next().await, Err(unreachable()));
    assert!(matches!(guard.state().circuit, CircuitState::Open { .. }));
    assert!(describe(&mut session).await.is_err(), "nobody calls it, old session or new");
    drop((session, batches));
    assert!(silo.connect().now_or_never().unwrap().is_err(), "and nobody waits to");
}

#[tokio::test]
async fn figures_are_counted_and_tell_nothing_of_the_data() {
    let figures = Figures::default();
    let script = Script {
        connecting: Mutex::new([SiloError::Missing { what: CANARY.to_owned() }].into()),
        batches: vec![3, 4],
        ..Script::default()
    };
    // Slow enough that a machine with much else to do does not sleep through the wait.
    let rows = SiloLimits { rows_per_second: Some(count(2)), ..limits() };
    // Figures are found when the guard is made; those by code are found when they are counted.
    let (silo, _, _) = metrics::with_local_recorder(&figures, || guarded(script, rows));
    let failed = metrics::with_local_recorder(&figures, || silo.connect().now_or_never());
    assert!(failed.unwrap().is_err());
    let mut session = silo.connect().await.unwrap();
    let mut batches = read(&mut session).await;
    assert_eq!(figures.get("antumbra_silo_sections_reading"), Some(1.0));
    while batches.next().await.unwrap().is_some() {}
    let figure = |name: &str| figures.get(&format!("antumbra_silo_{name}"));
    assert_eq!(figure("rows_total"), Some(7.0));
    assert!(figure("bytes_total") > Some(7.0 * 10.0));
    assert_eq!(figure("budget_waits_total"), Some(1.0));
    assert_eq!(figure("failures_total"), Some(1.0));
    assert_eq!((figure("connections"), figure("connections_max")), (Some(1.0), Some(1.0)));
    assert_eq!((figure("sections_reading"), figure("circuit")), (Some(0.0), Some(0.0)));
    drop((session, batches));
    assert_eq!(figure("connections"), Some(0.0));
    let keys = figures.keys();
    assert!(keys.contains("silo=shop") && keys.contains("code=silo_missing"), "{keys}");
    assert!(!keys.contains(CANARY), "{keys}");
}

/// A recorder that remembers figures by name.
#[derive(Debug, Default)]
struct Figures(Arc<Mutex<BTreeMap<String, Arc<Figure>>>>);

#[derive(Debug, Default)]
struct Figure(AtomicU64);

impl Figures {
    fn of(&self, key: &Key) -> Arc<Figure> {
        let labels = key.labels().map(|label| format!("{}={}", label.key(), label.value()));
        let name = format!("{} {}", key.name(), labels.collect::<Vec<_>>().join(" "));
        Arc::clone(self.0.lock().unwrap().entry(name).or_default())
    }

    fn get(&self, name: &str) -> Option<f64> {
        let known = self.0.lock().unwrap();
        let (_, figure) = known.iter().find(|(key, _)| key.split(' ').next() == Some(name))?;
        Some(f64::from_bits(figure.0.load(Ordering::Relaxed)))
    }

    fn keys(&self) -> String {
        self.0.lock().unwrap().keys().cloned().collect::<Vec<_>>().join("\n")
    }
}

impl Figure {
    fn add(&self, value: f64) {
        let sum = f64::from_bits(self.0.load(Ordering::Relaxed)) + value;
        self.0.store(sum.to_bits(), Ordering::Relaxed);
    }
}

impl CounterFn for Figure {
    fn increment(&self, value: u64) {
        self.add(f64::from(u32::try_from(value).unwrap()));
    }

    fn absolute(&self, _: u64) {}
}

impl GaugeFn for Figure {
    fn increment(&self, value: f64) {
        self.add(value);
    }

    fn decrement(&self, value: f64) {
        self.add(-value);
    }

    fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Ordering::Relaxed);
    }
}

impl Recorder for Figures {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.of(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.of(key))
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

/// A value of somebody's.
const CANARY: &str = "canary-4711@example.net";
/// Longer than anything takes here.
const GENEROUS: Duration = Duration::from_secs(60);
