# Commands:
#   make            build build/proxyd and build/logaudit
#   make deps       say which Debian packages are missing
#   make run        install what is missing, build, start an origin and proxyd, drive traffic, audit the log
#   make stop       stop what `make run` left running
#   make test       install what is missing, run every test
#   make unit       unit tests (SAN=asan: with AddressSanitizer and UBSan)
#   make story      stories against the real daemon (STORY=tests/story/test_cache.py: only these)
#   make conformance  what passes of the table of RFC 9111 and its relatives (CONFORMANCE=--strict: fail when a row does)
#   make fuzz       each fuzz target for a short time (FUZZ_SECONDS=10)
#   make bench      requests per CPU-second beside nginx and haproxy; and every request counted
#   make bench-cold  hits in memory beside reads of a slow disk, in little memory
#   make bench-tls  over TLS beside nginx and haproxy: hits, full and resumed handshakes, memory of idle connections, answers that pass from a TLS origin
#   make bench-compress  sizes of a real site by coding, and a compressed page beside nginx (SITE=/usr/share/doc)
#   make bench-h2   hits over HTTP/2 and TLS beside nginx and haproxy, 16 streams on a connection
#   make bench-store  the store beside the disk itself: filling, full, hits (STORE_MB=2048)
#   make bench-audit  logaudit beside mawk, GoAccess and DuckDB on the same made log: lines per CPU-second, memory, threads (LINES=1000000)
#   make bench-policy hit ratios of the eviction policies on traces, against the best possible (about a minute)
#   make layers     check that no room includes what is above it
#   make docs       write into the manual page of logaudit what follows from its tables
#   make docs-check check that the manual pages and the README say what the programs do
#   make clean
# Variables: CC=gcc|clang  SAN=|asan|tsan  (each combination has its own folder under build/)  JOBS=4 (unit tests and stories at a time)
.DEFAULT_GOAL := all
CC      ?= gcc
ifeq ($(origin CC),default)
CC := gcc
endif
SAN     ?=
JOBS    ?= 4
OUT     := build$(if $(SAN),/$(SAN))$(if $(filter-out gcc,$(CC)),/$(CC))
WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror
OPT     := -O2 -g -fno-omit-frame-pointer
SAN_asan := -fsanitize=address,undefined -fno-sanitize-recover=all -O1
SAN_tsan := -fsanitize=thread -O1
SAN_fuzz := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -O1
CFLAGS  += -std=c11 -D_GNU_SOURCE $(WARN) $(OPT) $(SAN_$(SAN)) -MMD -MP -pthread
LDFLAGS += $(SAN_$(SAN)) -pthread
LIBS_conf       := -lpcre2-8 -lxxhash
LIBS_cachestore := -llmdb -lxxhash
LIBS_proxyd     := $(LIBS_cachestore) $(LIBS_conf) -ljansson -lnghttp2 -lcurl -lssl -lcrypto -lz -lbrotlienc -lzstd -lm
LIBS_logaudit   := -lcsv -ljansson -lz -lm $(LIBS_conf)

objects = $(patsubst %.c,$(OUT)/obj/%.o,$(filter-out %/main.c,$(wildcard $(1)/*.c)))

.SECONDARY:   # objects are kept: they are asked for again
.PHONY: all help clean layers docs docs-check unit story conformance fuzz fuzz-run bench bench-tls bench-h2 bench-compress bench-cold bench-store bench-audit bench-policy run stop test deps
all: $(OUT)/proxyd $(OUT)/logaudit

help: ; @sed -n '/^[^#]/q; s/^# \{0,1\}//p' Makefile

# Asked once for each folder of output: a missing library is one sentence, not a page of errors.
$(OUT)/deps: tests/deps.sh
	@CC=$(CC) sh tests/deps.sh check build
	@mkdir -p $(@D); touch $@

$(OUT)/obj/%.o: %.c | $(OUT)/deps
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -c -o $@ $<

# The page of `logaudit report --html` carries its style and scripts, and their hashes, within itself.
$(OUT)/gen/page_assets.h: logaudit/page/embed.sh $(wildcard logaudit/page/*.css logaudit/page/*.js logaudit/page/*.LICENSE)
	@mkdir -p $(@D)
	sh $< $(<D) >$@.new && mv $@.new $@
$(OUT)/obj/logaudit/page_assets.o: CFLAGS += -I$(OUT)/gen
$(OUT)/obj/logaudit/page_assets.o: $(OUT)/gen/page_assets.h

$(OUT)/conf.a: $(call objects,conf)
$(OUT)/cachestore.a: $(call objects,cachestore)
$(OUT)/proxyd.a: $(call objects,proxyd)
$(OUT)/logaudit.a: $(call objects,logaudit)
$(OUT)/%.a:
	@rm -f $@; ar rcs $@ $^

$(OUT)/proxyd: $(OUT)/obj/proxyd/main.o $(OUT)/proxyd.a $(OUT)/cachestore.a $(OUT)/conf.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_proxyd)
$(OUT)/logaudit: $(OUT)/obj/logaudit/main.o $(OUT)/logaudit.a $(OUT)/conf.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_logaudit)

# The daemon with a clock that stories move: one object is another one. No other program has it (test_clock.py looks).
$(OUT)/obj/clock/clock.o: proxyd/clock.c | $(OUT)/deps
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -DTEST_CLOCK -c -o $@ $<
$(OUT)/clock/proxyd: $(OUT)/obj/proxyd/main.o $(OUT)/obj/clock/clock.o $(OUT)/proxyd.a $(OUT)/cachestore.a $(OUT)/conf.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_proxyd)

# Unit tests: tests/unit/<room>_<name>.c, each a program linked with what its room may use.
UNITS := $(patsubst tests/unit/%.c,$(OUT)/unit/%,$(wildcard tests/unit/*_*.c))
$(OUT)/unit/conf_%: $(OUT)/obj/tests/unit/conf_%.o $(OUT)/conf.a
	@mkdir -p $(@D); $(CC) $(LDFLAGS) -o $@ $^ -lcmocka $(LIBS_conf)
$(OUT)/unit/cachestore_%: $(OUT)/obj/tests/unit/cachestore_%.o $(OUT)/cachestore.a $(OUT)/conf.a
	@mkdir -p $(@D); $(CC) $(LDFLAGS) -o $@ $^ -lcmocka $(LIBS_proxyd)
$(OUT)/unit/proxyd_%: $(OUT)/obj/tests/unit/proxyd_%.o $(OUT)/proxyd.a $(OUT)/cachestore.a $(OUT)/conf.a
	@mkdir -p $(@D); $(CC) $(LDFLAGS) -o $@ $^ -lcmocka $(LIBS_proxyd)
$(OUT)/unit/logaudit_%: $(OUT)/obj/tests/unit/logaudit_%.o $(OUT)/logaudit.a $(OUT)/conf.a
	@mkdir -p $(@D); $(CC) $(LDFLAGS) -o $@ $^ -lcmocka $(LIBS_logaudit)
# Several at a time; what they say is shown in order. The first that fails ends it.
unit: $(UNITS)
	@printf '%s\n' $(UNITS) | xargs -P $(JOBS) -I{} sh -c '{} >{}.log 2>&1 || { cat {}.log; echo "unit: {} failed"; exit 255; }'
	@cat $(UNITS:=.log)

# Libraries that stories load before the daemon: tests/shim/<name>.c.
SHIMS := $(patsubst tests/shim/%.c,$(OUT)/shim/%.so,$(wildcard tests/shim/*.c))
$(OUT)/shim/%.so: tests/shim/%.c | $(OUT)/deps
	@mkdir -p $(@D)
	$(CC) -std=c11 -D_GNU_SOURCE $(WARN) -O2 -g -fPIC -shared -o $@ $< -ldl

# Stories: tests/story/test_*.py, by Debian's python3 whatever comes first in PATH. They wait more than they work: several at a time.
STORY ?= tests/story
story: all $(OUT)/clock/proxyd $(SHIMS) build/axe
	PROXYD=$(OUT)/proxyd PROXYD_CLOCK=$(OUT)/clock/proxyd SHIMS=$(OUT)/shim LOGAUDIT=$(OUT)/logaudit PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 -m pytest -n $(JOBS) $(STORY)

# axe-core looks at the page of the report for what those who cannot see it would miss. Where npm has it not, that part of a story is skipped.
AXE_VERSION := 4.14.1
build/axe:
	@mkdir -p $@
	@cd $@ && npm pack --silent axe-core@$(AXE_VERSION) >/dev/null 2>&1 && tar xzf axe-core-*.tgz package/axe.min.js || echo 'axe-core: npm has it not'

# The conformance table: counts by section and the rows that fail. They are stories as well (test_conformance.py).
CONFORMANCE ?=
conformance: all $(OUT)/clock/proxyd
	@PROXYD=$(OUT)/proxyd PROXYD_CLOCK=$(OUT)/clock/proxyd PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 tests/story/conformance/summary.py $(CONFORMANCE)

# Fuzz targets: tests/fuzz/fuzz_<name>.c with seeds in tests/fuzz/corpus/<name>/; what is found stays in the folder of output.
FUZZ_SECONDS ?= 10
FUZZ := $(patsubst tests/fuzz/%.c,$(OUT)/%,$(wildcard tests/fuzz/fuzz_*.c))
fuzz: ; @$(MAKE) CC=clang SAN=fuzz OUT=$(OUT)/fuzz fuzz-run
fuzz-run: $(FUZZ)
	@printf '%s\n' $(FUZZ:$(OUT)/fuzz_%=%) | xargs -P $$(nproc) -I{} sh -c 'echo "fuzz {}: $(FUZZ_SECONDS) s"; \
		mkdir -p $(OUT)/corpus/{} tests/fuzz/corpus/{} && \
		$(OUT)/fuzz_{} -max_total_time=$(FUZZ_SECONDS) -timeout=5 -rss_limit_mb=1024 -artifact_prefix=$(OUT)/{}- \
			$(OUT)/corpus/{} tests/fuzz/corpus/{} >$(OUT)/{}.log 2>&1 || { tail -n 60 $(OUT)/{}.log; exit 255; }'
$(OUT)/fuzz_%: $(OUT)/obj/tests/fuzz/fuzz_%.o $(OUT)/proxyd.a $(OUT)/logaudit.a $(OUT)/cachestore.a $(OUT)/conf.a
	@mkdir -p $(@D); $(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS_proxyd) $(LIBS_logaudit)

# Benchmarks: a program of tests/bench/<name>.c, and the scripts that measure beside others.
$(OUT)/bench/%: $(OUT)/obj/tests/bench/%.o $(OUT)/proxyd.a $(OUT)/cachestore.a $(OUT)/conf.a
	@mkdir -p $(@D); $(CC) $(LDFLAGS) -o $@ $^ $(LIBS_proxyd) -lm
STORE_MB ?= 2048
bench-store: $(OUT)/bench/store
	mkdir -p $(OUT)/bench-volume && $< $(OUT)/bench-volume $(STORE_MB); rm -rf $(OUT)/bench-volume

bench-cold: all $(SHIMS)
	@sh tests/deps.sh install build bench
	OUT=$(OUT) bash tests/bench/cold.sh

# Hit ratios of the eviction policies, against the best possible: about a minute.
bench-policy: $(OUT)/bench/policy_sim ; @$<

bench-compress: all
	@sh tests/deps.sh install build bench
	OUT=$(OUT) bash tests/bench/compress.sh

bench-audit: all $(OUT)/bench/genlog ; @OUT=$(OUT) /usr/bin/python3 tests/bench/audit.py

bench: all
	@sh tests/deps.sh install build bench
	OUT=$(OUT) bash tests/bench/hit.sh
	OUT=$(OUT) bash tests/bench/count.sh
bench-tls: all $(OUT)/bench/handshakes
	@sh tests/deps.sh install build bench
	OUT=$(OUT) TLS=on bash tests/bench/hit.sh
	OUT=$(OUT) TLS=on LOAD=full bash tests/bench/hit.sh
	OUT=$(OUT) TLS=on LOAD=resumed bash tests/bench/hit.sh
	OUT=$(OUT) TLS=on LOAD=idle bash tests/bench/hit.sh
	OUT=$(OUT) ORIGIN_TLS=on CONTROL=no-store bash tests/bench/hit.sh
bench-h2: all
	@sh tests/deps.sh install build bench
	OUT=$(OUT) TLS=on LOAD=h2 bash tests/bench/hit.sh

deps: ; @CC=$(CC) sh tests/deps.sh check build run test bench && echo 'deps: nothing is missing'

run:
	@sh tests/deps.sh install build run
	@$(MAKE) all
	@OUT=$(OUT) bash tests/demo/run.sh
stop: ; @OUT=$(OUT) bash tests/demo/stop.sh

test:
	@sh tests/deps.sh install build test
	@$(MAKE) layers
	@$(MAKE) all unit
	@$(MAKE) docs-check
	@$(MAKE) story
	@$(MAKE) SAN=asan OUT=$(OUT)/asan all unit
	@$(MAKE) SAN=asan OUT=$(OUT)/asan story
	@$(MAKE) CC=clang OUT=$(OUT)/clang all unit
	@$(MAKE) FUZZ_SECONDS=5 fuzz

layers:
	@! grep -rnE '#include ".*(cachestore|proxyd|logaudit)/' conf
	@! grep -rnE '#include ".*(proxyd|logaudit)/' cachestore
	@! grep -rnE '#include ".*(proxyd|cachestore)/' logaudit

docs: all
	@{ sed '/tables:begin/q' logaudit/logaudit.1; $(OUT)/logaudit help man; sed -n '/tables:end/,$$p' logaudit/logaudit.1; } >$(OUT)/logaudit.1
	@cp $(OUT)/logaudit.1 logaudit/logaudit.1
docs-check: all ; @OUT=$(OUT) sh tests/docs.sh

clean: ; rm -rf build
-include $(shell find $(OUT) -name '*.d' 2>/dev/null)
