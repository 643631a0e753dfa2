//! wirefault: why a client could not reach its invoicing server, with the frames that prove it.
//!
//! The rooms, in the order in which data walks through them: `ingest` (bytes into frames), `decode` (a frame
//! into its packet), `flow` and `tcp` (what a conversation went through), `protocol` (what was said in it),
//! `failure` (what went wrong), `incident` (what caused it), `report` (telling it). `engine` conducts them, `cli` starts them.

pub mod archive;
pub mod cli;
pub mod decode;
pub mod digits;
pub mod endpoint;
pub mod engine;
pub mod failure;
pub mod flow;
pub mod incident;
pub mod ingest;
pub mod limits;
pub mod mark;
pub mod protocol;
pub mod report;
pub mod tcp;
pub mod tell;
pub mod time;
pub mod workers;
