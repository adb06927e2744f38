/*
 * address.h
 *	  The address guard: which hosts and addresses a request may reach.
 *
 * What is checked is the address that a connection is about to be made to, not
 * the text of a URL: a name may resolve to anything, today or at the second
 * look.  Private, loopback, link-local (cloud metadata), multicast and reserved
 * addresses are refused unless databite.allowed_hosts names the host or the
 * address; with databite.only_allowed_hosts everything else is refused too.
 */
#ifndef DATABITE_ADDRESS_H
#define DATABITE_ADDRESS_H

struct sockaddr;

typedef struct AddressGuard AddressGuard;

/*
 * Reads the list once: host names, "*.suffix" patterns and CIDR blocks
 * between commas.  An entry that is none of these allows nothing and is a
 * WARNING.  Lives in the current memory context.
 */
extern AddressGuard *address_guard_create(const char *allowed_hosts, bool only_allowed_hosts);

/* May a connection for a URL with this host be made to this address?  Never raises an error. */
extern bool address_guard_allows(const AddressGuard *guard, const char *host, const struct sockaddr *address);

/*
 * May a URL with this host be asked of a proxy?  The proxy resolves the name,
 * so only a host that is itself an address, or means this machine, can be
 * judged here; keeping the proxy from private addresses is the proxy's task.
 */
extern bool address_guard_allows_by_proxy(const AddressGuard *guard, const char *host);

#endif
