# syntax=docker/dockerfile:1
# Builds the one binary and puts it, and nothing else, on a small base that runs as nobody in particular.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
# A C compiler is all that the bundled SQLite and ring need; the slim image has none.
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
COPY . .
# No cache of the target folder: cargo goes by times of files, and `COPY` keeps those of the checkout, so that a cache from
# another checkout could put an older program into the image.
RUN --mount=type=cache,id=mcp-confluence-cargo-registry,target=/usr/local/cargo/registry,sharing=locked \
    cargo build --release --locked --bin mcp-confluence \
    && cp target/release/mcp-confluence /mcp-confluence \
    && mkdir /data

# distroless/cc: libc, libgcc and CA certificates; no shell, no package manager.
FROM gcr.io/distroless/cc-debian12:nonroot
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
