//! Tools and a prompt that have to ask the client before they can answer, over several requests, as the suite of 2026-07-28 expects
//! them. What they know of earlier rounds is kept here; the client gets a handle to it, and another one is refused.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use rmcp::model::{
    ClientCapabilities, ErrorData, InputRequests, InputRequiredResult, InputResponses,
};
use serde_json::{Value, json};
use uuid::Uuid;

/// The tools of this kind.
pub const TOOLS: &[(&str, &str)] = &[
    (
        "test_input_required_result_elicitation",
        "Asks the user's name",
    ),
    (
        "test_input_required_result_sampling",
        "Asks the client's model",
    ),
    (
        "test_input_required_result_list_roots",
        "Asks the client's roots",
    ),
    (
        "test_input_required_result_request_state",
        "Asks, and knows its own state again",
    ),
    (
        "test_input_required_result_multiple_inputs",
        "Asks three things at once",
    ),
    (
        "test_input_required_result_multi_round",
        "Asks one thing after the other",
    ),
    (
        "test_input_required_result_tampered_state",
        "Refuses a state that it has not given",
    ),
    (
        "test_input_required_result_capabilities",
        "Asks only for what the client can do",
    ),
];

/// What comes of a round.
pub enum Round {
    /// The client has to answer first.
    Ask(InputRequiredResult),
    /// The answer.
    Done(String),
}

/// What a request brings along.
pub struct Brought<'a> {
    pub answers: Option<&'a InputResponses>,
    pub state: Option<&'a str>,
    pub client: Option<ClientCapabilities>,
}

impl Brought<'_> {
    /// The client's answer to what was asked under this key, if it is one.
    fn answer(&self, key: &str) -> Option<&Value> {
        self.answers?.get(key).filter(|answer| answer.is_object())
    }

    /// A field of the form that the user has filled in.
    fn field(&self, key: &str, field: &str) -> Option<&Value> {
        let answer = self.answer(key)?;
        (answer["action"] == "accept").then(|| &answer["content"][field])
    }
}

/// The rounds under way: the handle of each, and how many it had.
#[derive(Default)]
pub struct Rounds(Mutex<HashMap<String, u32>>);

impl Rounds {
    fn open(&self, round: u32) -> String {
        let handle = Uuid::new_v4().to_string();
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.insert(handle.clone(), round);
        handle
    }

    /// The round that a handle is of; a handle is good once.
    fn close(&self, handle: Option<&str>) -> Result<Option<u32>, ErrorData> {
        let Some(handle) = handle else {
            return Ok(None);
        };
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let round = open.remove(handle);
        let refusal = || ErrorData::invalid_params("`requestState` is none that was given", None);
        round.ok_or_else(refusal).map(Some)
    }

    /// One round of a tool; `None`: it is none of these.
    pub fn tool(&self, name: &str, brought: &Brought<'_>) -> Option<Result<Round, ErrorData>> {
        let kind = name.strip_prefix("test_input_required_result_")?;
        Some(match kind {
            "elicitation" => Ok(match brought.field("user_name", "name") {
                Some(Value::String(name)) => Round::Done(format!("Hello, {name}!")),
                _ => ask([("user_name", name_form("What is your name?"))], None),
            }),
            "sampling" => Ok(match brought.answer("capital_question") {
                Some(answer) => Round::Done(format!("The model said: {}", answer["content"])),
                None => {
                    let question = model("What is the capital of France?", 100);
                    ask([("capital_question", question)], None)
                }
            }),
            "list_roots" => Ok(match brought.answer("client_roots") {
                Some(answer) => Round::Done(format!("The roots are {}", answer["roots"])),
                None => ask([("client_roots", roots())], None),
            }),
            "request_state" | "tampered_state" => self.confirmed(brought),
            "multiple_inputs" => self.three_at_once(brought),
            "multi_round" => self.one_after_the_other(brought),
            "capabilities" => Ok(within_capabilities(brought)),
            _ => return None,
        })
    }

    fn confirmed(&self, brought: &Brought<'_>) -> Result<Round, ErrorData> {
        let known = self.close(brought.state)?.is_some();
        Ok(match brought.field("confirm", "ok") {
            Some(Value::Bool(_)) if known => Round::Done("state-ok".to_owned()),
            _ => {
                let asked = form("Please confirm", "ok", "boolean");
                ask([("confirm", asked)], Some(self.open(1)))
            }
        })
    }

    fn three_at_once(&self, brought: &Brought<'_>) -> Result<Round, ErrorData> {
        let known = self.close(brought.state)?.is_some();
        let asked = [
            ("user_name", name_form("What is your name?")),
            ("greeting", model("Generate a greeting", 50)),
            ("client_roots", roots()),
        ];
        let all = asked.iter().all(|(key, _)| brought.answer(key).is_some());
        Ok(if known && all {
            Round::Done("Thank you for all three.".to_owned())
        } else {
            ask(asked, Some(self.open(1)))
        })
    }

    fn one_after_the_other(&self, brought: &Brought<'_>) -> Result<Round, ErrorData> {
        let round = self.close(brought.state)?;
        let (name, color) = (
            brought.field("step1", "name"),
            brought.field("step2", "color"),
        );
        Ok(match (round, name, color) {
            (Some(2), _, Some(color)) => Round::Done(format!("Your color is {color}")),
            (Some(1), Some(_), _) => {
                let second = form("Step 2: What is your favorite color?", "color", "string");
                ask([("step2", second)], Some(self.open(2)))
            }
            _ => {
                let first = name_form("Step 1: What is your name?");
                ask([("step1", first)], Some(self.open(1)))
            }
        })
    }
}

/// The prompt of this kind: its words, once the user has given them.
pub fn prompt(brought: &Brought<'_>) -> Round {
    match brought.field("user_context", "context") {
        Some(Value::String(context)) => Round::Done(format!("Use this context: {context}")),
        _ => {
            let asked = form("What context should the prompt use?", "context", "string");
            ask([("user_context", asked)], None)
        }
    }
}

/// A question to the user, for the tool that streams.
pub fn user_question() -> Round {
    ask([("user_name", name_form("What is your name?"))], None)
}

fn within_capabilities(brought: &Brought<'_>) -> Round {
    let client = brought.client.clone().unwrap_or_default();
    let asked = [
        (
            "user_name",
            name_form("What is your name?"),
            client.elicitation.is_some(),
        ),
        (
            "greeting",
            model("Generate a greeting", 50),
            client.sampling.is_some(),
        ),
        ("client_roots", roots(), client.roots.is_some()),
    ];
    let missing: Vec<_> = asked
        .into_iter()
        .filter(|(key, _, can)| *can && brought.answer(key).is_none())
        .map(|(key, request, _)| (key, request))
        .collect();
    if missing.is_empty() {
        return Round::Done("There is nothing that the client can be asked for.".to_owned());
    }
    ask(missing, None)
}

fn ask<'k>(requests: impl IntoIterator<Item = (&'k str, Value)>, state: Option<String>) -> Round {
    let requests: InputRequests = requests
        .into_iter()
        .filter_map(|(key, request)| Some((key.to_owned(), serde_json::from_value(request).ok()?)))
        .collect();
    Round::Ask(InputRequiredResult::new(Some(requests), state))
}

fn form(message: &str, field: &str, kind: &str) -> Value {
    json!({"method": "elicitation/create", "params": {"mode": "form", "message": message, "requestedSchema": {
        "type": "object", "properties": {field: {"type": kind}}, "required": [field]
    }}})
}

fn name_form(message: &str) -> Value {
    form(message, "name", "string")
}

fn model(prompt: &str, tokens: u32) -> Value {
    json!({"method": "sampling/createMessage", "params": {
        "messages": [{"role": "user", "content": {"type": "text", "text": prompt}}], "maxTokens": tokens
    }})
}

fn roots() -> Value {
    json!({"method": "roots/list", "params": {}})
}
