//! Which flags do the commands have that select data?

use std::path::PathBuf;
use std::str::FromStr;

use antumbra_config::{Format, OnSiloError, ScopeField};
use antumbra_jobs::TenantId;
use clap::Args;
use jiff::Timestamp;

use super::shared::tenant;
use super::{Personal, SettingsArgs};

/// What to export, and where to.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct ExportArgs {
    #[command(flatten)]
    pub(in crate::cli) selection: SelectionArgs,
    /// A format: json, csv, ndjson or parquet; may be given often [default: the setting export.formats]
    #[arg(long = "format", value_name = "FORMAT")]
    pub(in crate::cli) formats: Vec<Format>,
    #[arg(
        long,
        value_name = "POLICY",
        help = "What a section that fails does: fail, or partial to leave it out and say so [default: the setting export.on_silo_error]"
    )]
    pub(in crate::cli) on_silo_error: Option<OnSiloError>,
    #[command(flatten)]
    pub(in crate::cli) bound: BoundArgs,
    /// The zip to write
    #[arg(long, value_name = "ZIP")]
    pub(in crate::cli) out: PathBuf,
    /// Replace the zip if it exists
    #[arg(long)]
    pub(in crate::cli) force: bool,
    /// Progress and result as JSON on stdout, one object a line
    #[arg(long)]
    pub(in crate::cli) json: bool,
    #[command(flatten)]
    pub(in crate::cli) settings: SettingsArgs,
}

/// What to plan.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct PlanArgs {
    #[command(flatten)]
    pub(in crate::cli) selection: SelectionArgs,
    /// A format: json, csv, ndjson or parquet; may be given often [default: the setting export.formats]
    #[arg(long = "format", value_name = "FORMAT")]
    pub(in crate::cli) formats: Vec<Format>,
    /// One JSON object
    #[arg(long)]
    pub(in crate::cli) json: bool,
    #[command(flatten)]
    pub(in crate::cli) settings: SettingsArgs,
}

/// Which plan must be the one that is carried out.
#[derive(Debug, Clone, Default, Args)]
#[group(multiple = false)]
pub(in crate::cli) struct BoundArgs {
    /// Refuse to read anything unless the plan has this hash
    #[arg(long, value_name = "HASH")]
    pub(in crate::cli) plan_hash: Option<String>,
    /// Refuse to read anything unless the plan is this one, as `antumbra plan --json` printed it; says what changed
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) plan: Option<PathBuf>,
}

/// Whose data, and how much of it.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct SelectionArgs {
    #[command(flatten)]
    pub(in crate::cli) who: WhoArgs,
    /// Whose silos [default: the setting organization.tenant]
    #[arg(long, value_name = "TENANT", value_parser = tenant)]
    pub(in crate::cli) tenant: Option<TenantId>,
    #[command(flatten)]
    pub(in crate::cli) window: WindowArgs,
}

/// Whose data.
#[derive(Debug, Clone, Default, Args)]
#[group(required = true, multiple = true)]
pub(in crate::cli) struct WhoArgs {
    /// The person's e-mail address
    #[arg(long, value_name = "ADDRESS")]
    pub(in crate::cli) email: Option<Personal>,
    #[arg(
        long = "identifier",
        value_name = "NAME=VALUE",
        help = "Another identifier of the person, such as customer_id=7; may be given often"
    )]
    pub(in crate::cli) identifiers: Vec<Personal>,
    /// Everything of the tenant instead of one person
    #[arg(long, conflicts_with_all = ["email", "identifiers"])]
    pub(in crate::cli) tenant_full: bool,
}

/// How much of it.
#[derive(Debug, Clone, Default, Args)]
pub(in crate::cli) struct WindowArgs {
    /// Leave out what is older, where a datapoint has a time column; such as 2026-01-31T00:00:00Z
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) window_start: Option<Timestamp>,
    /// Leave out what is of this moment or newer
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) window_end: Option<Timestamp>,
    /// Narrow datapoints that filter by a scope field, such as campaignIds=a,b; may be given often
    #[arg(long = "scope-field", value_name = "FIELD=VALUES")]
    pub(in crate::cli) scope_fields: Vec<ScopeValues>,
}

/// A scope field and its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct ScopeValues {
    pub(in crate::cli) field: ScopeField,
    pub(in crate::cli) values: Vec<String>,
}

impl FromStr for ScopeValues {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (field, values) = text.split_once('=').ok_or(EXPECTED)?;
        let field = field.parse().map_err(|_| EXPECTED)?;
        let values: Vec<String> = values.split(',').map(|value| value.trim().to_owned()).collect();
        if values.iter().any(String::is_empty) {
            return Err(EXPECTED);
        }
        Ok(Self { field, values })
    }
}

const EXPECTED: &str = "expected campaignIds=a,b or substrates=a,b";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scope_fields_have_a_known_name_and_values() {
        let read: ScopeValues = "campaignIds=a, b".parse().unwrap();
        assert_eq!(read.field.as_str(), "campaignIds");
        assert_eq!(read.values, ["a", "b"]);
        for wrong in ["campaignIds", "campaignIds=", "campaignIds=a,,b", "other=a", "=a"] {
            assert!(wrong.parse::<ScopeValues>().is_err(), "{wrong}");
        }
    }
}
