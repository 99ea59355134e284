//! Tests of matching: readable stories, cases of other engines, and long random streams compared with a naive book.

mod cases;
mod generated;
mod naive;
mod script;
mod stories;
mod view;
