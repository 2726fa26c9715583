//! `seance_fuzz::intents` alone, for cargo-fuzz.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    seance_fuzz::intents(data);
});
