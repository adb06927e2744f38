/*
 * template_shim.h
 *	  The stand-in for a backend that the template fuzzer runs in.
 */
#ifndef DATABITE_TEMPLATE_SHIM_H
#define DATABITE_TEMPLATE_SHIM_H

/* Types of its table that PostgreSQL has not. */
#define SHIM_DOMAIN			90001	/* over integer */
#define SHIM_ROW			90002
#define SHIM_ENUM			90003
#define SHIM_DOMAIN_ARRAY	90004
#define SHIM_CODE			90005	/* a domain over varchar, with a length */
#define SHIM_CODE_ARRAY		90006

/* The functions of users, as SQL text must name them; ended by NULL. */
extern const char *const shim_functions[];

/* Memory contexts that there are. */
extern int	shim_contexts(void);

#endif
