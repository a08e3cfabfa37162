# The worker, or any other command: docker run lensops status
#
# Runs as a user without a name or rights, on a read-only root file system; /state is all it writes to.
ARG RUST=rust:1.95-bookworm
ARG BASE=debian:bookworm-slim

FROM ${RUST} AS build
WORKDIR /source
COPY . .
RUN cargo build --profile dist -p lensops --locked

FROM ${BASE}
RUN apt-get update -q \
    && apt-get install -y -q --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && install -d -o 65532 -g 65532 -m 0700 /state \
    && install -d /project
COPY --from=build /source/target/dist/lensops /usr/local/bin/lensops
ENV LENSOPS_STATE_DIR=/state
WORKDIR /project
VOLUME /state
USER 65532:65532
EXPOSE 9464 8090
# Asks the worker's own door; a container that runs another command says --no-healthcheck.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/9464 && printf 'GET /healthz HTTP/1.0\\r\\n\\r\\n' >&3 && read -r _ code _ <&3 && [ \"$code\" = 200 ]"]
STOPSIGNAL SIGTERM
# lensops takes signals itself, so it can be the first process.
ENTRYPOINT ["/usr/local/bin/lensops"]
CMD ["worker", "--listen", "0.0.0.0:9464"]
