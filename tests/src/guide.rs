//! The guides of `docs/`: their examples, run as a reader would run them.
//!
//! What is run is written in the guide. In a block of code, a line that begins with `$ ` is a command, and the lines after it are what it
//! prints: `…` stands for any text, and alone on a line for any lines. Comments of HTML, which readers do not see, say the rest:
//!
//! | comment before a block | meaning |
//! |---|---|
//! | `<!-- file: fills.jsonl -->` | the block is saved as that file |
//! | `<!-- append: fills.jsonl -->` | it is appended to that file |
//! | `<!-- publish: fills -->` | its lines are published to that topic of the log `topics` |
//! | `<!-- run -->` | it is a script |
//! | `<!-- not run: why -->` | its commands are not run |
//!
//! A comment of several lines that begins with `<!-- run` is a script that readers do not see. `<!-- continues: FILE -->` runs another
//! guide first. `<!-- anew -->` begins with an empty folder. `<!-- not run, all of it: why -->` leaves out a whole guide.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use headwater_connectors::testing::workspace;

use crate::pipeline::{binary, names_in, shell};

/// Stands for any text.
const ANY: &str = "…";
/// In place of the program: a run listens at no address, since several runs may be on a machine at a time.
const PROGRAM: &str = r#"#!/bin/sh
case "$1 $*" in
    "run "*--config*) exec "$PROGRAM" "$@" ;;
    "run "*) exec "$PROGRAM" "$@" --config "$QUIET" ;;
    *) exec "$PROGRAM" "$@" ;;
esac
"#;
/// The configuration of such a run.
const QUIET: &str = "[http]\naddress = \"\"\n[outbox]\ntopics = []\n";

/// A part of a guide that does something.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// Saves a text as a file.
    Save { file: String, text: String },
    /// Appends a text to a file.
    Append { file: String, text: String },
    /// Publishes lines to a topic.
    Publish { topic: String, text: String },
    /// Runs a script, which must succeed.
    Script(String),
    /// Runs a command of a line, and compares what it prints.
    Example { line: usize, command: String, expected: Vec<String> },
    /// Runs another guide.
    Continue(String),
    /// Begins with an empty folder.
    Anew,
}

/// A guide: its file in `docs/` and what it does.
#[derive(Debug)]
pub struct Guide {
    /// Name of the file.
    pub name: String,
    steps: Vec<Step>,
}

/// All guides, by name.
pub fn guides() -> Result<Vec<Guide>> {
    names_in(&folder(), ".md")?.iter().map(|name| Guide::read(&format!("{name}.md"))).collect()
}

fn folder() -> PathBuf {
    workspace().join("docs")
}

impl Guide {
    fn read(name: &str) -> Result<Self> {
        let text = std::fs::read_to_string(folder().join(name)).with_context(|| format!("docs/{name}"))?;
        let steps = steps(&text).with_context(|| format!("docs/{name}"))?;
        Ok(Self { name: name.to_owned(), steps })
    }

    /// Number of commands whose output is compared.
    pub fn examples(&self) -> usize {
        self.steps.iter().filter(|step| matches!(step, Step::Example { .. })).count()
    }

    /// Runs everything in a folder of its own. The error has every example that printed something else, with what it printed.
    pub fn run(&self) -> Result<()> {
        let place = Place::new()?;
        let mut problems = String::new();
        self.run_in(&place, &mut problems)?;
        ensure!(problems.is_empty(), "{problems}");
        Ok(())
    }

    fn run_in(&self, place: &Place, problems: &mut String) -> Result<()> {
        for step in &self.steps {
            match step {
                Step::Save { file, text } => std::fs::write(place.folder.path().join(file), text)?,
                Step::Append { file, text } => place.append(file, text)?,
                Step::Publish { topic, text } => place.publish(topic, text).with_context(|| format!("docs/{}", self.name))?,
                Step::Script(script) => place.succeed(script).with_context(|| format!("docs/{}: {script}", self.name))?,
                Step::Example { line, command, expected } => {
                    let printed = place.printed(command)?;
                    if !is_as(expected, &printed) {
                        let printed = printed.join("\n");
                        writeln!(problems, "docs/{}:{line}: {command}\nprinted:\n{printed}\n", self.name)?;
                    }
                }
                Step::Continue(name) => Self::read(name)?.run_in(place, problems)?,
                Step::Anew => place.empty()?,
            }
        }
        Ok(())
    }
}

/// Where a guide is run: a folder, and one of programs.
struct Place {
    folder: tempfile::TempDir,
    programs: tempfile::TempDir,
}

impl Place {
    fn new() -> Result<Self> {
        let (folder, programs) = (tempfile::tempdir()?, tempfile::tempdir()?);
        let program = programs.path().join("headwater");
        std::fs::write(&program, PROGRAM)?;
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755))?;
        std::fs::write(programs.path().join("quiet.toml"), QUIET)?;
        Ok(Self { folder, programs })
    }

    fn command(&self, script: &str) -> Result<Command> {
        let mut command = shell(script, self.programs.path());
        command.current_dir(self.folder.path()).env("PROGRAM", binary()?).env("QUIET", self.programs.path().join("quiet.toml"));
        Ok(command)
    }

    /// The lines that a command prints, errors among them.
    fn printed(&self, script: &str) -> Result<Vec<String>> {
        let output = self.command(&format!("exec 2>&1\n{script}"))?.output()?;
        Ok(without_empty_end(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()))
    }

    fn succeed(&self, script: &str) -> Result<()> {
        let output = self.command(script)?.output()?;
        ensure!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    fn append(&self, file: &str, text: &str) -> Result<()> {
        let path = self.folder.path().join(file);
        let before = std::fs::read_to_string(&path).with_context(|| file.to_owned())?;
        Ok(std::fs::write(path, before + text)?)
    }

    fn publish(&self, topic: &str, text: &str) -> Result<()> {
        let file = self.folder.path().join(format!("published-{topic}.jsonl"));
        std::fs::write(&file, text)?;
        let script = format!("headwater topics --source log:topics\nheadwater publish --source log:topics {topic} '{}'", file.display());
        self.succeed(&script)?;
        Ok(std::fs::remove_file(file)?)
    }

    fn empty(&self) -> Result<()> {
        for entry in std::fs::read_dir(self.folder.path())? {
            let path = entry?.path();
            if path.is_dir() { std::fs::remove_dir_all(path)? } else { std::fs::remove_file(path)? }
        }
        Ok(())
    }
}

/// What a comment tells to do with the block after it.
enum Directive {
    Save(String),
    Append(String),
    Publish(String),
    Script,
    NotRun,
}

/// The steps of a guide.
fn steps(text: &str) -> Result<Vec<Step>> {
    let (mut steps, mut directive) = (Vec::new(), None);
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let at = |what: &str| format!("line {}: {what}", number + 1);
        if line.starts_with("```") {
            let block: Vec<_> = lines.by_ref().take_while(|(_, line)| !line.starts_with("```")).collect();
            steps.extend(of_block(&block, directive.take()));
        } else if let Some(comment) = line.strip_prefix("<!-- ") {
            ensure!(directive.is_none(), at("two comments before one block"));
            let Some(comment) = comment.strip_suffix(" -->") else {
                ensure!(comment == "run", at("a comment of several lines is a script: <!-- run"));
                let script: Vec<_> = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "-->").collect();
                steps.push(Step::Script(script.join("\n")));
                continue;
            };
            match comment.split_once(": ").unwrap_or((comment, "")) {
                ("file", name) => directive = Some(Directive::Save(name.to_owned())),
                ("append", name) => directive = Some(Directive::Append(name.to_owned())),
                ("publish", topic) => directive = Some(Directive::Publish(topic.to_owned())),
                ("run", "") => directive = Some(Directive::Script),
                ("not run", why) if !why.is_empty() => directive = Some(Directive::NotRun),
                ("not run, all of it", why) if !why.is_empty() => return Ok(Vec::new()),
                ("continues", name) => steps.push(Step::Continue(name.to_owned())),
                ("anew", "") => steps.push(Step::Anew),
                _ => bail!(at(&format!("{comment:?} is no comment for the guides' test"))),
            }
        }
    }
    Ok(steps)
}

fn of_block(block: &[(usize, &str)], directive: Option<Directive>) -> Vec<Step> {
    let text = || block.iter().fold(String::new(), |text, (_, line)| text + line + "\n");
    match directive {
        Some(Directive::Save(file)) => vec![Step::Save { file, text: text() }],
        Some(Directive::Append(file)) => vec![Step::Append { file, text: text() }],
        Some(Directive::Publish(topic)) => vec![Step::Publish { topic, text: text() }],
        Some(Directive::Script) => vec![Step::Script(text())],
        Some(Directive::NotRun) => Vec::new(),
        None => examples(block),
    }
}

/// The commands of a block with what they print. A command goes on in the next line while a double quote is open.
fn examples(block: &[(usize, &str)]) -> Vec<Step> {
    let mut examples = Vec::new();
    let mut lines = block.iter().peekable();
    while let Some((number, line)) = lines.next() {
        let Some(command) = line.strip_prefix("$ ") else { continue };
        let mut command = command.to_owned();
        while command.matches('"').count() % 2 == 1 {
            let Some((_, line)) = lines.next() else { break };
            command = format!("{command}\n{line}");
        }
        let mut expected = Vec::new();
        while let Some((_, line)) = lines.next_if(|(_, line)| !line.starts_with("$ ")) {
            expected.push((*line).to_owned());
        }
        examples.push(Step::Example { line: number + 1, command, expected: without_empty_end(expected) });
    }
    examples
}

fn without_empty_end(mut lines: Vec<String>) -> Vec<String> {
    lines.iter_mut().for_each(|line| line.truncate(line.trim_end().len()));
    let end = lines.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
    lines.truncate(end);
    lines
}

/// Whether lines are as a guide has them.
fn is_as(expected: &[String], printed: &[String]) -> bool {
    match expected.split_first() {
        None => printed.is_empty(),
        Some((any, expected)) if any == ANY => {
            (0..=printed.len()).any(|skipped| is_as(expected, printed.get(skipped..).unwrap_or_default()))
        }
        Some((line, expected)) => printed.split_first().is_some_and(|(first, printed)| is_like(line, first) && is_as(expected, printed)),
    }
}

/// Whether a line is as a guide has it.
fn is_like(expected: &str, printed: &str) -> bool {
    let Some((begin, rest)) = expected.split_once(ANY) else { return expected == printed };
    let Some(printed) = printed.strip_prefix(begin) else { return false };
    let ends = printed.char_indices().map(|(place, _)| place).chain([printed.len()]);
    ends.into_iter().any(|end| printed.get(end..).is_some_and(|printed| is_like(rest, printed)))
}

/// Fails where a link of a page leads nowhere within the project.
pub fn check_links(page: &Path) -> Result<()> {
    let text = std::fs::read_to_string(page).with_context(|| page.display().to_string())?;
    let folder = page.parent().context("a page without a folder")?;
    for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        if target.contains("://") || target.contains(char::is_whitespace) {
            continue;
        }
        let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
        let file = if file.is_empty() { page.to_owned() } else { folder.join(file) };
        ensure!(file.exists(), "{}: the link {target} leads nowhere", page.display());
        if !anchor.is_empty() && file.extension().is_some_and(|extension| extension == "md") {
            let headings = std::fs::read_to_string(&file)?;
            let is_there = headings.lines().filter(|line| line.starts_with('#')).any(|line| anchor_of(line) == anchor);
            ensure!(is_there, "{}: {target} names no heading", page.display());
        }
    }
    Ok(())
}

/// The anchor that GitHub and mdBook make of a heading.
fn anchor_of(heading: &str) -> String {
    let letters = heading.trim_start_matches('#').trim().to_lowercase();
    letters
        .chars()
        .filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter))
        .map(|letter| if letter == ' ' { '-' } else { letter })
        .collect()
}
