/* SPDX-License-Identifier: Apache-2.0
 *
 * Linked into the processes of SAN= builds only: leak detection at exit needs ptrace and /proc,
 * which no confined process has, so it is off. What the sanitizers find at once they still report.
 */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}
