# Ends processes that scripts of this folder start, each for a directory, which has its id in the file `pid`.
# For scripts that include it and have a function `pid_of DIR`: it prints the id of the directory's process, and fails if that does not run.

await_end() { # DIR PID SECONDS: waits until the process is not that of the directory any more
    for ((waited = 0; waited < $3 * 20; waited++)); do
        if [ "$(pid_of "$1")" != "$2" ]; then break; fi
        sleep 0.05
    done
}

end() { # DIR SIGNAL SECONDS: SIGKILL after them; false if there was nothing to end
    local pid
    pid=$(pid_of "$1") || return 1
    kill "-$2" "$pid" 2>/dev/null || true
    await_end "$1" "$pid" "$3"
    if [ "$(pid_of "$1")" = "$pid" ]; then
        kill -KILL "$pid" 2>/dev/null || true
        # One that is started next needs its port and its files.
        await_end "$1" "$pid" 5
    fi
    if [ "$(cat "$1/pid" 2>/dev/null)" = "$pid" ]; then rm -f "$1/pid"; fi
}

# Ends the directory's process with another one that may end in any way. One that is started later in the directory is none of its.
watch() { # DIR OTHER-PID PID SIGNAL SECONDS
    (
        while kill -0 "$2" 2>/dev/null && [ "$(pid_of "$1")" = "$3" ]; do sleep 1; done
        if [ "$(pid_of "$1")" = "$3" ]; then end "$1" "$4" "$5"; fi
    ) >/dev/null 2>&1 </dev/null &
}
