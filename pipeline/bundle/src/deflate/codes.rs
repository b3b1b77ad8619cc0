//! Which symbol stands for a length or a distance, and which bits follow it? [RFC 1951](https://www.rfc-editor.org/rfc/rfc1951)
//! section 3.2.5, as tables made at build time.

/// Symbols of literals and lengths that a block may use.
pub(super) const LITERALS: usize = 286;
/// Symbols of distances.
pub(super) const DISTANCES: usize = 30;
/// The symbol that ends a block.
pub(super) const END: usize = 256;
/// The symbol of the least length.
pub(super) const FIRST_LENGTH: usize = 257;
/// The greatest length of a match.
pub(super) const LONGEST: usize = 258;
/// How far back a match may begin.
pub(super) const WINDOW: usize = 32_768;

/// The least length of each length symbol.
pub(super) const LENGTH_BASE: [u16; 29] = [
    3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131,
    163, 195, 227, 258,
];
/// The bits that follow each length symbol.
pub(super) const LENGTH_EXTRA: [u8; 29] =
    [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
/// The least distance of each distance symbol.
pub(super) const DISTANCE_BASE: [u16; 30] = [
    1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537,
    2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577,
];
/// The bits that follow each distance symbol.
pub(super) const DISTANCE_EXTRA: [u8; 30] = [
    0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13,
    13,
];

/// Returns the place of a length, 3 to 258, in [`LENGTH_BASE`].
#[inline]
pub(super) fn length_place(length: usize) -> usize {
    LENGTH_PLACES.get(length).map_or(0, |place| usize::from(*place))
}

/// Returns the symbol of a distance, 1 to 32 768.
#[inline]
pub(super) fn distance_symbol(distance: usize) -> usize {
    let before = distance.wrapping_sub(1);
    let place = if before < 256 { before } else { 256 + (before >> 7) };
    DISTANCE_SYMBOLS.get(place).map_or(0, |symbol| usize::from(*symbol))
}

/// By length.
static LENGTH_PLACES: [u8; 259] = length_places();
/// By distance less one, and behind the first 256 by its upper bits.
static DISTANCE_SYMBOLS: [u8; 512] = distance_symbols();

const fn length_places() -> [u8; 259] {
    let mut places = [0; 259];
    let mut length = 3;
    let mut place = 0_u8;
    while length < 259 {
        while (place as usize) < 28 && LENGTH_BASE[place as usize + 1] as usize <= length {
            place += 1;
        }
        places[length] = place;
        length += 1;
    }
    places
}

const fn distance_symbols() -> [u8; 512] {
    let mut symbols = [0; 512];
    let mut place = 0;
    while place < 512 {
        // The least distance of this place; symbols of far ones begin where upper bits do.
        let distance = if place < 256 { place + 1 } else { ((place - 256) << 7) + 1 };
        let mut symbol = 0_u8;
        while (symbol as usize) < 29 && DISTANCE_BASE[symbol as usize + 1] as usize <= distance {
            symbol += 1;
        }
        symbols[place] = symbol;
        place += 1;
    }
    symbols
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_and_distance_lies_within_its_symbols_bits() {
        for length in 3..=LONGEST {
            let place = length_place(length);
            let extra = length - usize::from(LENGTH_BASE[place]);
            assert!(extra < 1 << LENGTH_EXTRA[place], "{length}");
        }
        assert_eq!(length_place(257), 27);
        assert_eq!(length_place(258), 28);
        for distance in 1..=WINDOW {
            let symbol = distance_symbol(distance);
            let extra = distance - usize::from(DISTANCE_BASE[symbol]);
            assert!(extra < 1 << DISTANCE_EXTRA[symbol], "{distance}");
        }
    }
}
