//! Attachment download: a redirect to the media host.

use crate::confluence::call::{Answer, Call};
use crate::confluence::errors;
use crate::confluence::v2::attachments::find;
use crate::server::Reply;

/// 302 to a signed URL of another host that lives for [`Switches::media_url_lives`](crate::confluence::Switches).
pub(crate) fn download(call: &Call<'_>) -> Answer {
    let attachment =
        find(call, call.param(1)).ok_or_else(|| errors::v1_not_found(call.param(1)))?;
    if attachment.on.to_string() != call.param(0) || attachment.trashed {
        return Err(errors::v1_not_found(call.param(1)));
    }
    let lives = chrono::Duration::from_std(call.switches.media_url_lives).unwrap_or_default();
    let expires = (chrono::Utc::now() + lives).timestamp_millis();
    let url = format!(
        "{}/file/{}/binary?token={}&expires={expires}&name={}",
        call.media_url,
        attachment.file_id,
        crate::confluence::media::token(&attachment.file_id, expires),
        crate::confluence::shapes::slug(&attachment.name),
    );
    Ok(Reply::empty(302).with_header("Location", url))
}

/// The withdrawn download servlet.
pub(crate) fn servlet(_: &Call<'_>) -> Answer {
    Err(errors::gateway(401, "Unauthorized")
        .with_header("WWW-Authenticate", "OAuth realm=\"confluence\""))
}
