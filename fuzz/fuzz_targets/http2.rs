//! Fuzzes the door `http2` of `doors.rs`.
#![no_main]
#![allow(dead_code, reason = "one door of several")]

#[path = "../doors.rs"]
mod doors;

libfuzzer_sys::fuzz_target!(|data: &[u8]| doors::http2(data));
