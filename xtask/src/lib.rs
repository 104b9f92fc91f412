//! The maintainer's tasks of the call-api SDK, as a library that its own tests call; `main.rs` is the command line.
//!
//! There is one so far: [`codegen`], which turns the OpenAPI document in `spec/` into the generated halves of
//! `call-api-types` and `call-api-client`, or says what stands in the way.

pub mod codegen;
pub mod pointer;
pub mod problem;
