//! The service as those see it who use it: over HTTP, MCP and the command line, against simulated services on loopback.

#![allow(clippy::unwrap_used)]

mod access;
mod admin;
mod asked;
mod attachments;
#[path = "../attacks/mod.rs"]
mod attacks;
mod auth;
mod changed;
mod comments;
mod confluence_oauth;
mod deletion;
mod doctor;
mod evaluations;
mod events;
mod issuer;
mod kills;
mod leases;
mod limits;
mod lives;
mod main_job;
mod mcp_service;
mod mcp_sse;
mod mcp_streamable;
mod mcp_support;
mod meaning;
mod moves;
mod oauth;
mod oidc;
mod openapi;
mod people;
#[cfg(feature = "postgres")]
mod postgres;
mod probe;
mod process;
mod questions;
mod readme;
mod renamed;
mod rendered;
mod repository;
mod rest;
mod runs;
mod shown;
mod support;
mod troubles;
mod views;
mod world;
