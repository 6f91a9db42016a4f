//! Kubeconfigs that are rewritten while their clusters are open: tools that make clusters or log in do so.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use tokio::sync::mpsc::Sender;

use super::opened::Kubeconfig;
use crate::cluster::{Sources, find_clusters, rewritten};
use crate::model::Text;
use crate::ui::Inbound;

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(5);

/// Tells when the files of a kubeconfig lead elsewhere than they did when it was opened, until nobody listens.
pub(super) async fn tell(kubeconfig: Kubeconfig, inbound: Sender<Inbound>) {
    let mut known = written(&kubeconfig.sources);
    let mut told = None;
    let mut looks = tokio::time::interval(EVERY);
    loop {
        tokio::select! {
            () = inbound.closed() => return,
            _ = looks.tick() => {}
        }
        let now = written(&kubeconfig.sources);
        if now == known {
            continue;
        }
        known = now;
        let found = find_clusters(&kubeconfig.sources, &kubeconfig.contexts);
        let what = rewritten(&kubeconfig.targets, &found.targets);
        if what == told {
            continue;
        }
        if let Some(what) = &what {
            let notice = format!("the kubeconfig was rewritten: {what} · :kubeconfig opens it again");
            if inbound.send(Inbound::Notice(Text::from(notice))).await.is_err() {
                return;
            }
        }
        told = what;
    }
}

/// The files, and when each was written.
fn written(sources: &Sources) -> Vec<(PathBuf, Option<(SystemTime, u64)>)> {
    let state = |path: PathBuf| {
        let about = std::fs::metadata(&path).ok();
        let state = about.and_then(|about| Some((about.modified().ok()?, about.len())));
        (path, state)
    };
    sources.files().into_iter().map(state).collect()
}
