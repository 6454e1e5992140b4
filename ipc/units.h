/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#define KiB (1ull << 10)
#define MiB (1ull << 20)
#define GiB (1ull << 30)

#define PAGE_SIZE 4096ull /* of guest and host */
