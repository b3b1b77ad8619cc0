//! Fuzzes JSON documents and lines of JSON.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    antumbra_pipeline::silo::fuzz::json_items(data);
});
