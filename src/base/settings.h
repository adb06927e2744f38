/*
 * settings.h
 *	  All settings (GUCs) of databite.
 */
#ifndef DATABITE_SETTINGS_H
#define DATABITE_SETTINGS_H

#define WATCH_TOKEN_HASH	"sha256:"
#define WATCH_TOKEN_DIGITS	64

extern int	databite_max_workers;
extern char *databite_allowed_hosts;
extern bool databite_only_allowed_hosts;
extern char *databite_ca_bundle;
extern char *databite_proxy;
extern char *databite_user_agent;
extern int	databite_history_retention; /* minutes; 0 keeps for ever */
extern int	databite_launcher_interval; /* seconds */
extern int	databite_hook_timeout;	/* ms */
extern char *databite_webhook_listen;	/* "host:port"; "": nobody listens */
extern int	databite_log_level; /* a LogLevel */
extern int	databite_webhook_batch; /* deliveries of one transaction at most */

/* More would hold their locks for too long. */
#define WEBHOOK_BATCH_MAX 200
extern char *databite_watch_token;	/* "": there is none; or WATCH_TOKEN_HASH and the digits of its SHA-256 */

/* Defines them; called once by _PG_init. */
extern void settings_define(void);

#endif
