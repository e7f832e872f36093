#![doc = include_str!("../README.md")]

pub mod atlassian;
pub mod confluence;
pub mod demo;
pub mod embeddings;
pub mod llamacloud;
mod server;

pub use server::{
    Clock, Control, Fault, FaultRule, LoggedRequest, Matcher, RateLimit, RetryAfter, Times,
};

#[cfg(feature = "spec-check")]
pub mod spec_check;
