//! See `seance_fuzz::words`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    seance_fuzz::words(data);
});
