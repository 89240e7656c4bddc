//! The documents as they are committed.

mod book;
mod links;
mod pictures;
