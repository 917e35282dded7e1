# Runs one server and takes orders, a line each, from the test process on stdin.
# The pipe closes when that process ends, however it ends: then the server and its files go too.
# $1: the server's directory; $2: the file in it that has the process id in the first line; $3: what its
# eighth line says once the server is ready, if it has one; the rest: the program and its arguments.
set -u
trap '' PIPE
dir=$1
pidfile=$2
state_when_ready=$3
shift 3
pid=

# A zombie that nobody reaps does not run.
running() {
    kill -0 "$1" 2>/dev/null || return 1
    [ ! -r "/proc/$1/stat" ] || ! grep -q '^[0-9]* (.*) Z ' "/proc/$1/stat" 2>/dev/null
}

children() {
    if [ -r /proc/self/stat ]; then
        for stat in /proc/[0-9]*/stat; do
            read -r child name state parent rest 2>/dev/null <"$stat" || continue
            [ "$parent" = "$pid" ] && echo "$child"
        done
    else
        ps -A -o ppid=,pid= | while read -r parent child; do
            [ "$parent" = "$pid" ] && echo "$child"
        done
    fi
}

# Waits at most $1 twentieths of a second until process $2 is gone.
gone() {
    left=$1
    while running "$2"; do
        [ "$left" -gt 0 ] || return 1
        left=$((left - 1))
        sleep 0.05
    done
}

ready() {
    owner=
    state=
    {
        read -r owner && read -r _ && read -r _ && read -r _ && read -r _ && read -r _ && read -r _ &&
            read -r state
    } 2>/dev/null <"$dir/$pidfile"
    [ "$owner $state" = "$pid $state_when_ready" ]
}

start() {
    "$@" </dev/null >>"$dir/log" 2>&1 &
    pid=$!
    left=1200
    while running "$pid" && [ "$left" -gt 0 ]; do
        if ready; then
            echo "ready $pid"
            return
        fi
        left=$((left - 1))
        sleep 0.05
    done
    crash
    echo failed
}

# What a crash of the machine does to the processes: none of them gets to clean up.
crash() {
    [ -n "$pid" ] || return 0
    kill -STOP "$pid" 2>/dev/null
    victims=$(children)
    kill -KILL "$pid" $victims 2>/dev/null
    wait "$pid" 2>/dev/null
    # The shared memory stays taken until the last one is gone.
    for victim in $victims; do
        gone 100 "$victim"
    done
    pid=
}

stop() {
    [ -n "$pid" ] || return 0
    kill "-$1" "$pid" 2>/dev/null
    gone 400 "$pid" || crash
    [ -z "$pid" ] || wait "$pid" 2>/dev/null
    pid=
}

while read -r order; do
    case $order in
    start) start "$@" ;;
    stop) stop INT && echo stopped ;;
    crash) crash && echo crashed ;;
    esac
done
stop QUIT
cd /
rm -rf "$dir"
