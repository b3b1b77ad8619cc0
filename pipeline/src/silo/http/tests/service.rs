//! What have the tests in common? Settings of a service, and what is read of it.

use std::sync::Arc;
use std::time::Duration;

use antumbra_config::{ByteSize, Count, Endpoint, HttpAuth, Paging, Period};
use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;

use super::super::HttpSilo;
use super::super::connect::{Resolve, System};
use crate::silo::{Identifiers, SectionSource, SectionSpec, Session, Shape, Silo};
use crate::{SiloError, Value};

/// An endpoint without paging whose items are the whole body.
pub(in crate::silo::http) fn endpoint(path: &str, query: &[(&str, &str)]) -> Endpoint {
    Endpoint {
        path: path.to_owned(),
        tenant_path: None,
        query: query
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        tenant_query: Vec::new(),
        items: String::new(),
        paging: Paging::None,
        columns: Vec::new(),
        sample: Count::new(1_000).unwrap(),
    }
}

pub(in crate::silo::http) fn section(endpoint: &Endpoint) -> SectionSpec {
    SectionSpec {
        silo: "api".to_owned(),
        datapoint: "things".to_owned(),
        source: SectionSource::Endpoint { endpoint: endpoint.clone() },
        tenant_wide: false,
        key: Vec::new(),
        window: None,
        filters: Vec::new(),
        columns: Vec::new(),
    }
}

/// Settings that are quick to give up, for a service of this machine.
pub(super) fn settings(base_url: &str) -> antumbra_config::HttpSilo {
    antumbra_config::HttpSilo {
        base_url: base_url.to_owned(),
        auth: HttpAuth::None,
        headers: vec![("x-canary".to_owned(), "canary-header".to_owned())],
        timeout: Period::new(Duration::from_secs(20)).unwrap(),
        attempts: Count::new(3).unwrap(),
        backoff: Period::new(Duration::from_millis(2)).unwrap(),
        requests_per_second: None,
        max_response: ByteSize::new(1 << 16).unwrap(),
        max_pages: Count::new(20).unwrap(),
        allow_private: vec!["127.0.0.1".to_owned()],
        ca: None,
        insecure_http: false,
    }
}

pub(super) fn silo(settings: &antumbra_config::HttpSilo) -> HttpSilo {
    with_resolver(settings, Arc::new(System))
}

pub(super) fn with_resolver(
    settings: &antumbra_config::HttpSilo,
    resolver: Arc<dyn Resolve>,
) -> HttpSilo {
    let environment = [("API_SECRET".to_owned(), "canary-secret".to_owned())];
    HttpSilo::with_resolver(settings, &environment, resolver).unwrap()
}

pub(super) fn known(name: &str, values: &[&str]) -> Identifiers {
    let values = values.iter().map(|value| Value::Text((*value).to_owned())).collect();
    [(name.to_owned(), values)].into()
}

/// Describes and reads a section; what fails first is the answer.
pub(super) async fn read(
    silo: &HttpSilo,
    section: &SectionSpec,
    known: &Identifiers,
) -> Result<(Shape, Vec<RecordBatch>), SiloError> {
    let mut session = silo.connect().await?;
    let shape = session.describe(section, known).await?;
    let batches = drain(session.as_mut(), section, known, &shape).await?;
    Ok((shape, batches))
}

pub(super) async fn drain(
    session: &mut dyn Session,
    section: &SectionSpec,
    known: &Identifiers,
    shape: &Shape,
) -> Result<Vec<RecordBatch>, SiloError> {
    let mut reading = session.read(section, known, shape, None).await?;
    let mut batches = Vec::new();
    while let Some(batch) = reading.next().await? {
        assert_eq!(batch.schema(), shape.schema());
        batches.push(batch);
    }
    Ok(batches)
}

/// The error of describing and reading an endpoint without identifiers.
pub(super) async fn refused(
    settings: &antumbra_config::HttpSilo,
    endpoint: &Endpoint,
) -> SiloError {
    let error = read(&silo(settings), &section(endpoint), &Identifiers::new()).await.unwrap_err();
    let said = format!("{error} {error:?}");
    assert!(!said.contains("canary"), "{said}");
    error
}

pub(super) fn ids(batches: &[RecordBatch]) -> Vec<i64> {
    let of = |batch: &RecordBatch| {
        batch.column_by_name("id").unwrap().as_primitive::<Int64Type>().values().to_vec()
    };
    batches.iter().flat_map(of).collect()
}

/// Items `{"id":n}`.
pub(super) fn items(numbers: std::ops::Range<u64>) -> String {
    let items: Vec<String> = numbers.map(|number| format!("{{\"id\":{number}}}")).collect();
    format!("[{}]", items.join(","))
}
