/* A real worker, run by its own thread, without a daemon around it. */
#ifndef TESTS_UNIT_ORIGIN_LOOP_H
#define TESTS_UNIT_ORIGIN_LOOP_H

#include "../../proxyd/worker_internal.h"

struct loop {
	struct worker *worker;
};

/* The worker exists and takes mail, but does not run yet. */
static inline void loop_open(struct loop *loop, struct conf *conf)
{
	loop->worker = worker_new(NULL, 0, conf, NULL);
}

/* Returns when loop_stop() was called in the worker's thread. */
static inline void loop_run(struct loop *loop)
{
	CHECK(worker_start(loop->worker));
	worker_join(loop->worker);
}

static inline void loop_stop(struct loop *loop)
{
	worker_stop(loop->worker);
}

static inline void loop_close(struct loop *loop)
{
	worker_free(&loop->worker);
}

#endif
