/*
 * check.h
 *	  Checks of the unit tests, and the tests that main.c calls.
 */
#ifndef SOURCE_TEST_CHECK_H
#define SOURCE_TEST_CHECK_H

#include "utils/palloc.h"

#define CHECK(condition) check_at(condition, #condition, __FILE__, __LINE__)
#define CHECK_TEXT(actual, expected) check_text_at(actual, expected, #actual, __FILE__, __LINE__)

extern void check_at(bool ok, const char *what, const char *file, int line);
extern void check_text_at(const char *actual, const char *expected, const char *what, const char *file, int line);

/* codings.c, pagers.c, parts.c */
extern void test_codings(void);
extern void test_pagers(MemoryContext context);
extern void test_parts(MemoryContext context);

#endif
