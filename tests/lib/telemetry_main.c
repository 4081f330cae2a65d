// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A plant: vibration sensors, each with its own address, that report over UDP.
 *
 * One reading is 12 bytes, all big endian: u32 number of the report, s32 value
 * in hundredths, u32 number of the sensor. What is sent follows from the options
 * alone, so a run can be checked to the packet:
 *
 *   normal     each round, each sensor: base value +- 0.20, never outside
 *   outside    in addition, every tenth round of a sensor: a value that the
 *              measuring range (-50 to 150) excludes
 *   duplicate  every eighth round of a sensor: its normal reading once more
 *   anomaly    every fifth sensor, once, in round ANOMALY_ROUND: 60 above base,
 *              inside the range
 *
 * --plan FILE gets a line for each packet: kind, address, report number, value.
 * stdout gets one JSON object with the totals.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pace.h"

#define SENSORS_MAX 250
#define ANOMALY_ROUND 30
#define ANOMALY_HUNDREDTHS 6000
#define READING_BYTES 12

enum kind { NORMAL, OUTSIDE, DUPLICATE, ANOMALY, KINDS };

static const char *const kind_names[KINDS] = {"normal", "outside", "duplicate", "anomaly"};

struct plant {
	struct sockaddr_storage to;
	socklen_t to_bytes;
	uint32_t first_address; /* host order */
	int sockets[SENSORS_MAX];
	uint32_t reports[SENSORS_MAX]; /* numbers used so far */
	unsigned int sensor_count;
	struct pace pace;
	FILE *plan;
	uint64_t sent[KINDS];
};

static int open_sensor(uint32_t address)
{
	struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&from, sizeof(from))) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

static int send_reading(struct plant *plant, unsigned int sensor, enum kind kind, uint32_t report,
			int32_t hundredths)
{
	struct in_addr address = {.s_addr = htonl(plant->first_address + sensor)};
	uint32_t words[3] = {htonl(report), htonl((uint32_t)hundredths), htonl(sensor)};
	char text[INET_ADDRSTRLEN];

	_Static_assert(sizeof(words) == READING_BYTES, "a reading");
	pace_wait(&plant->pace);
	if (sendto(plant->sockets[sensor], words, sizeof(words), 0, (struct sockaddr *)&plant->to,
		   plant->to_bytes) != READING_BYTES)
		return errno ? -errno : -EIO;

	plant->sent[kind]++;
	if (plant->plan)
		fprintf(plant->plan, "%s\t%s\t%" PRIu32 "\t%s%d.%02d\n", kind_names[kind],
			inet_ntop(AF_INET, &address, text, sizeof(text)), report,
			hundredths < 0 ? "-" : "", abs(hundredths) / 100, abs(hundredths) % 100);
	return pace_sent(&plant->pace, plant->sockets[sensor]);
}

/* One sensor in one round: its normal reading, and what else is due. */
static int report(struct plant *plant, unsigned int sensor, unsigned int round)
{
	int32_t base = 2000 + (int32_t)sensor * 100;
	int32_t wobble = (int32_t)((round * 7 + sensor * 3) % 41) - 20;
	uint32_t number = plant->reports[sensor]++;
	int err;

	err = send_reading(plant, sensor, NORMAL, number, base + wobble);
	if (!err && (round + sensor) % 8 == 5)
		err = send_reading(plant, sensor, DUPLICATE, number, base + wobble);
	if (!err && (round + sensor) % 10 == 3)
		err = send_reading(plant, sensor, OUTSIDE, plant->reports[sensor]++,
				   sensor % 2 ? 15001 + (int32_t)round : -5001 - (int32_t)round);
	if (!err && round == ANOMALY_ROUND && sensor % 5 == 0)
		err = send_reading(plant, sensor, ANOMALY, plant->reports[sensor]++,
				   base + ANOMALY_HUNDREDTHS);
	return err;
}

static void usage(void)
{
	fputs("usage: telemetry --to ADDRESS:PORT --from FIRST_ADDRESS [--sensors N] [--rounds N]\n"
	      "                 [--rate PER_SECOND] [--plan FILE]\n",
	      stderr);
	exit(2);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"to", required_argument, NULL, 't'},
		{"from", required_argument, NULL, 'f'},
		{"sensors", required_argument, NULL, 's'},
		{"rounds", required_argument, NULL, 'n'},
		{"rate", required_argument, NULL, 'r'},
		{"plan", required_argument, NULL, 'p'},
		{0},
	};
	static struct plant plant = {.sensor_count = 50};
	unsigned int rounds = 40;
	struct in_addr first = {0};
	uint64_t rate = 1000, total = 0;
	const char *plan = NULL;
	int choice, err = 0;

	while ((choice = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (choice) {
		case 't':
			if (address_parse(optarg, &plant.to, &plant.to_bytes))
				usage();
			break;
		case 'f':
			if (inet_pton(AF_INET, optarg, &first) != 1)
				usage();
			break;
		case 's':
			plant.sensor_count =
				(unsigned int)number_or_die(optarg, SENSORS_MAX, "sensors");
			break;
		case 'n':
			rounds = (unsigned int)number_or_die(optarg, 1000000, "rounds");
			break;
		case 'r':
			rate = number_or_die(optarg, 10000000, "rate");
			break;
		case 'p':
			plan = optarg;
			break;
		default:
			usage();
		}
	}
	if (!plant.to_bytes || !first.s_addr || optind != argc)
		usage();

	plant.first_address = ntohl(first.s_addr);
	for (unsigned int sensor = 0; sensor < plant.sensor_count; sensor++) {
		plant.sockets[sensor] = open_sensor(plant.first_address + sensor);
		if (plant.sockets[sensor] < 0) {
			fprintf(stderr, "telemetry: address of sensor %u: %s\n", sensor,
				strerror(-plant.sockets[sensor]));
			return 1;
		}
	}
	if (plan) {
		plant.plan = fopen(plan, "we");
		if (!plant.plan) {
			fprintf(stderr, "telemetry: %s: %s\n", plan, strerror(errno));
			return 1;
		}
	}

	pace_begin(&plant.pace, rate);
	for (unsigned int round = 0; !err && round < rounds; round++)
		for (unsigned int sensor = 0; !err && sensor < plant.sensor_count; sensor++)
			err = report(&plant, sensor, round);
	if (!err)
		err = pace_end(&plant.pace);
	if (plant.plan && fclose(plant.plan) && !err)
		err = -errno;

	printf("{");
	for (int kind = 0; kind < KINDS; kind++) {
		printf("\"%s\":%" PRIu64 ",", kind_names[kind], plant.sent[kind]);
		total += plant.sent[kind];
	}
	printf("\"sent\":%" PRIu64 ",\"sensors\":%u}\n", total, plant.sensor_count);
	if (err)
		fprintf(stderr, "telemetry: %s\n", strerror(-err));
	return err ? 1 : 0;
}
