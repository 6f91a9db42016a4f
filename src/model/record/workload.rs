//! The record of what keeps replicas of a pod.

use super::Pool;
use crate::model::{Condition, Kind, Meta, Resources, Selector, Text, Truth, condition};

/// A deployment, stateful set, daemon set or replica set.
#[derive(Clone, PartialEq, Debug, serde::Serialize)]
pub struct Workload {
    /// What every object has.
    pub meta: Meta,
    /// Which of the four.
    pub kind: Kind,
    /// Replicas wanted.
    pub desired: u32,
    /// Replicas that exist.
    pub current: u32,
    /// Replicas that serve.
    pub ready: u32,
    /// Replicas of the newest template.
    pub updated: u32,
    /// Replicas that served long enough.
    pub available: u32,
    /// The generation of the spec.
    pub generation: i64,
    /// The generation that the status speaks of.
    pub observed: i64,
    /// Whether its rollout is paused.
    pub paused: bool,
    /// Which pods are its own.
    pub selector: Selector,
    /// What its template runs.
    pub images: Box<[Image]>,
    /// What one replica asks for.
    pub requests: Resources,
    /// Its conditions.
    pub conditions: Box<[Condition]>,
    /// The rollout's number (annotation `deployment.kubernetes.io/revision`).
    pub revision: Text,
}

/// A container's image.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Image {
    /// The container's name.
    pub container: Text,
    /// The image reference.
    pub image: Text,
}

impl Workload {
    /// A workload of this kind with nothing in it.
    #[must_use]
    pub fn empty(kind: Kind) -> Workload {
        Workload {
            meta: Meta::default(),
            kind,
            desired: 0,
            current: 0,
            ready: 0,
            updated: 0,
            available: 0,
            generation: 0,
            observed: 0,
            paused: false,
            selector: Selector::default(),
            images: Box::default(),
            requests: Resources::ZERO,
            conditions: Box::default(),
            revision: Text::EMPTY,
        }
    }

    /// The version that people call it by: the tag of its first image, or the start of its
    /// digest; `latest` when it has neither.
    #[must_use]
    pub fn version(&self) -> &str {
        self.images.first().map_or("", |i| image_version(&i.image))
    }

    /// Whether it moves as wanted: the spec is newer than the status, or replicas are being replaced.
    #[must_use]
    pub fn rolling(&self) -> bool {
        self.observed < self.generation || self.updated < self.desired || self.current > self.desired
    }

    /// Whether its rollout went past its deadline.
    #[must_use]
    pub fn stuck(&self) -> bool {
        condition(&self.conditions, "Progressing").is_some_and(|c| c.reason == "ProgressDeadlineExceeded")
    }

    /// Whether fewer of its pods serve than it may do with (condition `Available`).
    #[must_use]
    pub fn unavailable(&self) -> bool {
        condition(&self.conditions, "Available").is_some_and(|c| c.status == Truth::False)
    }

    pub(super) fn share(&mut self, pool: &mut dyn Pool) {
        pool.labels(&mut self.selector.labels);
        pool.text(&mut self.revision);
        for image in &mut self.images {
            pool.text(&mut image.container);
            pool.text(&mut image.image);
        }
        for condition in &mut self.conditions {
            pool.text(&mut condition.kind);
            pool.text(&mut condition.reason);
        }
    }
}

/// The tag of an image reference, or the start of its digest, or `latest`.
#[must_use]
pub fn image_version(image: &str) -> &str {
    if let Some((name, digest)) = image.split_once('@') {
        let tagged = image_version(name);
        return if tagged == "latest" { digest.get(..19).unwrap_or(digest) } else { tagged };
    }
    let name = image.rsplit('/').next().unwrap_or(image);
    name.split_once(':').map_or("latest", |(_, tag)| tag)
}

#[cfg(test)]
mod tests {
    use super::image_version;

    #[test]
    fn versions_are_read_from_images() {
        assert_eq!(image_version("ghcr.io/acme/pay:1.42"), "1.42");
        assert_eq!(image_version("localhost:5000/pay"), "latest");
        assert_eq!(image_version("localhost:5000/pay:7"), "7");
        assert_eq!(image_version("pay@sha256:4be1a90c4be1a90c4be1"), "sha256:4be1a90c4be1");
        assert_eq!(image_version("pay:3@sha256:4be1a90c4be1a90c4be1"), "3");
    }
}
