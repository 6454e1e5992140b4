# SPDX-License-Identifier: Apache-2.0
#
# Adds up what the tracer of --seccomp log -vv counted in many VMs, for tests/check-rows: every row
# with its uses; and for rows of the run policies, and of the helpers' set-up, which opens the device,
# the arguments that were one small number in all calls. Before the log comes tests/rows, the known exceptions.
#
# A log line: "bulkhead seccomp: vfio (run): row used 2 times: pread64; always arg2 0x4 arg5 0".
#
# -v policies=: the names of all, each of which has to have been entered.
# -v here=1: the log is of tests without the rig. What tests/rows says is used in the rig counts as
# used, and no argument is judged: there are too few calls.

# Of each call these may have, its arguments: v, which a row could ask for, a null pointer too;
# or -, a descriptor, a length, an id, which are what they happen to be.
BEGIN {
	split("ppoll --vvv recvmsg -vv sendmsg -vv write -v- read -v- close - clock_gettime vv " \
		"exit_group v futex -v- rt_sigreturn . eventfd2 vv ioctl -v pread64 -v-- " \
		"pwrite64 -v-- fstat -v fstatfs -v munmap -- wait4 -vvv waitid v-vvv " \
		"pidfd_send_signal -vvv tgkill v-v alarm v seccomp vv- brk - mmap v--v-- " \
		"mremap ----v fcntl --- prlimit64 vvv- openat ---- openat2 ---- newfstatat ---- " \
		"faccessat2 ---v readlink --- readlinkat ---- getdents64 --- clone v---- pipe2 -v " \
		"getpid . getppid . inotify_init1 v inotify_add_watch --v accept4 ---v " \
		"getsockopt --v--", t, " ")
	for (i = 1; i in t; i += 2)
		arguments[t[i]] = t[i + 1]
}

FNR == NR {
	if (/^#/ || split($0, f, "\t+") != 2)
		next
	if (f[2] ~ /^rig: /) {
		if (here)
			known[f[1]] = f[2]
	} else {
		known[f[1]] = f[2]
	}
	next
}

/: row used [0-9]+ times: / {
	sub(/^bulkhead seccomp: /, "")
	policy = $0; sub(/: row used.*/, "", policy)
	times = $0; sub(/.*: row used /, "", times)
	row = times; sub(/^[0-9]+ times: /, "", row)
	always = row; if (!sub(/.*; always/, "", always)) always = ""
	sub(/; always.*/, "", row)
	row = policy ": " row
	entered[policy] = 1
	if (!(row in used))
		order[++n] = row
	used[row] += times + 0
	if (times + 0 == 0)
		next
	split("", now)
	m = split(always, a, " ")
	for (i = 1; i < m; i += 2)
		now[substr(a[i], 4)] = a[i + 1]
	for (i = 0; i < 6; i++) {
		if (!((row, i) in constant))
			constant[row, i] = i in now ? now[i] : "varies"
		else if (constant[row, i] != now[i])
			constant[row, i] = "varies"
	}
}

/ would have been killed, / {
	sub(/^bulkhead seccomp: /, "")
	sub(/, [0-9]+ times;/, ";")
	if (!killed[$0]++)
		kills[++n_kills] = $0
}

# The exception for a finding: its own, "vcpu (run): exit_group: unused"; that of all policies,
# "ppoll: always arg3 0"; or one that ends in "*: unused" and begins as it does.
function exception(what,    of_all, e, head) {
	of_all = what
	sub(/^[^:]*: /, "", of_all)
	if (what in known)
		return what
	if (of_all in known)
		return of_all
	for (e in known) {
		head = e
		if (sub(/\*: unused$/, "", head) && index(what, head) == 1 && what ~ /: unused$/)
			return e
	}
	return ""
}

function finding(what,    e) {
	e = exception(what)
	if (e != "") {
		met[e] = 1
	} else {
		print "  " what
		findings++
	}
}

# Is there a row that it could be said of? Without the rig not every process is there.
function is_of_a_row(what,    head, k) {
	head = what
	sub(/\*?: unused$/, "", head)
	for (k = 1; k <= n; k++)
		if (index(order[k], head))
			return 1
	return 0
}

# Not a pointer.
function small(value) {
	return value == "0" || (value ~ /^0x[0-9a-f]+$/ && length(value) <= 6)
}

END {
	for (k = 1; k <= n_kills; k++)
		finding(kills[k])
	m = split(policies, a, ",")
	for (k = 1; k <= m; k++)
		if (!(a[k] in entered) && !(here && a[k] ~ /^v(fio|dpa) /))
			finding(a[k] ": nobody entered it")
	for (k = 1; k <= n; k++) {
		row = order[k]
		if (used[row] == 0) {
			if (!here || row !~ /^v(fio|dpa) /) # a helper without its device
				finding(row ": unused")
			continue
		}
		call = row; sub(/^[^:]*: /, "", call); sub(/ .*/, "", call)
		if (here || row !~ /\(run\)|^(vfio|vdpa|null) /)
			continue
		if (!(call in arguments))
			finding(row ": unknown arguments; say in tests/rows.awk what it takes")
		for (i = 0; i < length(arguments[call]); i++)
			if (substr(arguments[call], i + 1, 1) == "v" && used[row] > 1 &&
				small(constant[row, i]))
				finding(row ": always arg" i " " constant[row, i])
	}
	for (what in known)
		if (!(what in met) && known[what] !~ /^host: / && (!here || (what ~ /: unused$/ && is_of_a_row(what)))) {
			print "  no longer so: " what
			findings++
		}
	print n " rows, " findings + 0 " findings, " length(met) " known exceptions"
	exit n == 0 || findings > 0
}
