/* SPDX-License-Identifier: Apache-2.0
 *
 * Bodies into their normal form: what is taken, what is refused and in which words, what is filled
 * in; and that the rows themselves hold together.
 *
 * links: helpers/api/fields.c helpers/api/fields_vm.c helpers/api/fields_devices.c helpers/api/fields_calls.c helpers/api/json.c helpers/api/calls.c
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "helpers/api/calls.h"
#include "helpers/api/fields.h"
#include "helpers/api/json.h"

static char written[64 << 10];
static struct err err;

static void begin(void)
{
	json_begin(1);
}

TestSuite(api_fields, .init = begin);

/* The normal form as text, or the words. */
static const char *decoded(const struct fields *fields, const char *text)
{
	json_t *in, *out = NULL;
	int len;

	json_reset();
	err = (struct err){0};
	in = json_parse(text, strlen(text), &err);
	if (in)
		out = fields_decode(fields, in, " at line 1 column 9", &err);
	if (!out)
		return err.msg;
	len = json_write(out, written, sizeof(written) - 1);
	cr_assert_gt(len, 0);
	written[len] = '\0';
	return written;
}

static void refused(const struct fields *fields, const char *text, const char *words)
{
	cr_assert_str_eq(decoded(fields, text), words, "says «%s»", err.msg);
	cr_assert_eq(err.code, -EINVAL);
}

Test(api_fields, an_empty_configuration_with_every_default)
{
	cr_assert_str_eq(decoded(&fields_vm, "{}"),
		"{\"cpus\":{\"boot_vcpus\":1,\"max_vcpus\":1,\"kvm_hyperv\":false,\"max_phys_bits\":46,"
		"\"features\":{\"amx\":false},\"nested\":true,\"core_scheduling\":\"Vm\","
		"\"profile\":\"Host\"},"
		"\"memory\":{\"size\":536870912,\"mergeable\":false,\"hotplug_method\":\"Acpi\","
		"\"shared\":false,\"hugepages\":false,\"prefault\":false,\"reserve\":false,\"thp\":true},"
		"\"rng\":{\"pci_segment\":0,\"src\":\"/dev/urandom\"},"
		"\"serial\":{\"mode\":\"Null\"},\"console\":{\"mode\":\"Tty\",\"pci_segment\":0},"
		"\"debug_console\":{\"mode\":\"Off\",\"iobase\":233},\"pvpanic\":false,\"iommu\":false,"
		"\"watchdog\":false,\"landlock_enable\":false}");
}

Test(api_fields, a_device_of_each_kind_with_its_defaults)
{
	cr_assert_str_eq(decoded(&fields_device, "{\"path\":\"/p\",\"iommu\":false}"),
		"{\"pci_segment\":0,\"path\":\"/p\",\"x_exclude_mmap_bars\":[]}");
	cr_assert_str_eq(decoded(&fields_device, "{\"iommu\":true}"),
		"{\"iommu\":true,\"pci_segment\":0,\"x_exclude_mmap_bars\":[]}");
	cr_assert_str_eq(decoded(&fields_disk, "{\"id\":\"d\"}"),
		"{\"id\":\"d\",\"pci_segment\":0,\"readonly\":false,\"direct\":false,\"num_queues\":1,"
		"\"queue_size\":128,\"vhost_user\":false,\"disable_io_uring\":false,"
		"\"disable_aio\":false,\"backing_files\":false,\"sparse\":true,"
		"\"image_type\":\"Unknown\",\"lock_granularity\":\"ByteRange\"}");
	cr_assert_str_eq(decoded(&fields_net, "{\"fds\":[3,-1,\"x\"]}"),
		"{\"pci_segment\":0,\"num_queues\":2,\"queue_size\":256,\"vhost_user\":false,"
		"\"vhost_mode\":\"Client\",\"offload_tso\":true,\"offload_ufo\":true,"
		"\"offload_csum\":true}");
	cr_assert_str_eq(decoded(&fields_fs, "{\"tag\":\"t\",\"socket\":\"s\"}"),
		"{\"pci_segment\":0,\"tag\":\"t\",\"socket\":\"s\",\"num_queues\":1,"
		"\"queue_size\":1024}");
}

Test(api_fields, what_is_unknown_is_ignored_and_null_is_absent)
{
	cr_assert_str_eq(decoded(&fields_resize, "{\"x\":{\"y\":[1,2.5,null]},\"desired_ram\":null,"
		"\"desired_vcpus\":3}"), "{\"desired_vcpus\":3}");
	cr_assert(strstr(decoded(&fields_vm, "{\"disks\":null,\"fs\":[],\"payload\":{\"kernel\":null}}"),
		"\"payload\":{},"));
	cr_assert(!strstr(written, "disks"));
	cr_assert(strstr(written, "\"fs\":[],"));
}

Test(api_fields, older_names_are_read_and_newer_written)
{
	cr_assert(strstr(decoded(&fields_vm, "{\"platform\":{\"uuid\":\"u\",\"serial_number\":\"s\"}}"),
		"\"system_serial_number\":\"s\",\"system_uuid\":\"u\""), "%s", written);
}

Test(api_fields, words_of_serde)
{
	refused(&fields_remove, "{}", "missing field `id` at line 1 column 9");
	refused(&fields_remove, "{\"ID\":\"x\"}", "missing field `id` at line 1 column 9");
	refused(&fields_vm, "{\"cpus\":{\"boot_vcpus\":1}}", "missing field `max_vcpus` at cpus");
	refused(&fields_vm, "{\"vdpa\":[{},{\"num_queues\":\"a\"}]}",
		"invalid type: string \"a\", expected u64 at vdpa[1].num_queues");
	refused(&fields_vm, "{\"cpus\":{\"boot_vcpus\":-1,\"max_vcpus\":1}}",
		"invalid value: integer `-1`, expected u32 at cpus.boot_vcpus");
	refused(&fields_vm, "{\"cpus\":{\"boot_vcpus\":4294967296,\"max_vcpus\":1}}",
		"invalid value: integer `4294967296`, expected u32 at cpus.boot_vcpus");
	refused(&fields_vm, "{\"cpus\":{\"boot_vcpus\":1.0,\"max_vcpus\":1}}",
		"invalid type: floating point, expected u32 at cpus.boot_vcpus");
	refused(&fields_disk, "{\"readonly\":null}",
		"invalid type: null, expected a boolean at readonly");
	refused(&fields_disk, "{\"num_queues\":null}", "invalid type: null, expected u64 at num_queues");
	refused(&fields_disk, "{\"queue_size\":65536}",
		"invalid value: integer `65536`, expected u16 at queue_size");
	refused(&fields_device, "{\"pci_device_id\":256}",
		"invalid value: integer `256`, expected u8 at pci_device_id");
	refused(&fields_vm, "{\"serial\":{\"mode\":\"tty\"}}", "unknown variant \"tty\", expected one of "
		"`Off`, `Pty`, `Tty`, `File`, `Socket`, `Null` at serial.mode");
	refused(&fields_vm, "{\"serial\":{\"mode\":\"Pt\"}}", "unknown variant \"Pt\", expected one of "
		"`Off`, `Pty`, `Tty`, `File`, `Socket`, `Null` at serial.mode");
	refused(&fields_vm, "{\"memory\":[]}", "invalid type: sequence, expected MemoryConfig at memory");
	refused(&fields_vm, "{\"disks\":{}}", "invalid type: map, expected a sequence at disks");
	refused(&fields_vm, "[]", "invalid type: sequence, expected VmConfig");
	refused(&fields_vm, "{\"iommu\":1}", "invalid type: integer `1`, expected a boolean at iommu");
}

Test(api_fields, words_about_json)
{
	refused(&fields_vm, "{\"iommu\":true,\"iommu\":true}",
		"duplicate field near '\"iommu\"' at line 1 column 21");
	refused(&fields_vm, "{} x", "trailing characters near 'x' at line 1 column 4");
	refused(&fields_vm, "{}{}", "trailing characters near '{' at line 1 column 3");
	refused(&fields_vm, "{", "EOF while parsing a value at line 1 column 1");
	refused(&fields_vm, "", "EOF while parsing a value at line 1 column 0");
	refused(&fields_vm, "7", "'[' or '{' expected near '7' at line 1 column 1");
	refused(&fields_vm, "{\"a\":\"\xff\"}",
		"invalid unicode code point near '\"' at line 1 column 6");
	refused(&fields_resize, "{\"desired_ram\":9999999999999999999}",
		"number out of range near '9999999999999999999' at line 1 column 34");
	cr_assert(strstr(decoded(&fields_vm, "{\"a\":\"\\u0000\"}"), "\\u0000 is not allowed"), "%s",
		err.msg);
}

Test(api_fields, depth_has_an_end)
{
	char text[2 * 200 + 8];

	for (unsigned depth = 120; depth < 135; depth++) {
		strcpy(text, "{\"x\":");
		memset(text + 5, '[', depth);
		memset(text + 5 + depth, ']', depth);
		strcpy(text + 5 + 2 * depth, "}");
		decoded(&fields_resize, text);
		cr_assert_eq(err.code, depth + 1 > JSON_DEPTH ? -EINVAL : 0, "%u: %s", depth, err.msg);
	}
	cr_assert_str_eq(err.msg, "recursion limit exceeded: more than 128 deep");
	cr_assert_str_eq(decoded(&fields_resize, "{\"x\":\"[[[[\\\"[[[\"}"), "{}",
		"brackets in strings are none");
}

/* Whatever there is too much of, memory ends with words. */
Test(api_fields, memory_has_an_end)
{
	enum { LEN = 3 << 20 };
	char *text = malloc(LEN + 16);
	size_t len = (size_t)sprintf(text, "{\"disks\":[");

	while (len < LEN)
		len += (size_t)sprintf(text + len, "{},");
	strcpy(text + len - 1, "]}");
	refused(&fields_vm, text, "it takes more memory than one request may");
	cr_assert_str_eq(decoded(&fields_resize, "{}"), "{}", "and is there again afterwards");
	free(text);
}

/* ---- what is not built ---- */

static const char *refusal(const char *text)
{
	json_t *out;

	json_reset();
	err = (struct err){0};
	out = fields_decode(&fields_vm, json_parse(text, strlen(text), &err), "", &err);
	cr_assert(out, "%s", err.msg);
	return fields_refuse(&fields_vm, out, &err) == -ENOTSUP ? err.msg : "";
}

Test(api_fields, what_is_not_built_is_refused_by_name)
{
	static const char *const none[] = {"{}", "{\"disks\":[],\"net\":[],\"fs\":[],\"pmem\":[]}",
		"{\"balloon\":{\"size\":0,\"free_page_reporting\":true}}",
		"{\"debug_console\":{\"mode\":\"Off\"}}", "{\"platform\":{\"sev_snp\":false}}",
		"{\"memory\":{\"size\":1,\"shared\":true,\"hotplug_size\":5}}",
		"{\"devices\":[{\"path\":\"/p\",\"x_p2p\":false}]}"};
	static const char *const some[][2] = {
		{"{\"disks\":[{}]}", "disks: not supported: "},
		{"{\"vsock\":{\"cid\":3,\"socket\":\"s\"}}", "vsock: not supported: "},
		{"{\"balloon\":{\"size\":1}}", "balloon.size: not supported: "},
		{"{\"watchdog\":true}", "watchdog: not supported: "},
		{"{\"platform\":{\"tdx\":true}}", "platform.tdx: not supported: "},
		{"{\"payload\":{\"firmware\":\"/f\"}}", "payload.firmware: not supported: "},
		{"{\"devices\":[{},{\"iommu\":true}]}", "devices[1].iommu: not supported: "},
		{"{\"devices\":[{\"pci_segment\":1}]}", "devices[0].pci_segment: not supported: "},
		{"{\"devices\":[{\"x_p2p\":true}]}", "devices[0].x_p2p: not supported: "},
		{"{\"devices\":[{\"vf_token\":\"t\"}]}", "devices[0].vf_token: not supported: "},
		{"{\"cpus\":{\"boot_vcpus\":1,\"max_vcpus\":1,\"core_scheduling\":\"Off\"}}",
			"cpus.core_scheduling: not supported: "},
	};

	for (unsigned i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		cr_assert_str_eq(refusal(none[i]), "", "%s", none[i]);
	for (unsigned i = 0; i < sizeof(some) / sizeof(some[0]); i++)
		cr_assert(strncmp(refusal(some[i][0]), some[i][1], strlen(some[i][1])) == 0, "%s: %s",
			some[i][0], err.msg);
}

/* ---- the rows ---- */

static void check_rows(const struct fields *fields, unsigned depth)
{
	cr_assert_lt(depth, 6, "%s: rows without an end", fields->name);
	for (const struct field *f = fields->rows; f->name; f++) {
		bool nested = f->type == FIELD_OBJECT || f->type == FIELD_OBJECTS;

		cr_expect(f->doc && strlen(f->doc) > 2, "%s.%s", fields->name, f->name);
		cr_expect_eq(nested, f->of != NULL, "%s.%s", fields->name, f->name);
		cr_expect_eq(f->type == FIELD_CHOICE, f->choices != NULL, "%s.%s", fields->name, f->name);
		cr_expect(f->need != FIELD_DEFAULT || f->standard, "%s.%s", fields->name, f->name);
		for (const struct field *g = fields->rows; g < f; g++)
			cr_expect_str_neq(g->name, f->name, "%s.%s", fields->name, f->name);
		if (f->standard) {
			char body[256];

			snprintf(body, sizeof(body), "{\"%s\":%s}", f->name, f->standard);
			decoded(fields, body);
			cr_expect(!strstr(err.msg, "invalid"), "%s.%s: %s", fields->name, f->name, err.msg);
		}
		if (f->of)
			check_rows(f->of, depth + 1);
	}
}

Test(api_fields, rows_hold_together)
{
	for (unsigned i = 0; i < CALLS; i++) {
		cr_expect(calls[i].name && calls[i].doc, "%u", i);
		cr_expect_eq(calls[i].body == BODY_WANTED, calls[i].fields != NULL, "%s", calls[i].name);
		cr_expect(calls[i].failed || i == CALL_PING, "%s", calls[i].name);
		if (calls[i].fields)
			check_rows(calls[i].fields, 0);
	}
}

/* What was decoded is its own normal form. */
Test(api_fields, decoding_twice_changes_nothing)
{
	char once[8192];

	strcpy(once, decoded(&fields_vm, "{\"payload\":{\"kernel\":\"/k\"},\"disks\":[{}],\"net\":[{}],"
		"\"devices\":[{\"path\":\"/p\",\"fd\":7}],\"numa\":[{\"guest_numa_id\":1}],"
		"\"platform\":{\"uuid\":\"u\"}}"));
	cr_assert_eq(err.code, 0, "%s", err.msg);
	cr_assert_str_eq(decoded(&fields_vm, once), once);
}
