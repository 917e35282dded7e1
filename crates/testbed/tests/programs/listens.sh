#!/bin/sh
# Plays errand: says that it listens and ends when asked.
echo "HOST=$HOST PORT=$PORT SECRET=${SECRET-} LANG=${LANG-unset} in $(pwd)" >&2
echo '{"fields":{"message":"listening","address":"127.0.0.1:9"}}' >&2
trap 'echo bye >&2; exit 7' TERM
while :; do sleep 0.05; done
