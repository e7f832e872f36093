//! The service as those see it who use it: over HTTP, MCP and the command line, against simulated services on loopback.

mod auth;
mod events;
mod mcp_sse;
mod mcp_streamable;
mod mcp_support;
mod openapi;
mod process;
mod rest;
mod runs;
mod support;
