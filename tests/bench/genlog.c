/* genlog: a made access log to standard output, its truth as JSON to a file, and the same requests in the combined format, for
 * programs that know no other, to another one. */
#include <getopt.h>
#include <time.h>

#include "traffic.h"

static const char usage_text[] =
	"usage: genlog [--lines N] [--seed N] [--pages N] [--clients N] [--nodes N] [--hosts N] [--skew X] [--rate N]\n"
	"              [--faults N] [--broken N] [--truth FILE] [--combined FILE] >FILE\n";

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

static void put_combined(const struct logline *l, FILE *out)
{
	time_t seconds = (time_t)(l->t_us / 1000000);
	char when[64];
	struct tm tm;

	strftime(when, sizeof(when), "%d/%b/%Y:%H:%M:%S +0000", gmtime_r(&seconds, &tm));
	fprintf(out, "%.*s - - [%s] \"%.*s %.*s %.*s\" %" PRIu64 " %" PRIu64 " \"%.*s\" \"%.*s\"\n", SLICE_ARG(l->client), when, SLICE_ARG(l->method),
		SLICE_ARG(l->target), SLICE_ARG(l->proto), l->status, l->body_out, SLICE_ARG(l->referer), SLICE_ARG(l->agent));
}

struct outputs { const char *truth, *combined; };

static struct outputs options_parse(int argc, char **argv, struct traffic_options *o)
{
	static const struct option longs[] = { { "lines", required_argument, NULL, 'l' }, { "seed", required_argument, NULL, 's' },
		{ "pages", required_argument, NULL, 'p' }, { "clients", required_argument, NULL, 'c' }, { "nodes", required_argument, NULL, 'n' },
		{ "hosts", required_argument, NULL, 'h' }, { "skew", required_argument, NULL, 'k' }, { "rate", required_argument, NULL, 'r' },
		{ "faults", required_argument, NULL, 'f' }, { "broken", required_argument, NULL, 'b' }, { "truth", required_argument, NULL, 't' },
		{ "combined", required_argument, NULL, 'o' }, { 0 } };
	struct outputs outputs = { NULL, NULL };

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
		case 't': outputs.truth = optarg; break;
		case 'o': outputs.combined = optarg; break;
		default: fputs(usage_text, stderr); exit(2);
		}
	}
	return outputs;
}

static FILE *output_open(const char *path)
{
	FILE *out = path ? fopen(path, "w") : NULL;

	if (path && !out) {
		perror(path);
		exit(2);
	}
	return out;
}

int main(int argc, char **argv)
{
	static char out[LOG_LINE_MAX], buffer[1 << 18];
	struct traffic_options options = { .lines = 1000000, .seed = 1, .pages = 200000, .clients = 20000, .nodes = 2, .hosts = 12, .skew = 0.9, .rate = 500 };
	struct outputs outputs = options_parse(argc, argv, &options);
	FILE *truth = output_open(outputs.truth), *combined = output_open(outputs.combined);
	static struct traffic traffic;
	uint64_t requests = 0;

	setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
	traffic_init(&traffic, &options);
	for (size_t len; (len = traffic_next(&traffic, out));) {
		if (fwrite(out, 1, len, stdout) != len) break;
		if (combined && traffic.truth.requests > requests) put_combined(&traffic.last, combined);
		requests = traffic.truth.requests;
	}
	if (truth) traffic_truth_print(&traffic, truth);
	traffic_release(&traffic);
	if ((truth && fclose(truth) != 0) || (combined && fclose(combined) != 0) || fflush(stdout) != 0) {
		perror("genlog");
		return 2;
	}
	return 0;
}
