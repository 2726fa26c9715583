//! Every target in one program, chosen by `SEANCE_FUZZ`: one link instead of a dozen.
#![no_main]

use std::sync::OnceLock;

fn chosen() -> seance_fuzz::Target {
    static CHOSEN: OnceLock<seance_fuzz::Target> = OnceLock::new();
    *CHOSEN.get_or_init(|| {
        let wanted = std::env::var("SEANCE_FUZZ").unwrap_or_default();
        let found = seance_fuzz::ALL.iter().find(|(name, _)| *name == wanted);
        let names: Vec<&str> = seance_fuzz::ALL.iter().map(|(name, _)| *name).collect();
        found
            .unwrap_or_else(|| panic!("SEANCE_FUZZ must be one of {names:?}"))
            .1
    })
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    chosen()(data);
});
