//! Fuzzes a wrapped data key.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    antumbra_fuzz::fuzz::envelope(data);
});
