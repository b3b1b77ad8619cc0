//! Fuzzes the gateway key and the list of its hashes.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    antumbra_fuzz::fuzz::internal_key(data);
});
