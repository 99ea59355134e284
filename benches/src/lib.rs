//! Benches: what is measured, and against what, stands in each of them.
