/*
 * template_shim.h
 *	  The stand-in for a backend that the template fuzzer runs in.
 */
#ifndef DATABITE_TEMPLATE_SHIM_H
#define DATABITE_TEMPLATE_SHIM_H

/* Types of its table that PostgreSQL has not. */
#define SHIM_DOMAIN	90001		/* over integer */
#define SHIM_ROW	90002
#define SHIM_ENUM	90003

/* Memory contexts that there are. */
extern int	shim_contexts(void);

#endif
