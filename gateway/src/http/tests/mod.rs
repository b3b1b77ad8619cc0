//! The listener over TLS: handshakes, HTTP/2, and commands that ask it.

mod server;

mod handshake;
mod http2;
mod https;
