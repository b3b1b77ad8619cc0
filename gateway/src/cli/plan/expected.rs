//! Which plan is a command bound to? A hash, or the file that `antumbra plan --json` printed.

use std::collections::BTreeMap;
use std::path::Path;

use antumbra_jobs::ExpectedPlan;
use anyhow::Context as _;
use serde::Deserialize;

use crate::cli::args::BoundArgs;
use crate::cli::exit::Fault;

/// Reads what the flags bind to.
///
/// # Errors
/// [`Fault::Usage`] for what is no hash; when the file cannot be read or is no plan, or has no hash.
pub(in crate::cli) fn expected(args: &BoundArgs) -> anyhow::Result<Option<ExpectedPlan>> {
    match (&args.plan_hash, &args.plan) {
        (Some(hash), _) => Ok(Some(ExpectedPlan { hash: checked(hash)?, parts: BTreeMap::new() })),
        (None, Some(path)) => of_file(path).map(Some),
        (None, None) => Ok(None),
    }
}

fn of_file(path: &Path) -> anyhow::Result<ExpectedPlan> {
    let name = path.display();
    let text = std::fs::read(path).with_context(|| format!("--plan: cannot read {name}"))?;
    let plan: Plan = serde_json::from_slice(&text).map_err(|_| {
        Fault::Usage(format!("--plan: {name} is not what `antumbra plan --json` prints"))
    })?;
    let hash = plan.plan_hash.ok_or_else(|| {
        Fault::Usage(format!("--plan: the plan in {name} has no hash: it was made without keys"))
    })?;
    Ok(ExpectedPlan { hash: checked(&hash)?, parts: plan.plan_parts })
}

fn checked(hash: &str) -> Result<String, Fault> {
    let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hash {
        return Err(Fault::Usage("--plan-hash: expected 64 hexadecimal digits".to_owned()));
    }
    Ok(hash.to_ascii_lowercase())
}

/// What of a printed plan counts.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Plan {
    plan_hash: Option<String>,
    plan_parts: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(hash: Option<&str>, file: Option<&str>) -> Result<Option<ExpectedPlan>, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("plan.json");
        if let Some(text) = file {
            std::fs::write(&path, text).unwrap();
        }
        let plan = file.map(|_| path);
        expected(&BoundArgs { plan_hash: hash.map(str::to_owned), plan })
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_hash_and_a_printed_plan_bind() {
        let hash = "AB".repeat(32);
        let bound = read(Some(&hash), None).unwrap().unwrap();
        assert_eq!((bound.hash.as_str(), bound.parts.len()), (hash.to_lowercase().as_str(), 0));
        let plan = format!(
            r#"{{"planHash":"{hash}","planParts":{{"shop/orders":"0123"}},"sections":[]}}"#
        );
        let bound = read(None, Some(&plan)).unwrap().unwrap();
        assert_eq!(bound.hash, hash.to_lowercase());
        assert_eq!(bound.parts["shop/orders"], "0123");
        assert_eq!(read(None, None).unwrap(), None);
    }

    #[test]
    fn what_binds_to_nothing_is_refused() {
        for hash in ["", "abc", &"x".repeat(64)] {
            assert_eq!(
                read(Some(hash), None).unwrap_err(),
                "--plan-hash: expected 64 hexadecimal digits"
            );
        }
        for file in ["", "{}", "[]"] {
            let fault = read(None, Some(file)).unwrap_err();
            assert!(fault.starts_with("--plan: ") && fault.contains("is not what"), "{fault}");
        }
        let fault = read(None, Some(r#"{"planHash":null,"planParts":{}}"#)).unwrap_err();
        assert!(fault.ends_with("has no hash: it was made without keys"), "{fault}");
    }
}
