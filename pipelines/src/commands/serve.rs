//! `headwater serve`: SQL for PostgreSQL clients, and the console, over a data directory, which a run may write meanwhile.

use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use headwater_sql::{Access, Secret, ServeConfig, Server};

use crate::config::{Config, is_host_and_port};
use crate::http::{self, DeskSettings};

/// Arguments of `headwater serve`.
#[derive(Args)]
pub struct ServeArguments {
    /// Data directory.
    #[arg(long, required_unless_present = "password")]
    data: Option<PathBuf>,
    /// Address and port to listen on; before `serve.address`. Default: 127.0.0.1:5433.
    #[arg(long, value_name = "HOST:PORT", value_parser = address)]
    listen: Option<String>,
    /// Address and port of the console, which is not served without it.
    #[arg(long, value_name = "HOST:PORT", value_parser = address)]
    console: Option<String>,
    /// Configuration file (TOML); its sections `serve` and `sql` are read.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Reads a password from standard input, prints the section of the configuration for a user NAME with it, and exits.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["data", "listen", "console", "config"])]
    password: Option<String>,
}

fn address(text: &str) -> Result<String, String> {
    let is_usable = is_host_and_port(text);
    is_usable.then(|| text.to_owned()).ok_or_else(|| format!("{text:?} is no address and port: write it like 127.0.0.1:5433"))
}

/// How often it is looked whether to stop.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop` is set.
pub fn serve(arguments: ServeArguments, stop: &AtomicBool, input: &mut dyn BufRead, out: &mut dyn Write) -> anyhow::Result<()> {
    let data = match (&arguments.password, arguments.data) {
        (Some(name), _) => return print_secret(name, input, out),
        (None, Some(data)) => data,
        (None, None) => bail!("--data is missing: give the data directory"),
    };
    let config = Config::load(arguments.config.as_deref())?;
    let address = arguments.listen.or_else(|| config.serve.address.clone()).filter(|address| !address.is_empty());
    let address = address.unwrap_or_else(|| ServeConfig::ADDRESS.to_owned());
    let access = Access::open(&data, config.serve.clone(), config.sql.clone())?;
    let server = Server::listen(&access, &address)?;
    let desk = DeskSettings::new(data, &config, Some(access));
    let console = http::serve(arguments.console.as_deref().unwrap_or_default(), None, Some(desk))?;
    writeln!(out, "SQL for PostgreSQL clients: {}", invitation(&server))?;
    if let Some(address) = console.address.filter(|_| console.has_console) {
        writeln!(out, "Console: http://{address}/")?;
    }
    out.flush()?;
    while !stop.load(Ordering::Relaxed) {
        thread::sleep(PAUSE);
    }
    Ok(())
}

/// The command with which to connect.
pub fn invitation(server: &Server) -> String {
    let address = server.address();
    format!("psql -h {} -p {} headwater", address.ip(), address.port())
}

fn print_secret(name: &str, input: &mut dyn BufRead, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut password = String::new();
    input.read_line(&mut password).context("reading the password from standard input")?;
    let secret = Secret::new(password.trim_end_matches(['\n', '\r']))?;
    let name = toml::Value::from(name);
    Ok(write!(out, "[serve.users.{name}]\nsecret = \"{secret}\"\n")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_and_a_port() {
        for (text, is_usable) in [
            ("127.0.0.1:5433", true),
            ("localhost:0", true),
            ("[::1]:5433", true),
            ("foo", false),
            ("foo:", false),
            (":5433", false),
            ("foo:70000", false),
            ("::1:5433", false),
            ("", false),
        ] {
            assert_eq!(address(text).is_ok(), is_usable, "{text}");
        }
    }

    #[test]
    fn the_printed_section_is_one_of_the_configuration() {
        let mut out = Vec::new();
        print_secret("ann \"x\"", &mut "correct horse\n".as_bytes(), &mut out).expect("a section");
        let config = Config::parse("c.toml", &String::from_utf8(out).expect("text")).expect("a configuration");
        assert_eq!(config.serve.users.keys().collect::<Vec<_>>(), ["ann \"x\""]);
        assert!(print_secret("ann", &mut "\n".as_bytes(), &mut Vec::new()).is_err(), "without a password");
    }
}
