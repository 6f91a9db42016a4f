//! Relays between the program and its servers: they count what passes, and can be silent or gone.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use color_eyre::eyre::Result;
use driver::redirected;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// How a relay carries.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carry {
    All,
    /// Connections are kept, and nothing goes either way.
    Nothing,
    /// Connections are ended, and new ones at once.
    Gone,
}

/// One relay for each server of a kubeconfig.
pub(crate) struct Relays {
    _runtime: Runtime,
    carry: watch::Sender<Carry>,
    received: Arc<AtomicU64>,
    kubeconfig: PathBuf,
}

impl Relays {
    /// Starts them, and writes a kubeconfig beside the given one that leads through them.
    pub(crate) fn start(kubeconfig: &Path) -> Result<Relays> {
        let runtime = Runtime::new()?;
        let (carry, _) = watch::channel(Carry::All);
        let received = Arc::<AtomicU64>::default();
        let text = std::fs::read_to_string(kubeconfig)?;
        let text = redirected(&text, |port| {
            let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
            let relayed = listener.local_addr()?.port();
            let server = format!("127.0.0.1:{port}");
            runtime.spawn(accept(listener, server, carry.clone(), received.clone()));
            Ok(relayed)
        })?;
        let through = kubeconfig.with_extension("relayed");
        std::fs::write(&through, text)?;
        Ok(Relays { _runtime: runtime, carry, received, kubeconfig: through })
    }

    pub(crate) fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Bytes that came from servers so far, TLS included.
    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    pub(crate) fn carry(&self, carry: Carry) {
        self.carry.send_replace(carry);
    }
}

async fn accept(
    listener: TcpListener,
    server: String,
    carry: watch::Sender<Carry>,
    received: Arc<AtomicU64>,
) {
    while let Ok((client, _)) = listener.accept().await {
        if *carry.borrow() == Carry::Gone {
            continue;
        }
        let (server, received, mut changes) = (server.clone(), received.clone(), carry.subscribe());
        tokio::spawn(async move {
            let Ok(server) = TcpStream::connect(server).await else { return };
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            let ways = (changes.clone(), changes.clone());
            tokio::select! {
                _ = way(from_client, to_server, ways.0, None) => {}
                _ = way(from_server, to_client, ways.1, Some(&received)) => {}
                _ = changes.wait_for(|carry| *carry == Carry::Gone) => {}
            }
        });
    }
}

/// Carries one way until its end.
async fn way(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut carry: watch::Receiver<Carry>,
    count: Option<&AtomicU64>,
) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        // What came while nothing is carried is carried later.
        let _ = carry.wait_for(|carry| *carry != Carry::Nothing).await;
        to.write_all(buffer.get(..length).unwrap_or_default()).await?;
        if let Some(count) = count {
            count.fetch_add(length as u64, Ordering::Relaxed);
        }
    }
}
