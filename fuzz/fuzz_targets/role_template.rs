#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| engine::claims::role_template(input));
