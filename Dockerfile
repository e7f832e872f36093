# Builds the one binary, static, and puts it, and nothing else, on a base without libraries that runs as nobody in particular.
#
#   docker build --build-arg COMMIT="$(git rev-parse --short=12 HEAD)" .

FROM rust:1.95-slim-trixie AS build
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
WORKDIR /src
COPY . .
# What `--version`, the log and /metrics say.
ARG COMMIT=unknown
# No cache of the target folder: cargo goes by times of files, and `COPY` keeps those of the checkout, so that a cache from
# another checkout could put an older program into the image. The toolchain is the image's own, whatever the checkout prefers.
RUN --mount=type=cache,id=mcp-confluence-cargo-registry,target=/usr/local/cargo/registry,sharing=locked \
    export RUSTUP_TOOLCHAIN="$RUST_VERSION" RUSTFLAGS="-C target-feature=+crt-static" MCP_CONFLUENCE_COMMIT="$COMMIT" \
    && host="$(rustc -vV | sed -n 's/^host: //p')" \
    && cargo build --profile dist --locked --no-default-features --target "$host" --bin mcp-confluence \
    && cp "target/$host/dist/mcp-confluence" /mcp-confluence \
    && /mcp-confluence --version | grep -F "$COMMIT" \
    && mkdir /data

# distroless/static: CA certificates, time zones and users; no libc, no shell, no package manager.
FROM gcr.io/distroless/static-debian13:nonroot
ARG COMMIT=unknown
LABEL org.opencontainers.image.title="MCP Confluence Sync" \
      org.opencontainers.image.description="Keeps retrieval indexes in step with Confluence Cloud and serves them to AI agents over MCP and REST." \
      org.opencontainers.image.source="https://github.com/mcp-confluence/mcp-confluence-sync" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="$COMMIT"
COPY --from=build /mcp-confluence /usr/local/bin/mcp-confluence
COPY LICENSE THIRD-PARTY-NOTICES.txt /usr/share/doc/mcp-confluence/
COPY --from=build --chown=nonroot:nonroot /data /data
WORKDIR /data
VOLUME /data
# MALLOC_ARENA_MAX: glibc otherwise keeps freed memory apart for up to eight times as many threads as there are cores.
ENV MALLOC_ARENA_MAX=2 \
    API_HOST=0.0.0.0 \
    API_PORT=8001 \
    DATABASE_URL=sqlite:////data/confluence_sync.db \
    LOG_FORMAT=json
EXPOSE 8001
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \
    CMD ["/usr/local/bin/mcp-confluence", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/mcp-confluence"]
CMD ["serve"]
