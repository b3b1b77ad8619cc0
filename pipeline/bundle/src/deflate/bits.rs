//! Where do bits go? Into bytes, the least bit first.

/// Bytes that bits are appended to. Its memory stays with it.
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    /// Whole bytes that are written.
    at: usize,
    /// Bits that do not fill a byte yet.
    bits: u64,
    count: u32,
}

impl BitWriter {
    pub(super) const fn new() -> Self {
        Self { bytes: Vec::new(), at: 0, bits: 0, count: 0 }
    }

    /// Forgets what was written.
    pub(super) const fn clear(&mut self) {
        (self.at, self.bits, self.count) = (0, 0, 0);
    }

    /// Returns the whole bytes.
    pub(super) fn written(&self) -> &[u8] {
        self.bytes.get(..self.at).unwrap_or_default()
    }

    /// Makes room for so many bits; those beyond it would be lost.
    pub(super) fn reserve(&mut self, bits: u64) {
        let bytes = usize::try_from(bits / 8).unwrap_or(usize::MAX - SPARE) + SPARE;
        if self.bytes.len() - self.at < bytes {
            self.bytes.resize(self.at + bytes, 0);
        }
    }

    /// Appends `len` bits; [`flush`](Self::flush) is called before there are more than 64 since the last time, up to seven of
    /// them left from before it.
    #[inline]
    pub(super) const fn put(&mut self, bits: u64, len: u32) {
        self.bits |= bits << self.count;
        self.count += len;
    }

    /// Writes the whole bytes among the bits.
    #[inline]
    pub(super) fn flush(&mut self) {
        if let Some(room) = self.bytes.get_mut(self.at..).and_then(<[u8]>::first_chunk_mut::<8>) {
            *room = self.bits.to_le_bytes();
        }
        let whole = self.count / 8;
        self.at += usize::try_from(whole).unwrap_or(0);
        // In two steps, as all 64 may be full.
        self.bits = self.bits >> (whole * 4) >> (whole * 4);
        self.count %= 8;
    }

    /// Appends stored blocks, one at least, which end at a byte.
    pub(super) fn stored(&mut self, mut plain: &[u8]) {
        loop {
            let (now, later) = plain.split_at(plain.len().min(STORED_MOST));
            self.reserve(now.len() as u64 * 8 + 64);
            self.put(0, 3);
            self.count = self.count.next_multiple_of(8);
            self.flush();
            let len = u16::try_from(now.len()).unwrap_or(u16::MAX);
            self.put(u64::from(len), 16);
            self.put(u64::from(!len), 16);
            self.flush();
            if let Some(room) = self.bytes.get_mut(self.at..self.at + now.len()) {
                room.copy_from_slice(now);
            }
            self.at += now.len();
            plain = later;
            if plain.is_empty() {
                return;
            }
        }
    }

    /// The bits that stored blocks of so many bytes take, at most.
    pub(super) const fn stored_bits(len: usize) -> u64 {
        (len as u64) * 8 + (len as u64 / STORED_MOST as u64 + 1) * 42
    }
}

/// What the length of a stored block can say.
const STORED_MOST: usize = 65_535;
/// A flush writes eight bytes wherever it stands.
const SPARE: usize = 16;
