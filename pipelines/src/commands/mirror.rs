//! `headwater mirror`: a folder that follows a bucket.

use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::bail;
use clap::Args;
use headwater_connectors::bucket::{Bucket, BucketConfig, BucketError};
use headwater_connectors::parquet::remote::{Mirror, Remote};

use crate::config::Config;

/// How often a mirror looks for commits.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How often it looks whether it is to stop.
const ATTENTION: Duration = Duration::from_millis(50);

/// Arguments of `headwater mirror`.
#[derive(Args)]
pub struct MirrorArguments {
    /// Configuration file (TOML) whose section for the bucket names it.
    #[arg(long)]
    config: PathBuf,
    /// Folder that receives the commits; may be new.
    #[arg(long)]
    data: PathBuf,
    /// Goes on receiving commits, until Ctrl-C or SIGTERM.
    #[arg(long)]
    follow: bool,
}

/// The bucket that has the commits, if one is configured.
pub fn remote(config: &BucketConfig) -> Result<Option<Remote>, BucketError> {
    config.is_given().then(|| Bucket::new(config).map(Remote::new)).transpose()
}

/// Receives the bucket's commits, once or until it is stopped.
pub fn mirror(arguments: &MirrorArguments, stop: &AtomicBool, out: &mut impl Write) -> anyhow::Result<()> {
    let config = Config::load(Some(&arguments.config))?;
    let Some(remote) = remote(&config.bucket)? else { bail!("{}: bucket.url is missing: name the bucket", arguments.config.display()) };
    let url = remote.bucket().url().to_owned();
    let mut mirror = Mirror::open(&arguments.data, remote, config.upkeep.grace.0)?;
    match mirror.follow()? {
        0 => writeln!(out, "{url} has no commit yet")?,
        last => writeln!(out, "{} has commit {last} of {url}", arguments.data.display())?,
    }
    while arguments.follow && waits(stop) {
        mirror.follow()?;
    }
    Ok(())
}

/// Waits until it is time to look for commits; false if the mirror is stopped meanwhile.
fn waits(stop: &AtomicBool) -> bool {
    let due = Instant::now() + LOOK_AGAIN;
    while Instant::now() < due && !stop.load(Ordering::Relaxed) {
        std::thread::sleep(ATTENTION);
    }
    !stop.load(Ordering::Relaxed)
}
