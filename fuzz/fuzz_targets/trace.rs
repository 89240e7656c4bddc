#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| trace::claims::trace(input));
