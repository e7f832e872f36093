//! The protocol's side: requests in, results out; one handler for every transport and revision.

use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, CustomRequest,
    CustomResult, DiscoverResult, ErrorCode, ErrorData, GetPromptRequestParams, GetPromptResponse,
    Implementation, InitializeRequestParams, InitializeResult, ListPromptsResult,
    ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, PaginatedRequestParams,
    ProgressNotificationParam, ReadResourceRequestParams, ReadResourceResponse, ServerCapabilities,
    ServerConfig,
};
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::SessionRestoreMarker;
use rmcp::{RoleServer, ServerHandler};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::{Instant, interval_at, sleep};

use super::caller::{Caller, Owner};
use super::knowledge::KnowledgeBase;
use super::text::{self, cut};
use super::tools::{self, ToolAnswer, ToolError};
use super::{instructions, prompts, resources};
use crate::http::fairness::Fairness;
use crate::http::metrics::{TOOL_CALLS, TOOL_SECONDS};

/// JSON-RPC's first code for what a server cannot do just now.
const SERVER_ERROR: i32 = -32_000;
/// How long a call may work: well under the 30 to 60 s after which clients give up.
const DEADLINE: Duration = Duration::from_secs(25);
/// When a call that goes on tells its progress, and how often from then on.
const PROGRESS: Duration = Duration::from_secs(1);

/// Serves tools, resources and prompts from a knowledge base. Clones are the same server.
#[derive(Clone)]
pub struct ConfluenceHandler {
    kb: Arc<dyn KnowledgeBase>,
    fairness: Arc<Fairness>,
}

impl ConfluenceHandler {
    /// Over this knowledge base; each owner takes its share of turns and questions.
    #[must_use]
    pub fn new(kb: Arc<dyn KnowledgeBase>, fairness: Arc<Fairness>) -> Self {
        Self { kb, fairness }
    }

    fn info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_resources()
            .enable_prompts()
            .build();
        let server = Implementation::new("mcp-confluence", env!("CARGO_PKG_VERSION"))
            .with_title("MCP Confluence Sync")
            .with_description(env!("CARGO_PKG_DESCRIPTION"));
        ServerConfig::new(capabilities).with_server_info(server)
    }

    /// Whether this caller may ask once more now.
    fn admit(&self, owner: &Owner) -> Result<(), ToolError> {
        if self.fairness.may_ask(owner) {
            return Ok(());
        }
        Err(ToolError::new(
            "these credentials ask too often; wait a second before the next call.",
        ))
    }

    /// Does some work in its owner's turn, within the deadline, telling progress where the client asked for it, and stops when
    /// the client cancels (the SDK then sends nothing).
    async fn within_limits<T>(
        &self,
        context: &RequestContext<RoleServer>,
        owner: &Owner,
        what: &str,
        work: impl Future<Output = Result<T, ToolError>>,
    ) -> Result<T, ToolError> {
        self.admit(owner)?;
        let _turn = tokio::select! {
            turn = self.fairness.turn(owner) => turn.ok_or_else(|| ToolError::new(
                "many questions of these credentials are being answered right now; ask again in a few seconds.",
            ))?,
            () = context.ct.cancelled() => return Err(ToolError::new("the call was cancelled.")),
        };
        tokio::select! {
            done = work => done,
            () = context.ct.cancelled() => Err(ToolError::new("the call was cancelled.")),
            () = sleep(DEADLINE) => Err(ToolError::new(format!(
                "the answer took longer than {} s. Ask again with a smaller `limit` or a narrower question.", DEADLINE.as_secs()
            ))),
            never = tell_progress(context, what) => never,
        }
    }
}

/// Tells the client each second that the work goes on, if it asked for that; never ends.
async fn tell_progress<T>(context: &RequestContext<RoleServer>, what: &str) -> T {
    if let Some(token) = context.meta.get_progress_token() {
        let mut ticks = interval_at(Instant::now() + PROGRESS, PROGRESS);
        let total = DEADLINE.as_secs_f64();
        for second in 1_u32.. {
            ticks.tick().await;
            let progress = ProgressNotificationParam::new(token.clone(), f64::from(second))
                .with_total(total)
                .with_message(format!("{what}: {second} s"));
            // A client that is gone is noticed by its transport.
            _ = context.peer.notify_progress(progress).await;
        }
    }
    std::future::pending().await
}

/// Who asks: put into the request by the transport.
fn caller(context: &RequestContext<RoleServer>) -> Result<Caller, ErrorData> {
    let extensions = &context.extensions;
    extensions
        .get::<Caller>()
        .or_else(|| {
            rmcp_actix_web::transport::on_request_extensions(extensions)
                .and_then(|hooked| hooked.get::<Caller>())
        })
        .cloned()
        .ok_or_else(|| {
            ErrorData::internal_error("the request reached the tools without an identity", None)
        })
}

/// What is not asked of a tool has no other place for its refusal.
fn refusal(error: ToolError) -> ErrorData {
    ErrorData::new(ErrorCode(SERVER_ERROR), error.text(), None)
}

/// Why these are no parameters of that form.
fn unreadable<T: DeserializeOwned>(params: Value) -> String {
    let read = serde_json::from_value::<T>(params);
    let why = read.err().map(|error| error.to_string());
    why.unwrap_or_else(|| "they have the form of another revision".to_owned())
}

fn answered(result: Result<ToolAnswer, ToolError>) -> CallToolResult {
    match result {
        Ok(answer) => {
            let mut result = CallToolResult::success(vec![ContentBlock::text(answer.markdown)]);
            result.structured_content = Some(answer.structured);
            result
        }
        Err(error) => CallToolResult::error(vec![ContentBlock::text(error.text())]),
    }
}

impl ServerHandler for ConfluenceHandler {
    fn get_info(&self) -> ServerConfig {
        self.info()
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        context.peer.set_peer_info(request.clone());
        let caller = caller(&context)?;
        // A session that comes back from the book is no new question.
        if context.extensions.get::<SessionRestoreMarker>().is_none() {
            self.admit(&caller.owner).map_err(refusal)?;
        }
        let text =
            instructions::text(self.kb.clone().asked_for(&caller.asker).as_ref(), &caller).await;
        Ok(self.negotiate_initialize(&request)?.with_instructions(text))
    }

    async fn discover(
        &self,
        context: RequestContext<RoleServer>,
    ) -> Result<DiscoverResult, ErrorData> {
        let caller = caller(&context)?;
        self.admit(&caller.owner).map_err(refusal)?;
        let text =
            instructions::text(self.kb.clone().asked_for(&caller.asker).as_ref(), &caller).await;
        let versions = self.supported_protocol_versions().into_owned();
        Ok(DiscoverResult::from_server_info(
            versions,
            self.info().with_instructions(text),
        ))
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(tools::definitions::tools()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let caller = caller(&context)?;
        let name = request.name.as_ref();
        if !tools::NAMES.contains(&name) {
            let known = tools::NAMES.join(", ");
            return Err(ErrorData::invalid_params(
                format!("Unknown tool: {name}. The tools are {known}."),
                None,
            ));
        }
        let started = Instant::now();
        let kb = self.kb.clone().asked_for(&caller.asker);
        let kb = kb.as_ref();
        let work = async {
            let arguments = request.arguments.unwrap_or_default();
            tools::call(kb, &caller, name, arguments)
                .await
                .unwrap_or_else(|| Err(ToolError::new("there is no such tool.")))
        };
        let result = self
            .within_limits(&context, &caller.owner, name, work)
            .await;
        let took = started.elapsed();
        metrics::counter!(TOOL_CALLS, "tool" => name.to_owned(), "ok" => if result.is_ok() { "true" } else { "false" }).increment(1);
        metrics::histogram!(TOOL_SECONDS, "tool" => name.to_owned()).record(took);
        tracing::debug!(
            tool = name,
            ok = result.is_ok(),
            ms = took.as_millis() as u64,
            "tool called"
        );
        Ok(answered(result).into())
    }

    /// What the SDK could not read as one of its requests: a method that is ours has arguments of a wrong form.
    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        let method = request.method.as_str();
        let params = request.params.unwrap_or_default();
        let why = match method {
            "tools/call" => unreadable::<CallToolRequestParams>(params),
            "resources/read" => unreadable::<ReadResourceRequestParams>(params),
            "prompts/get" => unreadable::<GetPromptRequestParams>(params),
            _ => {
                let shown = cut::snippet(&text::inline(method), 200);
                return Err(ErrorData::new(
                    ErrorCode::METHOD_NOT_FOUND,
                    format!("There is no method {shown}."),
                    None,
                ));
            }
        };
        Err(ErrorData::invalid_params(
            format!("The `params` of {method} cannot be read: {why}."),
            None,
        ))
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let caller = caller(&context)?;
        self.admit(&caller.owner).map_err(refusal)?;
        let cursor = request.and_then(|r| r.cursor);
        let kb = self.kb.clone().asked_for(&caller.asker);
        resources::list(kb.as_ref(), &caller, cursor.as_deref()).await
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(ListResourceTemplatesResult::with_all_items(vec![
            resources::template(),
        ]))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let caller = caller(&context)?;
        let kb = self.kb.clone().asked_for(&caller.asker);
        let work = async { Ok(resources::read(kb.as_ref(), &caller, &request.uri).await) };
        let read = self
            .within_limits(&context, &caller.owner, "reading the page", work)
            .await;
        Ok(read.map_err(refusal)??.into())
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Ok(ListPromptsResult::with_all_items(prompts::list()))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let caller = caller(&context)?;
        let arguments = request.arguments.unwrap_or_default();
        let kb = self.kb.clone().asked_for(&caller.asker);
        let work = prompts::get(kb.as_ref(), &caller, &request.name, arguments);
        let result = self
            .within_limits(&context, &caller.owner, &request.name, work)
            .await;
        let result = result.map_err(|error| ErrorData::invalid_params(error.text(), None))?;
        Ok(result.into())
    }
}
