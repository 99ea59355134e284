//! Cursors of SQL: `DECLARE`, `FETCH` and `CLOSE`, forward and within a transaction. A cursor is a portal with a name.

use std::sync::Arc;

use datafusion::sql::parser::Statement as Parsed;
use tokio::io::{AsyncRead, AsyncWrite};

use super::answers::{self, Column, Status};
use super::connection::{Connection, Fault, Limits, Portal, State};
use super::encode::Format;
use super::problem::Problem;

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Connection<S> {
    /// Starts the query of a cursor; the tag.
    pub(super) async fn declare(&mut self, name: &str, statement: &Parsed, text: &str, limits: &mut Limits) -> Result<&'static str, Fault> {
        if self.status != Status::InTransaction {
            return Err(Problem::new("25P01", "a cursor lasts as long as its transaction: send BEGIN before DECLARE").into());
        }
        if self.portals.contains_key(name) {
            return Err(Problem::new("42P03", format!("there is a cursor {name} already")).into());
        }
        self.has_room_for_portal()?;
        let rows = self.begin(statement, text, limits).await?;
        let portal = Portal { text: Arc::from(text), command: None, formats: Vec::new(), state: State::Running(Box::new(rows)) };
        self.portals.insert(name.to_owned(), portal);
        Ok("DECLARE CURSOR")
    }

    /// The columns of a cursor.
    pub(super) fn cursor_columns(&self, name: &str) -> Result<Vec<Column>, Problem> {
        self.refuse_in_failed()?;
        match self.portals.get(name) {
            Some(Portal { command: None, state: State::Running(rows), .. }) => Ok(rows.columns.clone()),
            _ => Err(Problem::new("34000", format!("there is no cursor {name}: DECLARE it in this transaction"))),
        }
    }

    /// Sends the next rows of a cursor, all of them without a count, and then the tag.
    pub(super) async fn fetch(&mut self, name: &str, count: Option<usize>, formats: &[Format], limits: &mut Limits) -> Result<(), Fault> {
        self.cursor_columns(name)?;
        let mut cursor = self.take_portal(name)?;
        if let State::Running(rows) = &mut cursor.state {
            let text = Arc::clone(&cursor.text);
            self.take_turn(limits, &text).await?;
            let (formats, before) = (rows.formats(formats)?, rows.sent);
            self.send(rows, &formats, count.unwrap_or(0), &text, limits).await?;
            answers::complete(&mut self.frames.out, &format!("FETCH {}", rows.sent.saturating_sub(before)));
        }
        self.portals.insert(name.to_owned(), cursor);
        Ok(())
    }

    /// Ends a cursor, or all of them; the tag.
    pub(super) fn close_cursor(&mut self, name: Option<&str>) -> Result<&'static str, Problem> {
        let Some(name) = name else {
            self.portals.clear();
            return Ok("CLOSE CURSOR ALL");
        };
        match self.portals.remove(name) {
            Some(_) => Ok("CLOSE CURSOR"),
            None => Err(Problem::new("34000", format!("there is no cursor {name}"))),
        }
    }
}
