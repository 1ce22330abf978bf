//! The in-kernel side.
#![no_std]
#![no_main]
