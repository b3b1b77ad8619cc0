//! How is a segment's flush index kept?
//!
//! Each flush is two LEB128 varints: the plain and the stored offset, as differences from the flush before. A flush about every MiB
//! takes five or six bytes.

use crate::{Flush, StoreError};

/// Packs a flush index.
///
/// # Errors
/// [`StoreError::OutOfOrder`] if an offset is smaller than the one before it.
pub(super) fn pack(flushes: &[Flush]) -> Result<Vec<u8>, StoreError> {
    let backwards = || StoreError::OutOfOrder { what: "flush index" };
    let mut packed = Vec::with_capacity(flushes.len().saturating_mul(6));
    let mut last = Flush { plain: 0, stored: 0 };
    for flush in flushes {
        put(&mut packed, flush.plain.checked_sub(last.plain).ok_or_else(backwards)?);
        put(&mut packed, flush.stored.checked_sub(last.stored).ok_or_else(backwards)?);
        last = *flush;
    }
    Ok(packed)
}

/// Unpacks a flush index.
///
/// # Errors
/// [`StoreError::Corrupt`] for bytes that [`pack`] does not make.
pub(super) fn unpack(mut packed: &[u8]) -> Result<Vec<Flush>, StoreError> {
    let mut flushes = Vec::new();
    let mut last = Flush { plain: 0, stored: 0 };
    while !packed.is_empty() {
        let plain = take(&mut packed).and_then(|step| last.plain.checked_add(step));
        let stored = take(&mut packed).and_then(|step| last.stored.checked_add(step));
        let (Some(plain), Some(stored)) = (plain, stored) else {
            return Err(StoreError::Corrupt { what: "flush index", source: None });
        };
        last = Flush { plain, stored };
        flushes.push(last);
    }
    Ok(flushes)
}

fn put(packed: &mut Vec<u8>, mut value: u64) {
    loop {
        let low = value.to_le_bytes()[0] & 0x7f;
        value >>= 7;
        if value == 0 {
            packed.push(low);
            return;
        }
        packed.push(low | 0x80);
    }
}

fn take(packed: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (first, rest) = packed.split_first()?;
        *packed = rest;
        let low = u64::from(first & 0x7f);
        let placed = low << shift;
        if placed >> shift != low {
            return None;
        }
        value |= placed;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn packing_is_frozen() {
        let flushes = [
            Flush { plain: 0, stored: 0 },
            Flush { plain: 1 << 20, stored: 300 },
            Flush { plain: u64::MAX, stored: 300 },
        ];
        let packed = pack(&flushes).unwrap();
        let mut want = vec![0, 0, 0x80, 0x80, 0x40, 0xac, 0x02];
        want.extend_from_slice(&[0xff, 0xff, 0xbf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0]);
        assert_eq!(packed, want);
        assert_eq!(unpack(&packed).unwrap(), flushes);
    }

    #[test]
    fn an_index_that_goes_back_is_refused() {
        let flushes = [Flush { plain: 2, stored: 2 }, Flush { plain: 1, stored: 3 }];
        assert!(matches!(pack(&flushes), Err(StoreError::OutOfOrder { .. })));
    }

    #[test]
    fn a_cut_or_overflowing_index_is_corrupt() {
        let too_long: &[u8] = &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0];
        for packed in [&[0x80][..], &[1], &[1, 0x80], too_long] {
            assert!(matches!(unpack(packed), Err(StoreError::Corrupt { .. })), "{packed:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_packed_is_unpacked(steps in prop::collection::vec((any::<u32>(), any::<u32>()), 0..50)) {
            let mut last = Flush { plain: 0, stored: 0 };
            let flushes: Vec<Flush> = steps
                .into_iter()
                .map(|(plain, stored)| {
                    last = Flush {
                        plain: last.plain + u64::from(plain),
                        stored: last.stored + u64::from(stored),
                    };
                    last
                })
                .collect();
            prop_assert_eq!(unpack(&pack(&flushes).unwrap()).unwrap(), flushes);
        }

        #[test]
        fn no_bytes_make_unpacking_panic(packed in prop::collection::vec(any::<u8>(), 0..40)) {
            drop(unpack(&packed));
        }
    }
}
