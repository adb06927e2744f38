/*
 * item_test.c
 *	  Tests of the item reader: item_test [--suite DIR]
 *
 * Every document is read whole, in bytes, and in two pieces split at each
 * position; the outcome must be the same.  With --suite the files of
 * JSONTestSuite's test_parsing folder are read as well.  A document counts as
 * one test, however often it is read.
 */
#include "postgres.h"

#include <dirent.h>

#include "cases.h"

#define RANDOM_DOCUMENTS	400

static int	passed = 0;
static int	failed = 0;
static bool case_right = true;

static void test_cases(const ItemCase *cases);
static void test_skip(const ItemCase *c, const char *document, size_t len, const char *outcome);
static void test_grammar(void);
static void test_large_item(void);
static void test_held(void);
static void test_endless(void);
static void test_deep(void);
static void test_random(void);
static void test_suite(const char *dir);
static void end_case(void);
static void check(bool right, const char *name, const char *got, const char *expected);
static void check_splits(const char *name, const ReadingSetup *setup, const char *document, size_t len, const char *outcome);
static char *read_pieces(Reading *reading, int64 skip, const char *document, size_t len, size_t first, size_t rest);
static bool is_json(const char *text, size_t len, size_t piece);
static bool is_json_item(const char *text, size_t len, size_t piece);
static uint32 random_below(uint32 bound);
static void random_value(StringInfo out, int depth);
static void random_string(StringInfo out);
static void random_space(StringInfo out);
static char *load_file(const char *path, size_t *len);

int
main(int argc, char **argv)
{
	test_cases(item_cases);
	test_cases(decoding_cases);
	test_grammar();
	test_large_item();
	test_held();
	test_endless();
	test_deep();
	test_random();
	if (argc == 3 && strcmp(argv[1], "--suite") == 0)
		test_suite(argv[2]);
	printf("%d passed, %d failed\n", passed, failed);
	return failed > 0 ? 1 : 0;
}

/* The tables of cases.c and decoding_cases.c. */
static void
test_cases(const ItemCase *cases)
{
	for (const ItemCase *c = cases; c->name != NULL; c++)
	{
		Reading		reading;
		size_t		len = c->len ? c->len : strlen(c->document);
		char	   *outcome;

		reading_create(&reading, &c->setup);
		outcome = read_pieces(&reading, c->setup.skip, c->document, len, len, len);
		check(strcmp(outcome, c->outcome) == 0, c->name, outcome, c->outcome);
		check_splits(c->name, &c->setup, c->document, len, outcome);
		if (c->setup.skip == 0)
			test_skip(c, c->document, len, c->outcome);
		end_case();
	}
}

/*
 * A document whose transfer broke before any of its bytes, and began anew, gives each item
 * once; and one that is read again gives all but the items skipped.
 */
static void
test_skip(const ItemCase *c, const char *document, size_t len, const char *outcome)
{
	Reading		reading;
	char	   *label = psprintf("%s, begun anew", c->name);
	int64		lines = 0;
	int64		count;

	reading_create(&reading, &c->setup);
	(void) read_pieces(&reading, 0, document, len, len, len);
	count = item_reader_count(reading.reader);
	for (size_t broken = 0; broken <= len; broken++)
	{
		reading_begin(&reading, 0);
		(void) reading_push(&reading, document, broken);
		if (!reading.accepted)
			break;
		reading_restart(&reading);
		(void) reading_push(&reading, document, len);
		reading_finish(&reading);
		check(strcmp(reading.items.data, outcome) == 0, label, reading.items.data, outcome);
	}
	/* where each item is one line */
	for (const char *p = outcome; *p != '\0'; p++)
		lines += (*p == '\n');
	for (int64 skip = 1; skip <= count && lines == count; skip++)
	{
		char	   *got = read_pieces(&reading, skip, document, len, 1, 1);
		const char *expected = outcome;

		for (int64 i = 0; i < skip; i++)
			expected = strchr(expected, '\n') + 1;
		check(strcmp(got, expected) == 0, label, got, expected);
	}
	pfree(label);
}

/* What is JSON and what is not, as a document, as an item and inside of one. */
static void
test_grammar(void)
{
	for (int expected = 0; expected <= 1; expected++)
	{
		const char *const *documents = expected ? json_documents : broken_documents;

		for (int i = 0; documents[i] != NULL; i++)
		{
			const char *text = documents[i];
			size_t		len = strlen(text);
			char	   *inside = psprintf("[{\"a\":{\"b\":[%s]}}]", text);

			for (size_t piece = 1; piece <= len; piece++)
			{
				check(is_json(text, len, piece) == expected, "document", text, expected ? "accepted" : "rejected");
				check(is_json_item(text, len, piece) == expected, "item", text, expected ? "accepted" : "rejected");
				/* what closes brackets may well be right inside of others; "1 2" never is */
				if (expected)
					check(is_json(inside, strlen(inside), piece), "inside", inside, "accepted");
			}
			end_case();
		}
	}
}

/* An item of megabytes in small pieces takes time in proportion to its size. */
static void
test_large_item(void)
{
	static const size_t pieces[] = {1, 1000, 16384};
	ReadingSetup setup = {.paths = {"id", "last"}};
	StringInfoData document;

	initStringInfo(&document);
	appendStringInfoString(&document, "[{\"id\":1,\"list\":[");
	for (int i = 0; i < 400000; i++)
		appendStringInfo(&document, "{\"n\":%d},", i);
	appendStringInfoString(&document, "0],\"last\":\"x\"},{\"id\":2}]");
	for (int i = 0; i < lengthof(pieces); i++)
	{
		Reading		reading;
		char	   *outcome;

		reading_create(&reading, &setup);
		outcome = read_pieces(&reading, 0, document.data, document.len, pieces[i], pieces[i]);
		check(strcmp(outcome, "1 | \"x\"\n2 | missing\nenvelope [] list $ count 2") == 0, "large item", outcome, "two items");
		end_case();
	}
	pfree(document.data);
}

/* Memory is held for an item that is not complete, and for the envelope; it is given back as soon as it is of no use. */
static void
test_held(void)
{
	static const struct
	{
		const char *name;
		SourceFormat format;
		const char *data_path;
		const char *begin;
		const char *end;		/* of the item */
	}			documents[] = {
		{"an item", FORMAT_JSON, NULL, "[1,\"", "\""},
		{"a member", FORMAT_JSON, "$.*", "{\"a\":\"", "\""},
		{"a line", FORMAT_NDJSON, NULL, "\"", "\"\n"},
		{"a row", FORMAT_CSV, NULL, "id\n", "\n2"},
		{"an envelope", FORMAT_JSON, "data", "{\"a\":\"", NULL},
	};

	for (int i = 0; i < lengthof(documents); i++)
	{
		ReadingSetup setup = {.paths = {"$"}, .max_item_bytes = 1024 * 1024, .format = documents[i].format, .data_path = documents[i].data_path};
		Reading		reading;
		size_t		before;

		reading_create(&reading, &setup);
		before = item_reader_held(reading.reader);
		(void) reading_push(&reading, documents[i].begin, strlen(documents[i].begin));
		for (int n = 0; n < 60000; n++)
			(void) reading_push(&reading, "xxxxxxxxxx", 10);
		check(item_reader_held(reading.reader) >= before + 600000, documents[i].name, "less is held", "600000 bytes");
		if (documents[i].end != NULL)
		{
			(void) reading_push(&reading, documents[i].end, strlen(documents[i].end));
			check(item_reader_held(reading.reader) < 300000, documents[i].name, "more is held", "nothing of an item that is complete");
			reading_begin(&reading, 0);
			(void) reading_push(&reading, documents[i].begin, strlen(documents[i].begin));
			for (int n = 0; n < 120000; n++)
				(void) reading_push(&reading, "xxxxxxxxxx", 10);
			check(item_reader_held(reading.reader) < 300000, documents[i].name, "more is held", "nothing of an item above the bound");
		}
		item_reader_forget(reading.reader);
		check(item_reader_held(reading.reader) < 300000, documents[i].name, "more is held", "nothing of a document that is given up");
		end_case();
	}
}

/* What never ends is given up, wherever it is, and its items before are not lost. */
static void
test_endless(void)
{
	static const struct
	{
		const char *name;
		SourceFormat format;
		const char *data_path;
		const char *begin;
		const char *repeated;
		const char *outcome;
	}			documents[] = {
		{"a string without an end", FORMAT_JSON, NULL, "[1,\"", "xxxxxxxxxx", "1\n"},
		{"an item without an end", FORMAT_JSON, NULL, "[1,{\"a\":[0", ",123456789", "1\n"},
		{"space without an end", FORMAT_JSON, NULL, "[1,", "          ", "1\n"},
		{"a name without an end", FORMAT_JSON, "$.*", "{\"a\":1,\"", "xxxxxxxxxx", "1\n"},
		{"a value before the list without an end", FORMAT_JSON, "data", "{\"a\":[0", ",123456789", ""},
		{"a value behind the list without an end", FORMAT_JSON, "data", "{\"data\":[1],\"a\":\"", "xxxxxxxxxx", "1\n"},
		{"a line without an end", FORMAT_NDJSON, NULL, "1\n\"", "xxxxxxxxxx", "1\n"},
		{"lines of nothing without an end", FORMAT_NDJSON, NULL, "1\n", "\n\n\n\n\n\n\n\n\n\n", "1\n"},
		{"a row without an end", FORMAT_CSV, NULL, "id\n1\n", "xxxxxxxxxx", "\"1\"\n"},
		{"a header row without an end", FORMAT_CSV, NULL, "id,", "xxxxxxxxxx", ""},
	};

	for (int i = 0; i < lengthof(documents); i++)
	{
		bool		is_csv = documents[i].format == FORMAT_CSV;
		bool		is_map = documents[i].data_path != NULL && documents[i].data_path[0] == '$';
		ReadingSetup setup = {.paths = {is_csv ? "id" : is_map ? "_value" : "$"}, .max_item_bytes = 100,
			.format = documents[i].format, .data_path = documents[i].data_path};
		Reading		reading;
		char	   *expected = psprintf("%serror the response has an item or something else that does not end after 6400 bytes count %d",
										documents[i].outcome, documents[i].outcome[0] != '\0');
		int			pieces = 0;

		reading_create(&reading, &setup);
		(void) reading_push(&reading, documents[i].begin, strlen(documents[i].begin));
		while (pieces < 1000 && reading_push(&reading, documents[i].repeated, 10))
			pieces++;
		reading_finish(&reading);
		check(strcmp(reading.items.data, expected) == 0, documents[i].name, reading.items.data, expected);
		check(item_reader_sqlstate(reading.reader) == ERRCODE_PROGRAM_LIMIT_EXCEEDED, documents[i].name, "its SQLSTATE", "54000");
		check(pieces >= 620 && pieces < 650, documents[i].name, "the end came early or late", "after 6400 bytes");
		end_case();
		pfree(expected);
	}
}

/* A hundred thousand brackets are an error, and no overflow of a stack. */
static void
test_deep(void)
{
	static const struct
	{
		const char *name;
		const char *begin;
		const char *repeated;
		const char *close;		/* as often as repeated; NULL: never */
		const char *end;
		const char *outcome;
	}			documents[] = {
		{"deep arrays, unclosed", "", "[", NULL, "",
		"error the response is nested too deep at byte 16386 count 0"},
		{"deep objects, unclosed", "[", "{\"a\":", NULL, "",
		"error the response is nested too deep at byte 81922 count 0"},
		{"deep arrays and objects, unclosed", "[", "[{\"\":", NULL, "",
		"error the response is nested too deep at byte 40962 count 0"},
		{"deep item", "[1,", "[", "]", ",2]",
		"1\nerror the response is nested too deep at byte 16388 count 1"},
		{"deep envelope", "{\"x\":", "[", "]", ",\"data\":[]}", "error the response is nested too deep at byte 517 count 0"},
	};
	ReadingSetup setup = {.paths = {"$"}};

	for (int i = 0; i < lengthof(documents); i++)
	{
		StringInfoData document;
		Reading		reading;
		size_t		pieces[3];

		initStringInfo(&document);
		appendStringInfoString(&document, documents[i].begin);
		for (int n = 0; n < 100000; n++)
			appendStringInfoString(&document, documents[i].repeated);
		for (int n = 0; documents[i].close && n < 100000; n++)
			appendStringInfoString(&document, documents[i].close);
		appendStringInfoString(&document, documents[i].end);

		pieces[0] = document.len;
		pieces[1] = 1;
		pieces[2] = 1000;
		for (int k = 0; k < lengthof(pieces); k++)
		{
			char	   *outcome;

			reading_create(&reading, &setup);
			outcome = read_pieces(&reading, 0, document.data, document.len, pieces[k], pieces[k]);
			check(strcmp(outcome, documents[i].outcome) == 0, documents[i].name, outcome, documents[i].outcome);
		}
		end_case();
		pfree(document.data);
	}
}

/*
 * Random items come out as they went in, however split; and a random change of
 * a byte makes no difference between the splits.
 */
static void
test_random(void)
{
	ReadingSetup setup = {.paths = {"$", "a", "b.c", "d[1]", "d[-1]", "e[*].f", "a[*]"}};
	ReadingSetup whole = {.paths = {"$"}};

	for (int i = 0; i < RANDOM_DOCUMENTS; i++)
	{
		StringInfoData document;
		StringInfoData values;
		Reading		reading;
		char	   *outcome;

		initStringInfo(&document);
		initStringInfo(&values);
		appendStringInfoChar(&document, '[');
		for (int n = random_below(4) + 1; n > 0; n--)
		{
			StringInfoData value;

			initStringInfo(&value);
			appendStringInfoChar(&value, '[');
			random_value(&value, 0);
			appendStringInfoChar(&value, ']');
			appendStringInfo(&values, "=%s\n", value.data);
			appendStringInfo(&document, "%s%s", value.data, n > 1 ? "," : "]");
			pfree(value.data);
		}
		appendStringInfoString(&values, "envelope [] list $ count ");

		reading_create(&reading, &whole);
		outcome = read_pieces(&reading, 0, document.data, document.len, document.len, 1);
		check(strncmp(outcome, values.data, values.len) == 0, "random items", outcome, values.data);
		end_case();

		for (int change = 0; change < 4; change++)
		{
			reading_create(&reading, &setup);
			outcome = read_pieces(&reading, 0, document.data, document.len, document.len, 1);
			check_splits("random document", &setup, document.data, document.len, outcome);
			end_case();
			document.data[random_below(document.len)] = "\"\\{}[],:0e-. \x01\xC3u"[random_below(17)];
		}
		pfree(document.data);
		pfree(values.data);
	}
}

/* The files of JSONTestSuite. */
static void
test_suite(const char *dirname)
{
	DIR		   *dir = opendir(dirname);
	struct dirent *entry;
	int			files = 0;

	if (dir == NULL)
	{
		check(false, dirname, "cannot be opened", "the folder of the suite's files");
		end_case();
		return;
	}
	while ((entry = readdir(dir)) != NULL)
	{
		char	   *path = psprintf("%s/%s", dirname, entry->d_name);
		size_t		len = strlen(entry->d_name);
		char	   *text;

		if (len < 7 || strcmp(entry->d_name + len - 5, ".json") != 0 || entry->d_name[1] != '_')
			continue;
		text = load_file(path, &len);
		files++;
		for (int pass = 0; pass < 3; pass++)
		{
			size_t piece = (pass == 0) ? Max(len, 1) : (pass == 1) ? 1
																   : 7;
			bool		document = is_json(text, len, piece);
			bool		item = is_json_item(text, len, piece);

			if (entry->d_name[0] != 'i')
			{
				bool		expected = (entry->d_name[0] == 'y');

				check(document == expected, entry->d_name, "the document", expected ? "accepted" : "rejected");
				check(item == expected, entry->d_name, "the item", expected ? "accepted" : "rejected");
			}
		}
		end_case();
		pfree(text);
		pfree(path);
	}
	closedir(dir);
	check(files > 0, dirname, "no files", "the folder of the suite's files");
	end_case();
}

/* Counts the checks since the last case as one test. */
static void
end_case(void)
{
	if (case_right)
		passed++;
	else
		failed++;
	case_right = true;
}

/* A part of a case; only the first part that fails is shown. */
static void
check(bool right, const char *name, const char *got, const char *expected)
{
	if (right || !case_right)
		return;
	case_right = false;
	printf("FAILED %s\n  got:      %s\n  expected: %s\n", name, got, expected);
}

/* In single bytes, and in two pieces at each position. */
static void
check_splits(const char *name, const ReadingSetup *setup, const char *document, size_t len, const char *outcome)
{
	char	   *expected = pstrdup(outcome);
	char	   *label = psprintf("%s, split", name);
	Reading		reading;
	char	   *got;
	uint64		fingerprint;

	reading_create(&reading, setup);
	got = read_pieces(&reading, setup->skip, document, len, 1, 1);
	check(strcmp(got, expected) == 0, label, got, expected);
	fingerprint = reading.fingerprint;
	for (size_t first = 0; first <= len; first++)
	{
		got = read_pieces(&reading, setup->skip, document, len, first, len);
		check(strcmp(got, expected) == 0, label, got, expected);
		check(reading.fingerprint == fingerprint, label, "another fingerprint", "the same for each split");
	}
	pfree(expected);
	pfree(label);
}

/*
 * Reads a document in a first piece and more of one size each; every piece in
 * memory of its own, so that a tool that checks accesses sees one beyond it.
 * The result is good until the reading is used again.
 */
static char *
read_pieces(Reading *reading, int64 skip, const char *document, size_t len, size_t first, size_t rest)
{
	size_t		done = 0;
	size_t		piece = first;

	reading_begin(reading, skip);
	while (done < len)
	{
		char	   *bytes;

		piece = Min(piece, len - done);
		bytes = palloc(Max(piece, 1));
		memcpy(bytes, document + done, piece);
		if (!reading_push(reading, bytes, piece))
			done = len;
		pfree(bytes);
		done += piece;
		piece = Max(rest, 1);
	}
	reading_finish(reading);
	return reading->items.data;
}

/* The document layer has nothing to say against the text but that it has no list. */
static bool
is_json(const char *text, size_t len, size_t piece)
{
	static Reading reading;
	ReadingSetup setup = {.data_path = "$"};
	const char *hint;

	if (reading.reader == NULL)
		reading_create(&reading, &setup);
	read_pieces(&reading, 0, text, len, piece, piece);
	return reading.accepted || strncmp(item_reader_error(reading.reader, &hint), "no list", 7) == 0;
}

/* The text is one item of a list. */
static bool
is_json_item(const char *text, size_t len, size_t piece)
{
	static Reading reading;
	ReadingSetup setup = {.paths = {"$"}};
	char	   *list = palloc(len + 2);

	if (reading.reader == NULL)
		reading_create(&reading, &setup);
	list[0] = '[';
	memcpy(list + 1, text, len);
	list[len + 1] = ']';
	read_pieces(&reading, 0, list, len + 2, piece, piece);
	pfree(list);
	return reading.accepted && item_reader_count(reading.reader) == 1;
}

/* The same numbers on every machine and in every run. */
static uint32
random_below(uint32 bound)
{
	static uint64 state = UINT64CONST(88172645463325252);

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32) (state >> 32) % bound;
}

static void
random_value(StringInfo out, int depth)
{
	static const char *const scalars[] = {"null", "true", "false", "0", "-1", "12.50", "1e9", "-0.1E-2", "\"\"", "\"x\""};
	static const char *const keys[] = {"\"a\"", "\"b\"", "\"c\"", "\"d\"", "\"e\"", "\"f\"", "\"\\u0061\"", "\"longer_key\""};
	int			n = random_below(4);

	random_space(out);
	switch (depth < 4 ? random_below(6) : random_below(3))
	{
		case 0:
			random_string(out);
			break;
		case 1:
		case 2:
			appendStringInfoString(out, scalars[random_below(lengthof(scalars))]);
			break;
		case 3:
			appendStringInfoChar(out, '[');
			for (int i = 0; i < n; i++)
			{
				if (i > 0)
					appendStringInfoChar(out, ',');
				random_value(out, depth + 1);
			}
			appendStringInfoChar(out, ']');
			break;
		default:
			appendStringInfoChar(out, '{');
			for (int i = 0; i < n; i++)
			{
				if (i > 0)
					appendStringInfoChar(out, ',');
				appendStringInfo(out, "%s:", keys[random_below(lengthof(keys))]);
				random_value(out, depth + 1);
			}
			appendStringInfoChar(out, '}');
			break;
	}
	random_space(out);
}

static void
random_string(StringInfo out)
{
	static const char *const parts[] = {"a", "0123456789abcdef", "\\n", "\\u00e9", "\\ud83d\\ude00", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\\\"", " "};

	appendStringInfoChar(out, '"');
	for (int n = random_below(6); n > 0; n--)
		appendStringInfoString(out, parts[random_below(lengthof(parts))]);
	appendStringInfoChar(out, '"');
}

static void
random_space(StringInfo out)
{
	if (random_below(8) == 0)
		appendStringInfoString(out, random_below(2) ? " " : "\n\t");
}

static char *
load_file(const char *path, size_t *len)
{
	FILE	   *file = fopen(path, "rb");
	size_t		size = 1024 * 1024;
	char	   *text = palloc(size);

	*len = 0;
	if (file == NULL)
	{
		check(false, path, "cannot be read", "a file");
		return text;
	}
	*len = fread(text, 1, size, file);
	fclose(file);
	return text;
}
