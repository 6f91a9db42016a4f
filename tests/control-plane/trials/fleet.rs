//! The planes as a ground of the cases that also run on the embedded fleet.

use std::time::Duration;

use tokio::runtime::Runtime;

use super::ground::{Disturb, User};
use super::planes::{Binaries, Options, Plane, Planes, Result, wait_until};

/// How long a disturbance may take to have its effect.
const SOON: Duration = Duration::from_secs(120);

/// The role whose loss takes pods from the viewer.
const PODS: &str = "fleet-read-pods";

/// Planes that cases disturb. What cannot be done ends the trial, so it panics.
pub(crate) struct Real(pub(crate) Planes);

impl Real {
    pub(crate) fn start(binaries: &Binaries, count: usize, options: &Options) -> Result<Real> {
        Planes::start(binaries, count, options).map(Real)
    }

    pub(crate) fn plane(&self, name: &str) -> &Plane {
        must(self.0.plane(name))
    }
}

/// A runtime as the program has one.
pub(crate) fn runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()
}

fn must<T>(result: Result<T>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

impl Disturb for Real {
    fn kubeconfig(&self, user: User) -> String {
        let path = self.0.kubeconfig(match user {
            User::Admin => "admin",
            User::Viewer => "viewer",
        });
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    fn protobuf(&self) -> bool {
        true
    }

    fn remembers(&self) -> bool {
        false
    }

    fn stop(&mut self, cluster: &str) {
        must(self.0.plane_mut(cluster)).stop_api();
    }

    fn start(&mut self, cluster: &str) {
        must(must(self.0.plane_mut(cluster)).start_api());
    }

    fn freeze(&mut self, cluster: &str) {
        must(self.plane(cluster).freeze_api());
    }

    fn thaw(&mut self, cluster: &str) {
        must(self.plane(cluster).thaw_api());
    }

    fn revoke_pods(&mut self, cluster: &str) {
        let plane = self.plane(cluster);
        must(plane.revoke("viewer", PODS));
        must(wait_until(SOON, "the viewer may not read pods", || {
            Ok(plane.kubectl_as("viewer", &["get", "pods", "-A"]).is_err())
        }));
    }

    fn grant_pods(&mut self, cluster: &str) {
        must(self.plane(cluster).grant("viewer", PODS));
    }

    /// The planes share one etcd, so any other plane says whether it has forgotten.
    fn forget(&mut self, cluster: &str, version: u64) {
        let other = self.0.iter().find(|plane| plane.name() != cluster);
        let other = other.unwrap_or_else(|| panic!("no plane is left to ask"));
        let path = format!("/api/v1/namespaces?watch=1&resourceVersion={version}&timeoutSeconds=1");
        must(wait_until(SOON, &format!("version {version} is compacted"), || {
            // Refused at once, or with an event.
            let said = other.kubectl(&["get", "--raw", &path]).unwrap_or_else(|error| error.to_string());
            Ok(said.contains("\"code\":410") || said.contains("resource version is too old"))
        }));
    }
}
