//! Fuzzes a whole stream.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    antumbra_fuzz::fuzz::stream_open(data);
});
