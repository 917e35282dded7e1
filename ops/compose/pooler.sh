#!/bin/sh
# PgBouncer in transaction mode, TLS to its clients, few server connections.
set -eu
conf=/tmp/pgbouncer.ini
users=/tmp/userlist.txt
umask 077
printf '"%s" "%s"\n' errand "$POSTGRES_PASSWORD" > "$users"
cat > "$conf" <<CONF
[databases]
errand = host=postgres port=5432 dbname=errand
[pgbouncer]
listen_addr = 0.0.0.0
listen_port = 6432
unix_socket_dir =
auth_type = scram-sha-256
auth_file = $users
pool_mode = transaction
max_prepared_statements = 1000
default_pool_size = 20
max_client_conn = 1000
query_wait_timeout = 120
ignore_startup_parameters = extra_float_digits
client_tls_sslmode = require
client_tls_key_file = /certificates/pooler.key
client_tls_cert_file = /certificates/server.pem
server_tls_sslmode = verify-full
server_tls_ca_file = /certificates/ca.pem
CONF
exec pgbouncer "$conf"
