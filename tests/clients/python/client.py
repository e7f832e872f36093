"""One real Python client over one transport: client.py <sse|http> <base url>; runs with the 1.x and the 2.x SDK."""

import asyncio
import importlib.metadata
import sys

from mcp import ClientSession
from mcp.client.sse import sse_client

transport, base = sys.argv[1:3]
version = importlib.metadata.version("mcp")


def streams(query=""):
    if transport == "sse":
        return sse_client(f"{base}/mcp/sse{query}")
    from mcp.client import streamable_http

    connect = getattr(streamable_http, "streamable_http_client", None) or streamable_http.streamablehttp_client
    return connect(f"{base}/mcp{query}")


def field(result, *names):
    for name in names:
        if hasattr(result, name):
            return getattr(result, name)
    raise AssertionError(f"{result!r} has none of {names}")


def text(result):
    return "\n\n".join(part.text for part in result.content)


def failed(result):
    return bool(field(result, "is_error", "isError"))


def structured(result):
    return field(result, "structured_content", "structuredContent")


async def exercise(session):
    hello = await session.initialize()
    assert "Indexed spaces" in hello.instructions
    tools = (await session.list_tools()).tools
    assert [tool.name for tool in tools] == ["search_confluence", "get_page", "list_spaces", "recent_changes"]

    found = await session.call_tool("search_confluence", {"query": "roll back a release", "limit": 3})
    assert not failed(found), text(found)
    assert len(text(found).encode()) < 20_000
    page = structured(found)["results"][0]["page"]
    read = await session.call_tool("get_page", {"page_id": page["id"], "max_chars": 1000})
    assert not failed(read), text(read)
    assert structured(read)["page"]["id"] == page["id"]
    assert f'<page-content page_id="{page["id"]}">' in text(read)
    assert not failed(await session.call_tool("list_spaces", {}))
    assert not failed(await session.call_tool("recent_changes", {"since": "30d"}))
    wrong = await session.call_tool("search_confluence", {"query": "x", "limit": 1000})
    assert failed(wrong) and "from 1 to 50" in text(wrong)

    resources = (await session.list_resources()).resources
    contents = (await session.read_resource(resources[0].uri)).contents
    assert "<page-content" in contents[0].text
    prompts = (await session.list_prompts()).prompts
    assert len(prompts) == 3
    prompt = await session.get_prompt("summarize_topic", {"topic": "release"})
    assert len(prompt.messages) == 2

    # Each of many calls at once gets its own answer.
    asked = [f"99999999{10 + n}" for n in range(10)]
    many = await asyncio.gather(*(session.call_tool("get_page", {"page_id": page}) for page in asked))
    for page, result in zip(asked, many, strict=True):
        assert f"page id {page}" in text(result)


async def main():
    async with streams() as opened, ClientSession(opened[0], opened[1]) as session:
        await exercise(session)
    async with streams("?agent_id=ghost") as opened, ClientSession(opened[0], opened[1]) as session:
        await session.initialize()
        told = await session.call_tool("search_confluence", {"query": "x"})
        assert failed(told) and "no index for the agent id" in text(told)


asyncio.run(asyncio.wait_for(main(), 60))
print(f"ok   Python mcp {version} over {transport}")
