//! The command line of crosscall.

mod check;
mod diagnostic;
mod load;

fn main() {}
