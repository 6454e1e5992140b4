# SPDX-License-Identifier: Apache-2.0
#
# Adds up what the tracer of --seccomp log -vv counted in many VMs, for tests/check-rows: every row
# with its uses, and for the rows of the run policies the arguments that were one small number in
# all calls. Before the log comes tests/rows, the known exceptions.
#
# A log line: "bulkhead seccomp: vfio (run): row used 2 times: pread64; always arg2 0x4 arg5 0".

BEGIN {
	split("ppoll 5 recvmsg 3 sendmsg 3 write 3 read 3 close 1 clock_gettime 2 exit_group 1 " \
		"futex 3 rt_sigreturn 0 eventfd2 2 ioctl 2 pread64 4 pwrite64 4 fstat 2 fstatfs 2 " \
		"munmap 2 wait4 4 waitid 5 pidfd_send_signal 4 tgkill 3", t, " ")
	for (i = 1; i in t; i += 2)
		takes[t[i]] = t[i + 1]
}

FNR == NR {
	if ($0 !~ /^#/ && split($0, f, "\t+") == 2)
		known[f[1]] = f[2]
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

# An exception is of one policy, "vcpu (run): exit_group: unused", or of all, "ppoll: always arg3 0".
function finding(what,    of_all) {
	of_all = what
	sub(/^[^:]*: /, "", of_all)
	if (what in known) {
		met[what] = 1
	} else if (of_all in known) {
		met[of_all] = 1
	} else {
		print "  " what
		findings++
	}
}

END {
	for (k = 1; k <= n; k++) {
		row = order[k]
		if (used[row] == 0) {
			finding(row ": unused")
			continue
		}
		call = row; sub(/^[^:]*: /, "", call); sub(/ .*/, "", call)
		for (i = 0; row ~ /\(run\)/ && i < takes[call]; i++)
			if (used[row] > 1 && constant[row, i] ~ /^(0|0x[0-9a-f]{1,4})$/)
				finding(row ": always arg" i " " constant[row, i])
	}
	for (what in known)
		if (!(what in met)) {
			print "  no longer so: " what
			findings++
		}
	print n " rows, " findings + 0 " findings, " length(met) " known exceptions"
	exit findings > 0
}
