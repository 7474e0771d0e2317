# Runs a command that stops a unit, and says what the stop waits for: the daemon tells systemd how many jobs
# run and how long they may take.
report_stop() {
    unit=$1
    shift
    (
        while sleep 1; do
            text=$(systemctl show --property=StatusText --value "$unit" 2>/dev/null) || exit 0
            case $text in
                Stopping:*)
                    echo "$unit: $text" >&2
                    exit 0
                    ;;
            esac
        done
    ) </dev/null >/dev/null 3>&- &
    reporter=$!
    result=0
    "$@" >/dev/null || result=$?
    kill "$reporter" 2>/dev/null || true
    return "$result"
}

# Says that a unit did not start, and why.
report_failure() {
    echo "$1 did not start. The end of its log:" >&2
    journalctl --quiet --no-pager --lines=20 --output=cat --unit="$1" >&2 || true
    echo "Correct the cause, then run: systemctl restart $1" >&2
}

# The unit that is used: that of root if it runs, or if only it is enabled.
used_unit() {
    if systemctl --quiet is-active jobctl-root.service; then
        echo jobctl-root.service
    elif systemctl --quiet is-active jobctl.service || systemctl --quiet is-enabled jobctl.service; then
        echo jobctl.service
    elif systemctl --quiet is-enabled jobctl-root.service; then
        echo jobctl-root.service
    else
        echo jobctl.service
    fi 2>/dev/null
}
