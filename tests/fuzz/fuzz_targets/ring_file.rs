//! Fuzzes the file of the key ring.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    antumbra_fuzz::fuzz::ring_file(data);
});
