# databite: a PGXS extension. "./dev help" is the front door.
MODULE_big = databite
EXTENSION = databite
DATA = $(sort $(wildcard databite--*.sql))
PGFILEDESC = "databite - keeps tables in step with HTTP/JSON APIs"

OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/*.c src/*/*.c)))

REGRESS = $(sort $(patsubst sql/%.sql,%,$(wildcard sql/*.sql)))
REGRESS_OPTS = --load-extension=databite
ISOLATION = $(sort $(patsubst test/specs/%.spec,%,$(wildcard test/specs/*.spec)))
ISOLATION_OPTS = --load-extension=databite --inputdir=test
TAP_TESTS = $(if $(wildcard test/t/*.pl),1)
PROVE_TESTS = test/t/*.pl

LIBRARIES = libcurl json-c zlib libbrotlidec libmicrohttpd
PG_CPPFLAGS = -I$(CURDIR)/src $(shell pkg-config --cflags $(LIBRARIES))
PG_CFLAGS = -std=gnu11 -Wall -Wextra -Werror -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers
SHLIB_LINK = $(shell pkg-config --libs $(LIBRARIES))

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

# Where the server was built without dependency tracking (Debian's is), no object would follow its headers.
$(OBJS): $(wildcard src/*.h src/*/*.h) Makefile

PROVE_FLAGS += -I test/t/lib
