#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| goplugin::claims::hclog(input));
