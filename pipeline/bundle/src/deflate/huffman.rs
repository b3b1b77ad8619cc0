//! How long is each symbol's code, and which bits are it?

/// A code: its bits, the first one lowest, and how many they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Code {
    pub(super) bits: u16,
    pub(super) len: u8,
}

/// Sets the lengths of a prefix code that is short for these counts; no code is longer than `most` bits. A symbol that does not
/// occur has none, except that two have one always: some readers want a code that is complete.
///
/// At most 2^22 symbols are counted, of at most 512 kinds, and all kinds fit into `most` bits.
pub(super) fn lengths(counts: &[u32], most: u8, lengths: &mut [u8]) {
    lengths.fill(0);
    let mut used: Vec<u32> = Vec::with_capacity(counts.len());
    for (symbol, count) in (0_u32..).zip(counts) {
        if *count > 0 {
            used.push(*count << SYMBOL_BITS | symbol);
        }
    }
    for symbol in 0_u32.. {
        if used.len() >= 2 {
            break;
        }
        if used.iter().all(|other| other & SYMBOL != symbol) {
            used.push(1 << SYMBOL_BITS | symbol);
        }
    }
    used.sort_unstable();
    let mut weights: Vec<u32> = used.iter().map(|one| one >> SYMBOL_BITS).collect();
    depths(&mut weights);
    let mut by_length = limited(&weights, most);
    // The rarest come first and get the longest.
    let mut len = most;
    for one in used {
        while len > 1 && by_length.get(usize::from(len)).is_none_or(|left| *left == 0) {
            len -= 1;
        }
        if let Some(left) = by_length.get_mut(usize::from(len)) {
            *left -= 1;
        }
        let symbol = usize::try_from(one & SYMBOL).unwrap_or(usize::MAX);
        if let Some(length) = lengths.get_mut(symbol) {
            *length = len;
        }
    }
}

/// Gives every symbol the code that its length implies ([RFC 1951](https://www.rfc-editor.org/rfc/rfc1951) section 3.2.2).
pub(super) fn codes(lengths: &[u8], codes: &mut [Code]) {
    let mut next = [0_u16; 16];
    let mut by_length = [0_u16; 16];
    for len in lengths {
        if let Some(count) = by_length.get_mut(usize::from(*len)) {
            *count += u16::from(*len > 0);
        }
    }
    let mut code = 0_u16;
    for (count, next) in by_length.iter().zip(next.iter_mut().skip(1)) {
        code = (code + count) << 1;
        *next = code;
    }
    for (len, code) in lengths.iter().zip(codes) {
        let Some(next) = next.get_mut(usize::from(*len)) else { continue };
        *code = match len {
            0 => Code::default(),
            _ => Code { bits: next.reverse_bits() >> (16 - len), len: *len },
        };
        *next = next.wrapping_add(u16::from(*len > 0));
    }
}

/// Turns ascending weights into the depths of their leaves, the deepest first
/// ([Moffat and Katajainen, In-place calculation of minimum-redundancy codes](https://people.eng.unimelb.edu.au/ammoffat/abstracts/mk95wads.html)).
///
/// What an index finds is always there: all stay below the number of weights, of which there are two at least.
fn depths(weights: &mut [u32]) {
    let count = weights.len();
    let at = |weights: &[u32], place: usize| weights.get(place).copied().unwrap_or(u32::MAX);
    let index = |value: u32| usize::try_from(value).unwrap_or(usize::MAX);
    let set = |weights: &mut [u32], place: usize, value: u32| {
        if let Some(weight) = weights.get_mut(place) {
            *weight = value;
        }
    };
    // Joins the two lightest again and again; a joined one keeps where it went.
    let (mut root, mut leaf) = (0, 0);
    for next in 0..count.saturating_sub(1) {
        let mut sum = 0;
        for _ in 0..2 {
            let tree = root < next && (leaf >= count || at(weights, root) < at(weights, leaf));
            if tree {
                sum += at(weights, root);
                set(weights, root, u32::try_from(next).unwrap_or(u32::MAX));
                root += 1;
            } else {
                sum += at(weights, leaf);
                leaf += 1;
            }
        }
        set(weights, next, sum);
    }
    // Depths of the joined ones, from the root.
    let Some(top) = count.checked_sub(2) else { return };
    set(weights, top, 0);
    for place in (0..top).rev() {
        let depth = at(weights, index(at(weights, place))).saturating_add(1);
        set(weights, place, depth);
    }
    // Depths of the leaves: what is not joined at a depth is a leaf.
    let (mut free, mut depth) = (1_usize, 0);
    let (mut joined, mut leaf) = (count.checked_sub(2), count);
    while free > 0 {
        let mut used = 0;
        while let Some(place) = joined
            && at(weights, place) == depth
        {
            used += 1;
            joined = place.checked_sub(1);
        }
        for _ in used..free {
            leaf = leaf.saturating_sub(1);
            set(weights, leaf, depth);
        }
        free = 2 * used;
        depth += 1;
    }
}

/// Counts codes by length, none longer than `most`.
fn limited(depths: &[u32], most: u8) -> [u32; 16] {
    let mut by_length = [0_u32; 16];
    let most = usize::from(most);
    for depth in depths {
        let place = usize::try_from(*depth).unwrap_or(most).min(most);
        if let Some(count) = by_length.get_mut(place) {
            *count += 1;
        }
    }
    // How much of the code space is taken, in codes of the greatest length; a shorter code is split until all fit.
    let taken = (1..).zip(by_length.iter().skip(1)).take(most);
    let mut taken: u64 = taken.map(|(len, count)| u64::from(*count) << (most - len)).sum();
    while taken > 1 << most {
        let Some(shorter) =
            (1..most).rev().find(|len| by_length.get(*len).is_some_and(|count| *count > 0))
        else {
            break;
        };
        for (len, count) in by_length.iter_mut().enumerate() {
            if len == most {
                *count -= 1;
            }
            if len == shorter {
                *count -= 1;
            }
            if len == shorter + 1 {
                *count += 2;
            }
        }
        taken -= 1;
    }
    by_length
}

const SYMBOL_BITS: u32 = 9;
const SYMBOL: u32 = (1 << SYMBOL_BITS) - 1;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The part of the code space that is taken, in 2^-15.
    fn taken(lengths: &[u8]) -> u32 {
        lengths.iter().filter(|len| **len > 0).map(|len| 1_u32 << (15 - len)).sum()
    }

    fn of(counts: &[u32], most: u8) -> Vec<u8> {
        let mut found = vec![0; counts.len()];
        lengths(counts, most, &mut found);
        found
    }

    #[test]
    fn often_is_short() {
        assert_eq!(of(&[8, 4, 2, 1, 1], 15), [1, 2, 3, 4, 4]);
        assert_eq!(of(&[1, 1, 1, 1], 15), [2, 2, 2, 2]);
    }

    #[test]
    fn two_symbols_have_a_code_always() {
        assert_eq!(of(&[0, 0, 0], 15), [1, 1, 0]);
        assert_eq!(of(&[0, 0, 7], 15), [1, 0, 1]);
        assert_eq!(of(&[9, 0, 0], 15), [1, 1, 0]);
    }

    proptest! {
        #[test]
        fn codes_are_complete_and_none_is_too_long(
            counts in prop::collection::vec(prop_oneof![Just(0), 1_u32..5, 1_u32..10_000], 2..286),
            most in 9_u8..=15,
        ) {
            let lengths = of(&counts, most);
            prop_assert_eq!(taken(&lengths), 1 << 15);
            prop_assert!(lengths.iter().all(|len| *len <= most));
            for (count, len) in counts.iter().zip(&lengths) {
                prop_assert!(*count == 0 || *len > 0);
            }
            let mut found = vec![Code::default(); counts.len()];
            codes(&lengths, &mut found);
            let mut seen = std::collections::HashSet::new();
            for code in found.iter().filter(|code| code.len > 0) {
                // No code begins with another: all continuations are different.
                for rest in 0..1_u32 << (15 - code.len) {
                    prop_assert!(seen.insert(u32::from(code.bits) | rest << code.len));
                }
            }
        }
    }
}
