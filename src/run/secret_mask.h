/*
 * secret_mask.h
 *	  Keeps the secrets that went into requests out of errors.
 */
#ifndef DATABITE_SECRET_MASK_H
#define DATABITE_SECRET_MASK_H

#include "nodes/pg_list.h"

/* From now on, and as long as the process lives, the value is not shown. */
extern void secret_mask_remember(const char *value);

/* What is remembered so far (of char *), in the order in which it came; for a process that writes for this one. */
extern const List *secret_mask_list(void);

/* As it stands in that list. */
extern void secret_mask_adopt(const char *value);

/* The text, or a copy in the current memory context with "***" for each secret in it.  NULL gives NULL. */
extern char *secret_mask_text(char *text);

/* Does the same to all texts of an error that was caught. */
extern void secret_mask_error(ErrorData *error);

#endif
