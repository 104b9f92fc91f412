//! The maintainer's tasks of the call-api SDK, as a library that its own tests call; `main.rs` is the command line.
//!
//! - [`codegen`] turns the OpenAPI document in `spec/` into the generated halves of `call-api-types`,
//!   `call-api-client` and `call-api-mock`, or says what stands in the way.
//! - [`corpus`] does so with every document of a folder, and compiles what they become.
//! - [`mod@diff`] says what changed between two documents, and what that breaks.
//! - [`adopt`] makes a new document this SDK's, or leaves everything as it is.

pub mod adopt;
pub mod codegen;
pub mod corpus;
pub mod diff;
pub mod pointer;
pub mod problem;
