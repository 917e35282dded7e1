#!/bin/sh
# Plays an errand that cannot start.
echo no database >&2
exit 1
