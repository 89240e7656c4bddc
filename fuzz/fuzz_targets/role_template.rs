#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| identity::claims::role_template(input));
