//! The console, with the table of all clusters open.

use std::path::Path;
use std::time::{Duration, Instant};

use color_eyre::eyre::{Result, eyre};
use driver::Session;

/// After so long without a word a cluster must not look fresh: what is promised (15 s), and two seconds for the clock of
/// the screen and for this program's own.
pub(crate) const NOTICED: Duration = Duration::from_secs(17);

/// How long it may take until everything is live: pauses after failures grow to two minutes, after a 403 to five.
const RECOVERED: Duration = Duration::from_secs(6 * 60);

/// How long until everything is as at the servers: the audit finds what no watch tells, and goes around in 15 minutes.
const REPAIRED: Duration = Duration::from_secs(20 * 60);

/// Room for a row of each cluster.
const SIZE: (u16, u16) = (170, 60);

/// What the glyph of a cluster is that is not seen now, or not yet.
const UNSEEN: [&str; 4] = ["◌", "…", "⊘", "?"];

pub(crate) struct Console {
    session: Session,
    names: Vec<String>,
}

/// What the table says of a cluster.
struct Row<'a> {
    glyph: &'a str,
    pods: Option<u64>,
    text: &'a str,
}

impl Console {
    /// Opens it on clusters of these names, and waits until all of them are live.
    pub(crate) fn open(binary: &Path, kubeconfig: &Path, home: &Path, names: Vec<String>) -> Result<Console> {
        let text = |path: &Path| path.to_str().map(str::to_owned).ok_or_else(|| eyre!("a path is not UTF-8"));
        let (kubeconfig, home) = (text(kubeconfig)?, text(home)?);
        let arguments = ["--kubeconfig", &kubeconfig, "-c", "fleet"];
        let variables = [("QUARTERDECK_HOME", home.as_str()), ("HOME", home.as_str())];
        let mut session = Session::start(binary, &arguments, &variables, SIZE);
        session.wait_for_text(Duration::from_secs(60), "[1 Fleet]").map_err(|why| eyre!(why))?;
        // From the tree to the table.
        session.keys("f");
        let mut console = Console { session, names };
        console.live()?;
        Ok(console)
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    pub(crate) fn pid(&self) -> Result<u32> {
        driver::process::of(&self.session)
    }

    /// Reads what is drawn for a while.
    ///
    /// # Errors
    /// The program has ended.
    pub(crate) fn read(&mut self, time: Duration) -> Result<()> {
        match self.session.wait_for(time, |_| false) {
            Err(why) if why.starts_with("it ended") => Err(eyre!(why)),
            _ => Ok(()),
        }
    }

    /// What is shown of a cluster, if that looks fresh.
    pub(crate) fn fresh(&self, cluster: &str) -> Option<String> {
        let text = self.session.text();
        let row = row(&text, cluster)?;
        (!UNSEEN.contains(&row.glyph)).then(|| row.text.to_owned())
    }

    /// Waits until every cluster is live.
    pub(crate) fn live(&mut self) -> Result<()> {
        let names = self.names.clone();
        let live = |screen: &vt100::Screen| {
            let text = screen.contents();
            let seen = |name: &String| row(&text, name).is_some_and(|row| !UNSEEN.contains(&row.glyph));
            names.iter().all(seen)
        };
        self.session.wait_for(RECOVERED, live).map_err(|why| eyre!("{why}\n{}", self.connections()))
    }

    /// What stands under the table for each row, the cursor going down.
    fn connections(&mut self) -> String {
        let mut said = String::new();
        for _ in 0..self.names.len() {
            let of_link =
                |line: &&str| line.contains("its connection") || line.trim_start().starts_with("link");
            let text = self.session.text();
            said.extend(text.lines().filter(of_link).flat_map(|line| [line.trim(), "\n"]));
            self.session.keys("j");
            self.session.settle(Duration::from_millis(300), Duration::from_secs(3));
        }
        said
    }

    /// Waits until every cluster has as many pods as its server says.
    pub(crate) fn equal(&mut self, pods: impl Fn(&str) -> Result<u64>) -> Result<()> {
        let end = Instant::now() + REPAIRED;
        let mut said = Vec::new();
        loop {
            self.read(Duration::from_secs(2))?;
            let mut others = Vec::new();
            for name in &self.names {
                let (at_server, text) = (pods(name)?, self.session.text());
                let shown = row(&text, name).and_then(|row| row.pods);
                if shown != Some(at_server) {
                    others.push(format!("{name}: {shown:?} shown, {at_server} at its server"));
                }
            }
            if others.is_empty() {
                return Ok(());
            }
            if others != said {
                println!("not yet: {}", others.join("; "));
                said.clone_from(&others);
            }
            if Instant::now() > end {
                return Err(eyre!("{}\n{}", others.join("\n"), self.session.text()));
            }
        }
    }
}

/// The row of a cluster, `▸● c000   0s ·   5   100 ok  1.36.3 …`, whose numbers end where the heads of their columns do.
fn row<'a>(text: &'a str, cluster: &str) -> Option<Row<'a>> {
    let is_head = |line: &&str| line.trim_start().starts_with("cluster ");
    let head = text.lines().find(is_head)?;
    let before = head.get(..head.find(PODS)? + PODS.len())?;
    text.lines().find_map(|line| {
        let mut words = line.trim_start_matches(['▸', ' ']).split_whitespace();
        let (glyph, name) = (words.next()?, words.next()?);
        let upto: String = line.chars().take(before.chars().count()).collect();
        let pods = upto.split_whitespace().last()?.trim_start_matches('~').replace(',', "").parse().ok();
        (name == cluster).then_some(Row { glyph, pods, text: line })
    })
}

/// The head of the column with the number of pods.
const PODS: &str = " pods";
