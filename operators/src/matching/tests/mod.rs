//! What the matching promises: stories a trader can follow, and long streams against a book that is too dumb to be wrong.

mod generated;
mod naive;
mod script;
mod stories;
mod view;
