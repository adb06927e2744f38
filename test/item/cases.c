/*
 * cases.c
 *	  Documents and what must come out of them.
 */
#include "postgres.h"

#include "cases.h"

#define ITEM             \
	{                    \
		.paths = { "$" } \
	}
#define PATHS(...)               \
	{                            \
		.paths = { __VA_ARGS__ } \
	}
#define FROM(data_path_, ...)                             \
	{                                                     \
		.data_path = data_path_, .paths = { __VA_ARGS__ } \
	}

const ItemCase item_cases[] = {
	/* leaves */
	{"kinds", "[{\"a\":null,\"b\":true,\"c\":false,\"d\":-1.50e+3,\"e\":\"x\",\"f\":[1, 2],\"g\":{\"h\":1}}]",
		PATHS("a", "b", "c", "d", "e", "f", "g", "z"),
	"null | true | false | -1.50e+3 | \"x\" | =[1, 2] | ={\"h\":1} | missing\nenvelope [] list $ count 1"},
	{"scalars as items", "[1, \"a\", null, true, [2], {\"x\":3}]", PATHS("$", "x", "[0]"),
		"1 | missing | missing\n\"a\" | missing | missing\nnull | missing | missing\ntrue | missing | missing\n"
	"=[2] | missing | 2\n={\"x\":3} | 3 | missing\nenvelope [] list $ count 6"},
	{"escapes", "[{\"a\":\"q\\\" b\\\\ s\\/ \\b\\f\\n\\r\\t \\u00e9 \\u20AC \\ud83d\\ude00\"}]", PATHS("a"),
	"\"q\" b\\ s/ \b\f\n\r\t \xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80\"\nenvelope [] list $ count 1"},
	{"escapes stay in text", "[{\"a\":[\"\\u00e9\\n\"]}]", PATHS("a", "a[0]"),
	"=[\"\\u00e9\\n\"] | \"\xC3\xA9\n\"\nenvelope [] list $ count 1"},
	{"escaped key", "[{\"\\u0061b\":1,\"a\\\"c\":2}]", PATHS("ab"), "1\nenvelope [] list $ count 1"},
	{"empty key and string", "[{\"\":\"\"}]", PATHS("[\"\"]"), "\"\"\nenvelope [] list $ count 1"},
	{"non-ASCII key", "[{\"\xC3\xA9\":\"\xC3\xBC\"}]", PATHS("\xC3\xA9"), "\"\xC3\xBC\"\nenvelope [] list $ count 1"},
	{"long keys", "[{\"a_rather_long_key_1\":1,\"a_rather_long_key_2\":2,\"a_rather_xong_key_1\":3}]",
	PATHS("a_rather_long_key_2", "a_rather_xong_key_1", "a_rather_long_key_1"), "2 | 3 | 1\nenvelope [] list $ count 1"},
	{"white space", " [ { \"a\" : 1 , \"b\" : [ ] } ,\n\t{ } ] \r\n", PATHS("a", "b"),
	"1 | =[ ]\nmissing | missing\nenvelope  [] \r\n list $ count 2"},
	{"number text is kept", "[{\"a\":1.10,\"b\":12345678901234567890.123456789,\"c\":1E400}]", PATHS("a", "b", "c"),
	"1.10 | 12345678901234567890.123456789 | 1E400\nenvelope [] list $ count 1"},
	{"no paths", "[{\"a\":1},2]", PATHS(NULL), "\n\nenvelope [] list $ count 2"},

	/* paths */
	{"a path and its prefix", "[{\"a\":{\"b\":{\"c\":1}}}]", PATHS("a.b.c", "a", "a.b", "$"),
	"1 | ={\"b\":{\"c\":1}} | ={\"c\":1} | ={\"a\":{\"b\":{\"c\":1}}}\nenvelope [] list $ count 1"},
	{"the same path twice", "[{\"a\":\"\\u0041\\u0042\"}]", PATHS("a", "a"), "\"AB\" | \"AB\"\nenvelope [] list $ count 1"},
	{"kind does not fit the path", "[{\"a\":1,\"b\":[1],\"c\":{\"0\":1}}]", PATHS("a.x", "b.x", "c[0]", "a[0]", "a[*]"),
	"missing | missing | missing | missing | missing\nenvelope [] list $ count 1"},
	{"indexes", "[{\"a\":[10,11,[12,13]]}]", PATHS("a[0]", "a[1]", "a[2][1]", "a[3]", "a[-1]", "a[-3]", "a[-4]", "a[-1][-2]"),
	"10 | 11 | 13 | missing | =[12,13] | 10 | missing | 12\nenvelope [] list $ count 1"},
	{"index from the end, through objects", "[{\"a\":[{\"b\":1},{\"b\":2} ]},{\"a\":[]}]", PATHS("a[-1].b", "a[-2]", "a"),
	"2 | ={\"b\":1} | =[{\"b\":1},{\"b\":2} ]\nmissing | missing | =[]\nenvelope [] list $ count 2"},
	{"all", "[{\"a\":[{\"b\":1},{\"c\":2},{\"b\":\"x\\n\"},{\"b\":null}]},{\"a\":[]},{\"a\":null},{}]", PATHS("a[*].b", "a[*]"),
		"=[1, \"x\\n\", null] | =[{\"b\":1}, {\"c\":2}, {\"b\":\"x\\n\"}, {\"b\":null}]\n=[] | =[]\n"
	"missing | missing\nmissing | missing\nenvelope [] list $ count 4"},
	{"all in all", "[{\"a\":[{\"b\":[1,2]},{\"b\":[]},{\"b\":[{\"c\":3}]}]}]", PATHS("a[*].b[*]", "a[*].b[*].c", "a[*].b[-1]", "a[0].b[*]"),
	"=[1, 2, {\"c\":3}] | =[3] | =[2, {\"c\":3}] | =[1, 2]\nenvelope [] list $ count 1"},
	{"last of equal keys", "[{\"a\":1,\"a\":2},{\"a\":{\"b\":1},\"a\":{\"c\":2}},{\"a\":{\"b\":1,\"b\":{}},\"a\":3,\"a\":{\"b\":4}}]", PATHS("a", "a.b"),
	"2 | missing\n={\"c\":2} | missing\n={\"b\":4} | 4\nenvelope [] list $ count 3"},
	{"items with the same keys in other orders", "[{\"a\":1,\"ab\":2,\"b\":3,\"rather_long_key\":4},{\"a\":5,\"ab\":6,\"b\":7,\"rather_long_key\":8},"
		"{\"ab\":9,\"a\":10,\"rather_long_key_\":11,\"x\":12},{\"ab\":13,\"\\u0061\":14,\"rather_long_ke\":15},{\"ab\":16,\"a\":17,\"a\":18,\"x\":{\"ab\":19}},"
		"{\"ab\":20, \"a\" :21,\"a\\\"\":22,\"\":{\"b\":23}}]", PATHS("a", "ab", "b", "rather_long_key", "x"),
		"1 | 2 | 3 | 4 | missing\n5 | 6 | 7 | 8 | missing\n10 | 9 | missing | missing | 12\n14 | 13 | missing | missing | missing\n"
	"18 | 16 | missing | missing | ={\"ab\":19}\n21 | 20 | missing | missing | missing\nenvelope [] list $ count 6"},
	{"last of equal keys, under all", "[{\"a\":[{\"b\":1,\"b\":2},{\"b\":3}]},{\"a\":[{\"b\":1}],\"a\":[{\"b\":5}]},{\"a\":[{\"b\":1}],\"a\":6}]", PATHS("a[*].b"),
	"=[2, 3]\n=[5]\nmissing\nenvelope [] list $ count 3"},

	{"the rest", "[{\"a\":1,\"b\":2},{\"c\" : [1, {}] ,\"a\":1,\"\\u0062\":3,\"d\":\"x\\n\"},{\"k\":{\"a\":1}},{},[1],2]", PATHS("a", "k.a", "rest.a.b"),
		"1 | missing | missing\n1 | missing | ={\"c\": [1, {}], \"d\": \"x\\n\"}\nmissing | 1 | ={\"k\": {\"a\":1}}\nmissing | missing | missing\n"
	"missing | missing | missing\nmissing | missing | missing\nenvelope [] list $ count 6"},
	{"the rest of an item that is within", "[{\"x\":1,\"o\":{\"a\":1,\"c\":2}},{\"o\":{\"c\":1,\"c\":3},\"o\":{\"d\":4}}]", FROM("$[*].o", "a", "rest.a"),
	"1 | ={\"c\": 2}\nmissing | ={\"d\": 4}\nenvelope [] list [*].o count 2"},

	/* where the list is */
	{"usual name", "{\"total\":2,\"data\":[{\"a\":1},{\"a\":2}],\"next\":\"x\"}", PATHS("a"),
	"1\n2\nenvelope {\"total\":2,\"data\":[],\"next\":\"x\"} list data count 2"},
	{"usual name, escaped", "{\"\\u0064ata\":[1]}", ITEM, "1\nenvelope {\"\\u0064ata\":[]} list data count 1"},
	{"two usual names", "{\"data\":[1],\"items\":[2]}", ITEM,
		"1\nerror the response has two lists, \"data\" and \"items\" hint set dataPath to the one that has the items, such as \"data\" "
	"count 1"},
	{"usual name holds an object", "{\"data\":{\"x\":[1]},\"items\":[2]}", ITEM, "2\nenvelope {\"data\":{\"x\":[1]},\"items\":[]} list items count 1"},
	{"null list", "{\"data\":null,\"more\":false}", ITEM, "envelope {\"data\":null,\"more\":false} list none count 0"},
	{"null list beside a real one", "{\"items\":null,\"data\":[1],\"rows\":null}", ITEM,
	"1\nenvelope {\"items\":null,\"data\":[],\"rows\":null} list data count 1"},
	{"null document", "null", ITEM, "envelope null list $ count 0"},
	{"empty list", "[]", ITEM, "envelope [] list $ count 0"},
	{"no list", "{\"users\":[1],\"total\":1}", ITEM, "error no list of items in the response hint set dataPath to \"users\" count 0"},
	{"no list, several", "{\"users\":[1],\"meta\":{},\"groups\":[]}", ITEM,
	"error no list of items in the response hint set dataPath to one of \"users\", \"groups\" count 0"},
	{"no list, objects", "{\"data\":{\"x\":[]},\"meta\":{}}", ITEM,
	"error no list of items in the response hint set dataPath to the list inside of \"data\" or \"meta\" count 0"},
	{"no list, nothing", "{\"ok\":true}", ITEM, "error no list of items in the response hint it may be an error or a single record, check the url count 0"},
	{"no list, a string", "\"x\"", ITEM, "error no list of items in the response: it is a string count 0"},
	{"no list, a number", "12", ITEM, "error no list of items in the response: it is a number count 0"},
	{"stated root", "[[1]]", FROM("$", "[0]"), "1\nenvelope [] list $ count 1"},
	{"stated root, an object", "{\"data\":[]}", FROM("$", "$"), "error no list of items at \"$\": the response is an object count 0"},
	{"stated", "{\"data\":{\"skip\":[[{}]],\"items\":[1]},\"items\":[2]}", FROM("data.items", "$"),
	"1\nenvelope {\"data\":{\"skip\":[[{}]],\"items\":[]},\"items\":[2]} list data.items count 1"},
	{"stated index", "[{\"page\":1},[{\"a\":1}],[2]]", FROM("$[1]", "a"), "1\nenvelope [{\"page\":1},[],[2]] list [1] count 1"},
	{"stated null", "{\"data\":null}", FROM("data", "$"), "envelope {\"data\":null} list data count 0"},
	{"stated, missing", "{\"data\":{\"rows\":[]},\"users\":[]}", FROM("data.items", "$"),
	"error no list of items at \"data.items\": \"data\" has no \"items\" hint set dataPath to \"users\" count 0"},
	{"stated, first step missing", "{\"users\":[]}", FROM("data.items", "$"),
	"error no list of items at \"data.items\": the response has no \"data\" hint set dataPath to \"users\" count 0"},
	{"stated, null on the way", "{\"data\":null}", FROM("data.items", "$"), "error no list of items at \"data.items\": \"data\" is null count 0"},
	{"stated, not a list", "{\"data\":{\"id\":1}}", FROM("data", "$"),
	"error no list of items at \"data\": \"data\" is an object hint set dataPath to the list inside of \"data\" count 0"},
	{"stated, index beyond", "[1]", FROM("$[1]", "$"), "error no list of items at \"[1]\": the response has no \"[1]\" count 0"},
	{"stated, twice", "{\"data\":[1],\"data\":[2]}", FROM("data", "$"),
	"1\nerror the response has \"data\" twice, on the way to the list of items count 1"},
	{"stated, from the end", "[[1]]", FROM("$[-1]", "$"),
	"error the path \"[-1]\" to the list counts from the end, which is known only after the list has gone by count 0"},
	{"elements' values", "{\"data\":[{\"order\":{\"id\":1},\"x\":2},{\"order\":null},{\"x\":3},{\"order\":{\"id\":1},\"order\":4}]}",
		FROM("data[*].order", "id", "$"),
		"1 | ={\"id\":1}\nmissing | null\n!2203A: element of the list has no \"order\"\nmissing | 4\n"
	"envelope {\"data\":[]} list data[*].order count 4"},
	{"elements", "{\"data\":[1,2]}", FROM("data[*]", "$"), "1\n2\nenvelope {\"data\":[]} list data[*] count 2"},
	{"lists in a list", "[{\"id\":1,\"lines\":[1,2]},{\"id\":2},{\"id\":3,\"lines\":null},{\"lines\":[3]}]", FROM("$[*].lines[*]", "$"),
	"1\n2\n3\nenvelope [{\"id\":1,\"lines\":[]},{\"id\":2},{\"id\":3,\"lines\":null},{\"lines\":[]}] list [*].lines[*] count 3"},
	{"lists in an empty list", "{\"a\":[]}", FROM("a[*].lines[*]", "$"), "envelope {\"a\":[]} list none count 0"},
	{"lists in a list, none there", "[{\"id\":1}]", FROM("$[*].lines[*]", "$"),
	"error no list of items at \"[*].lines[*]\": \"[*]\" has no \"lines\" count 0"},
	{"envelope above its bound", "{\"x\":\"0123456789\",\"data\":[1]}", {.paths = {"$"}, .max_envelope_bytes = 16}, "1\nenvelope lost list data count 1"},

	/* the document around */
	{"byte order mark", "\xEF\xBB\xBF[1]", ITEM, "1\nenvelope [] list $ count 1"},
	{"half a byte order mark", "\xEF\xBB[1]", ITEM, "error invalid JSON at byte 1: expected a value, found 0xEF count 0"},
	{"empty body", "", ITEM, "error the response is empty count 0"},
	{"only white space", " \n", ITEM, "error the response is empty count 0"},
	{"cut off", "{\"data\":[1,2", ITEM,
	"1\nerror invalid JSON: the response ends after byte 12, in the middle of the document count 1"},
	{"HTML", "<html>", ITEM,
	"error invalid JSON at byte 1: expected a value, found \"<\" hint the response looks like HTML or XML, check the url count 0"},
	{"two documents", "[1] [2]", ITEM, "1\nerror invalid JSON at byte 5: expected nothing more, found \"[\" count 1"},
	{"error after items", "[1,{\"a\":tru}]", ITEM, "1\nerror invalid JSON at byte 12: expected true, false or null, found \"}\" count 1"},
	{"error between items", "[1 2]", ITEM, "1\nerror invalid JSON at byte 4: expected \",\" or \"]\", found \"2\" count 1"},
	{"invalid UTF-8", "[\"a\xC3(\"]", ITEM, "error invalid JSON at byte 5: expected valid UTF-8, found \"(\" count 0"},
	{"skip", "[1,\"\\u0000\",3,4]", {.paths = {"$"}, .skip = 2}, "3\n4\nenvelope [] list $ count 4"},
	{"skip more than there are", "[1,2]", {.paths = {"$"}, .skip = 5}, "envelope [] list $ count 2"},
	{"full batches", "[1,2,3,4]", {.paths = {"$"}, .max_items = 1}, "1\n2\n3\n4\nenvelope [] list $ count 4"},

	/* bad items */
	{"NUL", "[{\"a\":1,\"b\":\"x\\u0000\"},{\"a\":2}]", PATHS("a"),
	"!22P05: item has \\u0000 in a string, which cannot be stored as text\n2\nenvelope [] list $ count 2"},
	{"NUL in a key", "[{\"\\u0000\":1},2]", ITEM,
	"!22P05: item has \\u0000 in a string, which cannot be stored as text\n2\nenvelope [] list $ count 2"},
	{"NUL on the side", "[{\"a\":1,\"b\":[{\"c\\u0000\":0}]},2]", PATHS("a"),
	"!22P05: item has \\u0000 in a string, which cannot be stored as text\nmissing\nenvelope [] list $ count 2"},
	{"lone surrogates", "[\"\\ud800\",\"\\udc00\",\"\\ud800\\ud800\\udc00\",\"\\ud800x\",\"\\ud83d\\ude00\"]", ITEM,
		"!22P05: item has half of a Unicode surrogate pair in a string, which is no character\n"
		"!22P05: item has half of a Unicode surrogate pair in a string, which is no character\n"
		"!22P05: item has half of a Unicode surrogate pair in a string, which is no character\n"
		"!22P05: item has half of a Unicode surrogate pair in a string, which is no character\n"
	"\"\xF0\x9F\x98\x80\"\nenvelope [] list $ count 5"},
	{"NUL outside of the items", "{\"x\":\"\\u0000\",\"data\":[1],\"\\ud800\":2}", ITEM,
	"1\nenvelope {\"x\":\"\\u0000\",\"data\":[],\"\\ud800\":2} list data count 1"},
	{"large item", "[1,\"0123456789\",[1,2,3,4,5],3]", {.paths = {"$"}, .max_item_bytes = 11},
		"1\n!54000: item of 12 bytes is larger than the limit of 11 bytes\n=[1,2,3,4,5]\n3\n"
	"envelope [] list $ count 4"},
	{"large broken item", "[1,\"0123456789\x01\"]", {.paths = {"$"}, .max_item_bytes = 4},
	"1\nerror invalid JSON at byte 15: expected an escape for the control character, found 0x01 count 1"},
	{"deep item", "[[[1]],[[[1]]],{\"a\":{\"b\":{}}},{\"a\":{\"b\":2}}]", {.paths = {"a.b"}, .max_depth = 2},
		"missing\n!54000: item is nested deeper than the limit of 2 levels\n"
	"!54000: item is nested deeper than the limit of 2 levels\n2\nenvelope [] list $ count 4"},
	{"deep envelope", "{\"x\":[[1]],\"data\":[]}", {.paths = {"$"}, .max_depth = 2},
	"error the response is nested too deep at byte 7 count 0"},
	{NULL}
};

const char *const json_documents[] = {
	"0", "-0", "-0.0", "1e5", "1E+5", "1.5e-5", "-12.34", "\"\"", "\"\\u0041\"", "true", "false", "null",
	"[]", "{}", "[[]]", "[{}]", "{\"a\":{}}", " [ 1 , 2 ] ", "\t\n\r {} ", "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]",
	"[\"\x7F\"]", "[\"\xC2\x80\"]", "[\"\xE0\xA0\x80\"]", "[\"\xED\x9F\xBF\"]", "[\"\xEE\x80\x80\"]", "[\"\xEF\xBF\xBF\"]",
	"[\"\xF0\x90\x80\x80\"]", "[\"\xF4\x8F\xBF\xBF\"]", "[1,{\"a\":[true,null,{\"b\":\"0123456789abcdef0123456789abcdef\"}]}]",
	"{\"a\":1,\"a\":2}", "{\"\":0}", "[1.0,-0.5,10,100e1]", "[0e+1]", "[-1e-0]", "[1E400]", "[123456789012345678901234567890]",
	"[\"\\uD801\\udc37\"]", "[\"\\\\u0000\"]", "[\"\xF4\x8F\xBF\xBF\xC3\xA9\"]", "[\"/* no comment */\"]", "{\"a\":[]}\n", NULL
};

const char *const broken_documents[] = {
	"[", "]", "{", "}", "[1", "[1,", "[1,]", "[,1]", "[1,,2]", "[1 2]", "[1}", "{1:2}", "{\"a\"}", "{\"a\":}", "{\"a\":1,}",
	"{\"a\":1 \"b\":2}", "{\"a\" 1}", "{a:1}", "{'a':1}", "{\"a\":1]", "[\"a\":1]", "[\"a]", "[\"\\\"]", "[\"\\x\"]", "[\"\\u12\"]",
	"[\"\\u12G4\"]", "[\"\t\"]", "[\"\n\"]", "[\"\x1F\"]", "[01]", "[-]", "[+1]", "[1.]", "[.5]", "[1e]", "[1e+]", "[-01]", "[--1]",
	"[0x1]", "[1.e1]", "[1.5.5]", "[1e5.5]", "[NaN]", "[Infinity]", "[-Infinity]", "[tru]", "[truE]", "[nul]", "[True]", "[truee]",
	"tru", "nulll", "1 2", "1x", "[] []", "[]]", "{}}", "\"a", "[1]x", "/**/[1]", "[1]//", "[1,/**/2]", "\xEF\xBB\xBF", "\xFE\xFF",
	"[\"\x80\"]", "[\"\xC0\x80\"]", "[\"\xC1\xBF\"]", "[\"\xC3\"]", "[\"\xE0\x9F\xBF\"]", "[\"\xED\xA0\x80\"]", "[\"\xE2\x82\"]",
	"[\"\xF0\x8F\xBF\xBF\"]", "[\"\xF4\x90\x80\x80\"]", "[\"\xF5\x80\x80\x80\"]", "[\"\xFF\"]", "[\xC3\xA9]", "[\f1]", "[\xC2\xA0"
																													   "1]",
	"[\"\xC3\xA9\xA9\"]", "[\"\xE2\x82\xAC\x80\"]", "[\"\xF0\x80\x80\x80\"]", "[\"\xF0\x9F\x98\"]", "[\"\xF8\x88\x80\x80\x80\"]",
	"[\"\xFC\x84\x80\x80\x80\x80\"]", "[\"\xED\xBF\xBF\"]", "[\"\xC3", "[\"\\", "[\"\\u", "[\"\\u00", "[\"\\ud83d\\u\"]", "[\"\\ud83d\\\"]",
	"[\"\\U0041\"]", "[\"\\a\"]", "[\"\\0\"]", "[\"\\x41\"]", "[\"\\ \"]", "[\"\\\xC3\xA9\"]", "['a']", "[a]", "\xEF\xBB\xBF{", "[]\xEF\xBB\xBF", "[\xEF\xBB\xBF]",
	"\xFF\xFE[", "-", "01", "1.", ".5", "1e", "1e-", "1E+", "-NaN", "+1", "0x", "2.e3", "0.e1", "1_000", "1,000", "-.5", "- 1", "1 e5", "\xEF\xBC\x91",
	"NaN", "[Inf]", "{},", ",[]", "{} {}", "[] 1", "null null", "{\"a\":1}}", "{\"a\":1,,\"b\":2}", "{,}", "[,]", "{\"a\",1}", "{null:1}", "{[]:1}",
	"{\"a\":1", "{\"a\":", "{\"a\"", "{\"a", "[[]", "[{}", "[\"a", "[true", "[1,[2]", "{\"a\":[}", "[{]}", "<", "<!DOCTYPE html>",
	"{\"a\xFF\":1}", "[{\"a\":1,\"b\":{\"c\":[1,}]}}]", "[{\"skipped\":\"0123456789abcdef\x01\"}]", NULL};
