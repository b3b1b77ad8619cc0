//! Fuzzes items that become rows.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    antumbra_pipeline::silo::fuzz::item_rows(data);
});
