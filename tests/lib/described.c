// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "tests/lib/described.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STATE_BYTES 24

/* As the macros of describe.h put it into an object. */
#define TEXT(...) __VA_ARGS__ "\0"

#define FUNCTION(name, tier, text)                                                                 \
	{                                                                                          \
		name, tier, text, sizeof(text) - 1                                                 \
	}

/* clang-format off */
static const struct {
	const char *name;
	enum function_tier tier;
	const char *meta;
	size_t bytes;
} functions[] = {
	FUNCTION("filter", TIER_KERNEL,
		 TEXT("0\tfunction\tkernel\tSplits packets by a value")
		 TEXT("1\tparam\tu32\toffset\t0\t0\t1400\tWhere it stands\t")
		 TEXT("2\tparam\tchoice\ttype\ts32be\t\t\tHow it is stored\tu8, u16be, s32be")
		 TEXT("3\tparam\tdecimal\tscale\t1\t-1000\t1000\tTimes this\t")
		 TEXT("4\tparam\tdecimal\tmin\t\t-1000000\t1000000\tSmallest inside\t")
		 TEXT("5\tparam\tdecimal\tmax\t\t-1000000\t1000000\tLargest inside\t")
		 TEXT("6\toutput\tinside\tBetween")
		 TEXT("7\toutput\toutside\tNot between")
		 TEXT("8\toutput\ttoo_short\tNo value")
		 TEXT("9\tfield\tinside\tvalue\tdecimal\tmm/s\tThe value")
		 TEXT("10\tfield\toutside\tvalue\tdecimal\tmm/s\tThe value")),
	FUNCTION("dedup", TIER_KERNEL,
		 TEXT("0\tfunction\tkernel\tForgets repetitions")
		 TEXT("1\tparam\tset\tby\t\"source_address,payload\"\t\t\tWhat is equal\t"
		      "source_address, source_port, payload")
		 TEXT("2\tparam\tduration\twindow\t500ms\t1ms\t1h\tHow long\t")
		 TEXT("3\tparam\tu32\tentries\t4096\t64\t1048576\tHow many\t")
		 TEXT("4\tparam\tbool\tstrict\t0\t\t\tStrictly\t")
		 TEXT("5\tparam\tbytes\tlimit\t4Ki\t1\t1Mi\tHow much\t")
		 TEXT("6\tparam\tu64\tseed\t1\t0\t18446744073709551615\tSeed\t")
		 TEXT("7\tparam\ts64\tbias\t-3\t-10\t10\tBias\t")
		 TEXT("8\toutput\tfirst\tNew")
		 TEXT("9\toutput\trepeat\tSeen before")
		 TEXT("10\tmap\tseen\tentries")),
	FUNCTION("wide", TIER_KERNEL,
		 TEXT("0\tfunction\tkernel\tMany ways out")
		 TEXT("1\toutput\ta\t") TEXT("2\toutput\tb\t") TEXT("3\toutput\tc\t")
		 TEXT("4\toutput\td\t") TEXT("5\toutput\te\t") TEXT("6\toutput\tf\t")
		 TEXT("7\toutput\tg\t") TEXT("8\toutput\th\t")
		 TEXT("9\tfield\ta\tf0\tu64\t\t") TEXT("10\tfield\ta\tf1\tu64\t\t")
		 TEXT("11\tfield\ta\tf2\ts64\t\t") TEXT("12\tfield\tb\tf3\tdecimal\t\t")),
	FUNCTION("guard", TIER_KERNEL,
		 TEXT("0\tfunction\tkernel\tLets through what is listed")
		 TEXT("1\tparam\tfile\tlist\t\t\t\tAddresses, one a line\t")
		 TEXT("2\tparam\tu32\tlimit\t5\t1\t9\tHow many a second\t")
		 TEXT("3\tchangeable\tlimit")
		 TEXT("4\toutput\tlisted\t") TEXT("5\toutput\tother\t")
		 TEXT("6\tcontents\tallowed\tlist")),
	FUNCTION("broken", TIER_KERNEL, TEXT("0\tnonsense")),
	FUNCTION("watch", TIER_USER,
		 TEXT("0\tfunction\tuser\tFinds what is unusual")
		 TEXT("1\tparam\tf64\talpha\t0.1\t0.001\t1\tWeight\t")
		 TEXT("2\tinput\tvalue\tWhat is watched")
		 TEXT("3\toutput\tanomaly\tUnusual")
		 TEXT("4\tfield\tanomaly\tscore\tf64\t\tHow much")
		 TEXT("5\tstate\t1")),
	FUNCTION("tally", TIER_USER,
		 TEXT("0\tfunction\tuser\tCounts")
		 TEXT("1\toutput\ttotal\tSo far")
		 TEXT("2\tfield\ttotal\tcount\tu64\tevents\t")
		 TEXT("3\tstate\t2") TEXT("4\ttimer")),
	FUNCTION("burst", TIER_USER,
		 TEXT("0\tfunction\tuser\tMany at once") TEXT("1\toutput\tdecoded\t")
		 TEXT("2\tbatch")),
	FUNCTION("jail", TIER_USER,
		 TEXT("0\tfunction\tuser\tDecides") TEXT("1\tverdict\tshut\tAway with it")
		 TEXT("2\tverdict\tslow\tNot so fast")),
	FUNCTION("door", TIER_KERNEL,
		 TEXT("0\tfunction\tkernel\tOpen or shut")
		 TEXT("1\tparam\tset\tby\tsource_address\t\t\tWho\tsource_address, vlan, byte")
		 TEXT("2\toutput\topen\t") TEXT("3\toutput\tshut\t")
		 TEXT("4\tverdicts\tlist\tby")),
	FUNCTION("pulse", TIER_USER,
		 TEXT("0\tfunction\tuser\tShows that it lives")
		 TEXT("1\toutput\tbeat\tAlive") TEXT("2\ttimer")),
	FUNCTION("relay", TIER_USER,
		 TEXT("0\tfunction\tuser\tPasses on")
		 TEXT("1\toutput\tout\tThe same")
		 TEXT("2\tfield\tout\tvalue\tf64\t\t")),
	FUNCTION("decode", TIER_USER,
		 TEXT("0\tfunction\tuser\tReads numbers")
		 TEXT("1\tparam\tlayout\tlayout\t\t\t\tWhere they stand\t")
		 TEXT("2\toutput\tdecoded\tAll there")
		 TEXT("3\toutput\tundecoded\tNot there")
		 TEXT("4\tfields\tdecoded\tlayout")),
	FUNCTION("pair", TIER_USER,
		 TEXT("0\tfunction\tuser\tTwo of a kind")
		 TEXT("1\tparam\ttrigger\tleft\t\t\t\tWhere one comes from\t")
		 TEXT("2\tinput\tvalue\tThe number")
		 TEXT("3\tinput\tkind\tWhat it is")
		 TEXT("4\toptional\tkind")
		 TEXT("5\toutput\tpair\tBoth")),
	FUNCTION("dedup", TIER_USER,
		 TEXT("0\tfunction\tuser\tForgets repetitions")
		 TEXT("1\toutput\tfirst\tNew")),
};
/* clang-format on */

#define FUNCTION_COUNT (sizeof(functions) / sizeof(functions[0]))

static int find(void *context, enum function_tier tier, const char *name, struct function *ret,
		struct diags *diags)
{
	(void)context;
	for (size_t i = 0; i < FUNCTION_COUNT; i++) {
		if (functions[i].tier != tier || strcmp(functions[i].name, name))
			continue;
		memset(ret, 0, sizeof(*ret));
		snprintf(ret->name, sizeof(ret->name), "%s", name);
		snprintf(ret->object, sizeof(ret->object), "/objects/%s", name);
		if (function_describe(functions[i].meta, functions[i].bytes, tier, ret->object, ret,
				      diags))
			return -EINVAL;
		ret->state_bytes = ret->has_state ? STATE_BYTES : 0;
		return 0;
	}
	return -ENOENT;
}

static int list(void *context, struct function_name **ret, unsigned int *ret_count)
{
	struct function_name *names = calloc(FUNCTION_COUNT, sizeof(*names));

	(void)context;
	if (!names)
		return -ENOMEM;
	for (size_t i = 0; i < FUNCTION_COUNT; i++) {
		snprintf(names[i].name, sizeof(names[i].name), "%s", functions[i].name);
		names[i].tier = functions[i].tier;
	}
	*ret = names;
	*ret_count = FUNCTION_COUNT;
	return 0;
}

struct workflow_functions described_functions(void)
{
	return (struct workflow_functions){.find = find, .list = list};
}
