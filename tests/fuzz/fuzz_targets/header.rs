//! Fuzzes the header of a stream.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    antumbra_fuzz::fuzz::header(data);
});
