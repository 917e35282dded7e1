#!/bin/sh
# Makes a certificate authority for this compose project and a certificate for the hosts in it, once.
set -eu
cd /certificates
[ -f ready ] && exit 0
openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj '/CN=errand compose CA' -keyout ca.key -out ca.pem
openssl req -newkey rsa:2048 -nodes -subj '/CN=postgres' -keyout server.key -out server.csr
printf 'subjectAltName=DNS:postgres,DNS:pooler,DNS:localhost' > san
openssl x509 -req -days 3650 -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile san -out server.pem
# Both servers read the key; each refuses one that others could read. Both run under their own uid.
cp server.key postgres.key && chown 999:999 postgres.key && chmod 0600 postgres.key
cp server.key pooler.key && chown "$(id -u postgres):$(id -g postgres)" pooler.key && chmod 0600 pooler.key
rm -f server.key server.csr san ca.key
touch ready
