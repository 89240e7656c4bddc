//! What a run is told.

use std::path::{Path, PathBuf};

use harness::binaries;

use crate::world::{EARLIER, FIXED, KV, OURS, Plugin};

const USAGE: &str = "\
usage: bench --emulator FILE --peers FOLDER --criterion FOLDER [--seconds NUMBER] [--rounds NUMBER] [--digest FILE]
             [--earlier FILE] OUT.md

  --emulator FILE    a release build of aws-emulator: a debug build would be what is measured
  --peers FOLDER     what tests/tools/build-peers made
  --criterion FOLDER what the benchmark uncached_session left
  --seconds NUMBER   how long each row is measured in each round; default 6
  --rounds NUMBER    how often all rows are measured, one after the other; default 3, of which the median counts
  --digest FILE      also write the digest of the run between the two markers of this page
  --earlier FILE     an earlier build of the plugin, which is measured beside this one
";

/// Where the programs are, and how long it takes.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) emulator: PathBuf,
    pub(crate) peers: PathBuf,
    pub(crate) criterion: PathBuf,
    /// Seconds per row and round.
    pub(crate) seconds: u64,
    pub(crate) rounds: usize,
    /// Starts of each plugin, of which the median counts.
    pub(crate) starts: usize,
    pub(crate) out: PathBuf,
    /// The page that quotes the run.
    pub(crate) digest: Option<PathBuf>,
    /// An earlier build of the plugin, to be measured beside this one.
    pub(crate) earlier: Option<PathBuf>,
}

impl Settings {
    /// Reads the arguments; the error is what to print.
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Settings, String> {
        let (mut emulator, mut peers, mut criterion, mut out) = (None, None, None, None);
        let (mut seconds, mut rounds, mut digest, mut earlier) = (6, 3, None, None);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value\n{USAGE}"));
            match word.as_str() {
                "--emulator" => emulator = Some(PathBuf::from(value()?)),
                "--peers" => peers = Some(PathBuf::from(value()?)),
                "--criterion" => criterion = Some(PathBuf::from(value()?)),
                "--digest" => digest = Some(PathBuf::from(value()?)),
                "--earlier" => earlier = Some(PathBuf::from(value()?)),
                "--seconds" => seconds = number(&value()?)?,
                "--rounds" => rounds = usize::try_from(number(&value()?)?).unwrap_or(1),
                _ if word.starts_with('-') => return Err(format!("unknown argument {word}\n{USAGE}")),
                _ => out = Some(PathBuf::from(word)),
            }
        }
        match (emulator, peers, criterion, out) {
            (Some(emulator), Some(peers), Some(criterion), Some(out)) => {
                Ok(Settings { emulator, peers, criterion, seconds, rounds, starts: 21, out, digest, earlier })
            }
            _ => Err(USAGE.to_owned()),
        }
    }

    /// A plugin's binary.
    pub(crate) fn binary(&self, plugin: Plugin) -> PathBuf {
        if plugin.name == binaries::PLUGIN {
            return binaries::plugin().to_owned();
        }
        match &self.earlier {
            Some(earlier) if plugin == EARLIER => earlier.clone(),
            _ => self.peers.join(plugin.name),
        }
    }

    /// Every plugin that this run measures, ours first.
    pub(crate) fn plugins(&self) -> impl Iterator<Item = Plugin> {
        [OURS, KV, FIXED].into_iter().chain(self.earlier.is_some().then_some(EARLIER))
    }

    /// The engine, and its earlier build if there is one.
    pub(crate) fn engines(&self) -> impl Iterator<Item = Plugin> {
        self.plugins().filter(|plugin| *plugin == OURS || *plugin == EARLIER)
    }

    /// The Python with the seed's signing client.
    pub(crate) fn python(&self) -> PathBuf {
        self.peers.join("python/bin/python")
    }

    /// A file beside this crate's manifest.
    pub(crate) fn source(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
    }
}

/// At least 1.
fn number(text: &str) -> Result<u64, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| format!("{text:?} is no number from 1 on"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Settings, String> {
        Settings::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn what_is_not_said_has_a_default() {
        let settings = parse("--emulator e --peers p --criterion c out.md").unwrap();

        assert_eq!((settings.seconds, settings.rounds), (6, 3));
    }

    #[test]
    fn no_rounds_are_no_run() {
        assert!(
            parse("--emulator e --peers p --criterion c --rounds 0 out.md")
                .unwrap_err()
                .contains("from 1 on")
        );
        assert!(parse("--peers p out.md").unwrap_err().starts_with("usage"));
    }
}
