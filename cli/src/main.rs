//! crosscall
fn main(){}
