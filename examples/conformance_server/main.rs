//! Both of our MCP transports before the handler that the official conformance suite expects: its tools, resources and
//! prompts have fixed names, so that the suite can run whole. `cargo run --example conformance_server -- 8090`

#![allow(
    deprecated,
    reason = "the suite still asks for logging, sampling and subscriptions"
)]

mod rounds;

use std::sync::Arc;
use std::time::Duration;

use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::access::Asker;
use mcp_confluence::http::guard::{self, Gatekeeper};
use mcp_confluence::mcp::caller::{Caller, Owner, Reader};
use mcp_confluence::mcp::{self, Options};
use mcp_confluence::settings::{Need, Pairs, Settings};
use rmcp::model::*;
use rmcp::service::{RequestContext, SubscriptionContext};
use rmcp::{RoleServer, ServerHandler};
use serde_json::{Value, json};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use rounds::{Brought, Round, Rounds};

/// One red pixel.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";

/// A list that is said to have changed.
#[derive(Clone, Copy)]
enum Changed {
    Tools,
    Prompts,
}

#[derive(Clone)]
struct Fixtures {
    rounds: Arc<Rounds>,
    changes: broadcast::Sender<Changed>,
}

fn text(text: impl Into<String>) -> CallToolResult {
    CallToolResult::success(vec![ContentBlock::text(text)])
}

/// Silence, as a wave file.
fn wav() -> String {
    let mut file = b"RIFF\x2c\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data\x08\0\0\0".to_vec();
    file.extend([0; 8]);
    STANDARD.encode(file)
}

fn schema(value: Value) -> Arc<JsonObject> {
    Arc::new(value.as_object().cloned().unwrap_or_default())
}

fn tools() -> Vec<Tool> {
    let nothing = || json!({"type": "object", "properties": {}});
    let one = |name: &str| json!({"type": "object", "properties": {name: {"type": "string"}}, "required": [name]});
    let with_nothing = [
        ("test_simple_text", "Answers a text"),
        ("test_image_content", "Answers an image"),
        ("test_audio_content", "Answers a sound"),
        ("test_embedded_resource", "Answers a resource"),
        (
            "test_multiple_content_types",
            "Answers a text, an image and a resource",
        ),
        ("test_tool_with_logging", "Logs while it works"),
        ("test_error_handling", "Always fails"),
        ("test_tool_with_progress", "Tells its progress"),
        (
            "test_elicitation_sep1034_defaults",
            "Asks for input with defaults",
        ),
        (
            "test_elicitation_sep1330_enums",
            "Asks for input with choices",
        ),
        ("test_reconnection", "Takes a while"),
        ("test_logging_tool", "Logs where the request asks for it"),
        ("test_missing_capability", "Needs the client's model"),
        ("test_streaming_elicitation", "Asks the client's user"),
        ("test_trigger_tool_change", "Says that the tools changed"),
        (
            "test_trigger_prompt_change",
            "Says that the prompts changed",
        ),
    ];
    let mut tools: Vec<Tool> = with_nothing
        .into_iter()
        .chain(rounds::TOOLS.iter().copied())
        .map(|(name, description)| Tool::new(name, description, schema(nothing())))
        .collect();
    tools.push(Tool::new(
        "test_sampling",
        "Asks the client's model",
        schema(one("prompt")),
    ));
    tools.push(Tool::new(
        "test_elicitation",
        "Asks the client's user",
        schema(one("message")),
    ));
    let newest = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
        "$defs": {"address": {"$anchor": "address", "type": "object", "properties": {"street": {"type": "string"}, "city": {"type": "string"}}}},
        "properties": {"name": {"type": "string"}, "address": {"$ref": "#/$defs/address"}, "contact": {"type": "string"}},
        "allOf": [{"anyOf": [{"required": ["name"]}, {"required": ["address"]}]}],
        "if": {"required": ["contact"]}, "then": {"required": ["name"]}, "else": {},
        "additionalProperties": false
    });
    tools.push(Tool::new(
        "json_schema_2020_12_tool",
        "Has a schema of 2020-12",
        schema(newest),
    ));
    let by_header = json!({"type": "object", "required": ["region"], "properties": {
        "region": {"type": "string", "x-mcp-header": "Region"}
    }});
    tools.push(Tool::new(
        "test_custom_header",
        "Takes an argument by header too",
        schema(by_header),
    ));
    tools
}

async fn pause() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

async fn log(context: &RequestContext<RoleServer>, message: &str) {
    let entry = LoggingMessageNotificationParam::new(LoggingLevel::Info, json!(message));
    _ = context.peer.notify_logging_message(entry).await;
}

fn failed(error: impl std::fmt::Display) -> ErrorData {
    ErrorData::internal_error(error.to_string(), None)
}

async fn ask_user(
    context: &RequestContext<RoleServer>,
    message: &str,
    wanted: Value,
) -> Result<String, ErrorData> {
    let params = serde_json::from_value(
        json!({"mode": "form", "message": message, "requestedSchema": wanted}),
    )
    .map_err(failed)?;
    let request = ServerRequest::ElicitRequest(ElicitRequest::new(params));
    let answer = context.peer.send_request(request).await.map_err(failed)?;
    let answer = serde_json::to_value(&answer).map_err(failed)?;
    Ok(format!(
        "action={}, content={}",
        answer["action"].as_str().unwrap_or("?"),
        answer["content"]
    ))
}

async fn ask_model(
    context: &RequestContext<RoleServer>,
    prompt: &str,
) -> Result<String, ErrorData> {
    let params = CreateMessageRequestParams::new(vec![SamplingMessage::user_text(prompt)], 100);
    let answer = context.peer.create_message(params).await.map_err(failed)?;
    let answer = serde_json::to_value(&answer).map_err(failed)?;
    Ok(format!(
        "LLM response: {}",
        answer["content"]["text"].as_str().unwrap_or("?")
    ))
}

fn choices() -> Value {
    let titled = |words: [&str; 3], name: &str| -> Vec<Value> {
        let title = |at: usize| format!("{} {name}", ["First", "Second", "Third"][at]);
        words
            .iter()
            .enumerate()
            .map(|(at, word)| json!({"const": word, "title": title(at)}))
            .collect()
    };
    let plain = ["option1", "option2", "option3"];
    let values = ["value1", "value2", "value3"];
    json!({"type": "object", "properties": {
        "untitledSingle": {"type": "string", "enum": plain},
        "titledSingle": {"type": "string", "oneOf": titled(values, "Option")},
        "legacyEnum": {"type": "string", "enum": ["opt1", "opt2", "opt3"], "enumNames": ["Option One", "Option Two", "Option Three"]},
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": plain}},
        "titledMulti": {"type": "array", "items": {"anyOf": titled(values, "Choice")}}
    }})
}

fn defaults() -> Value {
    json!({"type": "object", "properties": {
        "name": {"type": "string", "default": "John Doe"},
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        "verified": {"type": "boolean", "default": true}
    }})
}

fn embedded(uri: &str, mime: &str, words: &str) -> ContentBlock {
    ContentBlock::resource(ResourceContents::text(words, uri).with_mime_type(mime))
}

impl ServerHandler for Fixtures {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_logging()
            .enable_completions()
            .enable_prompts()
            .enable_prompts_list_changed()
            .enable_resources()
            .enable_resources_subscribe()
            .enable_tools()
            .enable_tool_list_changed()
            .build();
        ServerConfig::new(capabilities)
            .with_server_info(Implementation::new("mcp-confluence-conformance", "1"))
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(tools()))
    }

    /// The SDK compares arguments with the headers that repeat them by the tool's schema.
    fn get_tool(&self, name: &str) -> Option<Tool> {
        tools().into_iter().find(|tool| tool.name == name)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let brought = Brought {
            answers: request.input_responses.as_ref(),
            state: request.request_state.as_deref(),
            client: context.client_capabilities(),
        };
        if let Some(round) = self.rounds.tool(&request.name, &brought) {
            return Ok(match round? {
                Round::Ask(asked) => asked.into(),
                Round::Done(words) => text(words).into(),
            });
        }
        let client = brought.client;
        let arguments = request.arguments.unwrap_or_default();
        let argument = |name: &str| {
            arguments
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let result = match request.name.as_ref() {
            "test_simple_text" => text("This is a simple text response for testing."),
            "test_image_content" => {
                CallToolResult::success(vec![ContentBlock::image(PNG, "image/png")])
            }
            "test_audio_content" => {
                CallToolResult::success(vec![ContentBlock::audio(wav(), "audio/wav")])
            }
            "test_embedded_resource" => CallToolResult::success(vec![embedded(
                "test://embedded-resource",
                "text/plain",
                "This is an embedded resource content.",
            )]),
            "test_multiple_content_types" => CallToolResult::success(vec![
                ContentBlock::text("Multiple content types test:"),
                ContentBlock::image(PNG, "image/png"),
                embedded(
                    "test://mixed-content-resource",
                    "application/json",
                    r#"{"test":"data","value":123}"#,
                ),
            ]),
            "test_tool_with_logging" => {
                for message in [
                    "Tool execution started",
                    "Tool processing data",
                    "Tool execution completed",
                ] {
                    log(&context, message).await;
                    pause().await;
                }
                text("Logged three messages.")
            }
            "test_error_handling" => CallToolResult::error(vec![ContentBlock::text(
                "This tool intentionally returns an error for testing",
            )]),
            "test_tool_with_progress" => {
                for progress in [0.0, 50.0, 100.0] {
                    if let Some(token) = context.meta.get_progress_token() {
                        let told =
                            ProgressNotificationParam::new(token, progress).with_total(100.0);
                        _ = context.peer.notify_progress(told).await;
                    }
                    pause().await;
                }
                text("Told the progress.")
            }
            "test_sampling" => text(ask_model(&context, &argument("prompt")).await?),
            "test_elicitation" => {
                let wanted = json!({"type": "object", "required": ["username", "email"], "properties": {
                    "username": {"type": "string", "description": "User's response"},
                    "email": {"type": "string", "description": "User's email address"}
                }});
                text(format!(
                    "User response: {}",
                    ask_user(&context, &argument("message"), wanted).await?
                ))
            }
            "test_elicitation_sep1034_defaults" => text(format!(
                "Elicitation completed: {}",
                ask_user(&context, "Please check", defaults()).await?
            )),
            "test_elicitation_sep1330_enums" => text(format!(
                "Elicitation completed: {}",
                ask_user(&context, "Please choose", choices()).await?
            )),
            "test_logging_tool" => {
                if context.meta.log_level().is_some() {
                    log(&context, "Working").await;
                }
                text("Logged as far as was asked for.")
            }
            "test_missing_capability" => {
                if client.is_none_or(|client| client.sampling.is_none()) {
                    let needed = ClientCapabilities::builder().enable_sampling().build();
                    return Err(ErrorData::missing_required_client_capability(needed));
                }
                text("The client has a model.")
            }
            "test_streaming_elicitation" => match rounds::user_question() {
                Round::Ask(asked) => return Ok(asked.into()),
                Round::Done(words) => text(words),
            },
            "test_trigger_tool_change" => {
                _ = self.changes.send(Changed::Tools);
                text("Said that the tools changed.")
            }
            "test_trigger_prompt_change" => {
                _ = self.changes.send(Changed::Prompts);
                text("Said that the prompts changed.")
            }
            "test_reconnection" => {
                pause().await;
                text("Answered after a while.")
            }
            "test_custom_header" => text(argument("region")),
            "json_schema_2020_12_tool" => text(Value::Object(arguments).to_string()),
            other => {
                return Err(ErrorData::invalid_params(
                    format!("Unknown tool: {other}"),
                    None,
                ));
            }
        };
        Ok(result.into())
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let resource = |uri: &str, mime: &str| {
            Resource::new(uri, uri)
                .with_description("A fixture")
                .with_mime_type(mime)
        };
        Ok(ListResourcesResult::with_all_items(vec![
            resource("test://static-text", "text/plain"),
            resource("test://static-binary", "image/png"),
            resource("test://watched-resource", "text/plain"),
        ]))
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(ListResourceTemplatesResult::with_all_items(vec![
            ResourceTemplate::new("test://template/{id}/data", "template")
                .with_mime_type("application/json"),
        ]))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let uri = request.uri.as_str();
        let contents = match uri {
            "test://static-text" => {
                ResourceContents::text("This is the content of the static text resource.", uri)
            }
            "test://watched-resource" => ResourceContents::text("Watched.", uri),
            "test://static-binary" => ResourceContents::blob(PNG, uri).with_mime_type("image/png"),
            _ => {
                let id = uri
                    .strip_prefix("test://template/")
                    .and_then(|rest| rest.strip_suffix("/data"));
                let id = id.ok_or_else(|| {
                    let named = Some(json!({ "uri": uri }));
                    ErrorData::resource_not_found(format!("There is no {uri}"), named)
                })?;
                let data =
                    json!({"id": id, "templateTest": true, "data": format!("Data for ID: {id}")});
                ResourceContents::text(data.to_string(), uri).with_mime_type("application/json")
            }
        };
        Ok(ReadResourceResult::new(vec![contents]).into())
    }

    /// As much as is asked for: the SDK leaves what is announced.
    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        Some(requested.clone())
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let mut changes = self.changes.subscribe();
        loop {
            let changed = tokio::select! {
                changed = changes.recv() => changed,
                () = context.cancelled() => return Ok(()),
            };
            // What the client has not asked for is refused by the sink, and one that is gone is noticed by its cancellation.
            _ = match changed {
                Ok(Changed::Tools) => context.sink().notify_tool_list_changed().await,
                Ok(Changed::Prompts) => context.sink().notify_prompt_list_changed().await,
                Err(broadcast::error::RecvError::Lagged(_)) => continue,
                Err(broadcast::error::RecvError::Closed) => return Ok(()),
            };
        }
    }

    async fn subscribe(
        &self,
        _: SubscribeRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn unsubscribe(
        &self,
        _: UnsubscribeRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn set_level(
        &self,
        _: SetLevelRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let fitting = ["paris", "park", "party", "test"]
            .into_iter()
            .filter(|word| word.starts_with(&request.argument.value));
        let values = fitting.map(str::to_owned).collect();
        CompletionInfo::with_all_values(values)
            .map(CompleteResult::new)
            .map_err(failed)
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        let argument = |name: &str| {
            PromptArgument::new(name)
                .with_description("A fixture")
                .with_required(true)
        };
        let prompt = |name: &str, arguments: Option<Vec<PromptArgument>>| {
            Prompt::new(name, Some("A fixture"), arguments)
        };
        Ok(ListPromptsResult::with_all_items(vec![
            prompt("test_simple_prompt", None),
            prompt(
                "test_prompt_with_arguments",
                Some(vec![argument("arg1"), argument("arg2")]),
            ),
            prompt(
                "test_prompt_with_embedded_resource",
                Some(vec![argument("resourceUri")]),
            ),
            prompt("test_prompt_with_image", None),
            prompt("test_input_required_result_prompt", None),
        ]))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let arguments = request.arguments.as_ref();
        let argument = |name: &str| {
            let given = arguments.and_then(|arguments| arguments.get(name));
            given.and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let words = |words: &str| PromptMessage::new_text(Role::User, words);
        let messages = match request.name.as_str() {
            "test_simple_prompt" => vec![words("This is a simple prompt for testing.")],
            "test_prompt_with_arguments" => {
                let (first, second) = (argument("arg1"), argument("arg2"));
                vec![words(&format!(
                    "Prompt with arguments: arg1='{first}', arg2='{second}'"
                ))]
            }
            "test_prompt_with_embedded_resource" => {
                let block = embedded(
                    &argument("resourceUri"),
                    "text/plain",
                    "Embedded resource content for testing.",
                );
                vec![
                    PromptMessage::new(Role::User, block),
                    words("Please process the embedded resource above."),
                ]
            }
            "test_prompt_with_image" => vec![
                PromptMessage::new(Role::User, ContentBlock::image(PNG, "image/png")),
                words("Please analyze the image above."),
            ],
            "test_input_required_result_prompt" => {
                let brought = Brought {
                    answers: request.input_responses.as_ref(),
                    state: request.request_state.as_deref(),
                    client: None,
                };
                match rounds::prompt(&brought) {
                    Round::Ask(asked) => return Ok(asked.into()),
                    Round::Done(told) => vec![words(&told)],
                }
            }
            other => {
                return Err(ErrorData::invalid_params(
                    format!("Unknown prompt: {other}"),
                    None,
                ));
            }
        };
        Ok(GetPromptResult::new(messages).into())
    }
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port: u16 = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "0".to_owned())
        .parse()?;
    let (settings, _) = Settings::from_pairs(&Pairs::default(), Need::Local)?;
    let keeper = web::Data::new(Gatekeeper::new(&settings));
    let anybody: mcp::Identify = Arc::new(|request| {
        let owner = Owner::new("anybody");
        Some(Caller::of(
            owner,
            Reader::Everything,
            Asker::Unnamed,
            request,
        ))
    });
    let fixtures = Fixtures {
        rounds: Arc::default(),
        changes: broadcast::channel(16).0,
    };
    let transports = mcp::mount(fixtures, anybody, Options::new(CancellationToken::new()));
    let server = HttpServer::new(move || {
        App::new()
            .app_data(keeper.clone())
            .wrap(from_fn(guard::check))
            .configure(transports.clone())
    })
    .workers(2)
    .h1_allow_half_closed(false)
    .tcp_nodelay(true)
    .shutdown_timeout(1)
    .bind(("127.0.0.1", port))?;
    for address in server.addrs() {
        println!("http://{address}");
    }
    Ok(server.run().await?)
}
