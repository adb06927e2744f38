/*
 * item_bench.c
 *	  How fast the item reader alone is.
 *
 * The reference workload: items of about 400 bytes with 12 fields, of which 10
 * leaves are wanted, in pages of 1,000 items that come in pieces of 16 kB.
 * Usage: item_bench [ITEMS [PIECE_BYTES]]
 */
#include "postgres.h"

#include <time.h>

#include "item/item_reader.h"
#include "lib/stringinfo.h"

#define PAGE_ITEMS	1000
#define PAGES		50			/* different ones, read in turn */

static const char *const paths[] = {
	"id", "name", "email", "created_at", "price.amount", "price.currency", "quantity", "active", "tags", "address.city"
};

static void add_item(StringInfo page, int n);
static double seconds(void);

int
main(int argc, char **argv)
{
	int64		items = argc > 1 ? atoll(argv[1]) : 1000000;
	size_t		piece = argc > 2 ? atoll(argv[2]) : 16384;
	const JsonPath *wanted[lengthof(paths)];
	ItemReaderOptions options = {.npaths = lengthof(paths), .paths = wanted, .max_item_bytes = 16 * 1024 * 1024,
	.max_depth = 512, .max_envelope_bytes = 1024 * 1024};
	StringInfoData pages[PAGES];
	ItemReader *reader;
	ItemBatch  *batch;
	int64		read = 0;
	int64		delivered = 0;
	int64		bytes = 0;
	double		start;
	double		elapsed;
	char	   *error;

	for (int i = 0; i < lengthof(paths); i++)
		wanted[i] = json_path_parse(paths[i], &error);
	for (int i = 0; i < PAGES; i++)
	{
		initStringInfo(&pages[i]);
		appendStringInfoString(&pages[i], "{\"total\":1000000,\"data\":[");
		for (int n = 0; n < PAGE_ITEMS; n++)
		{
			if (n > 0)
				appendStringInfoChar(&pages[i], ',');
			add_item(&pages[i], i * PAGE_ITEMS + n);
		}
		appendStringInfoString(&pages[i], "],\"has_more\":true}");
	}
	reader = item_reader_create(&options, NULL);
	batch = item_batch_create(lengthof(paths), PAGE_ITEMS, 4 * 1024 * 1024, NULL);

	start = seconds();
	for (int page = 0; read < items; page = (page + 1) % PAGES)
	{
		const char *p = pages[page].data;
		size_t		left = pages[page].len;

		item_reader_begin(reader, 0);
		while (left > 0)
		{
			size_t		taken;

			if (item_reader_push(reader, p, Min(left, piece), &taken, batch) == ITEMS_ERROR)
			{
				fprintf(stderr, "%s\n", item_reader_error(reader, NULL));
				return 1;
			}
			if (batch->nitems >= PAGE_ITEMS)
			{
				delivered += batch->nitems;
				item_batch_reset(batch);
			}
			p += taken;
			left -= taken;
		}
		if (item_reader_finish(reader, batch) == ITEMS_ERROR)
			return 1;
		read += item_reader_count(reader);
		bytes += pages[page].len;
	}
	elapsed = seconds() - start;
	printf("%lld items of %lld bytes, %d of 12 fields wanted: %.3f s, %.0f items/s, %.0f MB/s\n",
		   (long long) delivered, (long long) (bytes / read), (int) lengthof(paths), elapsed,
		   read / elapsed, bytes / elapsed / 1e6);
	return 0;
}

static void
add_item(StringInfo page, int n)
{
	appendStringInfo(page,
					 "{\"id\":%d,\"name\":\"Customer number %d\",\"email\":\"customer.%d@example.com\","
					 "\"created_at\":\"2024-%02d-%02dT12:%02d:%02d.%03dZ\",\"price\":{\"amount\":%d.%02d,\"currency\":\"EUR\"},"
					 "\"quantity\":%d,\"active\":%s,\"tags\":[\"alpha\",\"beta\",\"gamma\"],"
					 "\"address\":{\"street\":\"%d Long Street\",\"city\":\"Springfield\",\"zip\":\"%05d\"},"
					 "\"description\":\"A text that nobody wants, of a length that is usual for such fields\","
					 "\"notes\":null,\"score\":%d.5}",
					 n + 1000000, n, n, n % 12 + 1, n % 28 + 1, n % 60, n % 60, n % 1000, n % 1000, n % 100,
					 n % 50, n % 2 ? "true" : "false", n, n % 100000, n % 10);
}

static double
seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}
