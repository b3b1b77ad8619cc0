//! Does the identity graph end, at the same place, however it is written down?

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use proptest::prelude::*;

use super::graph::{Counted, Found, Node, close, is_reachable};
use crate::runner::Sessions;
use crate::silo::{
    Batches, Cursor, Explained, Identifiers, SectionSource, SectionSpec, Session, Shape, Silo,
    Silos,
};
use crate::{PipelineError, SiloError, Value};

/// A silo whose tables hold pairs: a row with the first value of a pair leads to the second.
#[derive(Debug, Clone, Default)]
struct Pairs(Arc<BTreeMap<String, Table>>);

type Table = Vec<(i64, i64)>;

#[async_trait]
impl Silo for Pairs {
    async fn connect(&self) -> Result<Box<dyn Session>, SiloError> {
        Ok(Box::new(self.clone()))
    }
}

#[async_trait]
impl Session for Pairs {
    async fn distinct(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
        _columns: &[String],
        limit: usize,
    ) -> Result<Vec<Vec<Value>>, SiloError> {
        let SectionSource::Table { matches, .. } = &section.source else { panic!("no table") };
        let name = &matches[0].1;
        let pairs = self.0.get(&section.datapoint).ok_or(SiloError::ShapeChanged)?;
        let is_known = |value: i64| {
            known.get(name).is_some_and(|values| values.contains(&Value::Integer(value)))
        };
        let found: BTreeSet<i64> =
            pairs.iter().filter(|(from, _)| is_known(*from)).map(|(_, to)| *to).collect();
        Ok(vec![found.into_iter().take(limit + 1).map(Value::Integer).collect()])
    }

    async fn describe(&mut self, _: &SectionSpec, _: &Identifiers) -> Result<Shape, SiloError> {
        Err(SiloError::ShapeChanged)
    }

    async fn read(
        &mut self,
        _: &SectionSpec,
        _: &Identifiers,
        _: &Shape,
        _: Option<Cursor>,
    ) -> Result<Batches, SiloError> {
        Err(SiloError::ShapeChanged)
    }

    async fn explain(&mut self, _: &SectionSpec, _: &Identifiers) -> Result<Explained, SiloError> {
        Err(SiloError::ShapeChanged)
    }
}

/// Datapoint, the identifier it needs, the one it provides.
type Edge = (String, String, String);

/// Follows edges from the value 0 of identifier `i0`.
fn follow(
    pairs: &Pairs,
    edges: &[Edge],
    limit: usize,
) -> Result<BTreeMap<String, BTreeSet<i64>>, PipelineError> {
    let specs: Vec<SectionSpec> = edges
        .iter()
        .map(|(name, needs, _)| SectionSpec {
            silo: "s".to_owned(),
            datapoint: name.clone(),
            source: SectionSource::Table {
                parts: vec![name.clone()],
                matches: vec![("from".to_owned(), needs.clone())],
            },
            tenant_wide: false,
            key: vec![],
            window: None,
            filters: vec![],
            columns: vec![],
        })
        .collect();
    let nodes: Vec<Node<'_>> = specs
        .iter()
        .zip(edges)
        .map(|(spec, (_, _, provides))| Node {
            spec,
            provides: vec![(provides.clone(), "to".to_owned())],
        })
        .collect();
    let start = Identifiers::from([("i0".to_owned(), vec![Value::Integer(0)])]);
    let silo: Arc<dyn Silo> = Arc::new(pairs.clone());
    let silos: Silos = [("s".to_owned(), silo)].into_iter().collect();
    let mut sessions = Sessions::new(&silos);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let found = runtime.block_on(close(start, &nodes, &mut sessions, limit, &|_| false))?;
    let numbers = |values: Vec<Value>| {
        values
            .into_iter()
            .map(|value| match value {
                Value::Integer(number) => number,
                other => panic!("{other:?}"),
            })
            .collect()
    };
    let found = found.identifiers.into_iter().filter(|(_, values)| !values.is_empty());
    Ok(found.map(|(name, values)| (name, numbers(values))).collect())
}

/// What is reachable, found the slow way: every pair is looked at until nothing is new.
fn reachable(pairs: &Pairs, edges: &[Edge]) -> BTreeMap<String, BTreeSet<i64>> {
    let mut known = BTreeMap::from([("i0".to_owned(), BTreeSet::from([0]))]);
    loop {
        let before = known.clone();
        for (name, needs, provides) in edges {
            for (from, to) in &pairs.0[name] {
                if known.get(needs).is_some_and(|values| values.contains(from)) {
                    known.entry(provides.clone()).or_default().insert(*to);
                }
            }
        }
        if known == before {
            return known;
        }
    }
}

prop_compose! {
    fn graphs()(
        tables in prop::collection::vec(
            (0_u8..5, 0_u8..5, prop::collection::vec((0_i64..8, 0_i64..8), 0..8)), 1..7,
        ),
    )(
        order in Just((0..tables.len()).collect::<Vec<_>>()).prop_shuffle(),
        tables in Just(tables),
    ) -> (Pairs, Vec<Edge>, Vec<usize>) {
        let name = |at: usize| format!("t{at}");
        let edges = tables.iter().enumerate();
        let edges = edges.map(|(at, (from, to, _))| (name(at), format!("i{from}"), format!("i{to}")));
        let pairs = tables.iter().enumerate().map(|(at, (_, _, pairs))| (name(at), pairs.clone()));
        (Pairs(Arc::new(pairs.collect())), edges.collect(), order)
    }
}

proptest! {
    #[test]
    fn the_fixed_point_is_what_is_reachable_in_every_order_of_datapoints(
        (pairs, edges, order) in graphs(),
    ) {
        let expected = reachable(&pairs, &edges);
        let shuffled: Vec<Edge> = order.iter().map(|at| edges[*at].clone()).collect();
        prop_assert_eq!(&follow(&pairs, &edges, 100).unwrap(), &expected);
        prop_assert_eq!(&follow(&pairs, &shuffled, 100).unwrap(), &expected);
    }

    #[test]
    fn the_bound_holds_in_every_order_of_datapoints((pairs, edges, order) in graphs(), limit in 1_usize..6) {
        let most = reachable(&pairs, &edges).values().map(BTreeSet::len).max().unwrap_or(0);
        let shuffled: Vec<Edge> = order.iter().map(|at| edges[*at].clone()).collect();
        for edges in [edges, shuffled] {
            match follow(&pairs, &edges, limit) {
                Ok(_) => prop_assert!(most <= limit),
                Err(PipelineError::TooManyIdentifiers { found, limit: told, .. }) => {
                    prop_assert!(most > limit && found > limit && told == limit);
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// A silo in which the person's rows hold the same texts, whatever is asked.
#[derive(Debug, Clone)]
struct Texts(Vec<&'static str>);

#[async_trait]
impl Silo for Texts {
    async fn connect(&self) -> Result<Box<dyn Session>, SiloError> {
        Ok(Box::new(self.clone()))
    }
}

#[async_trait]
impl Session for Texts {
    async fn distinct(
        &mut self,
        _: &SectionSpec,
        _: &Identifiers,
        _: &[String],
        limit: usize,
    ) -> Result<Vec<Vec<Value>>, SiloError> {
        let text = |text: &&str| Value::Text((*text).to_owned());
        let bytes = |text: &&str| Value::Bytes(text.as_bytes().to_vec());
        let most = limit.saturating_add(1);
        let (texts, all_bytes) = (self.0.iter().take(most), self.0.iter().take(most));
        Ok(vec![texts.map(text).collect(), all_bytes.map(bytes).collect()])
    }

    async fn describe(&mut self, _: &SectionSpec, _: &Identifiers) -> Result<Shape, SiloError> {
        Err(SiloError::ShapeChanged)
    }

    async fn read(
        &mut self,
        _: &SectionSpec,
        _: &Identifiers,
        _: &Shape,
        _: Option<Cursor>,
    ) -> Result<Batches, SiloError> {
        Err(SiloError::ShapeChanged)
    }

    async fn explain(&mut self, _: &SectionSpec, _: &Identifiers) -> Result<Explained, SiloError> {
        Err(SiloError::ShapeChanged)
    }
}

/// What a person's rows with these texts make known, and what is counted.
async fn provide(texts: &[&'static str], limit: usize) -> Result<Found, PipelineError> {
    let spec = SectionSpec {
        silo: "s".to_owned(),
        datapoint: "people".to_owned(),
        source: SectionSource::Table {
            parts: vec!["people".to_owned()],
            matches: vec![("id".to_owned(), "id".to_owned())],
        },
        tenant_wide: false,
        key: vec![],
        window: None,
        filters: vec![],
        columns: vec![],
    };
    let edge = |name: &str| (name.to_owned(), name.to_owned());
    let nodes = [Node { spec: &spec, provides: vec![edge("account"), edge("token")] }];
    let silo: Arc<dyn Silo> = Arc::new(Texts(texts.to_vec()));
    let silos: Silos = [("s".to_owned(), silo)].into_iter().collect();
    let start = Identifiers::from([("id".to_owned(), vec![Value::Integer(0)])]);
    close(start, &nodes, &mut Sessions::new(&silos), limit, &|_| false).await
}

#[tokio::test]
async fn a_blank_value_identifies_nobody() {
    let found = provide(&["", "a", "  ", "\t\n"], 10).await.unwrap();
    assert_eq!(found.identifiers["account"], [Value::Text("a".to_owned())]);
    assert_eq!(found.identifiers["token"], [Value::Bytes(b"a".to_vec())]);
    let counted = Counted { values: 1, blank: 3 };
    assert_eq!(found.values, [Some(vec![counted, counted])]);
    let nobody = provide(&["", " "], 10).await.unwrap();
    assert!(nobody.identifiers["account"].is_empty());
    assert!(!is_reachable(&[vec!["account".to_owned()]], &nobody.identifiers));
}

#[tokio::test]
async fn blank_values_take_no_place_of_others_below_the_bound() {
    let found = provide(&["", " ", "  ", "   ", "a", "b"], 2).await.unwrap();
    assert_eq!(found.identifiers["account"].len(), 2);
    let error = provide(&["", " ", "a", "b", "c"], 2).await.err().unwrap();
    assert!(matches!(error, PipelineError::TooManyIdentifiers { found: 3, .. }), "{error}");
    assert!(provide(&["", " ", "   "], 1).await.is_ok());
}

#[test]
fn the_datapoint_that_finds_too_many_is_named() {
    let pairs = Pairs(Arc::new([("people".to_owned(), (0..9).map(|to| (0, to)).collect())].into()));
    let edges = [("people".to_owned(), "i0".to_owned(), "account".to_owned())];
    assert_eq!(
        follow(&pairs, &edges, 3).unwrap_err().to_string(),
        "s/people has at least 4 values of identifier account; at most 3 are allowed"
    );
    assert_eq!(
        follow(&pairs, &edges, 0).unwrap_err().to_string(),
        "the request has at least 1 values of identifier i0; at most 0 are allowed"
    );
}

#[test]
fn two_datapoints_that_lead_to_each_other_end() {
    let chain = |shift: i64| (0..50).map(|from| (from, (from + shift) % 50)).collect();
    let pairs = Pairs(Arc::new([("a".to_owned(), chain(1)), ("b".to_owned(), chain(0))].into()));
    let edge = |name: &str, from: &str, to: &str| (name.to_owned(), from.to_owned(), to.to_owned());
    let found = follow(&pairs, &[edge("a", "i0", "x"), edge("b", "x", "i0")], 50).unwrap();
    assert_eq!(found["i0"].len(), 50);
    assert_eq!(found["x"].len(), 50);
}
