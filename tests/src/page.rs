//! `dashboards/render/page.html` in a real Chromium: a board as Grafana would draw it, for looking at.

use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::prometheus::dashboard;

/// Draws a board, and returns the page's HTML as it is then. With a picture's path it also makes a screenshot. `None`, with a
/// sentence on standard error, where there is no `chromium` on the PATH.
pub fn drawn(folder: &Path, board: &Value, picture: Option<&Path>) -> Result<Option<String>> {
    for file in ["page.html", "draw.js"] {
        std::fs::copy(dashboard("render").join(file), folder.join(file))?;
    }
    std::fs::write(folder.join("frames.js"), format!("const BOARD = {board};\n"))?;
    let url = format!("file://{}", folder.join("page.html").display());
    let profile = format!("--user-data-dir={}", folder.join("profile").display());
    let chromium = |argument: &str| {
        let mut command = Command::new("chromium");
        // The page is ours and reads no network; a sandbox needs rights that a container may lack.
        command.args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", &profile]);
        command.arg(format!("--window-size=1280,{}", height(board))).arg(argument).arg(&url).output()
    };
    let output = match chromium("--dump-dom") {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            eprintln!("skipped, because chromium is not on the PATH (Debian: chromium)");
            return Ok(None);
        }
        output => output.context("starting chromium")?,
    };
    ensure!(output.status.success(), "chromium: {}", String::from_utf8_lossy(&output.stderr));
    if let Some(picture) = picture {
        let output = chromium(&format!("--screenshot={}", picture.display()))?;
        ensure!(output.status.success(), "chromium: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(Some(String::from_utf8(output.stdout)?))
}

/// Pixels of the whole page: rows of the grid have 38.
fn height(board: &Value) -> u64 {
    let panels = board.get("panels").and_then(Value::as_array).into_iter().flatten();
    let bottom = |panel: &Value| Some(panel.pointer("/gridPos/y")?.as_u64()? + panel.pointer("/gridPos/h")?.as_u64()?);
    panels.filter_map(bottom).max().unwrap_or_default() * 38 + 90
}
