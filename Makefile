# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# One Makefile, not recursive. Everything generated lies under $(BUILD).
# V=1 shows commands, WERROR=1 makes warnings errors, BUILD=DIR builds elsewhere,
# SANITIZE=address,undefined and FAULTS=1 (fault points) make other flavours:
# give each its own BUILD.

VERSION := 0.1.0
BUILD ?= build
prefix ?= /usr
sbindir ?= $(prefix)/sbin
libexecdir ?= $(prefix)/libexec/ebpf-faas
datadir ?= $(prefix)/share/ebpf-faas
includedir ?= $(prefix)/include
mandir ?= $(prefix)/share/man
bashcompdir ?= $(prefix)/share/bash-completion/completions
sysconfdir ?= /etc
unitdir ?= $(prefix)/lib/systemd/system

CC := gcc
CLANG ?= clang
LLVM_CONFIG ?= $(shell command -v llvm-config-14 || command -v llvm-config || echo llvm-config)
PKG_CONFIG ?= pkg-config
Q := $(if $(V),,@)
comma := ,
say = $(if $(V),,@printf '  %-8s %s\n' '$(1)' '$(2)')

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
	-Wimplicit-fallthrough -Wundef -Wconversion -Wno-sign-conversion -Wno-format-truncation \
	$(if $(WERROR),-Werror)
CPPFLAGS := -D_GNU_SOURCE -Iinclude -Iuserspace/base -I. \
	-DFAAS_VERSION='"$(VERSION)"' -DFAAS_LIBEXECDIR='"$(libexecdir)"' \
	-DFAAS_DATADIR='"$(datadir)"' -DFAAS_INCLUDEDIR='"$(includedir)"' \
	$(if $(FAULTS),-DFAAS_FAULTS)
CFLAGS ?= -O2 -g
ALL_CFLAGS := -std=gnu11 $(CFLAGS) -fno-strict-aliasing -fstack-protector-strong $(WARNINGS) \
	$(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer) -MMD -MP
ALL_LDFLAGS := $(LDFLAGS) $(if $(SANITIZE),-fsanitize=$(SANITIZE)) -Wl,-z,relro,-z,now
LIBS := $(shell $(PKG_CONFIG) --libs libbpf liburing jansson yaml-0.1 libcrypto) -lelf -lz -lm -ldl
# What only the worker and the runtime need: its filters, and the names in them.
SECCOMP_LIBS := $(shell $(PKG_CONFIG) --libs libseccomp)
# What only the command needs: layouts of states, out of debug information.
LOADER_LIBS := -ldw

MULTIARCH := $(shell $(CC) -print-multiarch)
BPF_CFLAGS := -g -O2 -target bpf -mcpu=v3 -Iinclude -Ibpf -I/usr/include/$(MULTIARCH) \
	-Wall -Wextra -Wno-unused-parameter -Wno-missing-declarations $(if $(WERROR),-Werror) \
	-fembed-bitcode=all

# Sources. A file NAME_main.c (or loader/main.c, loader/fuse_tool.c) is a program.
BASE_SRC := $(sort $(wildcard userspace/base/*.c))
USER_SRC := $(filter-out %_main.c,$(sort $(wildcard userspace/ring/*.c userspace/log/*.c \
	userspace/state/*.c userspace/pool/*.c userspace/sink/*.c userspace/control/*.c)))
FUSE_SRC := loader/fuse_tool.c loader/fuse_numbers.c loader/fuse_payload.c
LOADER_SRC := $(filter-out loader/main.c $(FUSE_SRC),$(sort $(wildcard loader/*.c)))
BPF_SRC := $(sort $(wildcard bpf/*.bpf.c))
KERNEL_FUNCS := $(sort $(wildcard funcs/*/*.bpf.c))
USER_FUNCS := $(sort $(wildcard funcs/*/*.user.c))
obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

LIBUSER := $(BUILD)/libuserspace.a
LIBLOADER := $(BUILD)/libloader.a
PROGRAMS := $(BUILD)/ebpf-faas $(BUILD)/libexec/ebpf-faas-runtime $(BUILD)/libexec/ebpf-faas-worker \
	$(BUILD)/libexec/ebpf-faas-courier $(BUILD)/libexec/ebpf-faas-program $(BUILD)/libexec/ebpf-faas-fuse
BPF_OBJS := $(patsubst bpf/%.c,$(BUILD)/libexec/%.o,$(BPF_SRC))
FUNC_OBJS := $(patsubst funcs/%.bpf.c,$(BUILD)/funcs/%.bpf.o,$(KERNEL_FUNCS)) \
	$(patsubst funcs/%.user.c,$(BUILD)/funcs/%.so,$(USER_FUNCS))

# Tests.
UNIT_TESTS := $(patsubst tests/%.c,$(BUILD)/tests/%,$(sort $(shell find tests/unit -name '*_test.c' 2>/dev/null)))
BPF_TESTS := $(patsubst tests/%.c,$(BUILD)/tests/%,$(sort $(wildcard tests/bpf/*_test.c)))
TEST_LIB_SRC := $(filter-out %.bpf.c %_main.c,$(sort $(wildcard tests/lib/*.c tests/bpf/*_harness.c))) \
	tools/benchmarks/plot.c
TEST_PROGRAMS := $(patsubst tests/%_main.c,$(BUILD)/tests/%,$(sort $(wildcard tests/lib/*_main.c)))
TEST_BPF := $(patsubst tests/%.c,$(BUILD)/tests/%.o,$(sort $(shell find tests -name '*.bpf.c' 2>/dev/null | grep -v data/ | grep ^tests)))
TEST_FUNCS := $(patsubst tests/%.user.c,$(BUILD)/tests/%.so,$(sort $(shell find tests -name '*.user.c' 2>/dev/null | grep -v data/))) \
	$(patsubst tests/%.user.cc,$(BUILD)/tests/%.so,$(sort $(wildcard tests/unit/pool/*.user.cc)))
BENCH_PROGRAMS := $(patsubst tools/benchmarks/%_main.c,$(BUILD)/bench/%,$(sort $(wildcard tools/benchmarks/*_main.c)))
BENCH_BPF := $(patsubst tools/benchmarks/%.c,$(BUILD)/bench/%.o,$(sort $(wildcard tools/benchmarks/*.bpf.c)))
LIBTEST := $(BUILD)/libtest.a
SIM_TESTS := $(patsubst tests/%_main.c,$(BUILD)/tests/%,$(sort $(wildcard tests/sim/*_main.c)))

.PHONY: all check demo cleanroom vm-check vm-check-short bench lint format fuzz asan unit sim tests storm soak install uninstall dist clean help bench-programs
.DELETE_ON_ERROR:
.SECONDARY:

all: $(PROGRAMS) $(BPF_OBJS) $(FUNC_OBJS) $(BUILD)/include.stamp ## build everything that is installed

# A build tree runs uninstalled: it carries what the loader compiles against.
$(BUILD)/include.stamp: $(wildcard include/ebpf_faas/*.h include/ebpf_faas/exec/* bpf/*.h)
	$(Q)mkdir -p $(BUILD)/include/ebpf_faas/exec $(BUILD)/share/bpf
	$(Q)cp include/ebpf_faas/*.h $(BUILD)/include/ebpf_faas/
	$(Q)cp include/ebpf_faas/exec/* $(BUILD)/include/ebpf_faas/exec/
	$(Q)for f in bpf/*.h; do [ ! -e "$$f" ] || cp "$$f" $(BUILD)/share/bpf/; done
	$(Q)touch $@

$(BUILD)/obj/%.o: %.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -c $< -o $@

# What runs for each event of a user function: a tenth of its time.
$(call obj,$(wildcard userspace/pool/worker*.c userspace/log/log_*.c userspace/state/*.c)): \
	ALL_CFLAGS += $(if $(filter -O2,$(CFLAGS)),-O3)

$(call obj,$(FUSE_SRC)): $(BUILD)/obj/%.o: %.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -isystem $(shell $(LLVM_CONFIG) --includedir) -c $< -o $@

$(LIBUSER): $(call obj,$(BASE_SRC) $(USER_SRC))
$(LIBLOADER): $(call obj,$(LOADER_SRC))
$(LIBTEST): $(call obj,$(TEST_LIB_SRC))
$(BUILD)/%.a:
	$(call say,AR,$@)
	$(Q)mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

link = $(Q)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(1) $(LIBS) \
	-Wl,--as-needed $(SECCOMP_LIBS)

$(BUILD)/ebpf-faas: $(BUILD)/obj/loader/main.o $(LIBLOADER) $(LIBUSER)
	$(call say,LINK,$@)
	$(call link,$(LOADER_LIBS))
$(BUILD)/libexec/ebpf-faas-runtime: $(BUILD)/obj/userspace/control/runtime_main.o $(LIBUSER)
	$(call say,LINK,$@)
	$(call link)
$(BUILD)/libexec/ebpf-faas-courier: $(BUILD)/obj/userspace/sink/courier_main.o $(LIBUSER)
	$(call say,LINK,$@)
	$(call link)
$(BUILD)/libexec/ebpf-faas-program: $(BUILD)/obj/userspace/pool/program_main.o $(LIBUSER)
	$(call say,LINK,$@)
	$(call link)
# Exports what user functions call, and nothing else: any other symbol would take
# the place of one of the same name in a function's shared object.
WORKER_EXPORTS := $(foreach name,faas_emit faas_emit_for faas_fail faas_input_f64 \
	faas_input_f64_for faas_input_s64 faas_input_s64_for faas_log faas_now faas_state \
	faas_timer faas_verdict faas_wall_offset,-u $(name) -Wl,--export-dynamic-symbol=$(name))
$(BUILD)/libexec/ebpf-faas-worker: $(BUILD)/obj/userspace/pool/worker_main.o $(LIBUSER)
	$(call say,LINK,$@)
	$(call link,$(WORKER_EXPORTS))
$(BUILD)/libexec/ebpf-faas-fuse: $(call obj,$(FUSE_SRC)) $(BUILD)/obj/loader/map_names.o
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(shell $(LLVM_CONFIG) --ldflags --libs) -lelf

$(BUILD)/libexec/%.bpf.o: bpf/%.bpf.c $(wildcard include/ebpf_faas/*.h bpf/*.h)
	$(call say,BPF,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(filter-out -fembed-bitcode=all,$(BPF_CFLAGS)) -c $< -o $@
$(BUILD)/funcs/%.bpf.o: funcs/%.bpf.c $(wildcard include/ebpf_faas/*.h)
	$(call say,BPF,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c $< -o $@
$(BUILD)/funcs/%.so: funcs/%.user.c $(wildcard include/ebpf_faas/*.h)
	$(call say,SO,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -D_GNU_SOURCE -Iinclude -std=gnu11 -O2 -g -fPIC -shared $(WARNINGS) -o $@ $< -lm

# ---- tests -----------------------------------------------------------------
$(BUILD)/tests/%.bpf.o: tests/%.bpf.c $(wildcard include/ebpf_faas/*.h bpf/*.h)
	$(call say,BPF,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c $< -o $@
$(BUILD)/tests/%.so: tests/%.user.c $(wildcard include/ebpf_faas/*.h)
	$(call say,SO,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -D_GNU_SOURCE -Iinclude $(if $(findstring /attacks/,$<),-Iuserspace/base -I.) -std=gnu11 -O2 -g -fPIC -shared $(WARNINGS) -o $@ $< $(ATTACK_SOURCES) -lm
# With what a worker writes its log with: for records that look right.
ATTACK_SOURCES =
$(BUILD)/tests/crash/attacks/funcs/attacker/attacker.so: ATTACK_SOURCES = userspace/base/crc32c.c userspace/log/log_read.c userspace/log/log_write.c
$(BUILD)/tests/crash/attacks/funcs/attacker/attacker.so: $(wildcard tests/crash/attacks/funcs/attacker/*.def userspace/*/*.h) userspace/base/crc32c.c userspace/log/log_read.c userspace/log/log_write.c
# Without the C++ library: it need not be where the tests run.
$(BUILD)/tests/%.so: tests/%.user.cc $(wildcard include/ebpf_faas/*.h tests/unit/pool/*.user.c)
	$(call say,SO,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -x c++ -D_GNU_SOURCE -Iinclude -std=gnu++20 -O2 -g -fPIC -shared -Wall -Wextra $(if $(WERROR),-Werror) -o $@ $<
$(BUILD)/tests/%_test: $(BUILD)/obj/tests/%_test.o $(LIBLOADER) $(LIBUSER) $(LIBTEST)
	$(call say,LINK,$@)
	$(call link,$(LIBLOADER) $(LIBUSER) -rdynamic -lcmocka $(LOADER_LIBS))
$(BUILD)/tests/lib/%: $(BUILD)/obj/tests/lib/%_main.o $(LIBTEST) $(LIBUSER)
	$(call say,LINK,$@)
	$(call link)
# Tests find the tree they were built in, and the sources' data.
$(call obj,$(shell find tests -name '*.c' 2>/dev/null)): CPPFLAGS += -DTEST_BUILD='"$(abspath $(BUILD))"' -DTEST_SOURCE='"$(CURDIR)"' -Itests/lib

# The simulation: what runs in worker and courier, with a call before every access
# to memory (tests/sim/process.c has what they call), and its own system below it.
SIM_SRC := $(filter-out userspace/pool/worker_main.c userspace/pool/worker_waiter.c \
	userspace/pool/worker_privilege.c userspace/pool/worker_sandbox.c \
	userspace/pool/worker_filter.c userspace/pool/worker_landlock.c,$(sort $(wildcard userspace/ring/*.c userspace/log/*.c \
	userspace/state/*.c userspace/pool/worker_*.c userspace/pool/supervisor_migrate.c \
	userspace/pool/supervisor_re[ns]*.c userspace/pool/supervisor_storage.c userspace/sink/feed*.c userspace/sink/file_sink.c)))
SIM_WRAPS := malloc calloc aligned_alloc free memcpy fstat mmap munmap open close write recv send \
	clock_gettime getrandom dlopen dlsym dlerror ringview_identify waiter_wait waiter_wait_beat waiter_look waiter_write \
	waiter_make_thread pread pwrite posix_fadvise fcntl fdatasync fsync ftruncate log_close_group durable_snapshot_begin fprintf sched_yield \
	bpf_map_lookup_elem bpf_map_update_elem bpf_map_delete_elem bpf_map_get_next_key \
	openat posix_fallocate renameat unlinkat ringview_open ringview_map
$(BUILD)/sim/obj/%.o: %.c
	$(call say,SIMCC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -DFAAS_FAULTS $(ALL_CFLAGS) -fsanitize=thread -Wno-tsan -c $< -o $@
$(BUILD)/tests/sim/%: $(BUILD)/obj/tests/sim/%_main.o \
		$(call obj,$(filter-out %_main.c,$(wildcard tests/sim/*.c))) \
		$(patsubst %.c,$(BUILD)/sim/obj/%.o,$(SIM_SRC)) $(LIBUSER)
	$(call say,LINK,$@)
	$(call link,$(addprefix -Wl$(comma)--wrap=,$(SIM_WRAPS)))
$(call obj,$(wildcard tests/sim/*.c)): CPPFLAGS += -DFAAS_FAULTS

unit: $(UNIT_TESTS) ## build the unit tests
sim: $(SIM_TESTS) ## build the simulation
tests: all $(UNIT_TESTS) $(BPF_TESTS) $(SIM_TESTS) $(TEST_PROGRAMS) $(TEST_BPF) $(TEST_FUNCS) ## build all tests

asan: ## build all unit tests with address and undefined behaviour sanitizers
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/asan SANITIZE=address,undefined CFLAGS='-O1 -g' all unit $(patsubst $(BUILD)/%,$(BUILD)/asan/%,$(TEST_BPF) $(TEST_FUNCS))

# ---- fuzzing ---------------------------------------------------------------
FUZZERS := $(patsubst tests/fuzz/%_fuzz.c,$(BUILD)/fuzz/%_fuzz,$(wildcard tests/fuzz/*_fuzz.c))
FUZZ_SRC := $(BASE_SRC) $(filter loader/%,$(LOADER_SRC)) userspace/control/control_server.c userspace/control/request_form.c
$(BUILD)/fuzz/obj/%.o: %.c
	$(call say,FUZZCC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(CPPFLAGS) -std=gnu11 -O1 -g -fno-strict-aliasing -fsanitize=fuzzer-no-link,address,undefined -MMD -MP -c $< -o $@
$(BUILD)/fuzz/libfuzzed.a: $(patsubst %.c,$(BUILD)/fuzz/obj/%.o,$(FUZZ_SRC))
$(BUILD)/fuzz/%_fuzz: $(BUILD)/fuzz/obj/tests/fuzz/%_fuzz.o $(BUILD)/fuzz/libfuzzed.a
	$(call say,FUZZLINK,$@)
	$(Q)$(CLANG) -fsanitize=fuzzer,address,undefined -o $@ $^ $(LOADER_LIBS) $(LIBS)
fuzz: $(FUZZERS) ## build the fuzz targets

# ---- benchmarks ------------------------------------------------------------
$(BUILD)/bench/%.bpf.o: tools/benchmarks/%.bpf.c $(wildcard include/ebpf_faas/*.h bpf/*.h)
	$(call say,BPF,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c $< -o $@
$(BUILD)/bench/%: $(BUILD)/obj/tools/benchmarks/%_main.o $(call obj,$(filter-out %_main.c %.bpf.c %/unconfined_worker.c %/empty.c,$(wildcard tools/benchmarks/*.c))) $(LIBTEST) $(LIBUSER)
	$(call say,LINK,$@)
	$(call link)
# The worker, but for its sandbox: what stands before the library takes the place of that.
$(BUILD)/bench/unconfined-worker: $(BUILD)/obj/userspace/pool/worker_main.o $(BUILD)/obj/tools/benchmarks/unconfined_worker.o $(LIBUSER)
	$(call say,LINK,$@)
	$(call link,$(WORKER_EXPORTS))
$(BUILD)/bench/empty: tools/benchmarks/empty.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -static -o $@ $<
$(call obj,$(wildcard tools/benchmarks/*.c)): CPPFLAGS += -DTEST_BUILD='"$(abspath $(BUILD))"' -DTEST_SOURCE='"$(CURDIR)"' -Itests/lib
# What they are compared with.
$(BENCH_PROGRAMS): LIBS += -lsqlite3 -llmdb
bench-programs: all $(BENCH_PROGRAMS) $(BUILD)/bench/unconfined-worker $(BUILD)/bench/empty $(BENCH_BPF) $(TEST_PROGRAMS)

check: ## run every test
	tools/check
storm: tests ## kill worker, courier and runtime 200 times each, under load, and cut the power 200 times, behind 200,000 runs of the simulation; takes half an hour
	SIM_RUNS=200000 SIM_FIRST=0 SIM_SECONDS=3600 tools/check sim
	KILLS=200 tests/crash/storm_test.sh
	POWER_CUTS=200 tests/crash/power_test.sh
soak: tests ## half an hour (SOAK_MINUTES=30) of traffic and faults; memory, files and descriptors must not grow
	tests/soak/soak_test.sh
demo: ## run the demonstration
	tools/demo
cleanroom: ## run the demonstration in a clean Debian; takes minutes
	tools/cleanroom
vm-check: ## run the tests on other kernels, and on arm64, in virtual machines; takes hours without KVM
	tools/vm-check
vm-check-short: ## run some of the tests on Linux 6.1 in a virtual machine
	tools/vm-check --short
bench: ## run every benchmark
	tools/bench all

# ---- style -----------------------------------------------------------------
STYLED := $(shell git ls-files '*.c' '*.h' 2>/dev/null | grep -v '^tests/data/')
lint: ## check style, includes, licences; run clang-tidy and cppcheck
	$(Q)tools/lint
format: ## format all sources
	$(Q)clang-format -i $(STYLED)

# ---- installation ----------------------------------------------------------
D := $(DESTDIR)
install: all ## install below DESTDIR and prefix
	install -d $(D)$(sbindir) $(D)$(libexecdir) $(D)$(datadir)/funcs $(D)$(datadir)/bpf \
		$(D)$(includedir)/ebpf_faas/exec $(D)$(sysconfdir)/ebpf-faas $(D)$(mandir)/man8 \
		$(D)$(mandir)/man5 $(D)$(mandir)/man7 $(D)/var/lib/ebpf-faas
	install -m 755 $(BUILD)/ebpf-faas $(D)$(sbindir)/
	install -m 755 $(filter %runtime %worker %courier %program %fuse,$(PROGRAMS)) $(D)$(libexecdir)/
	install -m 644 $(BPF_OBJS) $(D)$(libexecdir)/
	install -m 644 include/ebpf_faas/*.h $(D)$(includedir)/ebpf_faas/
	install -m 644 include/ebpf_faas/exec/* $(D)$(includedir)/ebpf_faas/exec/
	install -m 644 bpf/*.h $(D)$(datadir)/bpf/
	set -e; for f in funcs/*/; do n=$$(basename $$f); install -d $(D)$(datadir)/funcs/$$n; \
		install -m 644 $$f/* $(BUILD)/funcs/$$n/*.o $(BUILD)/funcs/$$n/*.so $(D)$(datadir)/funcs/$$n/ 2>/dev/null || \
		for x in $$f/* $(BUILD)/funcs/$$n/*.o $(BUILD)/funcs/$$n/*.so; do [ ! -f "$$x" ] || install -m 644 "$$x" $(D)$(datadir)/funcs/$$n/; done; done
	install -d $(D)$(bashcompdir)
	install -m 644 loader/completion/ebpf-faas.bash $(D)$(bashcompdir)/ebpf-faas
	install -m 644 loader/man/*.8 $(D)$(mandir)/man8/
	install -m 644 loader/man/*.5 $(D)$(mandir)/man5/
	install -m 644 loader/man/*.7 $(D)$(mandir)/man7/
	install -d $(D)$(unitdir)
	set -e; for f in tools/packaging/*.service; do \
		sed 's,@sbindir@,$(sbindir),g; s,@libexecdir@,$(libexecdir),g' $$f >$(D)$(unitdir)/$${f##*/}; \
		chmod 644 $(D)$(unitdir)/$${f##*/}; done
uninstall: ## remove what install installed
	rm -f $(patsubst tools/packaging/%,$(D)$(unitdir)/%,$(wildcard tools/packaging/*.service))
	rm -f $(D)$(sbindir)/ebpf-faas $(D)$(bashcompdir)/ebpf-faas $(D)$(mandir)/man8/ebpf-faas.8 \
		$(D)$(mandir)/man5/ebpf-faas-workflow.5 $(D)$(mandir)/man7/ebpf-faas-function.7 \
		$(D)$(mandir)/man7/ebpf-faas-exec.7
	rm -rf $(D)$(libexecdir) $(D)$(datadir) $(D)$(includedir)/ebpf_faas
	rmdir $(D)$(sysconfdir)/ebpf-faas $(D)/var/lib/ebpf-faas 2>/dev/null || true

dist: ## make a source archive
	$(Q)mkdir -p $(BUILD)
	git archive --format=tar.gz --prefix=ebpf-faas-$(VERSION)/ -o $(BUILD)/ebpf-faas-$(VERSION).tar.gz HEAD

clean: ## remove everything generated
	rm -rf $(BUILD)
help: ## show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
