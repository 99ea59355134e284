//! Tests of matching: readable stories, and long random streams compared with a naive book.

mod generated;
mod naive;
mod script;
mod stories;
mod view;
