# The program, for compose.yaml. Kafka behind TLS needs OpenSSL's headers and `--features tls` in addition.
FROM rust:1.95-bookworm AS build
WORKDIR /headwater
COPY . .
RUN cargo build --release --locked -p headwater --bin headwater

FROM debian:bookworm-slim
COPY --from=build /headwater/target/release/headwater /usr/local/bin/headwater
RUN useradd --uid 1000 headwater && install -d -o headwater /data
USER headwater
VOLUME /data
ENTRYPOINT ["headwater"]
