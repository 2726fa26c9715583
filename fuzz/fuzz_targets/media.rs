//! See `seance_fuzz::media`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    seance_fuzz::media(data);
});
