//! Java libraries of Maven's registry.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use headwater_connectors::testing::may_skip;

/// Fetches libraries, `GROUP:ARTIFACT:VERSION`, and what they need into a folder of their own below the given one. `None`, with a sentence
/// on standard output, where Maven is missing or does not fetch them; in CI (`CI=true`) that is an error.
pub fn jars(libraries: &[&str], folder: &Path) -> Result<Option<PathBuf>> {
    let (project, jars) = (folder.join("maven"), folder.join("jars"));
    std::fs::create_dir_all(&project)?;
    std::fs::write(project.join("pom.xml"), pom(libraries)?)?;
    let mut maven = Command::new("mvn");
    maven.args(["--quiet", "--batch-mode", "dependency:copy-dependencies", "-DincludeScope=runtime"]);
    maven.arg(format!("-DoutputDirectory={}", jars.display())).current_dir(&project);
    match maven.output() {
        Ok(output) if output.status.success() => Ok(Some(jars)),
        Ok(output) => {
            let failure = format!("Maven does not fetch {}: {}", libraries.join(", "), String::from_utf8_lossy(&output.stdout));
            if !may_skip() {
                bail!(failure);
            }
            println!("skipped, because {failure}");
            Ok(None)
        }
        Err(error) if may_skip() => {
            println!("skipped: this machine has no Maven: {error}");
            Ok(None)
        }
        Err(error) => Err(error).context("Maven"),
    }
}

/// A project that needs the libraries.
fn pom(libraries: &[&str]) -> Result<String> {
    let mut dependencies = String::new();
    for library in libraries {
        let mut parts = library.split(':');
        let (Some(group), Some(artifact), Some(version)) = (parts.next(), parts.next(), parts.next()) else {
            bail!("{library:?} is no library: write GROUP:ARTIFACT:VERSION")
        };
        dependencies.push_str(&format!(
            "<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version></dependency>"
        ));
    }
    Ok(format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion><groupId>headwater</groupId>\
         <artifactId>tests</artifactId><version>1</version><dependencies>{dependencies}</dependencies></project>\n"
    ))
}
