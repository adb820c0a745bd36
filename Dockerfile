# syntax=docker/dockerfile:1
#
# Two images from one file: `--target api` (also what a build without a target gives) and
# `--target worker`. The line above makes the builder one that knows the cache mounts below.

ARG RUST_VERSION=1.95

# The same Debian release as the images that the programs run in, so that their C libraries match.
FROM rust:${RUST_VERSION}-slim-bookworm AS source
WORKDIR /build
COPY . .

# A stage for each program, so that building one image compiles only what it needs. They share what
# they compile, and take turns, because both write it. A cache mount is no part of the image, hence
# the copy at the end. It outlives the sources, and cargo compares times and not contents: a checkout
# older than the cache would pass for compiled, hence the touch.
FROM source AS build-api
RUN --mount=type=cache,id=file-share-registry,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,id=file-share-target,target=/build/target,sharing=locked \
    find src worker/src -name '*.rs' -exec touch '{}' + \
    && cargo build --release --locked -p file-share \
    && cp target/release/file-share /usr/local/bin/

FROM source AS build-worker
RUN --mount=type=cache,id=file-share-registry,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,id=file-share-target,target=/build/target,sharing=locked \
    find src worker/src -name '*.rs' -exec touch '{}' + \
    && cargo build --release --locked -p file-share-worker \
    && cp target/release/file-share-worker /usr/local/bin/

# Debian's slim image rather than a distroless one: its bash is what the API's health check runs on,
# and both images share this layer. Besides the C library the programs need only the certificates
# that TLS to AWS is checked against, the newest there are: Debian keeps no older ones.
FROM debian:bookworm-slim AS runtime
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 file-share \
    && useradd --uid 10001 --gid file-share --no-create-home --home-dir /nonexistent \
        --shell /usr/sbin/nologin file-share

FROM runtime AS worker
COPY --from=build-worker /usr/local/bin/file-share-worker /usr/local/bin/
# By number, so that a cluster can tell that it isn't root.
USER 10001:10001
ENTRYPOINT ["file-share-worker"]

# The last stage is the default one. It runs in local mode as it is:
#   docker run --publish 127.0.0.1:8000:8000 --volume file-share-data:/data file-share
FROM runtime AS api
# Before VOLUME: a new volume takes over the owner and the mode of the folder that it covers.
RUN install --directory --owner=10001 --group=10001 --mode=0700 /data
COPY --from=build-api /usr/local/bin/file-share /usr/local/bin/
# A container's loopback interface can't be reached from outside of it, so listen on all.
ENV LISTEN=0.0.0.0:8000 \
    DATA_DIR=/data
USER 10001:10001
VOLUME /data
EXPOSE 8000
COPY --chmod=0755 deploy/image/file-share-is-alive /usr/local/bin/
HEALTHCHECK --interval=5s --timeout=5s --start-period=20s --retries=3 \
    CMD ["file-share-is-alive"]
ENTRYPOINT ["file-share"]
