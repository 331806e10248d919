//! operator-compile
