//! An event to test with.
