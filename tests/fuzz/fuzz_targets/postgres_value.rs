//! Fuzzes values as a PostgreSQL server sends them.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    antumbra_pipeline::silo::fuzz::postgres_value(data);
});
