#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| file_share_worker::fuzzing::notification(data));
