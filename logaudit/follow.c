/* Following: lines to the audit, counts to seconds, and what the rules have found so far. */
#include <errno.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "follow.h"
#include "show.h"

static const struct { const char *name; size_t offset; } count_rows[] = {
#define X(name) { #name, offsetof(struct follow_counts, name) },
	FOLLOW_COUNTS(X)
#undef X
};

static uint64_t *count_at(struct follow_counts *counts, size_t i)
{
	return (uint64_t *)(void *)((char *)counts + count_rows[i].offset);
}

/* ---- what the tail gives ---- */

static void on_begin(void *arg, const char *path)
{
	struct follow *f = arg;

	if (f->audit.file_count) audit_end(&f->audit);
	audit_begin(&f->audit, path);
}

static bool on_line(void *arg, struct slice text, uint64_t number, enum input_trouble trouble)
{
	struct follow *f = arg;

	return audit_line(&f->audit, text, number, trouble);
}

static void on_note(void *arg, const char *text)
{
	struct follow *f = arg;

	if (f->note_count == FOLLOW_NOTES) {
		free(f->notes[0]);
		memmove(f->notes, f->notes + 1, sizeof(f->notes[0]) * (FOLLOW_NOTES - 1));
		f->note_count--;
	}
	f->notes[f->note_count++] = must(strdup(text));
	if (f->notes_fresh < f->note_count) f->notes_fresh++;
}

/* ---- counts ---- */

struct follow_counts follow_total(const struct follow *f)
{
	const struct tally_row *all = &f->audit.tally.all;
	struct follow_counts total = { .lines_counted = f->audit.lines_counted, .lines_left_out = f->audit.lines_left_out,
		.lines_rejected = f->audit.lines_rejected, .requests = tally_requests(all), .hits = tally_hits(all), .bytes = tally_bytes(all),
		.hit_bytes = tally_hit_bytes(all), .errors = all->errors };
	struct follow_counts before = f->before;

	for (size_t i = 0; i < COUNT_OF(count_rows); i++) *count_at(&total, i) += *count_at(&before, i);
	return total;
}

void follow_tick(struct follow *f, uint64_t now_s)
{
	struct follow_counts total = follow_total(f);

	if (!f->first_second) {
		f->first_second = f->second = now_s;
		f->seconds[now_s % COUNT_OF(f->seconds)] = total;
	}
	/* A clock that was set back, or far ahead, begins anew. */
	if (now_s < f->second || now_s > f->second + FOLLOW_SECONDS) f->first_second = now_s;
	else
		while (f->second + 1 < now_s) {
			f->second++;
			f->seconds[f->second % COUNT_OF(f->seconds)] = f->seconds[(f->second - 1) % COUNT_OF(f->seconds)];
		}
	f->second = now_s;
	f->seconds[now_s % COUNT_OF(f->seconds)] = total;
}

struct follow_counts follow_minute(const struct follow *f, uint64_t *ret_seconds)
{
	uint64_t from = f->second - f->first_second > FOLLOW_SECONDS ? f->second - FOLLOW_SECONDS : f->first_second;
	struct follow_counts now = follow_total(f), then = f->seconds[from % COUNT_OF(f->seconds)];

	for (size_t i = 0; i < COUNT_OF(count_rows); i++) *count_at(&now, i) -= *count_at(&then, i);
	*ret_seconds = f->second - from;
	return now;
}

/* ---- findings ---- */

/* The rules say what they found only at their end. So a child of ours, which has a copy of all they know, ends, and writes what they say:
 * a line for each, with tabs between severity, count, name and text. We go on. */
static void judge_child(struct audit *audit, int fd)
{
	char name[SHOW_TEXT_MAX], text[SHOW_TEXT_MAX];
	FILE *out = fdopen(fd, "w");

	audit_finish(audit);
	for (size_t i = 0; out && i < audit->findings.count; i++) {
		const struct finding *f = &audit->findings.rows[i];
		fprintf(out, "%d\t%llu\t%s: %s\t%s", (int)f->severity, (unsigned long long)f->count, f->rule->id, show_text(name, slice_str(f->subject), 60),
			show_text(text, slice_str(f->cause), 0));
		if (f->evidence.count)
			fprintf(out, " (%s:%llu)", show_text(name, slice_str(audit_path(audit, f->evidence.at[0])), 0), (unsigned long long)f->evidence.at[0].line);
		fputc('\n', out);
	}
	if (out) fclose(out);
	_exit(0);
}

static void finding_take(struct follow *f, enum severity severity, uint64_t count, const char *name, const char *text)
{
	struct follow_finding *finding = f->findings;

	while (finding < f->findings + f->finding_count && strcmp(finding->name, name) != 0) finding++;
	if (finding == f->findings + FOLLOW_FINDINGS_MAX) {
		f->findings_unnamed++;
		return;
	}
	if (finding == f->findings + f->finding_count) {
		f->finding_count++;
		*finding = (struct follow_finding){ .name = must(strdup(name)), .severity = severity, .fresh = true };
	}
	finding->fresh |= severity > finding->severity;
	finding->severity = severity;
	finding->count = count;
	free(finding->text);
	finding->text = must(strdup(text));
}

static void findings_take(struct follow *f, FILE *in)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t len;

	f->findings_unnamed = 0;
	while ((len = getline(&line, &room, in)) > 0) {
		char *rest = line, *severity = strsep(&rest, "\t"), *count = strsep(&rest, "\t"), *name = strsep(&rest, "\t");
		if (!rest || line[len - 1] != '\n') break;       /* the child died */
		rest[strcspn(rest, "\n")] = 0;
		finding_take(f, (enum severity)atoi(severity), strtoull(count, NULL, 10), name, rest);
	}
	free(line);
}

void follow_judge(struct follow *f)
{
	int ends[2];
	pid_t pid;
	FILE *in;

	if (f->findings_of == f->audit.lines_counted || pipe(ends) != 0) return;
	f->findings_of = f->audit.lines_counted;
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		judge_child(&f->audit, ends[1]);
	}
	close(ends[1]);
	in = pid > 0 ? fdopen(ends[0], "r") : NULL;
	if (in) {
		findings_take(f, in);
		fclose(in);
	} else {
		close(ends[0]);
	}
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR);
}

int follow_worst(const struct follow *f)
{
	int worst = -1;

	for (size_t i = 0; i < f->finding_count; i++)
		if ((int)f->findings[i].severity > worst) worst = (int)f->findings[i].severity;
	return worst;
}

/* ---- life ---- */

static bool state_load(struct follow *f, const char *state_path, json_t **ret_tail, char why[256])
{
	json_error_t error;
	json_t *root = json_load_file(state_path, JSON_REJECT_DUPLICATES, &error), *counts = json_object_get(root, "counts");
	json_int_t since = json_integer_value(json_object_get(root, "since"));
	bool ok = root && since >= 0 && json_is_object(json_object_get(root, "tail")) && json_is_object(counts);

	for (size_t i = 0; ok && i < COUNT_OF(count_rows); i++) {
		const json_t *count = json_object_get(counts, count_rows[i].name);
		ok = json_is_integer(count) && json_integer_value(count) >= 0;
		if (ok) *count_at(&f->before, i) = (uint64_t)json_integer_value(count);
	}
	if (ok) {
		f->since_s = (uint64_t)since;
		*ret_tail = json_incref(json_object_get(root, "tail"));
	} else {
		snprintf(why, 256, "%.100s: %.120s", state_path, root ? "that is no state of logaudit follow" : error.text);
	}
	json_decref(root);
	return ok;
}

bool follow_save(const struct follow *f, const char *state_path, char why[256])
{
	struct follow_counts total = follow_total(f);
	json_t *counts = must(json_object()), *root;
	char *beside = NULL;
	FILE *out;
	bool ok;

	for (size_t i = 0; i < COUNT_OF(count_rows); i++)
		json_object_set_new(counts, count_rows[i].name, must(json_integer((json_int_t)*count_at(&total, i))));
	root = must(json_pack("{s:I, s:o, s:o}", "since", (json_int_t)f->since_s, "counts", counts, "tail", tail_save(&f->tail)));
	CHECK(asprintf(&beside, "%s.new", state_path) >= 0);
	out = fopen(beside, "we");
	ok = out && json_dumpf(root, out, JSON_INDENT(1)) == 0 && fflush(out) == 0 && fsync(fileno(out)) == 0;
	if (out && fclose(out) != 0) ok = false;
	ok = ok && rename(beside, state_path) == 0;
	if (!ok) snprintf(why, 256, "%.150s: %s: what was read is not kept", state_path, strerror(errno));
	free(beside);
	json_decref(root);
	return ok;
}

bool follow_open(struct follow *f, const char *path, const char *state_path, const struct filter *filter, char why[256])
{
	const struct tail_calls calls = { on_begin, on_line, on_note, f };
	json_t *state = NULL;
	char reason[256];
	bool ok;

	memset(f, 0, sizeof(*f));
	audit_init(&f->audit);
	audit_filter(&f->audit, filter);
	f->tail.fd = -1;
	f->since_s = (uint64_t)time(NULL);
	if (state_path && access(state_path, F_OK) == 0 && !state_load(f, state_path, &state, why)) return false;
	ok = tail_open(&f->tail, path, state, &calls, reason);
	if (!ok) snprintf(why, 256, "%.100s: %.140s", path, reason);
	json_decref(state);
	return ok;
}

bool follow_read(struct follow *f)
{
	bool any = tail_read(&f->tail);

	while (f->troubles_said < f->audit.trouble_count) on_note(f, f->audit.troubles[f->troubles_said++]);
	return any;
}

void follow_close(struct follow *f)
{
	for (size_t i = 0; i < f->finding_count; i++) {
		free(f->findings[i].name);
		free(f->findings[i].text);
	}
	for (unsigned i = 0; i < f->note_count; i++) free(f->notes[i]);
	tail_close(&f->tail);
	audit_release(&f->audit);
}
