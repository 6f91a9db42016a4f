//! Integration tests of the library: one binary, a module for each kind of test.

mod architecture;
mod keys;
mod panes;
mod screen;
mod watch;
