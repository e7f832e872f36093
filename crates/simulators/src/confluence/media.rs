//! The second host: files by signed URL, no credentials wanted.

use std::time::Duration;

use super::site::Site;
use crate::server::{Reply, Request, Service};

/// The signature of a URL; enough that a guessed one does not work.
pub(crate) fn token(file_id: &str, expires: i64) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in file_id.bytes().chain(expires.to_le_bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("{hash:016x}")
}

pub(crate) struct MediaHost {
    pub site: Site,
}

impl Service for MediaHost {
    fn template(&self, _: &Request) -> String {
        "/file/{fileId}/binary".into()
    }

    fn respond(&self, request: &Request, _: &str) -> Reply {
        if request.header("authorization").is_some() {
            return Reply::text(400, "text/plain", "Only one auth mechanism allowed");
        }
        let mut parts = request.path.trim_start_matches('/').split('/');
        let (Some("file"), Some(file_id), Some("binary")) =
            (parts.next(), parts.next(), parts.next())
        else {
            return Reply::empty(404);
        };
        let expires = request
            .one("expires")
            .and_then(|e| e.parse::<i64>().ok())
            .unwrap_or_default();
        let signed = request.one("token") == Some(token(file_id, expires).as_str());
        if !signed || expires < chrono::Utc::now().timestamp_millis() {
            return Reply::text(
                403,
                "application/json",
                "{\"error\":{\"code\":\"JwtAuthoriser:TokenExpiredError\"}}",
            );
        }
        let state = self.site.read();
        match state
            .attachments
            .values()
            .find(|a| a.file_id == file_id && !a.trashed)
        {
            None => Reply::empty(404),
            Some(attachment) => {
                let kind = attachment
                    .media_type
                    .clone()
                    .unwrap_or_else(|| "application/octet-stream".into());
                let mut reply = Reply::empty(200);
                reply.body = crate::server::Body::Bytes {
                    kind,
                    data: attachment.data.to_vec(),
                };
                reply
            }
        }
    }

    fn error(&self, status: u16, _: &Request, _: &str) -> Reply {
        Reply::empty(status)
    }

    fn latency(&self) -> Duration {
        self.site.switches().latency
    }
}
