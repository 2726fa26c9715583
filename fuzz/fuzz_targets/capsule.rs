//! `seance_fuzz::capsule` alone, for cargo-fuzz.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    seance_fuzz::capsule(data);
});
