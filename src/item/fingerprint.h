/*
 * fingerprint.h
 *	  A fast hash of 64 bits, for texts that one wants to know again.
 */
#ifndef DATABITE_FINGERPRINT_H
#define DATABITE_FINGERPRINT_H

#include "postgres.h"

/*
 * XXH64 (Yann Collet, xxHash fast digest algorithm, version 0.1.1), with words
 * in the machine's byte order.  Chained by seed, it tells texts in their order.
 */
extern uint64 fingerprint_add(uint64 seed, const char *text, size_t len);

#endif
