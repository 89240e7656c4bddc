#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| engine::claims::host_requests(input));
