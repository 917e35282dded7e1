# The service: built with the lock file, run by nobody in particular on a read-only file system.
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --release --locked --bin errand

FROM debian:bookworm-slim AS service
RUN useradd --system --uid 10001 --home-dir /data errand && install -d -o errand -m 0700 /data
COPY --from=build /src/target/release/errand /usr/local/bin/errand
USER errand
WORKDIR /data
VOLUME /data
ENV HOST=0.0.0.0 PORT=8000 ERRAND__DATA_DIR=/data ERRAND__LOG__FORMAT=json
EXPOSE 8000
# No client in the image: bash speaks HTTP well enough for this.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/${PORT} && printf 'GET /health/live HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3 && read -r line <&3 && [[ $line == *' 200 '* ]]"]
ENTRYPOINT ["errand"]

# A transaction pooler of the version that serverless PostgreSQL runs in front of its computes (1.24).
FROM debian:trixie-slim AS pooler
RUN apt-get update && apt-get install -y --no-install-recommends pgbouncer openssl && rm -rf /var/lib/apt/lists/*
COPY ops/compose/pooler.sh ops/compose/certificates.sh /usr/local/bin/
USER postgres
ENTRYPOINT ["pooler.sh"]
