// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The least that a process can do: what `bench cold` starts beside a worker. */
int main(void)
{
	return 0;
}
