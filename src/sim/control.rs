//! A handle to one simulated cluster, for tests and for the demo's keys.

use std::io;
use std::sync::Arc;

use serde_json::Value;

use super::controllers;
use super::fleet::Member;
use super::load::Load;
use super::queue::Id;
use super::resources::Res;
use super::world::Reach;

/// A handle to one cluster: it is disturbed through it, and looked into.
#[derive(Clone, Debug)]
pub struct Control {
    member: Arc<Member>,
}

impl Control {
    pub(crate) fn new(member: Arc<Member>) -> Control {
        Control { member }
    }

    fn reach(&self, reach: Reach) -> io::Result<()> {
        self.member.change(|world| world.reach = reach)
    }

    /// Closes the listener and all connections: connecting is refused.
    ///
    /// # Errors
    /// Never; it is fallible like its siblings.
    pub fn stop(&self) -> io::Result<()> {
        self.reach(Reach::Refusing)
    }

    /// Listens again on the same port.
    ///
    /// # Errors
    /// When somebody else took the port.
    pub fn start(&self) -> io::Result<()> {
        self.reach(Reach::Open)
    }

    /// Goes silent: connections are taken and kept, and nothing is answered.
    ///
    /// # Errors
    /// When the cluster was stopped and somebody else took its port.
    pub fn freeze(&self) -> io::Result<()> {
        self.reach(Reach::Silent)
    }

    /// Speaks again.
    ///
    /// # Errors
    /// When the cluster was stopped and somebody else took its port.
    pub fn thaw(&self) -> io::Result<()> {
        self.reach(Reach::Open)
    }

    /// Nobody may read this resource any more (by its plural; in one namespace, or at all). Open
    /// watches of it end. Says whether there is such a resource.
    pub fn deny(&self, plural: &str, namespace: Option<&str>) -> bool {
        let Some(res) = Res::of_plural(plural) else { return false };
        self.member.shared.with(|world| controllers::deny(world, res, namespace.map(str::to_owned)));
        true
    }

    /// Takes a denial back.
    pub fn allow(&self, plural: &str, namespace: Option<&str>) {
        if let Some(res) = Res::of_plural(plural) {
            self.member.shared.with(|world| controllers::allow(world, res, namespace));
        }
    }

    /// Gives a workload constant work of this many milli-cores, all replicas together.
    pub fn set_load(&self, namespace: &str, workload: &str, milli_cores: i64) {
        let load = Load { base: milli_cores, ..Load::default() };
        self.member.shared.with(|world| world.loads.insert(Id::new(namespace, workload), load));
    }

    /// Forgets all changes so far: watches from versions seen before answer 410, and so do further
    /// pages of lists.
    pub fn compact(&self) {
        self.member.shared.with(|world| world.store.compact());
    }

    /// Silences a node's kubelet.
    pub fn silence(&self, node: &str) {
        self.member.shared.with(|world| controllers::silence(world, node));
    }

    /// Lets a node's kubelet speak again.
    pub fn revive(&self, node: &str) {
        self.member.shared.with(|world| controllers::revive(world, node));
    }

    /// Ends every open watch of a resource, as a server that restarts does.
    pub fn cut(&self, plural: &str) {
        if let Some(res) = Res::of_plural(plural) {
            self.member.shared.with(|world| world.cut(res));
        }
    }

    /// The objects of a resource now, by its plural, in the order of lists.
    #[must_use]
    pub fn objects(&self, plural: &str) -> Vec<Arc<Value>> {
        let Some(res) = Res::of_plural(plural) else { return Vec::new() };
        self.member.shared.read(|world| world.store.list(res, None).map(|o| Arc::new(o.plain())).collect())
    }

    /// Where its server listens, such as `127.0.0.1:40123`.
    #[must_use]
    pub fn address(&self) -> String {
        self.member.address().to_string()
    }
}
