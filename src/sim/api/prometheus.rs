//! `/metrics`: the few of the server's own figures that people look at.

use std::fmt::Write as _;
use std::sync::Arc;

use super::reply::Answer;
use crate::sim::cluster::Shared;
use crate::sim::resources::Res;

/// Writes the figures in the text format of Prometheus.
pub(super) fn serve(shared: &Arc<Shared>) -> Answer {
    let text = shared.read(|world| {
        let mut out = String::new();
        let version = &world.version;
        // writing into a string cannot fail
        let _ = write!(
            out,
            "# HELP kubernetes_build_info [BETA] A metric with a constant '1' value labeled by major, minor, git \
             version, git commit, git tree state, build date, Go version, and compiler from which Kubernetes was \
             built, and platform on which it is running.\n# TYPE kubernetes_build_info gauge\n\
             kubernetes_build_info{{git_version=\"{version}\"}} 1\n"
        );
        out.push_str(
            "# HELP apiserver_storage_objects [STABLE] Number of stored objects at the time of last check split by \
             kind.\n# TYPE apiserver_storage_objects gauge\n",
        );
        for res in Res::ALL {
            let (resource, count) = (res.spec().qualified(), world.store.list(res, None).count());
            let _ = writeln!(out, "apiserver_storage_objects{{resource=\"{resource}\"}} {count}");
        }
        out
    });
    Answer::text(text).typed("text/plain; version=0.0.4; charset=utf-8")
}
