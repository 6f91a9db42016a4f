//! The embedded fleet from outside: a plain client over HTTPS, and time moved by hand.

mod client;
mod evictions;
mod faults;
mod keda;
mod kubelets;
mod machines;
mod movement;
mod namespaces;
mod ownership;
mod protocol;
mod restores;
mod rights;
mod rollouts;
mod scenarios;
mod services;
mod storage;
mod streams;
mod terminals;
mod watches;
mod workloads;
mod workstation;
