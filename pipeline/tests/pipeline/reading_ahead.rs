//! Sections that are read beside each other: what is stored is what one after the other would have stored.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use antumbra_jobs::{JobState, SectionState};
use antumbra_pipeline::silo::{
    Batches, Cursor, Explained, Identifiers, SectionSpec, Session, Shape, Silo, Silos,
};
use antumbra_pipeline::{SiloError, Value};
use async_trait::async_trait;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::room::{Outcome, Room, block_on, finish, request};
use crate::store::Tricky;

/// What a test says of the silo, and hears of it.
#[derive(Debug)]
struct Script {
    /// How many sessions may be open beside the first.
    beside: u64,
    /// A read of the key begins once those of the values were asked for.
    after: BTreeMap<&'static str, &'static [&'static str]>,
    /// The next reads of a datapoint fail so.
    faults: Mutex<BTreeMap<&'static str, Vec<SiloError>>>,
    /// Reads that were asked for, in their order.
    asked: watch::Sender<Vec<String>>,
    open: AtomicU64,
    connections: AtomicU64,
}

impl Script {
    fn new(beside: u64, after: &[(&'static str, &'static [&'static str])]) -> Self {
        Self {
            beside,
            after: after.iter().copied().collect(),
            faults: Mutex::default(),
            asked: watch::Sender::new(Vec::new()),
            open: AtomicU64::default(),
            connections: AtomicU64::default(),
        }
    }

    fn fails(self, datapoint: &'static str, error: SiloError) -> Self {
        self.faults.lock().unwrap().entry(datapoint).or_default().push(error);
        self
    }
}

#[derive(Debug)]
struct Several {
    inner: Arc<dyn Silo>,
    script: Arc<Script>,
}

struct OneOfSeveral {
    inner: Box<dyn Session>,
    silo: Arc<dyn Silo>,
    script: Arc<Script>,
}

impl OneOfSeveral {
    async fn open(silo: &Arc<dyn Silo>, script: &Arc<Script>) -> Result<Self, SiloError> {
        let inner = silo.connect().await?;
        script.open.fetch_add(1, Ordering::SeqCst);
        Ok(Self { inner, silo: Arc::clone(silo), script: Arc::clone(script) })
    }
}

impl Drop for OneOfSeveral {
    fn drop(&mut self) {
        self.script.open.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Silo for Several {
    async fn connect(&self) -> Result<Box<dyn Session>, SiloError> {
        self.script.connections.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(OneOfSeveral::open(&self.inner, &self.script).await?))
    }
}

#[async_trait]
impl Session for OneOfSeveral {
    async fn distinct(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
        columns: &[String],
        limit: usize,
    ) -> Result<Vec<Vec<Value>>, SiloError> {
        self.inner.distinct(section, known, columns, limit).await
    }

    async fn describe(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
    ) -> Result<Shape, SiloError> {
        self.inner.describe(section, known).await
    }

    async fn read(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
        shape: &Shape,
        after: Option<Cursor>,
    ) -> Result<Batches, SiloError> {
        let name = section.datapoint.as_str();
        self.script.asked.send_modify(|asked| asked.push(name.to_owned()));
        if let Some(others) = self.script.after.get(name) {
            let all = |asked: &Vec<String>| others.iter().all(|one| asked.iter().any(|a| a == one));
            let mut asked = self.script.asked.subscribe();
            // Only a reader that waits for one section after the other takes as long.
            timeout(Duration::from_secs(60), asked.wait_for(all)).await.unwrap().unwrap();
        }
        let fault = self.script.faults.lock().unwrap().get_mut(name).and_then(Vec::pop);
        match fault {
            Some(error) => Err(error),
            None => self.inner.read(section, known, shape, after).await,
        }
    }

    async fn explain(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
    ) -> Result<Explained, SiloError> {
        self.inner.explain(section, known).await
    }

    async fn beside(&mut self) -> Result<Option<Box<dyn Session>>, SiloError> {
        if self.script.open.load(Ordering::SeqCst) > self.script.beside {
            return Ok(None);
        }
        Ok(Some(Box::new(Self::open(&self.silo, &self.script).await?)))
    }
}

/// Six tables of three rows each.
fn room() -> (Room, String) {
    let mut sql = String::new();
    let mut points = String::new();
    for name in NAMES {
        sql.push_str(&format!(
            "create table {name} (id integer primary key, email text, what text);
             insert into {name} values (1, 'ada@example.com', '{name} 1'), (2, 'x', ''), (3, 'ada@example.com', '{name} 3');"
        ));
        points.push_str(&format!(
            "[[silo.datapoint]]\nname = \"{name}\"\ntable = \"{name}\"\nmatch = {{ email = \"email\" }}\nkey = [\"id\"]\n"
        ));
    }
    (Room::with(&sql), points)
}

/// Runs a job over the silo of a script.
fn run(room: &Room, policy: &str, points: &str, script: Script) -> (Outcome, Arc<Script>) {
    let head = format!("[export]\non_silo_error = \"{policy}\"\nsilo_backoff = \"1ms\"\n");
    let settings = room.settings(&head, points);
    let script = Arc::new(script);
    let silos = silos(&settings, &script);
    block_on(async {
        let engine = room.engine_with(settings, Arc::new(Tricky::default()), None, silos);
        let job = engine.submit(request()).await.unwrap().job.id;
        let out = finish(&engine, &room.clock, job).await;
        assert_eq!(script.open.load(Ordering::SeqCst), 0, "a session outlived its job");
        (out, script)
    })
}

fn silos(settings: &antumbra_config::Settings, script: &Arc<Script>) -> Silos {
    let real = Silos::open(&settings.silos, &[]).unwrap();
    let inner = Arc::clone(real.get("shop").unwrap());
    let silo: Arc<dyn Silo> = Arc::new(Several { inner, script: Arc::clone(script) });
    Silos::from_iter([("shop".to_owned(), silo)])
}

#[test]
fn sections_wait_for_their_turn_and_not_for_each_other() {
    let (room, points) = room();
    let (alone, _) = run(&room, "fail", &points, Script::new(0, &[]));
    // The first answers after the third, and the second after the fourth: four are under way at once.
    let script = Script::new(3, &[("a", &["b", "c"]), ("b", &["d"]), ("e", &["f"])]);
    let (together, script) = run(&room, "fail", &points, script);
    assert_eq!(together.manifest().content_sha256, alone.manifest().content_sha256);
    assert_eq!(script.asked.borrow().len(), NAMES.len(), "each is read once");
    assert_eq!(script.connections.load(Ordering::SeqCst), 1, "the others were opened beside it");
    assert!(!together.manifest().run.resumed);
    let entries: Vec<&str> =
        together.content().files.iter().map(|file| file.name.as_str()).collect();
    let alone: Vec<&str> = alone.content().files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(entries, alone);
}

#[test]
fn a_silo_with_fewer_connections_is_read_with_those_it_has() {
    let (room, points) = room();
    let (alone, _) = run(&room, "fail", &points, Script::new(0, &[]));
    let (two, script) = run(&room, "fail", &points, Script::new(1, &[("a", &["b"])]));
    assert_eq!(two.manifest().content_sha256, alone.manifest().content_sha256);
    assert_eq!(script.asked.borrow().len(), NAMES.len());
}

#[test]
fn a_section_that_fails_ahead_fails_when_it_is_its_turn() {
    let (room, points) = room();
    let missing = SiloError::Missing { what: "table c".to_owned() };
    // `a` is answered after `c` has failed.
    let script = || Script::new(3, &[("a", &["c", "d"])]).fails("c", missing.clone());
    let (out, _) = run(&room, "partial", &points, script());
    assert_eq!(out.fault("c").0, "silo_missing");
    for name in ["a", "b", "d", "e", "f"] {
        assert_eq!(out.rows(name).len(), 2, "{name}");
    }

    let head = "[export]\non_silo_error = \"fail\"\n";
    let settings = room.settings(head, &points);
    let script = Arc::new(script());
    let silos = silos(&settings, &script);
    block_on(async {
        let engine = room.engine_with(settings, Arc::new(Tricky::default()), None, silos);
        let job = engine.submit(request()).await.unwrap().job.id;
        let out = finish(&engine, &room.clock, job).await;
        assert!(out.failure().1.contains("shop/c"), "{:?}", out.failure());
        let states: Vec<SectionState> = engine
            .store()
            .sections(job)
            .await
            .unwrap()
            .iter()
            .map(|section| section.state)
            .collect();
        use SectionState::{Done, Failed, Open};
        assert_eq!(states, [Done, Done, Failed, Open, Open, Open], "nothing is stored ahead");
    });
}

#[test]
fn a_connection_that_is_lost_ahead_is_made_again_for_all_that_waited_with_it() {
    let (room, points) = room();
    let (alone, _) = run(&room, "fail", &points, Script::new(0, &[]));
    let lost = SiloError::Unavailable { reason: "the connection is lost".to_owned() };
    let script = Script::new(3, &[("a", &["b", "c", "d"])]).fails("c", lost);
    let (out, script) = run(&room, "fail", &points, script);
    assert_eq!(out.manifest().content_sha256, alone.manifest().content_sha256);
    assert!(out.manifest().run.resumed, "it read two snapshots, and says so");
    assert_eq!(script.connections.load(Ordering::SeqCst), 2);
    let asked = script.asked.borrow().clone();
    let of = |name: &str| asked.iter().filter(|asked| *asked == name).count();
    assert_eq!((of("a"), of("b"), of("c")), (1, 1, 2), "what had its turn is not read again");
    assert!(of("d") >= 2, "what waited in the old snapshot is: {asked:?}");
}

#[test]
fn a_silo_that_was_not_asked_costs_no_try() {
    let (room, points) = room();
    let (alone, _) = run(&room, "fail", &points, Script::new(0, &[]));
    let held = || SiloError::Held { reason: "left alone".to_owned(), more: Duration::ZERO };
    // More often than `silo_attempts` allows.
    let script = (0..9).fold(Script::new(0, &[]), |script, _| script.fails("c", held()));
    let (out, script) = run(&room, "fail", &points, script);
    assert_eq!(out.manifest().content_sha256, alone.manifest().content_sha256);
    let asked = script.asked.borrow().iter().filter(|asked| *asked == "c").count();
    assert_eq!(asked, 10);
}

#[test]
fn a_row_that_memory_has_no_room_for_is_refused_by_its_number() {
    let room = Room::with(
        "create table t (id integer primary key, email text, what text);
         insert into t values (1, 'ada@example.com', 'small'), (2, 'ada@example.com', hex(zeroblob(1200000)));",
    );
    let point = "[[silo.datapoint]]\nname = \"t\"\ntable = \"t\"\nmatch = { email = \"email\" }\nkey = [\"id\"]\n";
    let run = |memory: &str| {
        let head = format!("[export]\non_silo_error = \"partial\"\nmax_memory = \"{memory}\"\n");
        let settings = room.settings(&head, point);
        block_on(async {
            let engine = room.engine(settings, Arc::new(Tricky::default()));
            let job = engine.submit(request()).await.unwrap().job.id;
            finish(&engine, &room.clock, job).await
        })
    };
    let refused = run("8MiB");
    let (code, why) = refused.fault("t");
    assert_eq!(code, "silo_value");
    assert!(why.starts_with("row 2, column what: the row takes up 24000"), "{why}");
    assert!(why.contains("export.max_memory; set that to at least 57600744"), "{why}");
    assert_eq!(run("64MiB").rows("t").len(), 2);
}

#[test]
fn a_cancelled_job_leaves_no_session_whatever_its_silo_does() {
    let (room, points) = room();
    let settings = room.settings("", &points);
    // Nobody asks for the last: these two are never answered.
    let script = Arc::new(Script::new(3, &[("a", &["never"]), ("c", &["never"])]));
    let silos = silos(&settings, &script);
    block_on(async {
        let engine = room.engine_with(settings, Arc::new(Tricky::default()), None, silos);
        let created = engine.submit(request()).await.unwrap();
        let (request, job) = (created.request, created.job.id);
        let cancel = async {
            let mut asked = script.asked.subscribe();
            let both =
                |asked: &Vec<String>| ["a", "c"].iter().all(|one| asked.iter().any(|a| a == one));
            asked.wait_for(both).await.unwrap();
            let actor = antumbra_jobs::Actor::Operator;
            engine.cancel(&request.tenant, request.id, &actor).await.unwrap();
        };
        futures::future::join(crate::room::work(&engine, &room.clock, job), cancel).await;
        assert_eq!(engine.store().job(job).await.unwrap().state, JobState::Cancelled);
        assert_eq!(script.open.load(Ordering::SeqCst), 0, "a session outlived its job");
    });
}

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
