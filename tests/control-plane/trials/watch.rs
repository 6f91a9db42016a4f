//! Watches of real servers.

use std::time::Duration;

use quarterdeck::model::Cluster;

use super::Outcome;
use super::fleet::{Real, runtime};
use super::ground::{Disturb, Ground, SPACE, User, blocking, make_space, replicas, watch, workload};
use super::planes::{Binaries, Options};

/// Every kind is seen as the server has it; outages are noticed; what is denied is said.
pub(crate) fn fleet(binaries: &Binaries) -> Outcome {
    let mut real = Real::start(binaries, 2, &Options::default())?;
    runtime()?.block_on(async {
        watch::everything_is_seen(&mut real).await;
        watch::frozen(&mut real).await;
        watch::denied(&mut real).await;
        watch::stopped(&mut real).await;
    });
    Ok(())
}

/// Versions that etcd has compacted lead to new lists.
pub(crate) fn compaction(binaries: &Binaries) -> Outcome {
    let options = Options {
        controllers: false,
        kwok: false,
        nodes: false,
        compaction: Some(Duration::from_secs(2)),
        ..Options::default()
    };
    let mut real = Real::start(binaries, 2, &options)?;
    runtime()?.block_on(watch::forgotten(&mut real));
    Ok(())
}

/// Where deployments of the namespace are made.
fn deployments() -> String {
    format!("/apis/apps/v1/namespaces/{SPACE}/deployments")
}

/// After etcd was restored everything is as it was then: what was made since is gone, what was deleted is back, and
/// what is at a lower version than before is shown.
pub(crate) fn restored(binaries: &Binaries) -> Outcome {
    let mut real = Real::start(binaries, 2, &Options::default())?;
    let name = real.0.iter().next().map(|plane| plane.name().to_owned()).unwrap_or_default();
    runtime()?.block_on(async {
        let mut ground = Ground::open(&real.kubeconfig(User::Admin));
        ground.live(&name).await;
        make_space(&ground, &name).await;
        ground.create(&name, &deployments(), &workload("Deployment", "kept", Some(2), false)).await;
        let as_then = |c: &Cluster| replicas(c, "kept") == Some((2, 2)) && replicas(c, "lost").is_none();
        ground.until(&name, "what is kept", as_then).await;
        let backup = blocking(|| real.0.back_up())?;

        ground.create(&name, &deployments(), &workload("Deployment", "lost", Some(3), false)).await;
        ground.delete(&name, &format!("{}/kept", deployments())).await;
        let since = |c: &Cluster| replicas(c, "lost") == Some((3, 3)) && replicas(c, "kept").is_none();
        ground.until(&name, "what is lost", since).await;

        blocking(|| real.0.restore(&backup))?;
        ground.until(&name, "everything as it was then", as_then).await;
        for name in ground.names() {
            ground.live(&name).await;
            watch::as_listed(&mut ground, &name).await;
        }
        ground.handle.shutdown().await;
        Ok(())
    })
}
