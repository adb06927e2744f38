/*
 * secret_name.c
 *	  Names by which requests and answers call what is secret.
 */
#include "postgres.h"

#include "job/secret_name.h"

/* Parts of names, in lower case and without "_", "-", "." and blanks. */
static const char *const secret_parts[] = {
	"token", "password", "passwd", "passphrase", "secret", "apikey", "privatekey", "accesskey", "authorization",
	"assertion", "signature", "credential", "cookie", "session", "jwt", NULL
};

/* The same of whole names. */
static const char *const secret_names[] = {"pwd", "pass", "pin", "otp", "key", NULL};

/* What only tells of a secret (RFC 6749, RFC 8693). */
static const char *const open_names[] = {"tokentype", "issuedtokentype", "tokenendpoint", NULL};

static bool is_one_of(const char *name, const char *const *names);

bool
is_secret_name(const char *name)
{
	char	   *plain = palloc(strlen(name) + 1);
	size_t		len = 0;

	for (; *name != '\0'; name++)
	{
		if (strchr("_-. ", *name) == NULL)
			plain[len++] = pg_ascii_tolower((unsigned char) *name);
	}
	plain[len] = '\0';

	if (is_one_of(plain, open_names))
		return false;
	for (int i = 0; secret_parts[i] != NULL; i++)
	{
		if (strstr(plain, secret_parts[i]) != NULL)
			return true;
	}
	return is_one_of(plain, secret_names);
}

static bool
is_one_of(const char *name, const char *const *names)
{
	for (; *names != NULL; names++)
	{
		if (strcmp(name, *names) == 0)
			return true;
	}
	return false;
}
