//! The guides of `docs/` are true: every command that they show prints what they show, and every link leads somewhere.

use std::fmt::Write as _;

use anyhow::{Result, ensure};
use headwater_connectors::testing::workspace;
use headwater_tests::guide::{check_links, guides};

#[test]
fn every_command_of_every_guide_prints_what_the_guide_shows() -> Result<()> {
    let (mut problems, mut examples) = (String::new(), 0);
    for guide in guides()? {
        examples += guide.examples();
        if let Err(problem) = guide.run() {
            writeln!(problems, "{problem:#}")?;
        }
    }
    ensure!(problems.is_empty(), "{problems}");
    ensure!(examples > 20, "only {examples} examples were found");
    Ok(())
}

#[test]
fn every_link_leads_somewhere() -> Result<()> {
    for folder in [".", "docs", "docs/decisions", "docs/reference", "dashboards", "benches", "benches/peers", "operators", "tests/data"] {
        for entry in std::fs::read_dir(workspace().join(folder))? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "md") {
                check_links(&path)?;
            }
        }
    }
    Ok(())
}
