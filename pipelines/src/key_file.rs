//! The file with the keys of tokens (`privacy.keys`). Only its owner can read it.

use std::io::{ErrorKind, Write};
use std::path::Path;

use anyhow::{Context, anyhow};
use headwater_schemas::Digest;
use headwater_schemas::privacy::Keys;
use rand::TryRng;
use rand::rngs::SysRng;
use tempfile::NamedTempFile;

/// Reads it.
pub fn read(file: &Path) -> anyhow::Result<Keys> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("reading the keys of {} (privacy.keys): `headwater keys` creates such a file", file.display()))?;
    Keys::read(&text).with_context(|| format!("reading the keys of {}", file.display()))
}

/// Creates it with new keys. An existing file stays as it is, which is an error.
pub fn create(file: &Path) -> anyhow::Result<()> {
    let mut secret = [0; 32];
    SysRng.try_fill_bytes(&mut secret).context("getting random bytes for the keys")?;
    let written = written(file, &Keys::of(Digest(secret)))?;
    if let Err(failed) = written.persist_noclobber(file) {
        let file = file.display();
        return Err(match failed.error.kind() {
            ErrorKind::AlreadyExists => {
                anyhow!("{file} exists, and is left as it is: tokens need its keys; give another name for new ones")
            }
            _ => anyhow::Error::new(failed.error).context(format!("creating {file}")),
        });
    }
    settle(file)
}

/// Replaces its content atomically.
pub fn replace(file: &Path, keys: &Keys) -> anyhow::Result<()> {
    written(file, keys)?.persist(file).with_context(|| format!("replacing {}", file.display()))?;
    settle(file)
}

/// The keys in a file beside it, durable and without its name.
fn written(file: &Path, keys: &Keys) -> anyhow::Result<NamedTempFile> {
    let mut draft = NamedTempFile::new_in(folder_of(file)).with_context(|| format!("writing beside {}", file.display()))?;
    draft.write_all(keys.write()?.as_bytes())?;
    draft.as_file().sync_all()?;
    Ok(draft)
}

/// Makes its name durable.
fn settle(file: &Path) -> anyhow::Result<()> {
    Ok(std::fs::File::open(folder_of(file))?.sync_all()?)
}

fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use headwater_schemas::privacy::Subject;

    use super::*;

    #[test]
    fn keys_are_created_once_and_replaced() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("keys.json");
        let absent = read(&file).map_err(|error| format!("{error:#}"));
        assert!(absent.as_ref().is_err_and(|said| said.contains("keys.json") && said.contains("headwater keys")), "{absent:?}");
        create(&file)?;
        let mut keys = read(&file)?;
        let refused = create(&file).map_err(|error| format!("{error:#}"));
        let is_told = |said: &String| said.contains("exists, and is left as it is") && !said.contains("os error");
        assert!(refused.as_ref().is_err_and(is_told), "{refused:?}");
        assert_eq!(read(&file)?, keys);
        keys.destroy(Subject::Customer("ann"));
        replace(&file, &keys)?;
        assert_eq!(read(&file)?, keys);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&file)?.permissions().mode() & 0o777, 0o600);
        }
        std::fs::write(&file, "{}")?;
        assert!(read(&file).is_err_and(|error| format!("{error:#}").contains("no file with keys")));
        assert_eq!(std::fs::read_dir(folder.path())?.count(), 1, "nothing is left beside it");
        Ok(())
    }
}
