/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where the parts of the program lie: in the build tree when it runs from
 * there, else where `make install` put them. Found once, from /proc/self/exe.
 * All return static strings.
 */
#ifndef FAAS_BASE_PATHS_H
#define FAAS_BASE_PATHS_H

/* Helper programs and precompiled BPF objects. */
const char *paths_libexec(void);
/* The function library: DIR/<function>/. */
const char *paths_functions(void);
/* For the compiler: holds ebpf_faas/kernel.h. */
const char *paths_include(void);
/* For the compiler of generated drivers: holds driver.h. */
const char *paths_driver(void);

#endif
