//! Against things that nobody here wrote: an app, a JWT library and a browser, each installed into a cache folder by its
//! own installer. Where an installer is absent, a test says loudly that it is skipped.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test code")]

mod browser;
mod httpbin;
mod pyjwt;
