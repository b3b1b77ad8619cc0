//! How much do the sealed objects take?

use std::fmt;

/// What a sweep found in the object store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiskUse {
    /// Objects of all jobs.
    pub objects: u64,
    /// Their sealed bytes, and those of uploads under way where they can be seen (a local directory).
    pub bytes: u64,
}

impl DiskUse {
    pub(super) const fn add(&mut self, objects: u64, bytes: u64) {
        self.objects = self.objects.saturating_add(objects);
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

impl fmt::Display for DiskUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes in {} objects", self.bytes, self.objects)
    }
}
