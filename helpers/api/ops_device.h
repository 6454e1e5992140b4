/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls that change what the VM has: its devices, its size. bulkhead-api; see ops.h.
 */
#pragma once

#include "helpers/api/link.h"

int resize_begin(struct conn *conn, struct err *err);
void resize_answered(struct conn *conn, const struct msg *msg);

int add_begin(struct conn *conn, struct err *err);
void add_answered(struct conn *conn, const struct msg *msg);
void add_look(struct conn *conn);

int remove_begin(struct conn *conn, struct err *err);
void remove_answered(struct conn *conn, const struct msg *msg);
bool remove_refused(struct conn *conn, int code);
