/*
 * address.c
 *	  The address guard: which hosts and addresses a request may reach.
 *
 * All addresses are compared as 16 bytes, IPv4 as IPv4-mapped IPv6
 * (::ffff:a.b.c.d), so that the same address has one form only.
 */
#include "postgres.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "source/address.h"

/* Bounds of databite.allowed_hosts; what is beyond allows nothing. */
#define MAX_ENTRIES 1000
#define MAX_HOST_LENGTH 255

typedef struct AddressBlock
{
	uint8		bytes[16];
	int			bits;			/* of the prefix */
} AddressBlock;

typedef struct AllowedEntry
{
	bool		is_block;
	AddressBlock block;
	char	   *name;			/* lower case, without "*" and a last dot: "example.com", ".example.com" */
} AllowedEntry;

struct AddressGuard
{
	bool		only_allowed;
	int			nentries;
	AllowedEntry *entries;
};

/* IPv4 that is not the public Internet, as the special-purpose registry (RFC 6890) has it. */
static const struct
{
	uint8		bytes[4];
	int			bits;
}			refused_v4[] =
{
	{{0, 0, 0, 0}, 8},			/* this network */
	{{10, 0, 0, 0}, 8},			/* private */
	{{100, 64, 0, 0}, 10},		/* carrier-grade NAT */
	{{127, 0, 0, 0}, 8},		/* loopback */
	{{169, 254, 0, 0}, 16},		/* link-local, cloud metadata */
	{{172, 16, 0, 0}, 12},		/* private */
	{{192, 0, 0, 0}, 24},		/* protocol assignments */
	{{192, 0, 2, 0}, 24},		/* documentation */
	{{192, 88, 99, 0}, 24},		/* 6to4 relays, retired */
	{{192, 168, 0, 0}, 16},		/* private */
	{{198, 18, 0, 0}, 15},		/* benchmarks */
	{{198, 51, 100, 0}, 24},	/* documentation */
	{{203, 0, 113, 0}, 24},		/* documentation */
	{{224, 0, 0, 0}, 4},		/* multicast */
	{{240, 0, 0, 0}, 4},		/* reserved, broadcast */
};

/* Blocks of global unicast IPv6 (2000::/3) that are not the public Internet. */
static const AddressBlock refused_v6[] =
{
	{{0x20, 0x01}, 23},			/* protocol assignments: Teredo, ORCHID, ... */
	{{0x20, 0x01, 0x0d, 0xb8}, 32}, /* documentation */
	{{0x3f, 0xff}, 20},			/* documentation */
};

static const AddressBlock v4_mapped = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96};
static const AddressBlock v4_by_nat64 = {{0x00, 0x64, 0xff, 0x9b}, 96};
static const AddressBlock v4_by_6to4 = {{0x20, 0x02}, 16};
static const AddressBlock global_unicast = {{0x20}, 3};

static bool parse_entry(const char *text, AllowedEntry *entry);
static bool parse_block(const char *text, AddressBlock *block);
static bool parse_address(const char *text, uint8 *bytes, bool *is_v4);
static bool read_sockaddr(const struct sockaddr *address, uint8 *bytes);
static bool names_host(const AddressGuard *guard, const char *host);
static bool names_address(const AddressGuard *guard, const uint8 *bytes);
static bool is_public(const uint8 *bytes);
static bool is_public_v4(const uint8 *bytes);
static bool in_block(const uint8 *bytes, const uint8 *block, int bits);
static bool has_suffix(const char *text, size_t len, const char *suffix);
static size_t host_length(const char *host);

AddressGuard *
address_guard_create(const char *allowed_hosts, bool only_allowed_hosts)
{
	AddressGuard *guard = palloc0(sizeof(AddressGuard));
	char	   *list = pstrdup(allowed_hosts != NULL ? allowed_hosts : "");
	char	   *rest = list;
	char	   *text;
	int			capacity = 1;

	for (const char *p = list; *p != '\0' && capacity < MAX_ENTRIES; p++)
		capacity += (*p == ',');

	guard->only_allowed = only_allowed_hosts;
	guard->entries = palloc0(capacity * sizeof(AllowedEntry));
	while ((text = strsep(&rest, ",")) != NULL)
	{
		size_t		len;

		text += strspn(text, " \t\n");
		len = strlen(text);
		while (len > 0 && strchr(" \t\n", text[len - 1]) != NULL)
			text[--len] = '\0';
		if (len == 0)
			continue;
		if (guard->nentries == MAX_ENTRIES)
		{
			ereport(WARNING,
					(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
					 errmsg("databite.allowed_hosts has more than %d entries", MAX_ENTRIES),
					 errdetail("The rest is ignored.")));
			break;
		}
		if (parse_entry(text, &guard->entries[guard->nentries]))
			guard->nentries++;
		else
			ereport(WARNING,
					(errcode(ERRCODE_CONFIG_FILE_ERROR),
					 errmsg("entry \"%s\" of databite.allowed_hosts is ignored", text),
					 errhint("An entry is a host name, \"*.suffix\" or a CIDR block, without scheme and port.")));
	}
	pfree(list);
	return guard;
}

bool
address_guard_allows(const AddressGuard *guard, const char *host, const struct sockaddr *address)
{
	uint8		bytes[16];

	if (!read_sockaddr(address, bytes))
		return false;
	if (names_host(guard, host) || names_address(guard, bytes))
		return true;
	return !guard->only_allowed && is_public(bytes);
}

bool
address_guard_allows_by_proxy(const AddressGuard *guard, const char *host)
{
	uint8		bytes[16];
	bool		is_v4;
	size_t		len = host_length(host);

	if (names_host(guard, host))
		return true;
	if (parse_address(host, bytes, &is_v4))
		return names_address(guard, bytes) || (!guard->only_allowed && is_public(bytes));
	if (guard->only_allowed)
		return false;
	return !(len == strlen("localhost") && pg_strncasecmp(host, "localhost", len) == 0) &&
		!has_suffix(host, len, ".localhost");
}

/* Reads an entry of the list; false where it is neither a name, a pattern nor a block. */
static bool
parse_entry(const char *text, AllowedEntry *entry)
{
	const char *name = text;
	size_t		len;

	if (parse_block(text, &entry->block))
	{
		entry->is_block = true;
		return true;
	}

	if (name[0] == '*' && name[1] == '.')
		name++;
	len = host_length(name);
	if (len == 0 || len > MAX_HOST_LENGTH)
		return false;
	for (size_t i = 0; i < len; i++)
	{
		/* a letter beyond ASCII is one of an internationalized name */
		if (!isalnum((unsigned char) name[i]) && strchr("-._", name[i]) == NULL && !IS_HIGHBIT_SET(name[i]))
			return false;
	}
	if (name[0] == '.' && (name == text || len == 1))
		return false;

	entry->is_block = false;
	entry->name = pnstrdup(name, len);
	return true;
}

/* Reads "10.0.0.0/8", "fd00::/8", or an address alone. */
static bool
parse_block(const char *text, AddressBlock *block)
{
	char		address[INET6_ADDRSTRLEN];
	size_t		len = strcspn(text, "/");
	bool		is_v4;
	long		bits;
	char	   *end;

	if (len >= sizeof(address))
		return false;
	memcpy(address, text, len);
	address[len] = '\0';
	if (!parse_address(address, block->bytes, &is_v4))
		return false;

	block->bits = 128;
	if (text[len] == '\0')
		return true;
	if (!isdigit((unsigned char) text[len + 1]))
		return false;
	bits = strtol(text + len + 1, &end, 10);
	if (*end != '\0' || bits > (is_v4 ? 32 : 128))
		return false;
	block->bits = is_v4 ? 96 + bits : bits;
	return true;
}

/* Reads an address, an IPv6 one with or without brackets and zone. */
static bool
parse_address(const char *text, uint8 *bytes, bool *is_v4)
{
	char		plain[INET6_ADDRSTRLEN];
	size_t		len;

	memcpy(bytes, v4_mapped.bytes, 16);
	*is_v4 = inet_pton(AF_INET, text, bytes + 12) == 1;
	if (*is_v4)
		return true;

	if (*text == '[')
		text++;
	len = strcspn(text, "]%");
	if (len >= sizeof(plain))
		return false;
	memcpy(plain, text, len);
	plain[len] = '\0';
	return inet_pton(AF_INET6, plain, bytes) == 1;
}

/* Takes the address out of a socket address; false for a family that is not the Internet's. */
static bool
read_sockaddr(const struct sockaddr *address, uint8 *bytes)
{
	if (address->sa_family == AF_INET)
	{
		memcpy(bytes, v4_mapped.bytes, 12);
		memcpy(bytes + 12, &((const struct sockaddr_in *) address)->sin_addr, 4);
		return true;
	}
	if (address->sa_family == AF_INET6)
	{
		memcpy(bytes, &((const struct sockaddr_in6 *) address)->sin6_addr, 16);
		return true;
	}
	return false;
}

/* Does a name or pattern of the list name this host? */
static bool
names_host(const AddressGuard *guard, const char *host)
{
	size_t		len = host_length(host);

	for (int i = 0; i < guard->nentries; i++)
	{
		const AllowedEntry *entry = &guard->entries[i];

		if (entry->is_block)
			continue;
		if (entry->name[0] == '.')
		{
			if (has_suffix(host, len, entry->name))
				return true;
		}
		else if (strlen(entry->name) == len && pg_strncasecmp(entry->name, host, len) == 0)
			return true;
	}
	return false;
}

/* Does a block of the list hold this address? */
static bool
names_address(const AddressGuard *guard, const uint8 *bytes)
{
	for (int i = 0; i < guard->nentries; i++)
	{
		const AllowedEntry *entry = &guard->entries[i];

		if (entry->is_block && in_block(bytes, entry->block.bytes, entry->block.bits))
			return true;
	}
	return false;
}

/*
 * Is this an address of the public Internet?  In IPv6 only what is known to be
 * is: that leaves out ::, ::1, fc00::/7, fe80::/10, ff00::/8, IPv4-compatible
 * and whatever comes.  An IPv4 address inside of an IPv6 one is judged itself.
 */
static bool
is_public(const uint8 *bytes)
{
	if (in_block(bytes, v4_mapped.bytes, v4_mapped.bits) ||
		in_block(bytes, v4_by_nat64.bytes, v4_by_nat64.bits))
		return is_public_v4(bytes + 12);
	if (in_block(bytes, v4_by_6to4.bytes, v4_by_6to4.bits))
		return is_public_v4(bytes + 2);
	if (!in_block(bytes, global_unicast.bytes, global_unicast.bits))
		return false;
	for (int i = 0; i < lengthof(refused_v6); i++)
	{
		if (in_block(bytes, refused_v6[i].bytes, refused_v6[i].bits))
			return false;
	}
	return true;
}

static bool
is_public_v4(const uint8 *bytes)
{
	for (int i = 0; i < lengthof(refused_v4); i++)
	{
		if (in_block(bytes, refused_v4[i].bytes, refused_v4[i].bits))
			return false;
	}
	return true;
}

/* Do the first bits agree? */
static bool
in_block(const uint8 *bytes, const uint8 *block, int bits)
{
	int			whole = bits / 8;
	int			rest = bits % 8;

	if (memcmp(bytes, block, whole) != 0)
		return false;
	return rest == 0 || ((bytes[whole] ^ block[whole]) >> (8 - rest)) == 0;
}

/* Does the text end in suffix (with something before it)?  Case does not count. */
static bool
has_suffix(const char *text, size_t len, const char *suffix)
{
	size_t		suffix_len = strlen(suffix);

	return len > suffix_len && pg_strncasecmp(text + len - suffix_len, suffix, suffix_len) == 0;
}

/* Length of a host name without the dot of the root. */
static size_t
host_length(const char *host)
{
	size_t		len = strlen(host);

	return len > 1 && host[len - 1] == '.' ? len - 1 : len;
}
