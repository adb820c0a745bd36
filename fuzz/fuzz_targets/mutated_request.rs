#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| file_share::fuzzing::property("mutated_request")(data));
