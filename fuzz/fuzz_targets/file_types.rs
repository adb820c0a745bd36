#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| file_share::fuzzing::property("file_types")(data));
