// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#define MAP_KIND BPF_MAP_TYPE_PERCPU_HASH
#include "../map_kind.h"

FAAS_KERNEL_FUNCTION("Remembers numbers in a hash map with values for each CPU");
