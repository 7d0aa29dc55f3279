# customer_tier: build with PGXS.
#   make && make install              into the server that pg_config belongs to
#   make installcheck                 the SQL tests, against a running server
#   make unitcheck                    the plain-C tests, without a server
# script/test runs every kind of test on a throw-away server of its own.

PG_CONFIG ?= pg_config

EXTENSION = customer_tier
MODULE_big = customer_tier

# The control file is the one source of the version.
EXTVERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'.*/\1/p" customer_tier.control)

# Rooms in dependency order; a room's install SQL stands beside its C, its
# files in the order of their names.
ROOMS = state history score clv rating tier program
ROOM_SQL = src/customer_tier.sql $(foreach room,$(ROOMS),$(sort $(wildcard src/$(room)/*.sql)))
ROOM_C = $(sort $(wildcard src/*.c src/*/*.c src/*/*/*.c))
OBJS = $(ROOM_C:.c=.o)
ROOM_H = $(wildcard src/*.h src/*/*.h src/*/*/*.h)

DATA = $(filter-out customer_tier--$(EXTVERSION).sql,$(wildcard customer_tier--*--*.sql))
DATA_built = customer_tier--$(EXTVERSION).sql

REGRESS = $(sort $(basename $(notdir $(wildcard sql/*.sql))))
REGRESS_OPTS = --inputdir=. --load-extension=customer_tier
# What a refresh took is another number every time.
installcheck: export PGOPTIONS := $(PGOPTIONS) -c customer_tier.refresh_notices=off

PG_CFLAGS = -std=gnu99 -Wall -Wextra -Werror \
	-Wno-declaration-after-statement -ffp-contract=off -fvisibility=hidden \
	-DCUSTOMER_TIER_VERSION='"$(EXTVERSION)"'
# The server's headers as system headers: warnings are for our own code.
PG_CPPFLAGS = -isystem $(shell $(PG_CONFIG) --includedir-server) -I$(srcdir)/src
SHLIB_LINK += -lm -lnlopt
EXTRA_CLEAN = customer_tier--$(EXTVERSION).sql test/unit/build

# No JIT bitcode: every hot loop of ours is inside one function, there is
# nothing to inline into a query, and building it would need clang.
override with_llvm = no

PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

$(OBJS): $(ROOM_H) customer_tier.control

customer_tier--$(EXTVERSION).sql: $(ROOM_SQL) customer_tier.control Makefile
	@for f in $(ROOM_SQL); do echo "-- $$f"; cat $$f; echo; done > $@

# Plain C (what knows nothing of postgres.h): numerics and the models, sanitised.
UNIT = $(sort $(basename $(notdir $(wildcard test/unit/*.c))))
UNIT_C = $(wildcard src/numerics/*.c src/clv/models/*.c) src/tier/machine.c src/tier/calendar.c src/tier/limits.c
UNIT_CFLAGS = -std=gnu99 -g -O1 -Wall -Wextra -Werror -ffp-contract=off -fsanitize=address,undefined -fno-sanitize-recover=all
.PHONY: unitcheck
unitcheck:
	@mkdir -p test/unit/build
	@for t in $(UNIT); do \
		$(CC) $(UNIT_CFLAGS) -Isrc -o test/unit/build/$$t test/unit/$$t.c $(UNIT_C) -lm && \
		test/unit/build/$$t || exit 1; \
	done
