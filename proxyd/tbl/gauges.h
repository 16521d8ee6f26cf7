/* GAUGE(name, kind, doc): what the metrics page shows beside the counters; the value is worked out in metrics.c. */
GAUGE(log_lines_lost_total, counter, "Lines of the access log that could not be written.")
GAUGE(config_generation,    gauge,   "Generation of the configuration in use.")
GAUGE(start_time_seconds,   gauge,   "When the daemon started: seconds since 1970, UTC.")
GAUGE(connections,          gauge,   "Client connections that are open.")
GAUGE(workers,              gauge,   "Workers.")
