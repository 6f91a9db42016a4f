//! Quarterdeck: a terminal fleet console for Kubernetes.
fn main() {}
