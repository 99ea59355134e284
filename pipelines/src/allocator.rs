//! Settings of the memory allocator, mimalloc.

use std::ffi::c_long;

/// Time for which the allocator keeps pages that were freed, in milliseconds.
///
/// Commits and grid points free much of what the next ones allocate. mimalloc by itself gives pages back after a second, and the
/// system clears them when they are needed again: with that, a million transactions took an eighth more time, and as much memory.
const KEEP_FREED: c_long = 10_000;

/// The number of the option in mimalloc 3: its bindings name only stable ones.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// Lets the allocator keep freed pages for a while. Called once, before there are threads. `MIMALLOC_PURGE_DELAY` in the environment
/// overrides it.
#[allow(unsafe_code)]
pub fn keep_freed_pages() {
    // SAFETY: sets a number in a table of options, which exists since the program was loaded. No other thread reads it meanwhile.
    unsafe { libmimalloc_sys::mi_option_set_default(PURGE_DELAY, KEEP_FREED) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(unsafe_code)]
    fn the_option_that_is_set_is_the_delay() {
        if std::env::var_os("MIMALLOC_PURGE_DELAY").is_some() {
            return;
        }
        // SAFETY: reads a number of a table. Nothing else in this program uses mimalloc.
        let delay = || unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) };
        assert_eq!(delay(), 1_000, "the default of mimalloc 3; no other option has it");
        keep_freed_pages();
        assert_eq!(delay(), KEEP_FREED);
    }
}
