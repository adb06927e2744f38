/*
 * units.h
 *	  Times and sizes as people write them: 5000, "30s", "1.5h", "512MB".
 */
#ifndef DATABITE_UNITS_H
#define DATABITE_UNITS_H

#include "postgres.h"

/* Milliseconds of "250ms", "30s", "5m", "1h", "7d"; a number alone is milliseconds.  False where the text is no time. */
extern bool duration_parse(const char *text, int64 *ms);

/* Bytes of "100B", "64kB", "512MB", "2GB", "1TB" (case does not count); a number alone is bytes.  False where the text is no size. */
extern bool size_parse(const char *text, int64 *bytes);

/* The time in the largest unit that leaves no fraction: "250ms", "30s", "1d". */
extern char *duration_print(int64 ms);

#endif
