//! Quarterdeck: a terminal fleet console for Kubernetes.

pub mod app;
pub mod config;
pub mod model;
pub mod operations;
pub mod ui;
pub mod views;
