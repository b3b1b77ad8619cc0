# syntax=docker/dockerfile:1
# Builds the daemon and puts it alone into a small image that runs as an ordinary user.
#
# State of testing: written against Docker's documentation; no check of this repository builds or starts the image yet.
#
#   docker build -t antumbra .
#   docker run --rm -p 127.0.0.1:5039:5039 -v antumbra:/var/lib/antumbra \
#     -v ./antumbra.toml:/etc/antumbra/antumbra.toml:ro antumbra
#
# A container's own loopback cannot be published, so its settings need `listen.address = "0.0.0.0:5039"` and a certificate
# (`listen.tls_certificate`, `listen.tls_key`; mount both, the key for uid 65532 alone). With `listen.insecure_http = true` instead,
# publish the port on a loopback or private address only.
#
# The settings also say where the root key is: `keys.root = { file = "/var/lib/antumbra/keys/root.key" }` keeps it in the volume beside what
# it protects; a KMS, a vault or a mounted secret keeps it elsewhere. `docker run … antumbra keys generate` makes the rest once.

FROM rust:1.95-slim-bookworm AS build
# ring, SQLite, zstd and jemalloc are compiled from C.
RUN apt-get update \
 && apt-get install -y --no-install-recommends gcc libc6-dev make \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY .cargo .cargo
COPY crypto crypto
COPY config config
COPY pipeline pipeline
COPY gateway gateway
COPY tests tests
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --locked --profile dist --package antumbra \
 && cp target/dist/antumbra /antumbra

FROM debian:bookworm-slim
RUN groupadd --gid 65532 antumbra \
 && useradd --uid 65532 --gid 65532 --no-create-home --shell /usr/sbin/nologin antumbra \
 && install -d -o 65532 -g 65532 -m 0700 /var/lib/antumbra
COPY --from=build /antumbra /usr/local/bin/antumbra
# Relative paths are relative to the settings file, which is mounted read-only: state has a place of its own.
# keys.root is not set here: a variable would win over the KMS or vault that the settings name.
ENV ANTUMBRA_DATA__DIRECTORY=/var/lib/antumbra/data \
    ANTUMBRA_KEYS__RING=/var/lib/antumbra/keys/ring.json
WORKDIR /var/lib/antumbra
VOLUME /var/lib/antumbra
USER 65532:65532
EXPOSE 5039
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=10s CMD ["antumbra", "healthcheck"]
ENTRYPOINT ["antumbra"]
CMD ["serve"]
