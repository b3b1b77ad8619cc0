//! `GET /health`: can this daemon work? No keys asked: probes have none.

use std::time::Duration;

use antumbra_jobs::{JobId, StoreError};
use antumbra_pipeline::DiskUse;
use http::{Response, StatusCode};
use serde::Serialize;

use crate::http::{ApiError, Body, Shared, json};

/// Answers 200 when the store answers, 503 otherwise. The body has the same shape both times.
pub(super) async fn handle(shared: &Shared) -> Result<Response<Body>, ApiError> {
    let (code, status) = if store_answers(shared).await {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "store_unavailable")
    };
    let disk = shared.engine().disk_use().map(Disk::from);
    json(code, &Health { status, version: env!("CARGO_PKG_VERSION"), disk })
}

/// Mimics a real call: a job that cannot exist is looked for.
async fn store_answers(shared: &Shared) -> bool {
    let answer = tokio::time::timeout(PATIENCE, shared.store().job(JobId::generate())).await;
    match answer {
        Ok(Ok(_) | Err(StoreError::NotFound { .. })) => true,
        Ok(Err(error)) => {
            tracing::warn!(code = error.code(), %error, "the store does not answer as it should");
            false
        }
        Err(_) => {
            tracing::warn!("the store does not answer in time");
            false
        }
    }
}

#[derive(Debug, Serialize)]
struct Health {
    status: &'static str,
    version: &'static str,
    /// What sealed objects take up, as the last sweep found it; null before the first.
    disk: Option<Disk>,
}

#[derive(Debug, Serialize)]
struct Disk {
    objects: u64,
    bytes: u64,
}

impl From<DiskUse> for Disk {
    fn from(found: DiskUse) -> Self {
        Self { objects: found.objects, bytes: found.bytes }
    }
}

/// Shorter than probes wait.
const PATIENCE: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use antumbra_pipeline::Sweeper;
    use http::{Request, StatusCode};
    use object_store::{ObjectStoreExt as _, PutPayload};
    use serde_json::{Value, json};

    use crate::http::testing::Rig;

    #[tokio::test]
    async fn after_a_sweep_it_says_what_objects_take_up() {
        let rig = Rig::new().await;
        let object = format!("jobs/{}/0000-000000", antumbra_jobs::JobId::generate());
        rig.objects.put(&object.as_str().into(), PutPayload::from_static(b"sealed")).await.unwrap();
        let disk = async || -> Value {
            let health = rig.send(Request::get("/health").body("").unwrap()).await;
            assert_eq!(health.status, StatusCode::OK);
            health.json()["disk"].take()
        };
        assert_eq!(disk().await, Value::Null);
        Sweeper::new(rig.shared.engine().clone()).once().await.unwrap();
        assert_eq!(disk().await, json!({ "objects": 1, "bytes": 6 }));
    }
}
