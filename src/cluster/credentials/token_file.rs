//! Tokens in files, which somebody else renews: the kubelet, a sidecar, a script.

use std::path::PathBuf;
use std::time::Duration;

use http::HeaderValue;
use secrecy::SecretString;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::{Credential, Refusal, bearer};
use crate::model::{Cause, Fault, Login};

/// For how long a file is believed, as long as in client-go.
const FRESH: Duration = Duration::from_secs(60);

/// The largest token that is read.
const LARGEST: u64 = 256 << 10;

/// A token in a file.
#[derive(Debug)]
pub(in crate::cluster) struct TokenFile {
    path: PathBuf,
    fallback: Option<HeaderValue>,
    last: Mutex<Option<(Instant, Credential)>>,
}

impl TokenFile {
    pub(super) fn new(path: PathBuf, fallback: Option<HeaderValue>) -> TokenFile {
        TokenFile { path, fallback, last: Mutex::new(None) }
    }

    pub(super) async fn get(&self) -> Result<Credential, Refusal> {
        let mut last = self.last.lock().await;
        match &*last {
            Some((read, credential)) if read.elapsed() < FRESH => Ok(credential.clone()),
            _ => self.read(&mut last).await,
        }
    }

    pub(super) async fn renew(&self, refused: u64) -> Result<Option<Credential>, Refusal> {
        let mut last = self.last.lock().await;
        let credential = match &*last {
            Some((_, credential)) if credential.serial != refused => credential.clone(),
            _ => self.read(&mut last).await?,
        };
        Ok((credential.serial != refused).then_some(credential))
    }

    /// Reads the file. One that cannot be read for a moment, while it is replaced, leaves the
    /// last token in use.
    async fn read(&self, last: &mut Option<(Instant, Credential)>) -> Result<Credential, Refusal> {
        let (old, serial) = match last.take() {
            Some((_, credential)) => (credential.authorization, credential.serial),
            None => (None, 0),
        };
        let authorization = match self.token().await {
            Ok(token) => token,
            Err(fault) => match old.clone().or_else(|| self.fallback.clone()) {
                Some(usable) => usable,
                None => return Err(Refusal { fault, login: Login::Wanted }),
            },
        };
        let serial = if old.as_ref() == Some(&authorization) { serial } else { serial + 1 };
        let credential = Credential { authorization: Some(authorization), serial, ..Credential::default() };
        *last = Some((Instant::now(), credential.clone()));
        Ok(credential)
    }

    async fn token(&self) -> Result<HeaderValue, Fault> {
        use tokio::io::AsyncReadExt;
        let shown = self.path.display();
        let fault = |why: String| {
            Fault::new(
                Cause::Login,
                format!("token file {shown}: {why}"),
                "log in again, or restore the file",
            )
        };
        let mut token = String::new();
        let file = tokio::fs::File::open(&self.path).await.map_err(|error| fault(error.to_string()))?;
        file.take(LARGEST).read_to_string(&mut token).await.map_err(|error| fault(error.to_string()))?;
        if token.trim().is_empty() {
            return Err(fault("it is empty".to_owned()));
        }
        bearer(&SecretString::from(token))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(credential: &Credential) -> String {
        credential.authorization.as_ref().unwrap().to_str().unwrap().to_owned()
    }

    #[tokio::test(start_paused = true)]
    async fn files_are_read_again_each_minute() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let file = TokenFile::new(path.clone(), None);
        let refusal = file.get().await.unwrap_err();
        assert_eq!(refusal.login, Login::Wanted);
        std::fs::write(&path, "one\n").unwrap();
        assert_eq!(shown(&file.get().await.unwrap()), "Bearer one");
        std::fs::write(&path, "two").unwrap();
        assert_eq!(shown(&file.get().await.unwrap()), "Bearer one");
        tokio::time::advance(FRESH).await;
        assert_eq!(shown(&file.get().await.unwrap()), "Bearer two");
        std::fs::remove_file(&path).unwrap();
        tokio::time::advance(FRESH).await;
        assert_eq!(shown(&file.get().await.unwrap()), "Bearer two");
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_token_is_read_again_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "one").unwrap();
        let file = TokenFile::new(path.clone(), None);
        let first = file.get().await.unwrap();
        assert!(file.renew(first.serial).await.unwrap().is_none(), "the same token again helps nobody");
        std::fs::write(&path, "two").unwrap();
        let second = file.renew(first.serial).await.unwrap().unwrap();
        assert_eq!(shown(&second), "Bearer two");
        assert_eq!(shown(&file.renew(first.serial).await.unwrap().unwrap()), "Bearer two");
    }

    #[tokio::test]
    async fn a_token_beside_the_file_is_its_fallback() {
        let missing = PathBuf::from("/nonexistent/token");
        let file = TokenFile::new(missing, Some(HeaderValue::from_static("Bearer own")));
        assert_eq!(shown(&file.get().await.unwrap()), "Bearer own");
    }
}
