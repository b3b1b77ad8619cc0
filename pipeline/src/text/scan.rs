//! Does a text hold a byte that a format has to escape?

/// Says whether no byte is what `special` looks for.
///
/// It is asked for blocks of bytes without a branch between them, so that the compiler looks at a whole block at once.
#[inline]
pub(crate) fn free_of(bytes: &[u8], special: impl Fn(u8) -> bool) -> bool {
    let (blocks, rest) = bytes.as_chunks::<BLOCK>();
    let found = |block: &[u8]| block.iter().fold(false, |any, byte| any | special(*byte));
    !blocks.iter().any(|block| found(block)) && !found(rest)
}

const BLOCK: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_is_found_wherever_it_stands() {
        for len in 0..100 {
            assert!(free_of(&vec![b'a'; len], |byte| byte == b'"'));
            for at in 0..len {
                let mut bytes = vec![b'a'; len];
                bytes[at] = b'"';
                assert!(!free_of(&bytes, |byte| byte == b'"'), "{at} of {len}");
            }
        }
    }
}
