//! How are 16 blocks hashed at a time? GHASH where the processor multiplies four pairs of polynomials at once (`VPCLMULQDQ`).
//!
//! The field is POLYVAL's ([RFC 8452](https://www.rfc-editor.org/rfc/rfc8452) appendix A: GHASH is POLYVAL over reversed blocks,
//! its key times x). The product is split as in [ePrint 2025/2171](https://eprint.iacr.org/2025/2171): with
//! D = swap(H) + H₀·P₁ the sums R = M₀·D₁ + M₁·H₁ and F = M₀·D₀ + M₁·H₀ add up over blocks and are reduced once.
//!
//! No branch and no address depends on a secret. A token of [`fearless_simd`] proves what the processor can do.

use std::arch::x86_64::{
    __m128i, __m512i, _mm_clmulepi64_si128, _mm_cvtsi128_si64, _mm_set_epi64x, _mm_shuffle_epi32,
    _mm_slli_si128, _mm_srli_si128, _mm_unpackhi_epi64, _mm_xor_si128, _mm256_castsi256_si128,
    _mm256_extracti128_si256, _mm256_xor_si256, _mm512_castsi512_si256, _mm512_clmulepi64_epi128,
    _mm512_extracti64x4_epi64, _mm512_set_epi64, _mm512_shuffle_epi8, _mm512_ternarylogic_epi64,
    _mm512_xor_si512, _mm512_zextsi128_si512,
};

use fearless_simd::{Avx512, Level, SimdBase, kernel, u8x64};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A GHASH under way, on processors with AVX-512 and `VPCLMULQDQ`.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(super) struct WideHash {
    #[zeroize(skip)]
    simd: Avx512,
    /// Each power of the key, H¹⁶ first, and what belongs to it for the split product.
    powers: [[Power; 4]; 4],
    sum: [u64; 2],
}

impl WideHash {
    /// Starts a hash; `None` if the processor has not what it takes. It never leaves its box: a move would leave its key behind.
    pub(super) fn new(key: &[u8; 16]) -> Option<Box<Self>> {
        let simd = Level::new().as_avx512()?;
        let mut made = Box::new(Self { simd, powers: [[ZERO; 4]; 4], sum: [0; 2] });
        let mut first = times_x(u128::from_be_bytes(*key));
        expand(simd, halves(first), &mut made.powers);
        first.zeroize();
        Some(made)
    }

    /// Hashes whole blocks.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        let (blocks, _) = bytes.as_chunks::<16>();
        let (fours, last) = blocks.as_chunks::<4>();
        let (runs, rest) = fours.as_chunks::<4>();
        self.sum = many(self.simd, self.sum, &self.powers, runs);
        let [.., [.., key]] = &self.powers;
        for block in rest.as_flattened().iter().chain(last) {
            self.sum = one(self.simd, self.sum, key, block);
        }
    }

    /// Returns the hash of what was hashed so far.
    pub(super) fn value(&self) -> [u8; 16] {
        let [low, high] = self.sum;
        (u128::from(high) << 64 | u128::from(low)).to_be_bytes()
    }
}

/// A power of the key: H and D, each low half first.
#[derive(Clone, Copy, Zeroize)]
struct Power {
    h: [u64; 2],
    d: [u64; 2],
}

/// Multiplies by x in POLYVAL's field, in constant time.
const fn times_x(value: u128) -> u128 {
    let carry = 0_u128.wrapping_sub(value >> 127);
    (value << 1) ^ (carry & (0xc2_u128 << 120 | 1))
}

/// Low half first.
const fn halves(value: u128) -> [u64; 2] {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = value.to_le_bytes();
    [u64::from_le_bytes([a, b, c, d, e, f, g, h]), u64::from_le_bytes([i, j, k, l, m, n, o, p])]
}

kernel!(
    /// Computes the powers of the key.
    fn expand(simd: Avx512, key: [u64; 2], powers: &mut [[Power; 4]; 4]) {
        let first = load(simd, key);
        let first_d = companion(simd, first);
        let mut power = first;
        for place in powers.as_flattened_mut().iter_mut().rev() {
            let d = companion(simd, power);
            *place = Power { h: store(simd, power), d: store(simd, d) };
            let (r, f) = product(simd, power, first, first_d);
            power = reduce(simd, r, f);
        }
    }
);

kernel!(
    /// Hashes one block.
    fn one(simd: Avx512, sum: [u64; 2], power: &Power, block: &[u8; 16]) -> [u64; 2] {
        let message = load(simd, halves(u128::from_be_bytes(*block)));
        let message = _mm_xor_si128(message, load(simd, sum));
        let (r, f) = product(simd, message, load(simd, power.h), load(simd, power.d));
        store(simd, reduce(simd, r, f))
    }
);

kernel!(
    /// Hashes runs of four times four blocks, each with one reduction.
    fn many(
        simd: Avx512,
        sum: [u64; 2],
        powers: &[[Power; 4]; 4],
        runs: &[[[[u8; 16]; 4]; 4]],
    ) -> [u64; 2] {
        let reversed = _mm512_set_epi64(
            LOW_BYTES, HIGH_BYTES, LOW_BYTES, HIGH_BYTES, LOW_BYTES, HIGH_BYTES, LOW_BYTES,
            HIGH_BYTES,
        );
        let [p0, p1, p2, p3] = powers;
        let (p0, p1, p2, p3) = (four(simd, p0), four(simd, p1), four(simd, p2), four(simd, p3));
        let mut sum = load(simd, sum);
        for [q0, q1, q2, q3] in runs {
            let m0: __m512i = u8x64::from_slice(simd, q0.as_flattened()).into();
            let m1: __m512i = u8x64::from_slice(simd, q1.as_flattened()).into();
            let m2: __m512i = u8x64::from_slice(simd, q2.as_flattened()).into();
            let m3: __m512i = u8x64::from_slice(simd, q3.as_flattened()).into();
            let m0 = _mm512_shuffle_epi8(m0, reversed);
            let m0 = _mm512_xor_si512(m0, _mm512_zextsi128_si512(sum));
            let (r0, f0) = products(simd, m0, p0.0, p0.1);
            let (r1, f1) = products(simd, _mm512_shuffle_epi8(m1, reversed), p1.0, p1.1);
            let (r2, f2) = products(simd, _mm512_shuffle_epi8(m2, reversed), p2.0, p2.1);
            let (r3, f3) = products(simd, _mm512_shuffle_epi8(m3, reversed), p3.0, p3.1);
            let r = _mm512_xor_si512(r3, _mm512_ternarylogic_epi64::<XOR>(r0, r1, r2));
            let f = _mm512_xor_si512(f3, _mm512_ternarylogic_epi64::<XOR>(f0, f1, f2));
            sum = reduce(simd, fold(simd, r), fold(simd, f));
        }
        store(simd, sum)
    }
);

kernel!(
    #[inline]
    fn load(simd: Avx512, value: [u64; 2]) -> __m128i {
        let [low, high] = value;
        _mm_set_epi64x(high.cast_signed(), low.cast_signed())
    }
);

kernel!(
    #[inline]
    fn store(simd: Avx512, value: __m128i) -> [u64; 2] {
        let high = _mm_unpackhi_epi64(value, value);
        [_mm_cvtsi128_si64(value).cast_unsigned(), _mm_cvtsi128_si64(high).cast_unsigned()]
    }
);

kernel!(
    /// Loads H and D of four powers.
    #[inline]
    fn four(simd: Avx512, powers: &[Power; 4]) -> (__m512i, __m512i) {
        let [a, b, c, d] = powers;
        let wide = |a: [u64; 2], b: [u64; 2], c: [u64; 2], d: [u64; 2]| {
            [d[1], d[0], c[1], c[0], b[1], b[0], a[1], a[0]].map(u64::cast_signed)
        };
        let [h7, h6, h5, h4, h3, h2, h1, h0] = wide(a.h, b.h, c.h, d.h);
        let [d7, d6, d5, d4, d3, d2, d1, d0] = wide(a.d, b.d, c.d, d.d);
        (
            _mm512_set_epi64(h7, h6, h5, h4, h3, h2, h1, h0),
            _mm512_set_epi64(d7, d6, d5, d4, d3, d2, d1, d0),
        )
    }
);

kernel!(
    /// Computes D of a power.
    #[inline]
    fn companion(simd: Avx512, power: __m128i) -> __m128i {
        let carried = _mm_clmulepi64_si128::<0x00>(power, load(simd, [P1, 0]));
        _mm_xor_si128(_mm_shuffle_epi32::<0x4e>(power), carried)
    }
);

kernel!(
    /// Returns R and F of one product.
    #[inline]
    fn product(simd: Avx512, m: __m128i, h: __m128i, d: __m128i) -> (__m128i, __m128i) {
        let r =
            _mm_xor_si128(_mm_clmulepi64_si128::<0x10>(m, d), _mm_clmulepi64_si128::<0x11>(m, h));
        let f =
            _mm_xor_si128(_mm_clmulepi64_si128::<0x00>(m, d), _mm_clmulepi64_si128::<0x01>(m, h));
        (r, f)
    }
);

kernel!(
    /// As [`product`], four at once.
    #[inline]
    fn products(simd: Avx512, m: __m512i, h: __m512i, d: __m512i) -> (__m512i, __m512i) {
        let r = _mm512_xor_si512(
            _mm512_clmulepi64_epi128::<0x10>(m, d),
            _mm512_clmulepi64_epi128::<0x11>(m, h),
        );
        let f = _mm512_xor_si512(
            _mm512_clmulepi64_epi128::<0x00>(m, d),
            _mm512_clmulepi64_epi128::<0x01>(m, h),
        );
        (r, f)
    }
);

kernel!(
    /// Adds the four lanes up.
    #[inline]
    fn fold(simd: Avx512, wide: __m512i) -> __m128i {
        let half =
            _mm256_xor_si256(_mm512_castsi512_si256(wide), _mm512_extracti64x4_epi64::<1>(wide));
        _mm_xor_si128(_mm256_castsi256_si128(half), _mm256_extracti128_si256::<1>(half))
    }
);

kernel!(
    /// Returns R + F₁ + x⁶⁴·F₀ + P₁·F₀.
    #[inline]
    fn reduce(simd: Avx512, r: __m128i, f: __m128i) -> __m128i {
        let carried = _mm_clmulepi64_si128::<0x00>(f, load(simd, [P1, 0]));
        let shifted = _mm_xor_si128(_mm_srli_si128::<8>(f), _mm_slli_si128::<8>(f));
        _mm_xor_si128(_mm_xor_si128(r, carried), shifted)
    }
);

/// x⁶³ + x⁶² + x⁵⁷: the upper part of the field's polynomial.
const P1: u64 = 0xc200_0000_0000_0000;
/// Exclusive or of three, as `VPTERNLOG` names it.
const XOR: i32 = 0x96;
/// Places of the bytes of a reversed block.
const HIGH_BYTES: i64 = 0x0809_0a0b_0c0d_0e0f;
const LOW_BYTES: i64 = 0x0001_0203_0405_0607;
const ZERO: Power = Power { h: [0; 2], d: [0; 2] };
