//! The files by which clients reach the demo's fleet: a kubeconfig, and the program that logs in.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use color_eyre::eyre::{Result, WrapErr};

use crate::app::files;
use crate::sim::{Files, Workstation};

/// The files by which a client reaches the fleet, kept as its faults leave them.
pub(super) struct ClientFiles {
    config: PathBuf,
    /// The program that logs in.
    plugin: PathBuf,
    /// They are for this process alone, and go with it.
    ours: bool,
    /// What they were last written as.
    written: Option<Files>,
}

impl ClientFiles {
    fn at(config: &Path, ours: bool) -> ClientFiles {
        let mut plugin = config.as_os_str().to_owned();
        plugin.push(".login");
        // what a kubeconfig names by a relative path is looked for beside it
        let plugin = std::path::absolute(&plugin).unwrap_or_else(|_| PathBuf::from(&plugin));
        ClientFiles { config: config.to_owned(), plugin, ours, written: None }
    }

    /// At a place that somebody chose, for other programs.
    pub(super) fn for_others(config: &Path) -> ClientFiles {
        ClientFiles::at(config, false)
    }

    /// In the folder of this program's state.
    pub(super) fn for_us(state: &Path) -> ClientFiles {
        ClientFiles::at(&state.join(format!("demo-{}.kubeconfig", std::process::id())), true)
    }

    /// Where the kubeconfig is.
    pub(super) fn config(&self) -> &Path {
        &self.config
    }

    /// Writes them as they are to be now, if they are not.
    pub(super) fn write(&mut self, workstation: &Workstation) -> Result<()> {
        let files = match self.ours {
            true => workstation.files_by_name(&self.plugin),
            false => workstation.files_for_others(&self.plugin),
        };
        if self.written.as_ref() == Some(&files) {
            return Ok(());
        }
        let cannot = |path: &Path| format!("cannot write {}", path.display());
        if let Some(plugin) = &files.plugin {
            let written = files::write_program(&self.plugin, plugin.as_bytes());
            written.wrap_err_with(|| cannot(&self.plugin))?;
        }
        match &files.kubeconfig {
            Some(config) => files::write_private(&self.config, config.as_bytes()),
            None => remove(&self.config),
        }
        .wrap_err_with(|| cannot(&self.config))?;
        self.written = Some(files);
        Ok(())
    }
}

/// Removes a file that may not be there.
fn remove(path: &Path) -> std::io::Result<()> {
    std::fs::remove_file(path).or_else(|e| if e.kind() == ErrorKind::NotFound { Ok(()) } else { Err(e) })
}

impl Drop for ClientFiles {
    fn drop(&mut self) {
        if self.ours {
            let _ = remove(&self.config);
            let _ = remove(&self.plugin);
        }
    }
}
