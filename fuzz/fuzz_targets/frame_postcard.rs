//! `seance_fuzz::frame_postcard` alone, for cargo-fuzz.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    seance_fuzz::frame_postcard(data);
});
