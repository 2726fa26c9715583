//! See `seance_fuzz::fold`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    seance_fuzz::fold(data);
});
