//! How is a run of literals and matches written? With the codes that make it shortest: its own, those of RFC 1951, or none.

use super::bits::BitWriter;
use super::codes::{
    DISTANCE_BASE, DISTANCE_EXTRA, DISTANCES, END, FIRST_LENGTH, LENGTH_BASE, LENGTH_EXTRA,
    LITERALS, LONGEST, distance_symbol, length_place,
};
use super::huffman::{Code, codes, lengths};

/// What was found in a run of plain bytes.
pub(super) struct Block {
    sequences: Vec<Sequence>,
    /// Literals behind the last sequence.
    tail: usize,
    literals: [u32; LITERALS],
    distances: [u32; DISTANCES],
    /// Literals that are not in `literals` yet, by their place in fours: equal neighbours need not wait for each other.
    fours: [[u32; 256]; 4],
    tables: Tables,
}

/// Literals and the match behind them.
#[derive(Debug, Clone, Copy)]
struct Sequence {
    literals: u32,
    length: u16,
    distance: u16,
}

/// The codes of a block.
struct Tables {
    literals: [Code; 288],
    distances: [Code; 32],
    /// Code and extra bits of each length, and how many bits they are.
    lengths: [(u32, u8); LONGEST + 1],
}

/// The description of a block's codes, as it is written.
struct Description {
    literals: [u8; LITERALS],
    distances: [u8; DISTANCES],
    literal_count: usize,
    distance_count: usize,
    /// Symbols of the code of lengths, each with its extra bits and how many they are.
    symbols: Vec<(u8, u8, u8)>,
    codes: [Code; 19],
    /// How many of [`ORDER`] are written.
    code_count: usize,
    bits: u64,
}

impl Block {
    pub(super) fn new() -> Self {
        Self {
            sequences: Vec::new(),
            tail: 0,
            literals: [0; LITERALS],
            distances: [0; DISTANCES],
            fours: [[0; 256]; 4],
            tables: Tables {
                literals: [Code::default(); 288],
                distances: [Code::default(); 32],
                lengths: [(0, 0); LONGEST + 1],
            },
        }
    }

    pub(super) fn clear(&mut self) {
        self.sequences.clear();
        self.tail = 0;
        self.literals.fill(0);
        self.distances.fill(0);
        self.fours = [[0; 256]; 4];
    }

    /// Adds literals and the match behind them.
    #[inline]
    pub(super) fn add(&mut self, literals: &[u8], length: usize, distance: usize) {
        self.count(literals);
        if let Some(count) = self.literals.get_mut(FIRST_LENGTH + length_place(length)) {
            *count += 1;
        }
        if let Some(count) = self.distances.get_mut(distance_symbol(distance)) {
            *count += 1;
        }
        self.sequences.push(Sequence {
            literals: u32::try_from(literals.len()).unwrap_or(u32::MAX),
            length: u16::try_from(length).unwrap_or(0),
            // Less one, so that the greatest fits.
            distance: u16::try_from(distance - 1).unwrap_or(0),
        });
    }

    /// Ends the block with literals.
    pub(super) fn end(&mut self, literals: &[u8]) {
        self.count(literals);
        self.tail = literals.len();
        for four in &self.fours {
            for (count, more) in self.literals.iter_mut().zip(four) {
                *count += more;
            }
        }
        if let Some(count) = self.literals.get_mut(END) {
            *count = 1;
        }
    }

    #[inline]
    fn count(&mut self, literals: &[u8]) {
        let (fours, rest) = literals.as_chunks::<4>();
        let add = |counts: &mut [u32; 256], byte: u8| {
            if let Some(count) = counts.get_mut(usize::from(byte)) {
                *count = count.wrapping_add(1);
            }
        };
        for four in fours {
            for (counts, byte) in self.fours.iter_mut().zip(four) {
                add(counts, *byte);
            }
        }
        for (counts, byte) in self.fours.iter_mut().zip(rest) {
            add(counts, *byte);
        }
    }

    /// Writes the block; `plain` is what it was filled with.
    pub(super) fn write(&mut self, plain: &[u8], out: &mut BitWriter) {
        let extra = self.extra_bits();
        let own = Description::of(&self.literals, &self.distances);
        let own_bits = own.bits + extra + self.bits(&own.literals, &own.distances);
        let fixed_bits = extra + self.bits(&FIXED_LITERALS[..LITERALS], &FIXED_DISTANCES);
        if BitWriter::stored_bits(plain.len()) <= own_bits.min(fixed_bits) {
            return out.stored(plain);
        }
        out.reserve(own_bits.min(fixed_bits) + 128);
        if own_bits < fixed_bits {
            out.put(0b100, 3);
            own.write(out);
            self.tables.set(&own.literals, &own.distances);
        } else {
            out.put(0b010, 3);
            out.flush();
            self.tables.set(&FIXED_LITERALS, &FIXED_DISTANCES);
        }
        self.symbols(plain, out);
    }

    fn symbols(&self, plain: &[u8], out: &mut BitWriter) {
        let mut rest = plain;
        for sequence in &self.sequences {
            let literals = usize::try_from(sequence.literals).unwrap_or(usize::MAX);
            let (literals, behind) = rest.split_at_checked(literals).unwrap_or((rest, &[]));
            self.tables.literals(literals, out);
            let length = usize::from(sequence.length);
            let (bits, len) = self.tables.lengths.get(length).copied().unwrap_or_default();
            out.put(u64::from(bits), u32::from(len));
            let distance = usize::from(sequence.distance) + 1;
            let symbol = distance_symbol(distance);
            let code = self.tables.distances.get(symbol).copied().unwrap_or_default();
            let base = DISTANCE_BASE.get(symbol).map_or(0, |base| usize::from(*base));
            let extra = DISTANCE_EXTRA.get(symbol).copied().unwrap_or(0);
            out.put(u64::from(code.bits), u32::from(code.len));
            out.put((distance - base) as u64, u32::from(extra));
            out.flush();
            rest = behind.get(length..).unwrap_or_default();
        }
        self.tables.literals(rest.get(..self.tail).unwrap_or_default(), out);
        let end = self.tables.literals.get(END).copied().unwrap_or_default();
        out.put(u64::from(end.bits), u32::from(end.len));
        out.flush();
    }

    /// Bits of all codes of the block.
    fn bits(&self, literals: &[u8], distances: &[u8]) -> u64 {
        let of = |counts: &[u32], lengths: &[u8]| -> u64 {
            counts.iter().zip(lengths).map(|(count, len)| u64::from(*count) * u64::from(*len)).sum()
        };
        3 + of(&self.literals, literals) + of(&self.distances, distances)
    }

    /// Bits behind lengths and distances, the same whatever the codes.
    fn extra_bits(&self) -> u64 {
        let of = |counts: &[u32], extra: &[u8]| -> u64 {
            counts.iter().zip(extra).map(|(count, bits)| u64::from(*count) * u64::from(*bits)).sum()
        };
        let lengths = self.literals.get(FIRST_LENGTH..).unwrap_or_default();
        of(lengths, &LENGTH_EXTRA) + of(&self.distances, &DISTANCE_EXTRA)
    }
}

impl Tables {
    fn set(&mut self, literals: &[u8], distances: &[u8]) {
        codes(literals, &mut self.literals);
        codes(distances, &mut self.distances);
        for (length, entry) in self.lengths.iter_mut().enumerate().skip(3) {
            let place = length_place(length);
            let code = self.literals.get(FIRST_LENGTH + place).copied().unwrap_or_default();
            let base = LENGTH_BASE.get(place).map_or(0, |base| usize::from(*base));
            let extra = u32::try_from(length - base).unwrap_or(0);
            let more = LENGTH_EXTRA.get(place).copied().unwrap_or(0);
            *entry = (u32::from(code.bits) | extra << code.len, code.len + more);
        }
    }

    /// Four codes, 48 bits at most, fit beside what a flush leaves.
    #[inline]
    fn literals(&self, literals: &[u8], out: &mut BitWriter) {
        let code = |byte: u8| self.literals.get(usize::from(byte)).copied().unwrap_or_default();
        let (fours, rest) = literals.as_chunks::<4>();
        for four in fours {
            for byte in four {
                let code = code(*byte);
                out.put(u64::from(code.bits), u32::from(code.len));
            }
            out.flush();
        }
        for byte in rest {
            let code = code(*byte);
            out.put(u64::from(code.bits), u32::from(code.len));
        }
        out.flush();
    }
}

impl Description {
    fn of(literal_counts: &[u32; LITERALS], distance_counts: &[u32; DISTANCES]) -> Self {
        let (mut literals, mut distances) = ([0; LITERALS], [0; DISTANCES]);
        lengths(literal_counts, LONGEST_CODE, &mut literals);
        lengths(distance_counts, LONGEST_CODE, &mut distances);
        let used = |lengths: &[u8]| lengths.iter().rposition(|len| *len > 0).map_or(0, |at| at + 1);
        let literal_count = used(&literals).max(FIRST_LENGTH);
        let distance_count = used(&distances).max(1);
        let mut all = Vec::with_capacity(LITERALS + DISTANCES);
        all.extend_from_slice(literals.get(..literal_count).unwrap_or_default());
        all.extend_from_slice(distances.get(..distance_count).unwrap_or_default());
        let symbols = run_lengths(&all);
        let mut counts = [0; 19];
        for (symbol, ..) in &symbols {
            if let Some(count) = counts.get_mut(usize::from(*symbol)) {
                *count += 1;
            }
        }
        let mut code_lengths = [0; 19];
        lengths(&counts, 7, &mut code_lengths);
        let mut symbol_codes = [Code::default(); 19];
        codes(&code_lengths, &mut symbol_codes);
        let len_of = |symbol: u8| code_lengths.get(usize::from(symbol)).copied().unwrap_or(0);
        let code_count =
            ORDER.iter().rposition(|symbol| len_of(*symbol) > 0).map_or(4, |at| at + 1);
        let code_count = code_count.max(4);
        let symbol_bits =
            symbols.iter().map(|(symbol, _, extra)| u64::from(len_of(*symbol) + extra));
        let bits = 14 + 3 * code_count as u64 + symbol_bits.sum::<u64>();
        Self {
            literals,
            distances,
            literal_count,
            distance_count,
            symbols,
            codes: symbol_codes,
            code_count,
            bits,
        }
    }

    fn write(&self, out: &mut BitWriter) {
        out.put((self.literal_count - 257) as u64, 5);
        out.put((self.distance_count - 1) as u64, 5);
        out.put((self.code_count - 4) as u64, 4);
        out.flush();
        let code = |symbol: u8| self.codes.get(usize::from(symbol)).copied().unwrap_or_default();
        for symbol in ORDER.iter().take(self.code_count) {
            out.put(u64::from(code(*symbol).len), 3);
            out.flush();
        }
        for (symbol, bits, extra) in &self.symbols {
            let code = code(*symbol);
            out.put(u64::from(code.bits), u32::from(code.len));
            out.put(u64::from(*bits), u32::from(*extra));
            out.flush();
        }
    }
}

/// Lengths as symbols: 16 repeats the last one, 17 and 18 are zeros.
fn run_lengths(lengths: &[u8]) -> Vec<(u8, u8, u8)> {
    let mut symbols = Vec::with_capacity(lengths.len());
    for run in lengths.chunk_by(|one, next| one == next) {
        let value = run.first().copied().unwrap_or(0);
        let mut left = run.len();
        if value != 0 {
            symbols.push((value, 0, 0));
            left -= 1;
        }
        while left >= 3 {
            let (symbol, least, most, extra) = match (value, left) {
                (0, 11..) => (18, 11, 138, 7),
                (0, _) => (17, 3, 10, 3),
                _ => (16, 3, 6, 2),
            };
            let now = left.min(most);
            symbols.push((symbol, u8::try_from(now - least).unwrap_or(0), extra));
            left -= now;
        }
        symbols.extend(std::iter::repeat_n((value, 0, 0), left));
    }
    symbols
}

/// Four literals between two flushes; longer codes would hardly save a byte.
const LONGEST_CODE: u8 = 12;
/// The order in which lengths of the code of lengths are written.
const ORDER: [u8; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const FIXED_LITERALS: [u8; 288] = {
    let mut lengths = [8; 288];
    let mut symbol = 144;
    while symbol < 280 {
        lengths[symbol] = if symbol < 256 { 9 } else { 7 };
        symbol += 1;
    }
    lengths
};
const FIXED_DISTANCES: [u8; 30] = [5; 30];
