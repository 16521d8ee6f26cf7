/* genlog: a made access log to standard output, and its truth as JSON to a file. */
#include <getopt.h>

#include "traffic.h"

static const char usage_text[] =
	"usage: genlog [--lines N] [--seed N] [--pages N] [--clients N] [--nodes N] [--hosts N] [--skew X] [--rate N]\n"
	"              [--faults N] [--broken N] [--truth FILE] >FILE\n";

static uint64_t number(const char *text)
{
	char *end;
	unsigned long long n = strtoull(text, &end, 10);

	if (*end || end == text) {
		fprintf(stderr, "genlog: not a number: %s\n%s", text, usage_text);
		exit(2);
	}
	return n;
}

static const char *options_parse(int argc, char **argv, struct traffic_options *o)
{
	static const struct option longs[] = { { "lines", required_argument, NULL, 'l' }, { "seed", required_argument, NULL, 's' },
		{ "pages", required_argument, NULL, 'p' }, { "clients", required_argument, NULL, 'c' }, { "nodes", required_argument, NULL, 'n' },
		{ "hosts", required_argument, NULL, 'h' }, { "skew", required_argument, NULL, 'k' }, { "rate", required_argument, NULL, 'r' },
		{ "faults", required_argument, NULL, 'f' }, { "broken", required_argument, NULL, 'b' }, { "truth", required_argument, NULL, 't' }, { 0 } };
	const char *truth = NULL;

	for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
		switch (c) {
		case 'l': o->lines = number(optarg); break;
		case 's': o->seed = number(optarg); break;
		case 'p': o->pages = (uint32_t)number(optarg); break;
		case 'c': o->clients = (uint32_t)number(optarg); break;
		case 'n': o->nodes = (uint32_t)number(optarg); break;
		case 'h': o->hosts = (uint32_t)number(optarg); break;
		case 'k': o->skew = atof(optarg); break;
		case 'r': o->rate = atof(optarg); break;
		case 'f': o->faults = (uint32_t)number(optarg); break;
		case 'b': o->broken = (uint32_t)number(optarg); break;
		case 't': truth = optarg; break;
		default: fputs(usage_text, stderr); exit(2);
		}
	}
	return truth;
}

int main(int argc, char **argv)
{
	static char out[LOG_LINE_MAX], buffer[1 << 18];
	struct traffic_options options = { .lines = 1000000, .seed = 1, .pages = 200000, .clients = 20000, .nodes = 2, .hosts = 12, .skew = 0.9, .rate = 500 };
	const char *truth = options_parse(argc, argv, &options);
	FILE *truth_out = truth ? fopen(truth, "w") : NULL;
	struct traffic traffic;

	if (truth && !truth_out) {
		perror(truth);
		return 2;
	}
	setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
	traffic_init(&traffic, &options);
	for (size_t len; (len = traffic_next(&traffic, out));)
		if (fwrite(out, 1, len, stdout) != len) break;
	if (truth_out) {
		traffic_truth_print(&traffic, truth_out);
		fclose(truth_out);
	}
	traffic_release(&traffic);
	if (fflush(stdout) != 0) {
		perror("genlog");
		return 2;
	}
	return 0;
}
