//! What is left of a batch, and what is said of what is not?

use std::sync::Arc;

use antumbra_bundle::{Redaction as Withheld, SectionContent};
use antumbra_config::{GuardAction, Redaction};
use antumbra_crypto::Secret32;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow_schema::extension::EXTENSION_TYPE_NAME_KEY;
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use ring::hmac;

use super::beside::Beside;
use super::counts::Counts;
use super::foreign::Foreign;
use super::secret::{Columns, SecretKind};
use super::{texts, withhold};
use crate::plan::{Guards, Plan, Planned};
use crate::silo::{JSON_EXTENSION, MORE};

/// Lets through what may leave of one section, and counts what may not.
pub(crate) struct Guard {
    schema: SchemaRef,
    steps: Vec<Step>,
    guards: Guards,
    foreign: Foreign,
    key: hmac::Key,
    counts: Counts,
    /// Columns that settings list and the silo does not have.
    missing: Vec<String>,
    /// Columns whose values settings withhold and that no item of the sample had: what comes later stands in [`MORE`].
    unseen: Vec<String>,
    /// What members of [`MORE`] are not to leave.
    beside: Beside,
}

/// What to do with one column of the silo.
struct Step {
    name: String,
    what: What,
}

enum What {
    /// Settings do not list it.
    Unlisted,
    /// Settings withhold its values; where the redaction is among them. What is left of a text may hold secrets and addresses.
    Withheld(Redaction, usize, Option<Search>),
    /// It may hold secrets and addresses.
    Searched(Search),
    /// It is passed on.
    Kept,
}

/// How a column of texts is searched.
struct Search {
    secrets: Columns,
    is_json: bool,
}

impl Guard {
    /// Prepares for batches of `schema`. `counts` are those of an earlier run that is gone on with.
    ///
    /// # Errors
    /// The name of a column that is to be redacted and is not there: leaving it alone might leak it under another name. Where columns
    /// are those of a sample, its items may just not have had it; then only another spelling of its name is an error.
    pub(crate) fn new(
        schema: &Schema,
        planned: &Planned,
        plan: &Plan,
        key: &Secret32,
        counts: Option<Vec<u64>>,
    ) -> Result<Self, String> {
        let listed = &planned.spec.columns;
        let leaves = |name: &String| listed.is_empty() || listed.contains(name);
        let is_there = |name: &str| schema.field_with_name(name).is_ok();
        let mut unseen = Vec::new();
        for (column, _) in planned.redactions.iter().filter(|(column, _)| !is_there(column)) {
            let folded = column.to_lowercase();
            let is_spelled = |field: &Arc<Field>| field.name().to_lowercase() == folded;
            if is_of_items(schema) && !schema.fields().iter().any(is_spelled) {
                unseen.push(column.clone());
            } else if leaves(column) {
                return Err(column.clone());
            }
        }
        let mut guards = plan.guards;
        let foreign = Foreign::new(&plan.identifiers);
        // Everybody in a tenant's data is one of the tenant's. And who has no address that is known cannot be told from others: nothing is
        // noted then, but what is to be taken out is.
        let is_vague = guards.foreign_identifiers == GuardAction::Note && !foreign.knows_any();
        if planned.spec.tenant_wide || is_vague {
            guards.foreign_identifiers = GuardAction::Off;
        }
        let mut steps = Vec::new();
        let mut fields = Vec::new();
        for field in schema.fields() {
            let mut redactions = planned.redactions.iter().enumerate();
            let redaction = redactions.find(|(_, (column, _))| column == field.name());
            let search = (*field.data_type() == DataType::Utf8).then(|| {
                let is_json = is_json(field);
                Search { secrets: Columns::new(field.name(), is_json), is_json }
            });
            let what = match (redaction, search) {
                _ if !leaves(field.name()) => What::Unlisted,
                // Nothing of a secret is left.
                (Some((at, (_, how @ (Redaction::Drop | Redaction::Hash)))), _) => {
                    What::Withheld(*how, at, None)
                }
                (Some((at, (_, how))), search) => What::Withheld(*how, at, search),
                (None, Some(search)) => What::Searched(search),
                (None, None) => What::Kept,
            };
            match what {
                What::Unlisted => {}
                What::Withheld(how, ..) => fields.extend(withhold::field(field, how).map(Arc::new)),
                What::Searched(_) | What::Kept => fields.push(Arc::clone(field)),
            }
            steps.push(Step { name: field.name().clone(), what });
        }
        let unlisted = steps.iter().enumerate();
        let unlisted = unlisted.filter(|(_, step)| matches!(step.what, What::Unlisted));
        let beside = Beside {
            withheld: planned.redactions.iter().map(|(column, _)| column.to_lowercase()).collect(),
            unlisted: unlisted.map(|(index, step)| (step.name.to_lowercase(), index)).collect(),
            listed: listed.clone(),
        };
        Ok(Self {
            schema: Arc::new(Schema::new(fields)),
            steps,
            guards,
            foreign,
            key: hmac::Key::new(hmac::HMAC_SHA256, key.expose()),
            counts: Counts::new(planned.redactions.len(), counts),
            missing: listed.iter().filter(|name| !is_there(name)).cloned().collect(),
            unseen,
            beside,
        })
    }

    /// Returns the schema of what leaves.
    pub(crate) const fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Returns how much was withheld and found, in the form that [`new`](Self::new) takes again. First the values that each
    /// redaction of the settings withheld, in their order.
    pub(crate) fn counts(&self) -> &[u64] {
        self.counts.saved()
    }

    /// Counts in what others, who looked at other rows of the section, have withheld and found.
    pub(crate) fn add(&mut self, counts: Vec<u64>) {
        self.counts.add(counts);
    }

    /// Returns what may leave of a batch.
    pub(crate) fn apply(&mut self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let mut columns = Vec::with_capacity(self.schema.fields().len());
        let mut counts = std::mem::take(&mut self.counts);
        for (index, (step, column)) in self.steps.iter().zip(batch.columns()).enumerate() {
            match &step.what {
                What::Unlisted => {
                    let values = (column.len() - column.null_count()) as u64;
                    counts.found(place(index, Found::Unlisted), values);
                    if step.name == MORE {
                        let misfits = self.beside.listed_in(column);
                        counts.found(place(index, Found::Misfit), misfits);
                    }
                }
                What::Withheld(how, at, search) => {
                    let searched = search
                        .as_ref()
                        .map(|search| self.searched(column, search, index, &mut counts));
                    let column = searched.as_ref().unwrap_or(column);
                    let (left, values) = withhold::values(column, *how, &self.key)?;
                    counts.redacted(*at, values);
                    columns.extend(left);
                }
                What::Searched(search) => {
                    let left =
                        (step.name == MORE).then(|| self.beside.without(column, &mut counts));
                    let column = left.as_ref().unwrap_or(column);
                    columns.push(self.searched(column, search, index, &mut counts));
                }
                What::Kept => columns.push(Arc::clone(column)),
            }
        }
        self.counts = counts;
        let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
    }

    fn searched(
        &self,
        column: &ArrayRef,
        search: &Search,
        index: usize,
        counts: &mut Counts,
    ) -> ArrayRef {
        let mut left = Arc::clone(column);
        let texts_of = |array: &ArrayRef| array.as_string_opt::<i32>().cloned();
        if self.guards.secrets != GuardAction::Off
            && let Some(texts) = texts_of(&left)
        {
            let found = search.secrets.look(&texts);
            for (kind, count) in SecretKind::ALL.into_iter().zip(found.counts) {
                counts.found(place(index, Found::Secret(kind)), count);
            }
            left = replaced(self.guards.secrets, left, &texts, &found.texts);
        }
        if self.guards.foreign_identifiers != GuardAction::Off
            && let Some(texts) = texts_of(&left)
        {
            let found = self.foreign.look(&texts, search.is_json);
            counts.found(place(index, Found::Address), found.count);
            left = replaced(self.guards.foreign_identifiers, left, &texts, &found.texts);
        }
        left
    }

    /// Says in a section's document what was withheld and found.
    pub(crate) fn tell(&self, document: &mut SectionContent) {
        for (redaction, count) in document.redactions.iter_mut().zip(self.counts.saved()) {
            redaction.values = *count;
        }
        for column in &self.missing {
            document.notes.push(format!("column {column}, which settings list, is not there"));
        }
        for column in &self.unseen {
            document.notes.push(format!(
                "column {column}, which is to be redacted, is not there; it is left out of {MORE} wherever it comes up"
            ));
        }
        for (index, step) in self.steps.iter().enumerate() {
            if matches!(step.what, What::Unlisted) {
                let values = self.counts.of(place(index, Found::Unlisted));
                document.redactions.push(withheld(&step.name, "unlisted", values));
            }
            let misfits = self.counts.of(place(index, Found::Misfit));
            if misfits > 0 {
                document.notes.push(format!(
                    "column {}: {misfits} values of listed columns did not fit their columns and stood here, which is not listed: they \
                     are left out",
                    step.name
                ));
            }
            for kind in SecretKind::ALL {
                let values = self.counts.of(place(index, Found::Secret(kind)));
                let how = format!("secret:{}", kind.as_str());
                match self.guards.secrets {
                    _ if values == 0 => {}
                    GuardAction::Redact => document.redactions.push(withheld(&step.name, &how, values)),
                    _ => document.notes.push(format!(
                        "column {}: {values} values have the shape of a secret ({}) and were left as they are",
                        step.name,
                        kind.as_str()
                    )),
                }
            }
            let values = self.counts.of(place(index, Found::Address));
            match self.guards.foreign_identifiers {
                _ if values == 0 => {}
                GuardAction::Redact => {
                    document.redactions.push(withheld(&step.name, "foreign-address", values));
                }
                _ => document.notes.push(format!(
                    "column {}: {values} values hold an e-mail address that is not known to be this person's",
                    step.name
                )),
            }
        }
    }
}

/// What is counted in a column.
#[derive(Clone, Copy)]
pub(super) enum Found {
    Unlisted,
    Secret(SecretKind),
    Address,
    /// A value of a listed column that stands in a column that is not.
    Misfit,
}

/// Numbers what is counted; saved with the cursor, so that a number keeps its meaning.
pub(super) fn place(column: usize, found: Found) -> u64 {
    let slot = match found {
        Found::Unlisted => 0,
        Found::Address => 1,
        Found::Secret(kind) => 2 + kind as u64,
        Found::Misfit => SLOTS - 1,
    };
    column as u64 * SLOTS + slot
}

fn withheld(column: &str, how: &str, values: u64) -> Withheld {
    Withheld { column: column.to_owned(), how: how.to_owned(), values }
}

fn replaced(
    action: GuardAction,
    column: ArrayRef,
    texts: &StringArray,
    others: &[(usize, String)],
) -> ArrayRef {
    if action != GuardAction::Redact || others.is_empty() {
        return column;
    }
    Arc::new(texts::replace(texts, others))
}

/// Says whether columns are those of a sample of items, with one for whatever else comes.
fn is_of_items(schema: &Schema) -> bool {
    schema.fields().last().is_some_and(|last| last.name() == MORE && is_json(last))
}

fn is_json(field: &Field) -> bool {
    field.metadata().get(EXTENSION_TYPE_NAME_KEY).is_some_and(|name| name == JSON_EXTENSION)
}

/// Room for what is counted in a column.
const SLOTS: u64 = 16;
