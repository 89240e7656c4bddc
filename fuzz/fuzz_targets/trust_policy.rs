#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| rolesanywhere::claims::trust_policy(input));
