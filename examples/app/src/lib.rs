//! crosscall-example
