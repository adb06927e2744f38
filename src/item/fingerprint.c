/*
 * fingerprint.c
 *	  A fast hash of 64 bits, for texts that one wants to know again.
 */
#include "postgres.h"

#include "item/fingerprint.h"

#define PRIME_1 UINT64CONST(0x9E3779B185EBCA87)
#define PRIME_2 UINT64CONST(0xC2B2AE3D27D4EB4F)
#define PRIME_3 UINT64CONST(0x165667B19E3779F9)
#define PRIME_4 UINT64CONST(0x85EBCA77C2B2AE63)
#define PRIME_5 UINT64CONST(0x27D4EB2F165667C5)

static inline uint64
rotate(uint64 x, int bits)
{
	return (x << bits) | (x >> (64 - bits));
}

static inline uint64
word64(const char *p)
{
	uint64		x;

	memcpy(&x, p, sizeof(x));
	return x;
}

static inline uint64
word32(const char *p)
{
	uint32		x;

	memcpy(&x, p, sizeof(x));
	return x;
}

static inline uint64
add_lane(uint64 lane, uint64 word)
{
	return rotate(lane + word * PRIME_2, 31) * PRIME_1;
}

static inline uint64
merge_lane(uint64 hash, uint64 lane)
{
	return (hash ^ add_lane(0, lane)) * PRIME_1 + PRIME_4;
}

uint64
fingerprint_add(uint64 seed, const char *text, size_t len)
{
	const char *p = text;
	const char *end = text + len;
	uint64		hash;

	if (len >= 32)
	{
		uint64		lane1 = seed + PRIME_1 + PRIME_2;
		uint64		lane2 = seed + PRIME_2;
		uint64		lane3 = seed;
		uint64		lane4 = seed - PRIME_1;

		for (; end - p >= 32; p += 32)
		{
			lane1 = add_lane(lane1, word64(p));
			lane2 = add_lane(lane2, word64(p + 8));
			lane3 = add_lane(lane3, word64(p + 16));
			lane4 = add_lane(lane4, word64(p + 24));
		}
		hash = rotate(lane1, 1) + rotate(lane2, 7) + rotate(lane3, 12) + rotate(lane4, 18);
		hash = merge_lane(hash, lane1);
		hash = merge_lane(hash, lane2);
		hash = merge_lane(hash, lane3);
		hash = merge_lane(hash, lane4);
	}
	else
		hash = seed + PRIME_5;

	hash += len;
	for (; end - p >= 8; p += 8)
		hash = rotate(hash ^ add_lane(0, word64(p)), 27) * PRIME_1 + PRIME_4;
	if (end - p >= 4)
	{
		hash = rotate(hash ^ (word32(p) * PRIME_1), 23) * PRIME_2 + PRIME_3;
		p += 4;
	}
	for (; p < end; p++)
		hash = rotate(hash ^ ((unsigned char) *p * PRIME_5), 11) * PRIME_1;

	hash = (hash ^ (hash >> 33)) * PRIME_2;
	hash = (hash ^ (hash >> 29)) * PRIME_3;
	return hash ^ (hash >> 32);
}
