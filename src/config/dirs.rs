//! Where files are kept.

use std::path::PathBuf;

use directories::ProjectDirs;

/// The directories of this user. `QUARTERDECK_HOME` puts them all under one directory, for
/// bastions with shared homes and for tests.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dirs {
    /// `settings.toml`, `themes/`, `keymaps/`, `recovery/`.
    pub config: PathBuf,
    /// The journal and reports.
    pub data: PathBuf,
    /// The log.
    pub state: PathBuf,
}

impl Dirs {
    /// The directories by the platform's own convention; `None` when there is no home.
    #[must_use]
    pub fn of_user(home: Option<PathBuf>) -> Option<Dirs> {
        if let Some(home) = home {
            return Some(Dirs {
                config: home.join("config"),
                data: home.join("data"),
                state: home.join("state"),
            });
        }
        let dirs = ProjectDirs::from("", "", "quarterdeck")?;
        Some(Dirs {
            config: dirs.config_dir().to_owned(),
            data: dirs.data_dir().to_owned(),
            state: dirs.state_dir().unwrap_or(dirs.data_local_dir()).to_owned(),
        })
    }

    /// The settings file.
    #[must_use]
    pub fn settings(&self) -> PathBuf {
        self.config.join("settings.toml")
    }

    /// The journal of everything done.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.data.join("journal.jsonl")
    }

    /// Where reports of failovers and drills go.
    #[must_use]
    pub fn reports(&self) -> PathBuf {
        self.data.join("reports")
    }

    /// Where recovery plans are.
    #[must_use]
    pub fn recovery(&self) -> PathBuf {
        self.config.join("recovery")
    }

    /// The log file.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.state.join("quarterdeck.log")
    }
}
