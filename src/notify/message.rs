//! What a notice says, in the form that its receiver takes. `docs/OPERATIONS.md` documents the generic one.

use domain::notice::Notice;
use domain::run::{Run, RunStatus};
use serde_json::{Value, json};

use crate::settings::NoticeForm;

/// Characters of what went wrong that a message for people holds.
const MOST: usize = 1_000;

/// What is told.
pub(super) struct Message<'a> {
    event: &'static str,
    text: String,
    notice: Option<&'a Notice>,
    /// The view of the web page where somebody can look or answer.
    url: String,
}

impl<'a> Message<'a> {
    /// Of the end of a run.
    pub(super) fn of(notice: &'a Notice, base_url: &str) -> Self {
        let Notice {
            run,
            index_name,
            agent_id,
            ..
        } = notice;
        let index = format!("Index \u{201c}{index_name}\u{201d} ({agent_id})");
        let why = || run.error.as_ref().map(|error| error.detail.as_str());
        let why = |otherwise: &'static str| cut(why().unwrap_or(otherwise));
        let page = format!("{base_url}/#/index/{}", run.index_id);
        let (event, text, url) = match run.status {
            RunStatus::NeedsConfirmation => (
                "trouble",
                format!("{index} asks: {}", why("removals wait for an answer")),
                format!("{page}/question"),
            ),
            RunStatus::Partial => (
                "trouble",
                format!(
                    "{index}: its sync left something undone: {}",
                    why("some pages failed")
                ),
                page,
            ),
            RunStatus::Succeeded => (
                "recovered",
                format!("{index} is well again: its sync succeeded."),
                page,
            ),
            _ => (
                "trouble",
                format!("{index}: its sync failed: {}", why("no reason is known")),
                page,
            ),
        };
        Self {
            event,
            text,
            notice: Some(notice),
            url,
        }
    }

    /// That an administrator tries whether it arrives.
    pub(super) fn test(base_url: &str) -> Self {
        Self {
            event: "test",
            text: "A test: notices of MCP Confluence Sync arrive here.".to_owned(),
            notice: None,
            url: format!("{base_url}/#/checks"),
        }
    }

    /// The body of the request.
    pub(super) fn body(&self, form: NoticeForm) -> Value {
        match form {
            NoticeForm::Generic => {
                let run: Option<&Run> = self.notice.map(|notice| &notice.run);
                json!({
                    "event": self.event,
                    "text": self.text,
                    "status": run.map(|run| run.status),
                    "index": self.notice.map(|notice| json!({
                        "id": notice.run.index_id, "name": notice.index_name, "agent_id": notice.agent_id,
                    })),
                    "run": run,
                    "url": self.url,
                })
            }
            NoticeForm::Slack => {
                // What Slack would take for a link or a mention: https://docs.slack.dev/messaging/formatting-message-text
                let text = self
                    .text
                    .replace('&', "&amp;")
                    .replace('<', "&lt;")
                    .replace('>', "&gt;");
                json!({"text": format!("{text}\n<{}|Look>", self.url)})
            }
            // A run of text is no Markdown, unlike a TextBlock: https://adaptivecards.io/explorer/RichTextBlock.html
            NoticeForm::Teams => json!({
                "type": "message",
                "attachments": [{
                    "contentType": "application/vnd.microsoft.card.adaptive",
                    "content": {
                        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                        "type": "AdaptiveCard",
                        "version": "1.4",
                        "body": [{"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": self.text}]}],
                        "actions": [{"type": "Action.OpenUrl", "title": "Look", "url": self.url}],
                    },
                }],
            }),
        }
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use domain::problem::Problem;
    use domain::run::{Counts, Requests, RunKind};
    use domain::{IndexId, RunId};

    use super::*;

    fn notice(status: RunStatus, why: &str) -> Notice {
        let id = RunId::generate();
        let at = "2026-03-01T08:00:00Z".parse().unwrap();
        Notice {
            run: Run {
                run_id: id,
                id,
                index_id: IndexId::generate(),
                kind: RunKind::Delta,
                status,
                dry_run: false,
                plan: None,
                queued: false,
                started_at: Some(at),
                finished_at: Some(at),
                counts: Counts::default(),
                requests: Requests::default(),
                eta_seconds: None,
                error: (!why.is_empty()).then(|| Problem::new("run_failed", why)),
                follow_up_run_id: None,
            },
            index_name: "Hand<book>".into(),
            agent_id: "hr".parse().unwrap(),
            at,
            attempts: 0,
        }
    }

    #[test]
    fn a_message_names_index_cause_and_the_place_to_look() {
        for (status, why, event, text, place) in [
            (
                RunStatus::Failed,
                "it broke",
                "trouble",
                "Index “Hand<book>” (hr): its sync failed: it broke",
                "",
            ),
            (
                RunStatus::NeedsConfirmation,
                "",
                "trouble",
                "Index “Hand<book>” (hr) asks: removals wait for an answer",
                "/question",
            ),
            (
                RunStatus::Succeeded,
                "",
                "recovered",
                "Index “Hand<book>” (hr) is well again: its sync succeeded.",
                "",
            ),
        ] {
            let notice = notice(status, why);
            let body = Message::of(&notice, "https://sync.example").body(NoticeForm::Generic);
            let id = notice.run.index_id;
            let url = format!("https://sync.example/#/index/{id}{place}");
            assert_eq!(
                (&body["event"], &body["text"], &body["url"]),
                (&json!(event), &json!(text), &json!(url))
            );
            assert_eq!(body["run"]["id"], json!(notice.run.id));
        }
        let long = notice(RunStatus::Failed, &"ä".repeat(5_000));
        let body = Message::of(&long, "").body(NoticeForm::Generic);
        assert!(body["text"].as_str().unwrap().chars().count() < MOST + 100);
    }

    #[test]
    fn what_others_wrote_makes_no_link_of_its_own() {
        let notice = notice(
            RunStatus::Failed,
            "see <https://evil.example|here> & <!channel>",
        );
        let message = Message::of(&notice, "https://sync.example");
        let slack = message.body(NoticeForm::Slack)["text"].to_string();
        assert_eq!(slack.matches('<').count(), 1, "{slack}");
        assert!(slack.contains("&lt;!channel&gt;"), "{slack}");
        let teams = message.body(NoticeForm::Teams);
        let block = &teams["attachments"][0]["content"]["body"][0];
        assert_eq!(block["type"], "RichTextBlock", "no Markdown");
    }
}
