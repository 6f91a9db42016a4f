//! How long things take in a simulated cluster.

use crate::model::Span;

/// How long things take. The defaults are those of real clusters; scenarios shorten them.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Timing {
    /// Pulling an image that is not on the node yet.
    pub(crate) pull: Span,
    /// From start to ready.
    pub(crate) ready: Span,
    /// From the signal to the end of a pod, at most its grace.
    pub(crate) stop: Span,
    /// Between heartbeats of a node.
    pub(crate) heartbeat: Span,
    /// Without heartbeats a node is unknown after this (`--node-monitor-grace-period`).
    pub(crate) node_grace: Span,
    /// Seconds that pods stay on a node that is not ready (`--default-unreachable-toleration-seconds`).
    pub(crate) toleration: Span,
    /// Between two looks of a horizontal autoscaler.
    pub(crate) autoscaler: Span,
    /// How long a lower wish must last (`--horizontal-pod-autoscaler-downscale-stabilization`).
    pub(crate) stabilization: Span,
    /// Between two looks of a node autoscaler.
    pub(crate) scan: Span,
    /// From the order of a machine to its node.
    pub(crate) launch: Span,
    /// How long a node must be of little use before it goes.
    pub(crate) unneeded: Span,
}

impl Default for Timing {
    fn default() -> Timing {
        let s = Span::from_seconds;
        Timing {
            pull: s(4),
            ready: s(3),
            stop: s(3),
            heartbeat: s(10),
            node_grace: s(40),
            toleration: s(300),
            autoscaler: s(15),
            stabilization: s(300),
            scan: s(10),
            launch: s(45),
            unneeded: s(600),
        }
    }
}
