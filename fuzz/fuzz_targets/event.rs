//! See `seance_fuzz::event`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    seance_fuzz::event(data);
});
