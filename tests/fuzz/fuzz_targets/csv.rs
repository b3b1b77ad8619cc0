//! Fuzzes CSV files.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    antumbra_pipeline::silo::fuzz::csv(data);
});
