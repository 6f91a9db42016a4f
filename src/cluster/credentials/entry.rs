//! Tokens, passwords and certificates that are written into a kubeconfig. Tools that log in write
//! the new ones to the same place (`oc login`, `az aks get-credentials`, `kubeadm certs renew`).

use std::sync::Arc;

use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

use super::{ClientCertificate, Credential, shown};
use crate::cluster::kubeconfig::read_again;
use crate::cluster::target::{self, Identity, Pem, Written};

/// What the entry of one user says.
#[derive(Debug)]
pub(in crate::cluster) struct Entry {
    last: Mutex<Last>,
}

#[derive(Debug)]
struct Last {
    written: Written,
    credential: Credential,
    certificate: Option<SecretString>,
}

impl Entry {
    pub(super) fn new(
        written: &Written,
        authorization: Option<HeaderValue>,
        identity: &Option<Identity>,
    ) -> Entry {
        let credential = Credential { authorization, ..Credential::default() };
        let certificate = identity.as_ref().and_then(in_data).map(|(certificate, _)| certificate);
        Entry { last: Mutex::new(Last { written: written.clone(), credential, certificate }) }
    }

    pub(super) async fn get(&self) -> Credential {
        self.last.lock().await.credential.clone()
    }

    /// Reads the entry again, if its file was written since; `None` when it says the same, or
    /// nothing that can be shown. A file that is being written just now is read at the next refusal.
    pub(super) async fn renew(&self, refused: u64) -> Option<Credential> {
        let mut last = self.last.lock().await;
        if last.credential.serial != refused {
            return Some(last.credential.clone());
        }
        let written = last.written.clone();
        let read = tokio::task::spawn_blocking(move || {
            let state = target::file_state(&written.path)?;
            if written.state == Some(state) {
                return None;
            }
            read_again(&written).map(|said| (state, said))
        });
        let (state, (auth, identity)) = read.await.ok()??;
        last.written.state = Some(state);
        let authorization = shown(&auth).ok()?;
        let certificate = identity.as_ref().and_then(in_data);
        let new = certificate.as_ref().map(|(certificate, _)| certificate);
        let same = |a: &SecretString, b: Option<&SecretString>| {
            b.is_some_and(|b| a.expose_secret() == b.expose_secret())
        };
        let shown_already = new.is_none_or(|new| same(new, last.certificate.as_ref()));
        if authorization == last.credential.authorization && shown_already {
            return None;
        }
        let serial = refused + 1;
        last.certificate = new.cloned();
        let identity =
            certificate.map(|(certificate, key)| Arc::new(ClientCertificate { certificate, key, serial }));
        last.credential = Credential { authorization, identity, until: None, serial };
        Some(last.credential.clone())
    }
}

/// Certificate and key that are written down themselves. Those in files of their own are read
/// whenever a connection is made.
fn in_data(identity: &Identity) -> Option<(SecretString, SecretString)> {
    let text = |pem: &Pem| match pem {
        Pem::Data(data) => Some(SecretString::from(String::from_utf8(data.expose_secret().to_vec()).ok()?)),
        Pem::File(_) => None,
    };
    Some((text(&identity.certificate)?, text(&identity.key)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::kubeconfig::{Sources, find_clusters};

    fn text(user: &str) -> String {
        format!(
            "clusters: [{{name: a, cluster: {{server: 'https://a'}}}}]\nusers: [{{name: a, user: {{{user}}}}}]\n\
             contexts: [{{name: a, context: {{cluster: a, user: a}}}}]\n"
        )
    }

    fn header(credential: &Credential) -> &str {
        credential.authorization.as_ref().unwrap().to_str().unwrap()
    }

    #[tokio::test]
    async fn a_refused_token_is_read_again_where_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        std::fs::write(&path, text("token: one")).unwrap();
        let sources = Sources { file: Some(path.clone()), ..Sources::default() };
        let connection = find_clusters(&sources, &[]).targets.remove(0).connection.unwrap();
        let written = connection.user.as_ref().unwrap();
        let entry = Entry::new(written, shown(&connection.auth).unwrap(), &connection.identity);
        assert_eq!(header(&entry.get().await), "Bearer one");
        assert!(entry.renew(0).await.is_none(), "the file is as it was");
        // It is cut short, gone, without the user: the old one stays, and it is looked for again.
        std::fs::write(&path, "clusters: [{na").unwrap();
        assert!(entry.renew(0).await.is_none());
        std::fs::remove_file(&path).unwrap();
        assert!(entry.renew(0).await.is_none());
        std::fs::write(&path, text("token: seven").replace("users: [{name: a", "users: [{name: b")).unwrap();
        assert!(entry.renew(0).await.is_none());
        assert_eq!(header(&entry.get().await), "Bearer one");
        std::fs::write(&path, text("token: two, username: ''")).unwrap();
        let two = entry.renew(0).await.unwrap();
        assert_eq!((header(&two), two.serial), ("Bearer two", 1));
        assert_eq!(header(&entry.renew(0).await.unwrap()), "Bearer two", "who comes later learns of it");
        std::fs::write(&path, text("token: two")).unwrap();
        assert!(entry.renew(1).await.is_none(), "the same token again helps nobody");
        std::fs::write(&path, text("username: me, password: secret")).unwrap();
        assert!(header(&entry.renew(1).await.unwrap()).starts_with("Basic "));
    }
}
