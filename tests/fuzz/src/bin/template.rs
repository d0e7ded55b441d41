//! `fuzz::template` behind the engine.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::template::run(data));

// half of the changes are of bytes, the other half are such as mean something
libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let grown = (seed & 1 == 0).then(|| fuzz::grow::grown(&data[..size], seed)).flatten();
    match grown.filter(|grown| grown.len() <= max_size) {
        Some(grown) => {
            data[..grown.len()].copy_from_slice(&grown);
            grown.len()
        }
        None => libfuzzer_sys::fuzzer_mutate(data, size, max_size),
    }
});
