//! Integration tests of the library: one binary, a module for each kind of test.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod architecture;
mod canary;
mod changes;
mod conformance;
mod embedded;
mod faults;
mod ground;
mod headless;
mod keys;
mod login;
mod night;
mod panes;
mod runner;
mod screen;
mod travel;
mod verbs;
mod versions;
mod watch;
mod writes;
