# confinement.sh: what each process of a running VM holds and may do, read from
# /proc and nowhere else.  Sourced inside L1 after lib.sh; the case `confinement`
# judges by it and the demo shows its table.
# shellcheck shell=bash

namespaces="user mnt pid net ipc uts cgroup"

# own_namespaces PID: those that differ from the host's own.
own_namespaces() {
    local ns own=
    for ns in $namespaces; do
        if [ "$(readlink "/proc/$1/ns/$ns")" != "$(readlink "/proc/1/ns/$ns")" ]; then own+=" $ns"; fi
    done
    echo "${own# }"
}

# thread_values PID KEY: the distinct values of a status line over all threads.
thread_values() { cat "/proc/$1"/task/*/status | awk -v k="$2:" '$1 == k { print $2 }' | sort -u | paste -s -d ,; }

# capabilities PID: every set of every thread, as «none» or what is left.
capabilities() {
    local left
    left=$(cat "/proc/$1"/task/*/status | awk '/^Cap/ && $2 !~ /^0+$/ { print $1 $2 }' | sort -u | paste -s -d ' ')
    echo "${left:-none}"
}

# fd_kind PID FD: one word for what a descriptor is.
fd_kind() {
    local path=/proc/$1/fd/$2 target
    target=$(readlink "$path")
    case $target in
    'anon_inode:[vfio-device]' | *vfio-dev/*) echo vfio-device ;;
    anon_inode:*) target=${target#anon_inode:}; target=${target%%:*}; echo "${target//[\[\]]/}" ;;
    socket:*) echo socket ;;
    pipe:*) echo pipe ;;
    /memfd:*) echo memfd ;;
    mnt:* | net:* | pid:* | user:*) echo namespace ;;
    */dev/null | /null) echo null ;;
    *) node_kind "$path" "$target" ;;
    esac
}

node_kind() {
    case $(stat -L -c %F "$1" 2>/dev/null) in
    'character special file' | 'block special file') echo "NODE:$2" ;;
    directory) echo "dir:$2" ;;
    *) echo "file" ;;
    esac
}

# is_standard_stream PID FD: 0, 1 or 2, and still what the operator gave the VM.
is_standard_stream() {
    local target own
    [ "$2" -le 2 ] || return 1
    target=$(readlink "/proc/$1/fd/$2")
    case $target in */null) return 0 ;; esac
    for own in 0 1 2; do
        if [ "$target" = "$(readlink "/proc/$VM/fd/$own")" ]; then return 0; fi
    done
    return 1
}

# fds PID: «2 socket, 1 vfio-device …», most first.
fds() {
    local fd
    for fd in "/proc/$1"/fd/*; do
        is_standard_stream "$1" "${fd##*/}" || fd_kind "$1" "${fd##*/}"
    done | sort | uniq -c | sort -k 1,1nr -k 2 | awk '{ printf "%s%s %s", (NR > 1 ? ", " : ""), $1, $2 }'
}

# count_fds PID KIND
count_fds() { fds "$1" | tr ',' '\n' | awk -v k="$2" '$2 == k { n = $1 } END { print n + 0 }'; }

# The table: a line per process, then what each holds.
confinement_table() {
    local pid row='%-16s %6s %7s %-7s %-5s %-4s %s\n'
    # shellcheck disable=SC2059
    printf "$row" process pid threads seccomp nnp caps 'namespaces of its own'
    for pid in $(tree_of "$1"); do
        # shellcheck disable=SC2059
        printf "$row" "$(program_of "$pid")" "$pid" "$(find "/proc/$pid/task" -maxdepth 1 -mindepth 1 | wc -l)" \
            "$(thread_values "$pid" Seccomp)" "$(thread_values "$pid" NoNewPrivs)" \
            "$(capabilities "$pid")" "$(own_namespaces "$pid")"
    done
    echo
    echo "holds, besides stdin, stdout and stderr"
    for pid in $(tree_of "$1"); do printf '%-16s %s\n' "$(program_of "$pid")" "$(fds "$pid")"; done
}
