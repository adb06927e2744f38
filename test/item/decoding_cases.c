/*
 * decoding_cases.c
 *	  Documents of other formats and charsets, maps and rows, and what must come out of them.
 */
#include "postgres.h"

#include "cases.h"

#define LINES(...)                                        \
	{                                                     \
		.format = FORMAT_NDJSON, .paths = { __VA_ARGS__ } \
	}
#define ROWS(...)                                      \
	{                                                  \
		.format = FORMAT_CSV, .paths = { __VA_ARGS__ } \
	}
#define TYPED(type, ...)                               \
	{                                                  \
		.content_type = type, .paths = { __VA_ARGS__ } \
	}
#define MAP(data_path_, ...)                              \
	{                                                     \
		.data_path = data_path_, .paths = { __VA_ARGS__ } \
	}
#define ZIPPED(zip_, data_path_, ...)                                  \
	{                                                                  \
		.zip = zip_, .data_path = data_path_, .paths = { __VA_ARGS__ } \
	}
#define NAMED(...)  \
	{               \
		__VA_ARGS__ \
	}
#define BYTES(document) document, /* with NUL bytes inside */
#define LENGTH(document) (sizeof(document) - 1)

#define UTF16LE_ITEM "[\0{\0\"\0a\0\"\0:\0\"\0\xE9\0=\xD8\0\xDE\"\0}\0]\0"
#define UTF16BE_ITEM "\0[\0{\0\"\0a\0\"\0:\0\"\0\xE9\xD8=\xDE\0\0\"\0}\0]"
#define UTF16_OUTCOME "\"\xC3\xA9\xF0\x9F\x98\x80\"\nenvelope [] list $ count 1"

const ItemCase decoding_cases[] = {
	/* NDJSON */
	{"lines", "{\"a\":1}\n{\"a\":2}\n", LINES("a"), "1\n2\nenvelope null list none count 2"},
	{"lines, the last one open", "{\"a\":1}\r\n\n  \n{\"a\":2}", LINES("a"), "1\n2\nenvelope null list none count 2"},
	{"lines of scalars", "1\n\"x\"\nnull\n[2]\n34", LINES("$"), "1\n\"x\"\nnull\n=[2]\n34\nenvelope null list none count 5"},
	{"no lines", "", LINES("$"), "envelope null list none count 0"},
	{"empty lines", "\n\r\n \n", LINES("$"), "envelope null list none count 0"},
	{"lines with a byte order mark", "\xEF\xBB\xBF{\"a\":1}\n", LINES("a"), "1\nenvelope null list none count 1"},
	{"lines, cut off", "{\"a\":1}\n{\"a\":", LINES("a"),
	"1\nerror invalid NDJSON: the response ends after byte 13, in the middle of a line count 1"},
	{"lines, cut off in a number", "1\n-", LINES("$"),
	"1\nerror invalid NDJSON: the response ends after byte 3, in the middle of a line count 1"},
	{"two values in a line", "1\n2 3\n", LINES("$"), "1\n2\nerror invalid JSON at byte 5: expected the end of the line, found \"3\" count 2"},
	{"a value in two lines", "1\n[2,\n3]\n", LINES("$"),
	"1\nerror invalid JSON at byte 6: expected the rest of the value in the same line, found 0x0A count 1"},
	{"a broken line", "{\"a\":1}\n{\"a\":tru}\n", LINES("a"),
	"1\nerror invalid JSON at byte 17: expected true, false or null, found \"}\" count 1"},
	{"HTML for lines", "<html>", LINES("a"),
	"error invalid JSON at byte 1: expected a value, found \"<\" hint the response looks like HTML or XML, check the url count 0"},
	{"bad lines", "{\"a\":\"\\u0000\"}\n\"0123456789\"\n[[[1]]]\n{\"a\":2}\n",
		{.format = FORMAT_NDJSON, .paths = {"a"}, .max_item_bytes = 14, .max_depth = 2},
		"!22P05: item has \\u0000 in a string, which cannot be stored as text\nmissing\n"
	"!54000: item is nested deeper than the limit of 2 levels\n2\nenvelope null list none count 4"},
	{"a large line", "\"0123456789\"\n1", {.format = FORMAT_NDJSON, .paths = {"$"}, .max_item_bytes = 11},
	"!54000: item of 12 bytes is larger than the limit of 11 bytes\n1\nenvelope null list none count 2"},
	{"lines by the content type", "1\n2\n", TYPED("application/x-ndjson", "$"), "1\n2\nenvelope null list none count 2"},
	{"lines by the content type, with parameters", "1\n2\n", TYPED("Application/JSONL ; charset=UTF-8", "$"), "1\n2\nenvelope null list none count 2"},
	{"lines that a data path should lead into", "1\n", {.format = FORMAT_NDJSON, .data_path = "data", .paths = {"$"}},
	"error the response is NDJSON, which has no list of items that dataPath could lead to count 0"},
	{"full batches of lines", "1\n2\n3", {.format = FORMAT_NDJSON, .paths = {"$"}, .max_items = 1}, "1\n2\n3\nenvelope null list none count 3"},

	/* CSV */
	{"rows", "id,name\n1,Ada\n2,Bob\n", ROWS("id", "name", "x"), "\"1\" | \"Ada\" | missing\n\"2\" | \"Bob\" | missing\nenvelope null list none count 2"},
	{"rows as they are", "a,\"b \"\"c\",d\n1,,\"\"\n", ROWS("$"), "={\"a\":\"1\",\"b \\\"c\":null,\"d\":\"\"}\nenvelope null list none count 1"},
	{"quotes", "a,b\r\n\"x,\"\"y\"\"\",\"1\r\n2\"\r\nq\"q,\\\"\r\n", ROWS("a", "b"),
	"\"x,\"y\"\" | \"1\r\n2\"\n\"q\"q\" | \"\\\"\"\nenvelope null list none count 2"},
	{"ends of rows", "a\r1\n\n2\r\n\r\n3", ROWS("a"), "\"1\"\n\"2\"\n\"3\"\nenvelope null list none count 3"},
	{"no rows", "", ROWS("a"), "envelope null list none count 0"},
	{"only a header", "a,b", ROWS("a"), "envelope null list none count 0"},
	{"rows with a byte order mark", "\xEF\xBB\xBF\"a\"\n1\n", ROWS("a"), "\"1\"\nenvelope null list none count 1"},
	{"rows of other lengths", "a,b\n1\n1,2,3\n,\n4,5,\n6,7", ROWS("a", "b"),
		"!22P04: row has 1 fields, and the header row has 2\n!22P04: row has 3 fields, and the header row has 2\nnull | null\n"
	"!22P04: row has 3 fields, and the header row has 2\n\"6\" | \"7\"\nenvelope null list none count 5"},
	{"text behind a quote", "a,b\n\"1\"x,2\n3,4\n", ROWS("a", "b"),
	"!22P04: row has text behind the closing quote of a field\n\"3\" | \"4\"\nenvelope null list none count 2"},
	{"rows, cut off in quotes", "a\n1\n\"2", ROWS("a"), "\"1\"\nerror invalid CSV: the response ends after byte 6, inside of quotes count 1"},
	{"a last field that is empty", "a,b\n1,", ROWS("a", "b"), "\"1\" | null\nenvelope null list none count 1"},
	{"a last field that ends with a quote", "a,b\n1,\"2\"", ROWS("a", "b"), "\"1\" | \"2\"\nenvelope null list none count 1"},
	{"a column without a name", "a,,c\n1,2,3\n", ROWS("a"), "error the header row of the CSV cannot be used: column 2 has no name count 0"},
	{"a column with an empty name", "a,\"\"\n1,2\n", ROWS("a"), "error the header row of the CSV cannot be used: column 2 has no name count 0"},
	{"columns of the same name", "a,b,a\n1,2,3\n", ROWS("a"),
	"error the header row of the CSV cannot be used: columns 1 and 3 have the same name \"a\" count 0"},
	{"HTML for rows", "<!DOCTYPE html>\n<html>\n", ROWS("a"),
		"error the response is no CSV: its header row begins with \"<\" hint the response looks like HTML or XML, check the url "
	"count 0"},
	{"rows that are not UTF-8", "a\n\xE9\n\xC3\xA9\n", ROWS("a"), "!22021: row has bytes that are not UTF-8\n\"\xC3\xA9\"\nenvelope null list none count 2"},
	{"a header that is not UTF-8", "\xE9\n1\n", ROWS("a"), "error the header row of the CSV has bytes that are not UTF-8 count 0"},
	{"a NUL in a row", "a\n1\0002\n3\n", ROWS("a"),
	"!22P05: item has \\u0000 in a string, which cannot be stored as text\n\"3\"\nenvelope null list none count 2", 8},
	{"large rows", "a,b\n1,0123456789\n2,\"01234567\"\n3,4\n", {.format = FORMAT_CSV, .paths = {"a"}, .max_item_bytes = 11},
		"!54000: item of 12 bytes is larger than the limit of 11 bytes\n!54000: item of 12 bytes is larger than the limit of 11 bytes\n\"3\"\n"
	"envelope null list none count 3"},
	{"a large header", "a,0123456789\n1,2\n", {.format = FORMAT_CSV, .paths = {"a"}, .max_item_bytes = 11},
	"error the header row of the CSV is larger than the limit of 11 bytes count 0"},
	{"rows by the content type", "a;b,c\n1,2\n", TYPED("text/csv; header=present", "[\"a;b\"]"), "\"1\"\nenvelope null list none count 1"},
	{"rows with tabs", "a\tb\n1,5\t2\n", TYPED("text/tab-separated-values", "a"), "\"1,5\"\nenvelope null list none count 1"},
	{"rows without a header", "1,2\n", TYPED("text/csv; header=absent", "a"),
	"error the response is CSV without a header row, so its columns have no names count 0"},
	{"JSON whatever the content type", "[1]", {.format = FORMAT_JSON, .content_type = "text/csv", .paths = {"$"}}, "1\nenvelope [] list $ count 1"},
	{"full batches of rows", "a\n1\n2\n3", {.format = FORMAT_CSV, .paths = {"a"}, .max_items = 1}, "\"1\"\n\"2\"\n\"3\"\nenvelope null list none count 3"},

	/* charsets */
	{"ISO-8859-1", "[{\"a\":\"\xE9\xDF\"}]", TYPED("application/json; charset=ISO-8859-1", "a"), "\"\xC3\xA9\xC3\x9F\"\nenvelope [] list $ count 1"},
	{"windows-1252", "a\n\x80\x93\n", {.format = FORMAT_CSV, .content_type = "text/csv; charset=\"windows-1252\"", .paths = {"a"}},
	"\"\xE2\x82\xAC\xE2\x80\x9C\"\nenvelope null list none count 1"},
	{"a charset of more than one byte", "[\"\x93\xFA\x96{\"]", TYPED("application/json;charset=Shift_JIS", "$"), "\"\xE6\x97\xA5\xE6\x9C\xAC\"\nenvelope [] list $ count 1"},
	{"a charset with shifts", "[\"\x1B$BF|\x1B(B\"]", TYPED("application/json;charset=ISO-2022-JP", "$"), "\"\xE6\x97\xA5\"\nenvelope [] list $ count 1"},
	{"a charset that is not UTF-8 and the mark of UTF-8", "\xEF\xBB\xBF[\"\xC3\xA9\"]", TYPED("application/json; charset=iso-8859-1", "$"),
	"\"\xC3\xA9\"\nenvelope [] list $ count 1"},
	{"UTF-8, stated", "[\"\xC3\xA9\"]", TYPED("application/json; charset=utf-8", "$"), "\"\xC3\xA9\"\nenvelope [] list $ count 1"},
	{"UTF-16 by its mark", BYTES("\xFF\xFE" UTF16LE_ITEM) TYPED(NULL, "a"), UTF16_OUTCOME, LENGTH("\xFF\xFE" UTF16LE_ITEM)},
	{"UTF-16 by its mark, most significant first", BYTES("\xFE\xFF" UTF16BE_ITEM) TYPED("application/json", "a"), UTF16_OUTCOME, LENGTH("\xFE\xFF" UTF16BE_ITEM)},
	{"UTF-16, stated", BYTES("\xFE\xFF" UTF16BE_ITEM) TYPED("application/json; charset=utf-16", "a"), UTF16_OUTCOME, LENGTH("\xFE\xFF" UTF16BE_ITEM)},
	{"UTF-16, stated, without a mark", BYTES(UTF16BE_ITEM) TYPED("application/json; charset=utf-16", "a"), UTF16_OUTCOME, LENGTH(UTF16BE_ITEM)},
	{"UTF-16, stated, without a mark, least significant first", BYTES(UTF16LE_ITEM) TYPED("application/json; charset=utf-16", "a"), UTF16_OUTCOME, LENGTH(UTF16LE_ITEM)},
	{"UTF-16LE", BYTES(UTF16LE_ITEM) TYPED("application/json; charset=UTF-16LE", "a"), UTF16_OUTCOME, LENGTH(UTF16LE_ITEM)},
	{"UTF-16, cut off", BYTES("\xFF\xFE[\0" "1\0]") TYPED(NULL, "$"),
	"error the response ends after byte 7, inside of a character of its charset UTF-16LE count 0", LENGTH("\xFF\xFE[\0" "1\0]")},
	{"UTF-16, half of a pair", BYTES("\xFF\xFE[\0\"\0=\xD8\"\0]\0") TYPED(NULL, "$"),
	"error the response has bytes that are not of its charset UTF-16LE, at byte 7 count 0", LENGTH("\xFF\xFE[\0\"\0=\xD8\"\0]\0")},
	{"bytes that are not of the charset", "[1,\"\x81\"]", TYPED("application/json; charset=windows-1252", "$"),
	"1\nerror the response has bytes that are not of its charset windows-1252, at byte 5 count 1"},
	{"an error in converted text", "[\"\xE9\",tru]", TYPED("application/json; charset=latin1", "$"),
	"\"\xC3\xA9\"\nerror invalid JSON at byte 10 of the text as UTF-8: expected true, false or null, found \"]\" count 1"},
	{"a charset that is not known", "[1]", TYPED("application/json; charset=klingon", "$"), "error the charset \"klingon\" of the response is not known count 0"},
	{"a charset that is no name", "[1]", TYPED("application/json; charset=utf-8//IGNORE", "$"), "error the charset \"?\" of the response is not known count 0"},
	{"full batches of converted text", "[1,2,3,\"\xE9\"]", {.content_type = "application/json; charset=latin1", .paths = {"$"}, .max_items = 1},
	"1\n2\n3\n\"\xC3\xA9\"\nenvelope [] list $ count 4"},
	{"full batches of converted lines", "1\n2\n\"\xE9\"", {.content_type = "application/x-ndjson; charset=latin1", .paths = {"$"}, .max_items = 1},
	"1\n2\n\"\xC3\xA9\"\nenvelope null list none count 3"},
	{"an empty body of a charset", "", TYPED("application/json; charset=utf-16", "$"), "error the response is empty count 0"},

	/* maps */
	{"a map of objects", "{\"x\":1,\"rates\":{\"EUR\":{\"v\":1},\"US\\\"D\" : { } ,\"_\":{\"_key\":2}},\"y\":2}", MAP("rates.*", "_key", "v", "$"),
		"\"EUR\" | 1 | ={\"v\":1,\"_key\":\"EUR\"}\n\"US\"D\" | missing | ={ \"_key\":\"US\\\"D\"}\n\"_\" | missing | ={\"_key\":2,\"_key\":\"_\"}\n"
	"envelope {\"x\":1,\"rates\":{},\"y\":2} list rates.* count 3"},
	{"a map of scalars", "{\"EUR\":1.10,\"USD\":\"x\",\"a\":null,\"b\":[1, 2]}", MAP("$.*", "_key", "_value"),
	"\"EUR\" | 1.10\n\"USD\" | \"x\"\n\"a\" | null\n\"b\" | =[1, 2]\nenvelope {} list $.* count 4"},
	{"values in a map", "{\"a\":{\"x\":{\"b\":{\"v\":1}},\"y\":{},\"z\":{\"b\":2}}}", MAP("a.*.b", "_key", "v", "_value"),
		"\"x\" | 1 | missing\n!2203A: element of the list has no \"b\"\n\"z\" | missing | 2\n"
	"envelope {\"a\":{}} list a.*.b count 3"},
	{"an empty map", "{\"a\":{}}", MAP("a.*", "$"), "envelope {\"a\":{}} list a.* count 0"},
	{"an empty map as PHP writes it", "{\"a\": [ ],\"b\":1}", MAP("a.*", "$"), "envelope {\"a\": [ ],\"b\":1} list none count 0"},
	{"an empty map of maps as PHP writes it", "{\"a\":{\"x\":[],\"y\":{\"z\":1}}}", MAP("a.*.*", "_key"),
	"\"z\"\nenvelope {\"a\":{\"x\":[],\"y\":{}}} list a.*.* count 1"},
	{"an empty map of lists as PHP writes it", "{\"a\":[]}", MAP("a.*[*]", "$"), "envelope {\"a\":[]} list none count 0"},
	{"lists in a map that is a list", "{\"a\":[[1]]}", MAP("a.*[*]", "$"),
	"error no list of items at \"a.*[*]\": \"a\" is a list hint set dataPath to \"a\" count 0"},
	{"a map that is null", "{\"a\":null}", MAP("a.*", "$"), "envelope {\"a\":null} list a.* count 0"},
	{"a map that is a list", "{\"a\":[1]}", MAP("a.*", "$"),
	"error no object of items at \"a.*\": \"a\" is a list hint set dataPath to \"a\" count 0"},
	{"maps in a list", "[{\"m\":{\"x\":1}},{\"m\":{}},{\"m\":{\"y\":2}}]", MAP("$[*].m.*", "_key", "_value"),
	"\"x\" | 1\n\"y\" | 2\nenvelope [{\"m\":{}},{\"m\":{}},{\"m\":{}}] list [*].m.* count 2"},
	{"lists in a map", "{\"a\":{\"x\":[1,2],\"y\":[3]}}", MAP("a.*[*]", "$"), "1\n2\n3\nenvelope {\"a\":{\"x\":[],\"y\":[]}} list a.*[*] count 3"},
	{"lists in an empty map", "{\"a\":{}}", MAP("a.*[*]", "$"), "envelope {\"a\":{}} list none count 0"},
	{"maps in a map", "{\"d1\":{\"EUR\":1},\"d2\":{\"EUR\":2}}", MAP("$.*.*", "_key", "_value"),
	"\"EUR\" | 1\n\"EUR\" | 2\nenvelope {\"d1\":{},\"d2\":{}} list $.*.* count 2"},
	{"a map, cut off", "{\"a\":1,\"b\"", MAP("$.*", "_value"),
	"1\nerror invalid JSON: the response ends after byte 10, in the middle of the document count 1"},
	{"errors in a map", "{\"a\":1,}", MAP("$.*", "_value"), "1\nerror invalid JSON at byte 8: expected a string, found \"}\" count 1"},
	{"a member without a value", "{\"a\":}", MAP("$.*", "_value"), "error invalid JSON at byte 6: expected a value, found \"}\" count 0"},
	{"bad members", "{\"0123456789\":1,\"a\":\"01234567\",\"b\\u0000\":1,\"c\":[[[]]],\"d\":\"\\ud800\",\"e\":3}",
		{.data_path = "$.*", .paths = {"_key", "_value"}, .max_item_bytes = 12, .max_depth = 2},
		"!54000: item of 13 bytes is larger than the limit of 12 bytes\n!54000: item of 13 bytes is larger than the limit of 12 bytes\n"
		"!22P05: item has \\u0000 in a string, which cannot be stored as text\n"
		"!54000: item is nested deeper than the limit of 2 levels\n"
		"!22P05: item has half of a Unicode surrogate pair in a string, which is no character\n\"e\" | 3\n"
	"envelope {} list $.* count 6"},
	{"a member with a long name", "{\"01234567890123456789\":\"01234567890123456789\",\"e\":3}",
		{.data_path = "$.*", .paths = {"_key", "_value"}, .max_item_bytes = 12},
	"!54000: item of 44 bytes is larger than the limit of 12 bytes\n\"e\" | 3\nenvelope {} list $.* count 2"},
	{"full batches of a map", "{\"a\":1,\"b\":2,\"c\":3}", {.data_path = "$.*", .paths = {"_key"}, .max_items = 1}, "\"a\"\n\"b\"\n\"c\"\nenvelope {} list $.* count 3"},

	/* zip */
	{"rows under a header row", "{\"values\":[[\"id\",\"name\",2024],[1,\"x\",[1, 2]],[2],[],[1,2,3,4],null,{}]}", ZIPPED(NAMED("header"), "values", "id", "name", "[\"2024\"]", "$"),
		"1 | \"x\" | =[1, 2] | ={\"id\":1,\"name\":\"x\",\"2024\":[1, 2]}\n2 | missing | missing | ={\"id\":2}\nmissing | missing | missing | ={}\n"
		"!22P04: row has 4 values, and there are 3 names\nmissing | missing | missing | ={}\n!22P04: row is no list of values\n"
	"envelope {\"values\":[]} list values count 6"},
	{"only a header row", "[[\"a\"]]", ZIPPED(NAMED("header"), NULL, "a"), "envelope [] list $ count 0"},
	{"not even a header row", "[]", ZIPPED(NAMED("header"), NULL, "a"), "envelope [] list $ count 0"},
	{"a header row with a gap", "[[\"a\",\"\"],[1,2]]", ZIPPED(NAMED("header"), NULL, "a"),
	"error the names of the rows' values cannot be used: column 2 has no name count 0"},
	{"a header row with a name twice", "[[\"a\",\"a\"],[1,2]]", ZIPPED(NAMED("header"), NULL, "a"),
	"error the names of the rows' values cannot be used: columns 1 and 2 have the same name \"a\" count 0"},
	{"a header row that is none", "[{\"a\":1}]", ZIPPED(NAMED("header"), NULL, "a"), "error the first row of the list must be a list of names count 0"},
	{"a header row in lines", "[\"a\",\"b\"]\n[1,2]\n", {.format = FORMAT_NDJSON, .zip = {"header"}, .paths = {"b"}}, "2\nenvelope null list none count 1"},
	{"a header row that is too large", "[[\"0123456789\"],[1]]", {.zip = {"header"}, .paths = {"a"}, .max_item_bytes = 11},
	"error the first row of the list, which has the names, is too large or nested too deep count 0"},
	{"names in the response", "{\"dimensionHeaders\":[{\"name\":\"date\"},{\"name\":\"city\"}],\"metricHeaders\":[{\"name\":\"users\",\"type\":\"INTEGER\"}],"
		"\"rows\":[{\"dimensionValues\":[{\"value\":\"20240101\"},{\"value\":\"Riga\"}],\"metricValues\":[{\"value\":\"7\"}]},"
		"{\"dimensionValues\":[{\"value\":\"20240102\"},{}],\"metricValues\":[]},{\"dimensionValues\":null},{\"metricValues\":[{\"value\":1},{\"value\":2}]}],\"rowCount\":2}",
		ZIPPED(NAMED("dimensionHeaders[*].name", "dimensionValues[*].value", "metricHeaders[*].name", "metricValues[*].value"), "rows", "date", "city", "users"),
		"\"20240101\" | \"Riga\" | \"7\"\n\"20240102\" | missing | missing\nmissing | missing | missing\n!22P04: row has 2 values, and there are 1 names\n"
		"envelope {\"dimensionHeaders\":[{\"name\":\"date\"},{\"name\":\"city\"}],\"metricHeaders\":[{\"name\":\"users\",\"type\":\"INTEGER\"}],\"rows\":[],\"rowCount\":2} "
	"list rows count 4"},
	{"names in the response, rows as they are", "{\"n\":{\"c\":[\"a\",\"b\"]},\"rows\":[[1,2]]}", ZIPPED(NAMED("n.c", "$"), "rows", "$"),
	"={\"a\":1,\"b\":2}\nenvelope {\"n\":{\"c\":[\"a\",\"b\"]},\"rows\":[]} list rows count 1"},
	{"names after the list", "{\"rows\":[[1]],\"names\":[\"a\"]}", ZIPPED(NAMED("names", "$"), "rows", "$"),
	"error the response has no list of names at \"names\" before the list of items count 0"},
	{"names after an empty list", "{\"rows\":[],\"names\":[\"a\"]}", ZIPPED(NAMED("names", "$"), "rows", "$"),
	"envelope {\"rows\":[],\"names\":[\"a\"]} list rows count 0"},
	{"the same name in both", "{\"n\":[\"a\"],\"m\":[\"a\"],\"rows\":[[1]]}", ZIPPED(NAMED("n", "$", "m", "$"), "rows", "$"),
	"error the names of the rows' values cannot be used: columns 1 and 2 have the same name \"a\" count 0"},
	{"names in a response that is too large", "{\"names\":[\"a\"],\"rows\":[[1]]}", {.zip = {"names", "$"}, .data_path = "rows", .paths = {"$"}, .max_envelope_bytes = 10},
	"error the response before the list of items is too large to have the names at \"names\" found in it count 0"},
	{"rows inside of elements", "[{\"c\":[\"a\",\"b\"]},{\"c\":[1,2]},{}]", ZIPPED(NAMED("header"), "$[*].c", "b"),
	"2\n!2203A: element of the list has no \"c\"\nenvelope [] list [*].c count 2"},
	{"a row without values at the place", "{\"n\":[\"a\"],\"rows\":[{\"v\":{}},{\"v\":[1]}]}", ZIPPED(NAMED("n", "v"), "rows", "a"),
	"!22P04: row has no list of values at \"v\"\n1\nenvelope {\"n\":[\"a\"],\"rows\":[]} list rows count 2"},
	{"rows of CSV to zip", "a\n1\n", {.format = FORMAT_CSV, .zip = {"header"}, .paths = {"a"}}, "error the response is CSV, which has nothing to zip count 0"},

	/* lists at odd places */
	{"a list beside a page", "[{\"page\":1,\"pages\":2},[{\"a\":1},{\"a\":2}]]", MAP("$[1]", "a"), "1\n2\nenvelope [{\"page\":1,\"pages\":2},[]] list [1] count 2"},
	{"a list that is null beside a page", "[{\"page\":0},null]", MAP("$[1]", "a"), "envelope [{\"page\":0},null] list [1] count 0"},
	{"items one step down, none of them", "{\"data\":null}", MAP("$.data[*].data", "id"), "envelope {\"data\":null} list data[*].data count 0"},
	{"items one step down, some null", "{\"data\":[{\"data\":{\"id\":1}},{\"data\":null}]}", MAP("$.data[*].data", "id", "$"),
	"1 | ={\"id\":1}\nmissing | null\nenvelope {\"data\":[]} list data[*].data count 2"},
	{NULL}
};
