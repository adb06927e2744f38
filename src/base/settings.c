/*
 * settings.c
 *	  All settings (GUCs) of databite.
 *
 * Who may set which is decided by what it could harm.  Where requests may go
 * and whom they trust (hosts, TLS, proxy, user agent) is for superusers and the
 * configuration file: a role that may schedule jobs must not be able to widen
 * its own reach.  How many workers there are and how long history is kept is
 * the server's business: the configuration file only.
 */
#include "postgres.h"

#include <limits.h>

#include "base/log_level.h"
#include "base/settings.h"
#include "base/version.h"
#include "utils/guc.h"

int			databite_max_workers = 4;
char	   *databite_allowed_hosts = NULL;
bool		databite_only_allowed_hosts = false;
char	   *databite_ca_bundle = NULL;
char	   *databite_proxy = NULL;
char	   *databite_user_agent = NULL;
int			databite_history_retention = 30 * 24 * 60;
int			databite_launcher_interval = 60;
int			databite_hook_timeout = 30000;
char	   *databite_webhook_listen;
int			databite_webhook_batch;
int			databite_log_level = LEVEL_INFO;

static const struct config_enum_entry log_levels[] = {
	{"debug", LEVEL_DEBUG, false},
	{"info", LEVEL_INFO, false},
	{"warning", LEVEL_WARNING, false},
	{"error", LEVEL_ERROR, false},
	{NULL, 0, false}
};

char	   *databite_watch_token;

/* A shorter token could be found by trying. */
#define MIN_TOKEN_LEN	16

static bool check_watch_token(char **value, void **extra, GucSource source);
static const char *show_watch_token(void);

void
settings_define(void)
{
	/*
	 * Bounds the runs that a scheduler has going at once, so one database's jobs cannot take every worker slot.  0 is for a copy
	 * of a server, which must not do the work of the other one.
	 */
	DefineCustomIntVariable("databite.max_workers",
							"Sets the number of runs that may go on at once in a database.",
							"0 has workers start nothing.",
							&databite_max_workers,
							4, 0, 64,
							PGC_SIGHUP, 0,
							NULL, NULL, NULL);

	/* Private, loopback, link-local and metadata addresses are refused unless the host is named here. */
	DefineCustomStringVariable("databite.allowed_hosts",
							   "Names the hosts that may be private addresses.",
							   "A comma-separated list of host names, \"*.suffix\" patterns and CIDR blocks.",
							   &databite_allowed_hosts,
							   "",
							   PGC_SUSET, 0,
							   NULL, NULL, NULL);

	/* Turns the list above into the only hosts that are reached at all. */
	DefineCustomBoolVariable("databite.only_allowed_hosts",
							 "Refuses every host that databite.allowed_hosts does not name.",
							 NULL,
							 &databite_only_allowed_hosts,
							 false,
							 PGC_SUSET, 0,
							 NULL, NULL, NULL);

	/* Whom TLS trusts; verification itself cannot be turned off. */
	DefineCustomStringVariable("databite.ca_bundle",
							   "Sets the file with the certificate authorities that are trusted.",
							   "Empty: those of the operating system.",
							   &databite_ca_bundle,
							   "",
							   PGC_SUSET, GUC_SUPERUSER_ONLY,
							   NULL, NULL, NULL);

	/* May hold a password, so it is shown to superusers only. */
	DefineCustomStringVariable("databite.proxy",
							   "Sets the proxy that requests go through.",
							   "Empty: none. The proxy variables of the environment are never read.",
							   &databite_proxy,
							   "",
							   PGC_SUSET, GUC_SUPERUSER_ONLY,
							   NULL, NULL, NULL);

	DefineCustomStringVariable("databite.user_agent",
							   "Sets the User-Agent header of requests.",
							   NULL,
							   &databite_user_agent,
							   "databite/" DATABITE_VERSION,
							   PGC_SUSET, 0,
							   NULL, NULL, NULL);

	DefineCustomIntVariable("databite.history_retention",
							"Sets how long the history of runs is kept.",
							"0 keeps it for ever.",
							&databite_history_retention,
							30 * 24 * 60, 0, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_MIN,
							NULL, NULL, NULL);

	/* A safety net only: schedulers are started at once by whoever creates the first job. */
	DefineCustomIntVariable("databite.launcher_interval",
							"Sets how often the launcher looks for databases that need a scheduler.",
							NULL,
							&databite_launcher_interval,
							60, 1, 24 * 60 * 60,
							PGC_SIGHUP, GUC_UNIT_S,
							NULL, NULL, NULL);

	/* It holds up the run and the job's next one, and nobody else: so it is the owner's. */
	DefineCustomIntVariable("databite.hook_timeout",
							"Sets how long a hook of a job may take.",
							"One that takes longer is cancelled; the run goes on.",
							&databite_hook_timeout,
							30000, 1, INT_MAX,
							PGC_USERSET, GUC_UNIT_MS,
							NULL, NULL, NULL);

	/* Who may reach it can hand in what the endpoints of jobs take; a database may have one of its own. */
	DefineCustomStringVariable("databite.webhook_listen",
							   "Sets the address where webhooks are taken, as host:port.",
							   "Empty: nowhere.",
							   &databite_webhook_listen,
							   "",
							   PGC_SUSET, 0,
							   NULL, NULL, NULL);

	/* What a busy server writes to its log is not for everybody to multiply. */
	DefineCustomEnumVariable("databite.log_level",
							 "Sets which lines on runs go to the server log, and to the log of jobs that do not say.",
							 NULL,
							 &databite_log_level,
							 LEVEL_INFO, log_levels,
							 PGC_SUSET, 0,
							 NULL, NULL, NULL);

	/* Those that have come while the ones before them were committed; nobody waits for more of them. */
	DefineCustomIntVariable("databite.webhook_batch",
							"Sets how many deliveries of webhooks are taken in one transaction at most.",
							"1: each is committed by itself.",
							&databite_webhook_batch,
							WEBHOOK_BATCH_MAX, 1, WEBHOOK_BATCH_MAX,
							PGC_SIGHUP, 0,
							NULL, NULL, NULL);

	/* In no place that others may read, as ALTER DATABASE ... SET would be. */
	DefineCustomStringVariable("databite.watch_token",
							   "Sets what has to be given to see the page and the metrics of the listener.",
							   "Empty: nothing, and they are shown on this machine only.",
							   &databite_watch_token,
							   "",
							   PGC_SIGHUP, GUC_SUPERUSER_ONLY | GUC_NO_SHOW_ALL | GUC_NOT_IN_SAMPLE,
							   check_watch_token, NULL, show_watch_token);

	MarkGUCPrefixReserved("databite");
}

/* It is sent in a header, and typed into browsers; or it is a hash of that. */
static bool
check_watch_token(char **value, void **extra, GucSource source)
{
	size_t		len = strlen(*value);
	size_t		prefix = strlen(WATCH_TOKEN_HASH);

	for (const char *c = *value; *c != '\0'; c++)
	{
		if (*c > ' ' && *c <= '~')
			continue;
		GUC_check_errdetail("The token may consist of ASCII letters, digits and punctuation.");
		return false;
	}
	if (len > 0 && len < MIN_TOKEN_LEN)
	{
		GUC_check_errdetail("The token must have at least %d characters.", MIN_TOKEN_LEN);
		return false;
	}
	if (strncmp(*value, WATCH_TOKEN_HASH, prefix) == 0 &&
		(len != prefix + WATCH_TOKEN_DIGITS || strspn(*value + prefix, "0123456789abcdefABCDEF") != WATCH_TOKEN_DIGITS))
	{
		GUC_check_errdetail("\"%s\" is followed by %d hexadecimal digits.", WATCH_TOKEN_HASH, WATCH_TOKEN_DIGITS);
		return false;
	}
	return true;
}

static const char *
show_watch_token(void)
{
	return databite_watch_token[0] != '\0' ? "********" : "";
}
