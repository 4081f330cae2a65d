// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The same function in C++, which includes the header as it is.
#include "alarm.user.c"
