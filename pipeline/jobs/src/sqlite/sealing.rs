//! How are personal columns sealed, and how is a person found again without being named?

use antumbra_crypto::{BlindIndex, Context, FieldCipher, Pseudonyms, SecretBytes};

use crate::{Identifier, StoreError, TenantId};

/// The keys a store seals with; all three come from the key ring and live as long as the store.
#[derive(Clone)]
pub struct Sealing {
    /// Seals personal columns.
    pub fields: FieldCipher,
    /// Finds a subject's open requests.
    pub index: BlindIndex,
    /// Names subjects in the audit log.
    pub pseudonyms: Pseudonyms,
}

impl Sealing {
    /// Returns the keyed hash a subject is found by.
    #[must_use]
    pub fn lookup(&self, tenant: &TenantId, subject: &Identifier) -> [u8; 32] {
        self.index.lookup(tenant.as_str(), &subject.name, &subject.value)
    }

    /// Returns the name a subject has in the audit log: the same for every spelling of an identifier that
    /// [`lookup`](Self::lookup) takes for the same, different in every tenant.
    #[must_use]
    pub fn pseudonym(&self, tenant: &TenantId, subject: &Identifier) -> String {
        let lookup = self.lookup(tenant, subject);
        let hex: String = lookup.iter().map(|byte| format!("{byte:02x}")).collect();
        self.pseudonyms.of(tenant.as_str(), &hex)
    }

    /// Seals a value for one cell.
    pub(super) fn seal(&self, cell: &Cell, plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        Ok(self.fields.seal(&cell.context, plain)?)
    }

    /// Opens a value from the cell it was sealed for.
    pub(super) fn open(&self, cell: &Cell, sealed: &[u8]) -> Result<SecretBytes, StoreError> {
        self.fields.open(&cell.context, sealed).map_err(|error| StoreError::Corrupt {
            what: cell.column,
            source: Some(Box::new(error)),
        })
    }

    /// A value that only the same three keys make. Sealed in a new store, compared whenever it is opened: a wrong key shows
    /// at the start, not as a duplicate that was not found.
    pub(super) fn proof(&self, writer: &[u8]) -> Vec<u8> {
        let mut proof = writer.to_vec();
        proof.extend_from_slice(&self.index.lookup("antumbra", "store", "proof"));
        proof.extend_from_slice(self.pseudonyms.of("antumbra", "proof").as_bytes());
        proof
    }
}

impl std::fmt::Debug for Sealing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealing").finish_non_exhaustive()
    }
}

/// A place in the store. No two cells share one, so a sealed value opens nowhere else.
pub(super) struct Cell {
    context: Context,
    column: &'static str,
}

impl Cell {
    /// A column of the row that `row` names. A row key of several parts is their concatenation; all but the last have a
    /// fixed length.
    pub(super) fn new(table: &'static str, row: &[u8], column: &'static str) -> Self {
        let context = Context::new("antumbra/field").with(table).with(row).with(column);
        Self { context, column }
    }
}
